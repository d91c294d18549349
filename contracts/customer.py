"""Customers: accounts, the people there, and every contact with them."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import Address, Ask, Command, Event, Part, Query, Record

SUBJECT_KINDS = {"account": ("Account", "客户"), "contact": ("Contact", "联系人"), "lead": ("Lead", "线索")}


class Account(
    Record,
    name="customer.account",
    collection="accounts",
    label=("Account", "客户"),
    subtitle=("city", "country"),
    merges=True,
    erases=True,
    likeness={
        "name": ("company", 5),
        "phone": ("phone", 3),
        "email": ("email", 4),
        "website": ("domain", 3),
        "address": ("address", 3),
    },
):
    """A company (or a private customer) that one does business with."""

    name = f.Text(required=True, filter=True, sort=True, search=10, pii=True, label=("Name", "名称"))
    kind = f.Choice(
        {
            "prospect": ("Prospect", "潜在客户"),
            "customer": ("Customer", "客户"),
            "partner": ("Partner", "合作伙伴"),
            "distributor": ("Distributor", "经销商"),
            "intermediary": ("Intermediary", "中介"),
        },
        default="customer",
        filter=True,
        label=("Kind", "类别"),
    )
    person = f.Boolean(
        default=False,
        label=("Private person", "个人客户"),
        help=("A private person, whose data can be erased", "自然人，其数据可被抹除"),
    )
    industry = f.Text(max=100, filter=True, label=("Industry", "行业"))
    source = f.Text(max=100, filter=True, label=("Source", "来源"))
    lifecycle = f.Choice(
        {
            "get": ("Acquire", "获取"),
            "keep": ("Retain", "保持"),
            "develop": ("Develop", "发展"),
            "lost": ("Lost", "流失"),
        },
        default="get",
        filter=True,
        label=("Lifecycle", "生命周期"),
    )
    phone = f.Text(max=40, search=6, pii=True, label=("Phone", "电话"))
    fax = f.Text(max=40, pii=True, label=("Fax", "传真"))
    email = f.Email(search=6, filter=True, pii=True, label=("E-mail", "邮箱"))
    website = f.Text(max=300, search=2, pii=True, label=("Website", "网站"))
    address = f.Embedded(Address, pii=True, label=("Address", "地址"))
    city = f.Text(max=100, computed=True, filter=True, sort=True, search=2, label=("City", "城市"))
    country = f.Text(max=60, computed=True, filter=True, sort=True, label=("Country", "国家"))
    currencies = f.Texts(
        f.Currency(required=True),
        default=list,
        label=("Currencies", "可用币种"),
        help=("Orders only in these; empty: in any", "只能以这些币种下单；空：不限"),
    )
    credit_limit = f.Money(
        filter=True,
        label=("Credit limit", "信用额度"),
        help=("An order beyond it is rejected; empty: no limit", "超过此额度的订单会被拒绝；空：不限"),
    )
    payment_days = f.Integer(
        least=0,
        most=365,
        default=30,
        label=("Payment days", "账期（天）"),
        help=("Days until a receivable is due", "应收款到期前的天数"),
    )
    next_action_on = f.Date(filter=True, sort=True, label=("Next action on", "下次跟进"))
    notes = f.Text(max=10_000, pii=True, label=("Notes", "备注"))


class Contact(
    Record,
    name="customer.contact",
    collection="contacts",
    label=("Contact", "联系人"),
    subtitle=("title", "email"),
    merges=True,
    erases=True,
    likeness={
        "name": ("person", 4),
        "email": ("email", 5),
        "phone": ("phone", 2),
        "mobile": ("phone", 3),
        "birthday": ("date", 3),
        "home_address": ("address", 2),
    },
):
    """A person at an account."""

    account_id = f.Ref("customer.account", on_delete="cascade", filter=True, label=("Account", "客户"))
    name = f.Text(required=True, filter=True, sort=True, search=10, pii=True, label=("Name", "姓名"))
    title = f.Text(max=100, search=1, label=("Title", "职位"))
    email = f.Email(search=6, filter=True, pii=True, label=("E-mail", "邮箱"))
    phone = f.Text(max=40, search=6, pii=True, label=("Phone", "电话"))
    mobile = f.Text(max=40, search=6, pii=True, label=("Mobile", "手机"))
    hobbies = f.Text(max=500, pii=True, label=("Hobbies", "爱好"))
    birthday = f.Date(pii=True, label=("Birthday", "生日"))
    home_address = f.Embedded(Address, pii=True, label=("Home address", "家庭住址"))
    preferred_channel = f.Choice(
        {"email": ("E-mail", "邮件"), "phone": ("Phone", "电话"), "sms": ("SMS", "短信"), "none": ("None", "不联系")},
        default="email",
        label=("Preferred channel", "渠道偏好"),
    )
    primary = f.Boolean(
        default=False,
        label=("Primary contact", "主要联系人"),
        help=("Whom to address first at the account", "该客户的首要联系人"),
    )


class Group(Record, name="customer.group", collection="groups", label=("Group", "客户组")):
    """A set of accounts; two levels at most."""

    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    parent_id = f.Ref("customer.group", on_delete="restrict", filter=True, label=("Parent group", "上级组"))
    account_ids = f.Texts(
        f.Ref("customer.account", on_delete="keep", required=True),  # type: ignore[arg-type]
        most=10_000,
        default=list,
        label=("Accounts", "客户"),
        help=("Who belongs to the group", "属于该组的客户"),
    )


class Activity(
    Record,
    name="customer.activity",
    collection="activities",
    label=("Activity", "活动"),
    title="subject",
    subtitle=("kind",),
):
    """Something planned with a customer: a call, a visit, a task. Completing it writes the interaction that it was."""

    subject = f.Text(required=True, filter=True, sort=True, search=8, label=("Subject", "主题"))
    kind = f.Choice(
        {
            "task": ("Task", "任务"),
            "call": ("Call", "电话"),
            "visit": ("Visit", "拜访"),
            "meeting": ("Meeting", "会议"),
        },
        default="task",
        filter=True,
        label=("Kind", "类型"),
    )
    account_id = f.Ref("customer.account", on_delete="cascade", filter=True, label=("Account", "客户"))
    contact_id = f.Ref("customer.contact", on_delete="keep", filter=True, label=("Contact", "联系人"))
    starts_at = f.Instant(filter=True, sort=True, label=("Starts at", "开始时间"))
    minutes = f.Integer(
        least=0, most=100_000, default=30, label=("Minutes", "时长（分钟）"), help=("How long it takes", "所需时间")
    )
    remind_at = f.Instant(label=("Remind at", "提醒时间"), help=("The owner is told at this time", "届时提醒负责人"))
    notes = f.Text(max=10_000, search=1, label=("Notes", "备注"))
    outcome = f.Text(max=2_000, computed=True, label=("Outcome", "结果"))
    completed_at = f.Instant(computed=True, label=("Completed at", "完成时间"))
    status = f.State(
        {"open": (("Open", "未完成"), ("completed",)), "completed": (("Completed", "已完成"), ())},
        filter=True,
        label=("Status", "状态"),
    )


class Interaction(
    Record, name="customer.interaction", collection="interactions", label=("Interaction", "联络记录"), title="summary"
):
    """A contact that took place, on any channel. This is what the firm remembers when people leave."""

    account_id = f.Ref("customer.account", on_delete="cascade", required=True, filter=True, label=("Account", "客户"))
    contact_id = f.Ref("customer.contact", on_delete="keep", filter=True, label=("Contact", "联系人"))
    channel = f.Choice(
        {
            "phone": ("Phone", "电话"),
            "email": ("E-mail", "邮件"),
            "visit": ("Visit", "拜访"),
            "chat": ("Chat", "聊天"),
            "letter": ("Letter or fax", "信函或传真"),
            "other": ("Other", "其他"),
        },
        default="other",
        filter=True,
        label=("Channel", "渠道"),
    )
    direction = f.Choice(
        {"in": ("Inbound", "来自客户"), "out": ("Outbound", "发往客户")}, default="out", label=("Direction", "方向")
    )
    summary = f.Text(required=True, max=2_000, search=3, label=("Summary", "摘要"))
    happened_at = f.Instant(filter=True, sort=True, label=("Happened at", "发生时间"))
    activity_id = f.Ref("customer.activity", on_delete="keep", label=("Activity", "活动"))


class Outcome(Part):
    outcome = f.Text(max=2_000, label=("Outcome", "结果"))


class NewOwner(Part):
    owner_id = f.Ref("identity.user", required=True, label=("New owner", "新负责人"))


class OverviewOrder(Part):
    id = f.Id(required=True)
    number = f.Text()
    status = f.Text()
    total = f.Money()
    ordered_on = f.Date()


class OverviewRequest(Part):
    id = f.Id(required=True)
    number = f.Text()
    subject = f.Text(max=2_000)
    status = f.Text()


class CurrencyTotal(Part):
    """Sums of one currency: different currencies are never added."""

    currency = f.Currency(required=True)
    ordered = f.Number(label=("Ordered, without rejected and cancelled", "订货额"))
    receivable_open = f.Number(label=("Open receivables", "未收款"))
    overdue = f.Number(label=("Overdue", "逾期"))


class Overview(Part):
    """The whole relationship with one account on one page, built from events."""

    account_id = f.Id(required=True)
    orders_count = f.Integer(least=0)
    orders_by_status = f.Document()
    totals = f.Parts(CurrencyTotal)
    recent_orders = f.Parts(OverviewOrder)
    requests_open = f.Integer(least=0)
    recent_requests = f.Parts(OverviewRequest)
    contacts_count = f.Integer(least=0)
    activities_open = f.Integer(least=0)
    opportunities_open = f.Integer(least=0)
    points = f.Integer()
    last_order_on = f.Date()
    last_contact_at = f.Instant()


AccountTransferred = Event("customer.account.transferred", of=Account)
ActivityCompleted = Event("customer.activity.completed", of=Activity)

claim = Command(
    "customer.account.claim", on=Account, errors=("account_owned",), emits=AccountTransferred, label=("Claim", "认领")
)
release = Command("customer.account.release", on=Account, emits=AccountTransferred, label=("Release", "释放"))
transfer = Command(
    "customer.account.transfer", on=Account, request=NewOwner, emits=AccountTransferred, label=("Transfer", "转移")
)
complete = Command(
    "customer.activity.complete",
    on=Activity,
    leads={"open": "completed"},
    request=Outcome,
    errors=("wrong_state",),
    emits=ActivityCompleted,
    label=("Complete", "完成"),
)
overview = Query("customer.account.overview", on=Account, reply=Overview)


class CreateFromLead(Part):
    lead_id = f.Id(required=True)
    company = f.Text(required=True)
    name = f.Text(required=True)
    email = f.Text(max=254)
    phone = f.Text(max=40)
    title = f.Text(max=100)
    source = f.Text(max=100)
    owner_id = f.Id()
    team_id = f.Id()
    account_id = f.Id()


class CreatedFromLead(Part):
    account_id = f.Id(required=True)
    contact_id = f.Id(required=True)


class LeadOnly(Part):
    lead_id = f.Id(required=True)


create_from_lead = Ask(
    "customer.create-from-lead",
    request=CreateFromLead,
    reply=CreatedFromLead,
    refusals=("unknown_account", "external_id_taken"),
)
remove_from_lead = Ask("customer.remove-from-lead", request=LeadOnly)
