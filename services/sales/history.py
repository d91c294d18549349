"""History from another system: orders that were shipped and paid long ago. They move no stock and earn no points."""

from __future__ import annotations

import datetime as dt

from chassis.database import Work
from chassis.errors import forbidden
from chassis.ids import new_id
from chassis.money import zero
from chassis.numbering import next_number
from chassis.permissions import scope
from contracts import sales as contracts
from contracts.records import Event
from services.sales.models import Order
from services.sales.orders import allow_account, orders
from services.sales.pricing import price
from services.sales.receivables import enter, receivables


@orders.creates
def taken_over(order: Order, work: Work) -> Event | None:
    """An order with a history is written as completed, with its receivable paid on the day that it was shipped."""
    if order.history is None:
        return None
    if scope(work.context, "sales.order", "import") != "all":
        raise forbidden("import", "orders")
    allow_account(order, work)
    price(order, work)
    shipped = dt.datetime.combine(order.history.shipped_on, dt.time(), dt.UTC)
    order.id = order.id or new_id()
    order.number = next_number(work, order)
    order.status, order.shipped_at = "completed", shipped
    order.placed_at = dt.datetime.combine(order.ordered_on, dt.time(), dt.UTC)
    return contracts.OrderImported


@orders.created
def owes_nothing_any_more(order: Order, work: Work) -> None:
    """The receivable of an order with a history was opened and paid, both on the ledger."""
    if order.history is None:
        return
    receivable = receivables.make(
        order_id=order.id,
        account_id=order.account_id,
        amount=order.total,
        net=order.net,
        open=zero(order.currency),
        due_on=order.history.shipped_on,
        overdue=False,
        status="paid",
        owner_id=order.owner_id,
        team_id=order.team_id,
    )
    receivable.number = next_number(work, receivable)
    receivables.add(work, receivable, event=contracts.ReceivableImported)
    enter(work, receivable, "opened", order.total.amount, f"order:{order.id}")
    enter(work, receivable, "paid", -order.total.amount, f"import:{order.id}")


__all__ = ["orders"]
