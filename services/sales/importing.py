"""History from another system: orders that were shipped and paid long ago. They move no stock and earn no points."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chassis.context import Context
from chassis.database import Work
from chassis.errors import forbidden, invalid
from chassis.money import zero
from chassis.numbering import next_number
from chassis.permissions import scope
from chassis.records import external
from contracts import sales as contracts
from services.sales import pricing
from services.sales.models import Order
from services.sales.orders import orders
from services.sales.receivables import enter, receivables

JSON = dict[str, Any]
MOST = 500


def import_history(runtime: Any, context: Context, params: JSON) -> JSON:
    """Up to 500 completed orders with their paid receivables: `{system, orders: [{key, shipped_on, data}]}`.

    Orders whose key is known are left alone, so that an import may be repeated. Answers `{created, unchanged}`.
    """
    if scope(context, "sales.order", "import") != "all":
        raise forbidden("import", "orders")
    system, wanted = params["system"], params["orders"]
    if not isinstance(wanted, list) or len(wanted) > MOST:
        raise invalid({"orders": f"At most {MOST} at once."})
    with runtime.database.work(context) as work:
        made: list[Order] = []
        days: list[dt.date] = []
        for entry in wanted:
            if external.find(work, orders.name, system, entry["key"]) is not None:
                continue
            made.append(_history(work, system, entry))
            days.append(dt.date.fromisoformat(entry["shipped_on"]))
        orders.add_all(work, made, event=contracts.OrderImported)
        _receivables(work, made, days)
    return {"status": 200, "body": {"created": len(made), "unchanged": len(wanted) - len(made)}}


def _history(work: Work, system: str, entry: JSON) -> Order:
    order = Order(**orders.schema.load({**entry["data"], "external_ids": {system: entry["key"]}}))
    shipped = dt.datetime.combine(dt.date.fromisoformat(entry["shipped_on"]), dt.time(), dt.UTC)
    order.number = next_number(work, contracts.Order)
    order.status, order.shipped_at = "completed", shipped
    order.placed_at = dt.datetime.combine(order.ordered_on, dt.time(), dt.UTC)
    from chassis.records.references import copy_of

    order.account_name = (copy_of(work, "customer.account", order.account_id) or {}).get("name")
    pricing.price(order, work)
    return order


def _receivables(work: Work, made: list[Order], days: list[dt.date]) -> None:
    """Each written as paid on the day that its order was shipped, with both entries in the ledger."""
    written = []
    for order, paid_on in zip(made, days, strict=True):
        receivable = receivables.make(
            order_id=order.id,
            account_id=order.account_id,
            amount=order.total,
            net=order.net,
            open=zero(order.currency),
            due_on=paid_on,
            overdue=False,
            status="paid",
            owner_id=order.owner_id,
            team_id=order.team_id,
        )
        receivable.number = next_number(work, contracts.Receivable)
        written.append(receivable)
    receivables.add_all(work, written, event=contracts.ReceivableImported)
    for receivable in written:
        enter(work, receivable, "opened", receivable.amount.amount, f"order:{receivable.order_id}")
        enter(work, receivable, "paid", -receivable.amount.amount, f"import:{receivable.order_id}")
