"""Credit notes: what accounts are credited. Each share lowers what is open of a receivable; cancelling undoes it."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import conflict, forbidden, invalid
from chassis.ids import new_id
from chassis.money import zero
from chassis.numbering import next_number
from chassis.permissions import scope
from chassis.records import Store
from chassis.records.references import copy_of
from contracts import sales as contracts
from services.sales import allocating
from services.sales.models import CreditNote, Receivable
from services.sales.orders import orders, reopen
from services.sales.pricing import price_credit
from services.sales.receivables import credit, receivables, take_back

credit_notes = Store(CreditNote)


@credit_notes.creates
def issue(note: CreditNote, work: Work) -> None:
    """Priced line by line, numbered, and allocated. An order that it names is one of the same account.

    Without allocations it is taken over as settled elsewhere, by who may import.
    """
    if not note.allocations and scope(work.context, "sales.credit-note", "import") != "all":
        raise forbidden("import", "credit notes")
    account = copy_of(work, "customer.account", note.account_id)
    if account is None:
        raise invalid({"account_id": "There is no such record."}, code="unknown_reference")
    if note.order_id is not None:
        order = orders.find(work, note.order_id)
        if order is None or order.account_id != note.account_id:
            raise invalid({"order_id": "The account has no such order."}, code="unknown_reference")
    note.id = note.id or new_id()
    note.account_name = account["name"]
    price_credit(note, work)
    left = allocating.allocate(work, "credit note", note, note.total, _crediting(note))
    note.unallocated = left if note.allocations else zero(note.currency)
    note.number = next_number(work, note)


@credit_notes.command(contracts.allocate_credit_note)
def allocate_rest(note: CreditNote, work: Work, body: Any) -> None:
    """What no receivable could take when the note was issued lowers others. A settled one has nothing left."""
    if note.status != "issued":
        raise conflict("wrong_state", f"The credit note is {note.status}.", field="status", state=note.status)
    allocating.allocate_rest(work, "credit note", note, body, _crediting(note))


def _crediting(note: CreditNote) -> allocating.Effect:
    def enter(work: Work, receivable: Receivable, share: Any) -> None:
        credit(work, receivable, share.amount, f"credit:{note.id}:{share.id}")

    return enter


@credit_notes.command(contracts.cancel_credit_note)
def cancel(note: CreditNote, work: Work, body: Any) -> None:
    """Every share is open again by an opposite entry. What an order had reached by it, it has to reach anew."""
    note.move("cancelled")
    note.cancel_reason = body.reason
    for index, share in allocating.in_order(note.allocations or ()):
        found = receivables.find(work, share.receivable_id)
        assert found is not None, "a receivable is never deleted"
        order, receivable = allocating.locked(work, found, f"allocations.{index}.receivable_id")
        take_back(work, receivable, share.amount, f"uncredit:{note.id}:{share.id}")
        if order is not None:
            reopen(work, order)
