"""Credit notes: what accounts were credited before it came here. They are settled, so nothing else moves."""

from __future__ import annotations

from chassis.database import Work
from chassis.errors import forbidden, invalid
from chassis.ids import new_id
from chassis.numbering import next_number
from chassis.permissions import scope
from chassis.records import Store
from chassis.records.references import copy_of
from services.sales.models import CreditNote
from services.sales.orders import orders
from services.sales.pricing import price_credit

credit_notes = Store(CreditNote)


@credit_notes.creates
def taken_over(note: CreditNote, work: Work) -> None:
    """Priced line by line and numbered. An order that it names is one of the same account."""
    if scope(work.context, "sales.credit-note", "import") != "all":
        raise forbidden("import", "credit notes")
    account = copy_of(work, "customer.account", note.account_id)
    if account is None:
        raise invalid({"account_id": "There is no such record."}, code="unknown_reference")
    if note.order_id is not None:
        order = orders.find(work, note.order_id)
        if order is None or order.account_id != note.account_id:
            raise invalid({"order_id": "The account has no such order."}, code="unknown_reference")
    note.id = new_id()
    note.account_name = account["name"]
    price_credit(note, work)
    note.number = next_number(work, note)
