"""Sharing an amount among receivables: no more than it is, no more than is open of each, all of one account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.errors import Problem, conflict, invalid
from chassis.ids import new_id
from chassis.money import round_half_up
from contracts.sales import MOST_ALLOCATIONS
from contracts.values import Amount
from services.sales.models import Order, Receivable
from services.sales.orders import complete_if_settled, orders
from services.sales.receivables import receivables

Effect = Callable[[Work, Receivable, Any], None]
MORE_THAN_OPEN = {
    "payment": "A receivable cannot be paid more than is open.",
    "credit note": "A receivable cannot be credited more than is open.",
}

MORE_THAN_IT_IS = {
    "payment": "The allocations are more than the payment.",
    "credit note": "The allocations are more than the credit note.",
}
MORE_THAN_LEFT = {
    "payment": "The allocations are more than is left of the payment.",
    "credit note": "The allocations are more than is left of the credit note.",
}


def allocate(
    work: Work, what: str, document: Any, amount: Amount, effect: Effect, shares: Sequence[Any] | None = None
) -> Amount:
    """Check `shares` (the document's `allocations` if left out) and let `effect` enter each; returns what is left of
    the amount.

    `what` is a key of MORE_THAN_OPEN. Refusals are 422 `over_allocated` and `more_than_open`, 409 `receivable_closed`.
    """
    currency = amount.currency
    later, shares = shares is not None, document.allocations if shares is None else shares
    whole = sum((share.amount.amount for share in shares), Decimal(0))
    if whole > amount.amount:
        raise invalid({"allocations": (MORE_THAN_LEFT if later else MORE_THAN_IT_IS)[what]}, code="over_allocated")
    for index, share in in_order(shares):
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
    return round_half_up(amount.amount - whole, currency)


def allocate_rest(work: Work, what: str, document: Any, body: Any, effect: Effect) -> None:
    """Share what an issued document has left. Its lock makes those wait who would share the same rest."""
    known = {share.id for share in document.allocations or ()}
    errors = {
        f"allocations.{index}.id": "Is there already."
        for index, share in enumerate(body.allocations)
        if share.id in known
    }
    if len(known) + len(body.allocations) > MOST_ALLOCATIONS:
        errors["allocations"] = f"At most {MOST_ALLOCATIONS}."
    if errors:
        raise invalid(errors)
    left = document.unallocated
    if left is None:
        raise invalid({"allocations": MORE_THAN_LEFT[what]}, code="over_allocated")
    document.unallocated = allocate(work, what, document, left, effect, body.allocations)
    document.allocations = [*(document.allocations or ()), *body.allocations]


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
