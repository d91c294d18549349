"""Serving customers: requests, the contracts that entitle to them, and what has been learnt."""

from __future__ import annotations

from contracts import fields as f
from contracts.records import LAW, Command, Event, Part, Record


class Request(
    Record,
    name="service.request",
    collection="service-requests",
    label=("Service request", "服务请求"),
    number="SR-{year}-{seq:05}",
    title="subject",
    subtitle=("number", "status"),
):
    subject = f.Text(required=True, filter=True, sort=True, search=8, label=("Subject", "主题"))
    kind = f.Choice(
        {
            "consultation": ("Consultation", "咨询"),
            "suggestion": ("Suggestion", "建议"),
            "complaint": ("Complaint", "投诉"),
            "follow_up": ("Follow-up", "跟进"),
        },
        default="consultation",
        filter=True,
        label=("Kind", "类型"),
    )
    priority = f.Choice(
        {"low": ("Low", "低"), "normal": ("Normal", "普通"), "high": ("High", "高"), "urgent": ("Urgent", "紧急")},
        default="normal",
        filter=True,
        label=("Priority", "优先级"),
    )
    account_id = f.Ref(
        "customer.account", on_delete="restrict", until=("resolved", "closed"), filter=True, label=("Account", "客户")
    )
    contact_id = f.Ref("customer.contact", on_delete="keep", filter=True, label=("Contact", "联系人"))
    order_id = f.Ref("sales.order", on_delete="keep", filter=True, label=("Order", "订单"))
    description = f.Text(max=20_000, search=1, label=("Description", "说明"))
    resolution = f.Text(max=20_000, computed=True, search=1, label=("Resolution", "解决方案"))
    held_since = f.Instant(computed=True, label=("On hold since", "挂起时间"))
    held_seconds = f.Integer(computed=True, least=0, label=("Time on hold (s)", "挂起时长（秒）"))
    resolved_at = f.Instant(computed=True, filter=True, label=("Resolved at", "解决时间"))
    reopened = f.Integer(computed=True, least=0, label=("Times reopened", "重开次数"))
    status = f.State(
        {
            "new": (("New", "新建"), ("assigned", "resolved")),
            "assigned": (("Assigned", "已指派"), ("assigned", "held", "resolved")),
            "held": (("On hold", "挂起"), ("assigned", "resolved")),
            "resolved": (("Resolved", "已解决"), ("assigned", "closed")),
            "closed": (("Closed", "已关闭"), ()),
        },
        filter=True,
        label=("Status", "状态"),
    )


class ServiceContract(
    Record,
    name="service.contract",
    collection="service-contracts",
    label=("Service contract", "服务合同"),
    number="SC-{year}-{seq:05}",
    retention=LAW,
):
    name = f.Text(required=True, filter=True, sort=True, search=5, label=("Name", "名称"))
    account_id = f.Ref("customer.account", on_delete="restrict", required=True, filter=True, label=("Account", "客户"))
    starts_on = f.Date(required=True, filter=True, sort=True, label=("From", "开始"))
    ends_on = f.Date(filter=True, label=("To", "结束"))
    terms = f.Text(max=20_000, label=("Terms", "条款"))


class Article(Record, name="service.article", collection="articles", label=("Article", "知识文章"), title="title"):
    title = f.Text(required=True, filter=True, sort=True, search=10, label=("Title", "标题"))
    body = f.Text(max=100_000, search=1, label=("Text", "正文"))
    tags = f.Texts(default=list, label=("Tags", "标签"))


class Assign(Part):
    owner_id = f.Ref("identity.user", required=True, label=("To", "指派给"))


class Resolve(Part):
    resolution = f.Text(required=True, max=20_000, label=("Resolution", "解决方案"))


RequestAssigned = Event("service.request.assigned", of=Request)
RequestHeld = Event("service.request.held", of=Request)
RequestResumed = Event("service.request.resumed", of=Request)
RequestResolved = Event("service.request.resolved", of=Request)
RequestReopened = Event("service.request.reopened", of=Request)
RequestClosed = Event("service.request.closed", of=Request)

assign = Command(
    "service.request.assign",
    on=Request,
    leads={"new": "assigned", "assigned": "assigned", "held": "assigned"},
    request=Assign,
    errors=("wrong_state",),
    emits=RequestAssigned,
    label=("Assign", "指派"),
)
hold = Command(
    "service.request.hold",
    on=Request,
    leads={"assigned": "held"},
    errors=("wrong_state",),
    emits=RequestHeld,
    label=("Put on hold", "挂起"),
)
resume = Command(
    "service.request.resume",
    on=Request,
    leads={"held": "assigned"},
    errors=("wrong_state",),
    emits=RequestResumed,
    label=("Resume", "恢复"),
)
resolve = Command(
    "service.request.resolve",
    on=Request,
    leads={"new": "resolved", "assigned": "resolved", "held": "resolved"},
    request=Resolve,
    errors=("wrong_state",),
    emits=RequestResolved,
    label=("Resolve", "解决"),
)
reopen = Command(
    "service.request.reopen",
    on=Request,
    leads={"resolved": "assigned"},
    errors=("wrong_state",),
    emits=RequestReopened,
    label=("Reopen", "重新打开"),
)
close = Command(
    "service.request.close",
    on=Request,
    leads={"resolved": "closed"},
    errors=("wrong_state",),
    emits=RequestClosed,
    label=("Close", "关闭"),
)
