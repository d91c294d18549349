"""What people are told when somebody's event arrives."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.service import on
from services.notify.notifications import tell

JSON = dict[str, Any]
REASONS = {"stock": ("not enough stock", "库存不足"), "credit": ("the credit limit", "超出信用额度")}


def _tell_owner(event: JSON, work: Work, title: tuple[str, str], body: str | None = None) -> None:
    """The owner, and with him whoever gets copies of what owners are told. Without an owner nobody."""
    owner = event["data"].get("owner_id")
    if owner is not None:
        copied = _users(work, "(data->>'gets_copies')::boolean")
        tell(work, event["id"], [owner, *copied], title, event["subject"], body)


def _users(work: Work, condition: str, *parameters: Any) -> list[str]:
    rows = work.sql(
        "SELECT id FROM copies WHERE tenant_id = %s AND record = 'identity.user' AND NOT deleted"
        f" AND data->>'status' = 'active' AND {condition}",
        (work.tenant, *parameters),
    )
    return [row.id for row in rows]


def _number(data: JSON) -> str:
    return data.get("number") or data["id"]


@on("sales.order.confirmed")
def on_order_confirmed(event: JSON, work: Work) -> None:
    number = _number(event["data"])
    _tell_owner(event, work, (f"Order {number} was confirmed", f"订单 {number} 已确认"))


@on("sales.order.rejected")
def on_order_rejected(event: JSON, work: Work) -> None:
    data = event["data"]
    number, reason = _number(data), data.get("reason") or ""
    english, chinese = REASONS.get(reason, (reason, reason))
    title = (
        f"Order {number} was rejected: {english}" if reason else f"Order {number} was rejected",
        f"订单 {number} 已被拒绝：{chinese}" if reason else f"订单 {number} 已被拒绝",
    )
    _tell_owner(event, work, title, data.get("reason_detail"))


@on("sales.order.shipped")
def on_order_shipped(event: JSON, work: Work) -> None:
    number = _number(event["data"])
    _tell_owner(event, work, (f"Order {number} was shipped", f"订单 {number} 已发货"))


@on("customer.account.transferred")
def on_account_transferred(event: JSON, work: Work) -> None:
    """The new owner is told; an account that was released has none, and one that was erased meanwhile has no name."""
    name = event["data"].get("name")
    if name is not None:
        _tell_owner(event, work, (f"The account {name} is now yours", f"客户 {name} 现由您负责"))


@on("service.request.assigned")
def on_request_assigned(event: JSON, work: Work) -> None:
    data = event["data"]
    number, subject = _number(data), data["subject"]
    title = (f"Service request {number} was assigned to you: {subject}", f"服务请求 {number} 已指派给您：{subject}")
    _tell_owner(event, work, title)


@on("marketing.campaign.launched")
def on_campaign_launched(event: JSON, work: Work) -> None:
    """The whole team of the campaign is told, or its owner where it has no team."""
    data = event["data"]
    title = (f"The campaign {data['name']} has started", f"市场活动 {data['name']} 已启动")
    if data.get("team_id") is None:
        _tell_owner(event, work, title)
        return
    members = _users(work, "jsonb_exists(data->'member_of', %s)", data["team_id"])
    tell(work, event["id"], members, title, event["subject"])


@on("notify.webhook.disabled")
def on_webhook_disabled(event: JSON, work: Work) -> None:
    data = event["data"]
    title = (f"The webhook {data['name']} was disabled", f"网络钩子 {data['name']} 已停用")
    tell(work, event["id"], [data.get("owner_id") or data["user_id"]], title, event["subject"], data["disabled_reason"])


reactions = (
    on_order_confirmed,
    on_order_rejected,
    on_order_shipped,
    on_account_transferred,
    on_request_assigned,
    on_campaign_launched,
    on_webhook_disabled,
)
