"""Money received: each share of it settles a receivable, and no receivable is paid more than is open."""

from __future__ import annotations

from decimal import Decimal

from chassis.database import Work
from chassis.errors import Problem, conflict, invalid
from chassis.ids import new_id
from chassis.money import round_half_up
from chassis.numbering import next_number
from chassis.records import Store
from services.sales.models import Payment
from services.sales.orders import complete_if_settled, orders
from services.sales.receivables import receivables, settle

payments = Store(Payment)


@payments.creates
def allocate(payment: Payment, work: Work) -> None:
    """Settle every allocation in the transaction of the payment, receivables locked in the order of their ids."""
    payment.id = new_id()
    currency = payment.amount.currency
    if payment.amount.amount <= 0:
        raise invalid({"amount.amount": "Must be above 0."})
    shares = sum((share.amount.amount for share in payment.allocations), Decimal(0))
    if shares > payment.amount.amount:
        raise invalid({"allocations": "The allocations are more than the payment."}, code="over_allocated")
    for index, share in sorted(enumerate(payment.allocations), key=lambda pair: str(pair[1].receivable_id)):
        share.id = share.id or new_id()
        where = f"allocations.{index}"
        if share.amount.currency != currency:
            raise invalid({f"{where}.amount.currency": f"The payment is in {currency}."})
        if share.amount.amount <= 0:
            raise invalid({f"{where}.amount.amount": "Must be above 0."})
        _settle(work, payment, share, where)
    payment.number = next_number(work, payment)
    payment.unallocated = round_half_up(payment.amount.amount - shares, currency)


def _settle(work: Work, payment: Payment, share: object, where: str) -> None:
    receivable_id, amount = share.receivable_id, share.amount  # type: ignore[attr-defined]
    # The order is locked before its receivable, as its own commands and sagas do.
    found = receivables.find(work, receivable_id)
    if found is None or found.account_id != payment.account_id:
        raise invalid({f"{where}.receivable_id": "The account has no such receivable."}, code="unknown_reference")
    order = orders.find(work, found.order_id, lock=True)
    receivable = receivables.find(work, receivable_id, lock=True)
    assert receivable is not None
    if receivable.status in ("reversed", "written_off"):
        raise conflict(
            "receivable_closed",
            f"The receivable is {receivable.status}.",
            field=f"{where}.receivable_id",
            receivable_id=receivable_id,
        )
    if receivable.open.currency != amount.currency:
        raise invalid({f"{where}.amount.currency": f"The receivable is in {receivable.open.currency}."})
    if amount.amount > receivable.open.amount:
        raise Problem(
            422,
            "more_than_open",
            "A receivable cannot be paid more than is open.",
            errors=[{"field": f"{where}.amount", "message": f"{receivable.open.amount} {amount.currency} are open."}],
        )
    settle(work, receivable, amount, f"payment:{payment.id}:{share.id}")  # type: ignore[attr-defined]
    if order is not None:
        complete_if_settled(work, order, paid=receivable.status == "paid")
