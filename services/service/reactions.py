"""What service does when an order fails."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.ids import derived_id
from chassis.service import on
from services.service.requests import requests

REASONS = {"stock": "there is not enough stock", "credit": "the credit limit does not allow it"}


@on("sales.order.rejected")
def on_order_rejected(event: dict[str, Any], work: Work) -> None:
    """A rejected order is a customer who waits: its owner gets a follow-up, once for each order.

    A follow-up that somebody deleted since does not come back.
    """
    order = event["data"]
    request_id = derived_id("follow-up", work.tenant, order["id"])
    if requests.find(work, request_id, deleted=True) is not None:
        return
    reason = order["reason"]
    requests.add(
        work,
        requests.make(
            id=request_id,
            kind="follow_up",
            subject=f"Order {order['number']} was rejected: {REASONS.get(reason, reason)}"[:200],
            description=order["reason_detail"],
            account_id=order["account_id"],
            order_id=order["id"],
            owner_id=order["owner_id"],
            team_id=order["team_id"],
        ),
    )
