"""Winning customers and keeping them: campaigns, leads, segments and points."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import INSERT_ONLY, READ_ONLY, Command, Event, Part, Record

# An order in a currency of small units is worth more points than 32 bits hold; every JSON reader holds these exactly.
MOST_POINTS = 10**15


class Campaign(
    Record, name="marketing.campaign", collection="campaigns", label=("Campaign", "市场活动"), subtitle=("status",)
):
    name = f.Text(required=True, filter=True, sort=True, search=10, label=("Name", "名称"))
    kind = f.Choice(
        {
            "advertising": ("Advertising", "广告"),
            "conference": ("Conference", "会议"),
            "exhibition": ("Exhibition", "展览"),
            "promotion": ("Promotion", "促销"),
            "email": ("E-mail", "邮件"),
            "phone": ("Telephone", "电话"),
        },
        default="promotion",
        filter=True,
        label=("Kind", "类型"),
    )
    objective = f.Choice(
        {"win": ("Win customers", "进攻性"), "keep": ("Keep customers", "防御性")},
        default="win",
        label=("Objective", "目标"),
    )
    starts_on = f.Date(filter=True, sort=True, label=("From", "开始"))
    ends_on = f.Date(label=("To", "结束"))
    budget = f.Money(label=("Budget", "预算"))
    description = f.Text(max=10_000, search=1, label=("Description", "说明"))
    leads_count = f.Integer(computed=True, least=0, label=("Leads", "线索数"))
    converted_count = f.Integer(computed=True, least=0, label=("Converted leads", "已转化线索数"))
    status = f.State(
        {
            "planned": (("Planned", "计划"), ("running",)),
            "running": (("Running", "进行中"), ("paused", "finished")),
            "paused": (("Paused", "暂停"), ("running", "finished")),
            "finished": (("Finished", "结束"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Lead(
    Record,
    name="marketing.lead",
    collection="leads",
    label=("Lead", "线索"),
    subtitle=("company", "status"),
    merges=True,
    erases=True,
    likeness={"name": ("person", 4), "company": ("company", 2), "email": ("email", 5), "phone": ("phone", 3)},
):
    """A person who may become a customer. Converting makes an account, a contact and an opportunity of it."""

    name = f.Text(required=True, filter=True, sort=True, search=10, pii=True, label=("Name", "姓名"))
    company = f.Text(filter=True, sort=True, search=10, pii=True, label=("Company", "公司"))
    title = f.Text(max=100, label=("Title", "职位"))
    email = f.Email(search=6, filter=True, pii=True, label=("E-mail", "邮箱"))
    phone = f.Text(max=40, search=6, pii=True, label=("Phone", "电话"))
    source = f.Text(max=100, filter=True, label=("Source", "来源"))
    campaign_id = f.Ref("marketing.campaign", on_delete="restrict", filter=True, label=("Campaign", "市场活动"))
    interest = f.Text(max=2_000, search=1, label=("Interest", "意向"))
    value = f.Money(label=("Expected value", "预计金额"))
    reason = f.Text(max=500, computed=True, label=("Reason", "原因"))
    account_id = f.Ref("customer.account", on_delete="keep", computed=True, filter=True, label=("Account", "客户"))
    contact_id = f.Ref("customer.contact", on_delete="keep", computed=True, label=("Contact", "联系人"))
    opportunity_id = f.Ref("sales.opportunity", on_delete="keep", computed=True, label=("Opportunity", "商机"))
    status = f.State(
        {
            "new": (("New", "新线索"), ("qualified", "disqualified")),
            "qualified": (("Qualified", "已确认"), ("converting", "disqualified")),
            "converting": (("Converting", "转化中"), ("converted", "qualified")),
            "converted": (("Converted", "已转化"), ()),
            "disqualified": (("Disqualified", "无效"), ("new",)),
        },
        filter=True,
        label=("Status", "状态"),
    )


class Segment(Record, name="marketing.segment", collection="segments", label=("Segment", "客户细分")):
    """A named set of accounts by a filter over what marketing knows of them."""

    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    description = f.Text(max=2_000, label=("Description", "说明"))
    rule = f.Document(
        default=dict,
        label=("Filter", "条件"),
        help=("A filter tree, as in the search of a list", "条件树，与列表搜索相同"),
    )


class PointAccount(
    Record,
    name="marketing.point-account",
    collection="point-accounts",
    label=("Point account", "积分账户"),
    operations=READ_ONLY,
    title="id",
    repoints=False,
):
    """The points of one account: the sum of its entries."""

    account_id = f.Ref("customer.account", on_delete="keep", computed=True, filter=True, label=("Account", "客户"))
    balance = f.Integer(
        computed=True, least=-MOST_POINTS, most=MOST_POINTS, filter=True, sort=True, label=("Balance", "余额")
    )


class PointEntry(
    Record,
    name="marketing.point-entry",
    collection="point-entries",
    label=("Point entry", "积分流水"),
    operations=INSERT_ONLY,
    title="id",
    repoints=False,
):
    """One entry of the points ledger: earned by a paid order, given back by its opposite, or adjusted by hand."""

    account_id = f.Ref(
        "customer.account", on_delete="keep", required=True, once=True, filter=True, label=("Account", "客户")
    )
    points = f.Integer(
        required=True,
        once=True,
        least=-MOST_POINTS,
        most=MOST_POINTS,
        label=("Points", "积分"),
        help=("Below zero takes points away", "负数为扣减积分"),
    )
    kind = f.Choice(
        {"earned": ("Earned", "获得"), "reversed": ("Given back", "退回"), "adjusted": ("Adjusted", "调整")},
        computed=True,
        filter=True,
        label=("Kind", "类型"),
    )
    order_id = f.Ref("sales.order", on_delete="keep", computed=True, filter=True, label=("Order", "订单"))
    reverses_id = f.Ref("marketing.point-entry", on_delete="keep", computed=True, label=("Opposite of", "冲销"))
    reason = f.Text(max=500, once=True, label=("Reason", "原因"))


class Disqualify(Part):
    reason = f.Text(required=True, max=500, label=("Reason", "原因"))


class Convert(Part):
    """`account_id` converts into an existing account; without it a new one is made."""

    account_id = f.Ref("customer.account", label=("Existing account", "已有客户"))
    opportunity_name = f.Text(label=("Opportunity", "商机名称"))


CampaignLaunched = Event("marketing.campaign.launched", of=Campaign)
CampaignPaused = Event("marketing.campaign.paused", of=Campaign)
CampaignFinished = Event("marketing.campaign.finished", of=Campaign)
LeadQualified = Event("marketing.lead.qualified", of=Lead)
LeadDisqualified = Event("marketing.lead.disqualified", of=Lead)
LeadConverted = Event("marketing.lead.converted", of=Lead)
BalanceUpdated = Event("marketing.point-account.updated", of=PointAccount)

launch = Command(
    "marketing.campaign.launch",
    on=Campaign,
    leads={"planned": "running", "paused": "running"},
    errors=("wrong_state",),
    emits=CampaignLaunched,
    label=("Launch", "启动"),
)
pause = Command(
    "marketing.campaign.pause",
    on=Campaign,
    leads={"running": "paused"},
    errors=("wrong_state",),
    emits=CampaignPaused,
    label=("Pause", "暂停"),
)
finish = Command(
    "marketing.campaign.finish",
    on=Campaign,
    leads={"running": "finished", "paused": "finished"},
    errors=("wrong_state",),
    emits=CampaignFinished,
    label=("Finish", "结束"),
)
qualify = Command(
    "marketing.lead.qualify",
    on=Lead,
    leads={"new": "qualified"},
    errors=("wrong_state",),
    emits=LeadQualified,
    label=("Qualify", "确认"),
)
disqualify = Command(
    "marketing.lead.disqualify",
    on=Lead,
    leads={"new": "disqualified", "qualified": "disqualified"},
    request=Disqualify,
    errors=("wrong_state",),
    emits=LeadDisqualified,
    label=("Disqualify", "作废"),
)
convert = Command(
    "marketing.lead.convert",
    on=Lead,
    leads={"qualified": "converting"},
    request=Convert,
    answers=202,
    errors=("wrong_state",),
    label=("Convert", "转化"),
)
