"""Money received: each share of it settles a receivable, and no receivable is paid more than is open."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import invalid
from chassis.ids import new_id
from chassis.numbering import next_number
from chassis.records import Store
from contracts import sales as contracts
from services.sales import allocating
from services.sales.models import Payment, Receivable
from services.sales.receivables import settle

payments = Store(Payment)


@payments.creates
def allocate(payment: Payment, work: Work) -> None:
    """Settle every allocation in the transaction of the payment."""
    payment.id = payment.id or new_id()
    if payment.amount.amount <= 0:
        raise invalid({"amount.amount": "Must be above 0."})

    payment.unallocated = allocating.allocate(work, "payment", payment, payment.amount, _settling(payment))
    payment.number = next_number(work, payment)


@payments.command(contracts.allocate_payment)
def allocate_rest(payment: Payment, work: Work, body: Any) -> None:
    """What was left when the money came settles what was owed later."""
    allocating.allocate_rest(work, "payment", payment, body, _settling(payment))


def _settling(payment: Payment) -> allocating.Effect:
    def enter(work: Work, receivable: Receivable, share: Any) -> None:
        settle(work, receivable, share.amount, f"payment:{payment.id}:{share.id}")

    return enter
