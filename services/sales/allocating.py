"""Sharing an amount among receivables: no more than it is, no more than is open of each, all of one account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.errors import Problem, conflict, invalid
from chassis.ids import new_id
from chassis.money import round_half_up
from contracts.values import Amount
from services.sales.models import Order, Receivable
from services.sales.orders import complete_if_settled, orders
from services.sales.receivables import receivables

Effect = Callable[[Work, Receivable, Any], None]
MORE_THAN_OPEN = {
    "payment": "A receivable cannot be paid more than is open.",
    "credit note": "A receivable cannot be credited more than is open.",
}


def allocate(work: Work, what: str, document: Any, amount: Amount, effect: Effect) -> Amount:
    """Check the document's `allocations` and let `effect` enter each; returns what is left of the amount.

    `what` is a key of MORE_THAN_OPEN. Refusals are 422 `over_allocated` and `more_than_open`, 409 `receivable_closed`.
    """
    currency = amount.currency
    shares = sum((share.amount.amount for share in document.allocations), Decimal(0))
    if shares > amount.amount:
        raise invalid({"allocations": f"The allocations are more than the {what}."}, code="over_allocated")
    for index, share in in_order(document.allocations):
        share.id = share.id or new_id()
        where = f"allocations.{index}"
        if share.amount.currency != currency:
            raise invalid({f"{where}.amount.currency": f"The {what} is in {currency}."})
        if share.amount.amount <= 0:
            raise invalid({f"{where}.amount.amount": "Must be above 0."})
        found = receivables.find(work, share.receivable_id)
        if found is None or found.account_id != document.account_id:
            raise invalid({f"{where}.receivable_id": "The account has no such receivable."}, code="unknown_reference")
        order, receivable = locked(work, found, f"{where}.receivable_id")
        if receivable.open.currency != currency:
            raise invalid({f"{where}.amount.currency": f"The receivable is in {receivable.open.currency}."})
        if share.amount.amount > receivable.open.amount:
            open_now = f"{receivable.open.amount} {currency} are open."
            errors = [{"field": f"{where}.amount", "message": open_now}]
            raise Problem(422, "more_than_open", MORE_THAN_OPEN[what], errors=errors)
        effect(work, receivable, share)
        if order is not None:
            complete_if_settled(work, order, paid=receivable.status == "paid")
    return round_half_up(amount.amount - shares, currency)


def in_order(shares: Sequence[Any]) -> list[tuple[int, Any]]:
    """The shares with their places, in the order of their receivables' ids, in which everybody locks them."""
    return sorted(enumerate(shares), key=lambda pair: str(pair[1].receivable_id))


def locked(work: Work, found: Receivable, field: str) -> tuple[Order | None, Receivable]:
    """A receivable that still takes entries, and its order, which is locked first, as its own commands and sagas do.

    `field` names it where it is refused: 409 `receivable_closed`."""
    order = orders.find(work, found.order_id, lock=True)
    receivable = receivables.find(work, found.id, lock=True)
    assert receivable is not None
    if receivable.status in ("reversed", "written_off"):
        raise conflict(
            "receivable_closed", f"The receivable is {receivable.status}.", field=field, receivable_id=receivable.id
        )
    return order, receivable
