"""What sales does together with inventory: read top to bottom, it is the business."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.saga import PIVOT, RETRIABLE, Refused, Saga, Step
from contracts import inventory
from contracts import sales as contracts
from contracts.fields import parse_instant, plain
from services.sales.credit import free_credit, hold_credit
from services.sales.models import Order
from services.sales.orders import complete_if_settled, orders
from services.sales.receivables import of_order, open_receivable

JSON = dict[str, Any]


def _the_goods(order: Order, data: JSON) -> JSON:
    return {
        "order_id": order.id,
        "warehouse_id": order.warehouse_id,
        "lines": [{"product_id": line.product_id, "quantity": plain(line.quantity)} for line in order.lines],
        "owner_id": order.owner_id,
        "team_id": order.team_id,
    }


def _the_order(order: Order, data: JSON) -> JSON:
    return {"order_id": order.id}


def _confirm(order: Order, data: JSON, work: Work) -> None:
    """The pivot: from here the order binds both sides."""
    order.move("confirmed")
    order.confirmed_at = work.now
    orders.save(work, order, event=contracts.OrderConfirmed)


def _open_receivable(order: Order, data: JSON, work: Work) -> None:
    open_receivable(work, order)
    free_credit(work, order)


def _reject(order: Order, reason: str, detail: str, data: JSON, work: Work) -> None:
    """An order that was cancelled meanwhile stays cancelled; any other that could not be served is rejected."""
    if order.status == "placed":
        order.move("rejected")
        order.reason, order.reason_detail = reason, detail or None
        orders.save(work, order, event=contracts.OrderRejected)


place_order = Saga(
    "place_order",
    orders,
    (
        Step(
            "reserve stock",
            asks=inventory.reserve,
            body=_the_goods,
            undo=inventory.release,
            undo_body=_the_order,
            refused="stock",
        ),
        Step(
            "hold credit",
            does=lambda order, data, work: hold_credit(work, order),
            undoes=lambda order, data, work: free_credit(work, order),
            refused="credit",
        ),
        Step("confirm", does=_confirm, kind=PIVOT),
        Step("open receivable", does=_open_receivable, kind=RETRIABLE),
    ),
    otherwise=_reject,
)


def _mark_shipped(order: Order, data: JSON, work: Work) -> None:
    if order.status != "confirmed":
        raise Refused("cancelled", "The order is not confirmed any more.")
    order.move("shipped")
    order.shipped_at = parse_instant(data["shipped_at"])
    orders.save(work, order, event=contracts.OrderShipped)
    receivable = of_order(work, order.id)
    complete_if_settled(work, order, paid=receivable is not None and receivable.status == "paid")


def _remember_shipment(order: Order, reply: JSON, data: JSON, work: Work) -> None:
    data.update(reply)


ship_order = Saga(
    "ship_order",
    orders,
    (
        Step(
            "issue stock",
            asks=inventory.issue,
            body=lambda order, data: {"order_id": order.id, "shipper_id": order.shipper_id},
            then=_remember_shipment,
            undo=inventory.take_back,
            undo_body=_the_order,
        ),
        Step("mark shipped", does=_mark_shipped, kind=PIVOT),
    ),
)

cancel_order = Saga(
    "cancel_order", orders, (Step("release stock", asks=inventory.release, body=_the_order, kind=RETRIABLE),)
)
