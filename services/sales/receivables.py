"""What accounts owe: one receivable for each confirmed order, moved only by ledger entries."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from chassis.database import Work
from chassis.ids import new_id
from chassis.money import round_half_up, zero
from chassis.numbering import next_number
from chassis.records import Store
from chassis.records.references import copy_of
from chassis.timers import set_alarm
from contracts import sales as contracts
from contracts.values import Amount
from services.sales.models import Order, Receivable

receivables = Store(Receivable)
DEFAULT_DAYS = 30


def of_order(work: Work, order_id: str, *, lock: bool = False) -> Receivable | None:
    found = receivables.where(work, "order_id = %s", (order_id,), lock=lock)
    return found[0] if found else None


@receivables.repointed
def entries_follow(receivable: Receivable, work: Work) -> None:
    """The ledger's entries belong to their receivable, whoever owes it."""
    work.later(
        "UPDATE receivable_entries SET account_id = %s WHERE tenant_id = %s AND receivable_id = %s",
        (receivable.account_id, work.tenant, receivable.id),
    )


def open_receivable(work: Work, order: Order) -> Receivable:
    """The order's total is owed, due after the account's payment days."""
    account = copy_of(work, "customer.account", order.account_id) or {}
    days = account.get("payment_days")
    receivable = receivables.make(
        order_id=order.id,
        account_id=order.account_id,
        amount=order.total,
        net=order.net,
        open=order.total,
        credited=zero(order.currency),
        due_on=work.today() + dt.timedelta(days=DEFAULT_DAYS if days is None else days),
        overdue=False,
        owner_id=order.owner_id,
        team_id=order.team_id,
    )
    receivable.number = next_number(work, receivable)
    if order.total.amount == 0:
        receivable.status = "paid"
    receivables.add(work, receivable, event=contracts.ReceivableOpened)
    enter(work, receivable, "opened", order.total.amount, f"order:{order.id}")
    day_after = dt.datetime.combine(receivable.due_on + dt.timedelta(days=1), dt.time(), dt.UTC)
    set_alarm(work, "overdue", receivable.id, day_after)
    return receivable


def enter(work: Work, receivable: Receivable, kind: str, amount: Decimal, cause: str) -> None:
    """Append one signed entry. The same cause twice is refused by the ledger's unique key."""
    work.later(
        "INSERT INTO receivable_entries (tenant_id, id, receivable_id, account_id, kind, amount, currency, cause, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            work.tenant,
            new_id(),
            receivable.id,
            receivable.account_id,
            kind,
            amount,
            receivable.amount.currency,
            cause,
            work.now,
        ),
    )


def reverse(work: Work, order: Order) -> None:
    """The order is cancelled: an opposite entry takes what is still open; what was paid stays the account's credit."""
    receivable = of_order(work, order.id, lock=True)
    if receivable is None or receivable.status in ("reversed", "written_off"):
        return
    enter(work, receivable, "reversed", -receivable.open.amount, f"cancel:{order.id}")
    receivable.open = zero(receivable.amount.currency)
    receivable.overdue = False
    receivable.move("reversed")
    receivables.save(work, receivable, event=contracts.ReceivableReversed)


def settle(work: Work, receivable: Receivable, amount: Amount, cause: str) -> None:
    """Take a payment's share off what is open."""
    left = receivable.open.amount - amount.amount
    enter(work, receivable, "paid", -amount.amount, cause)
    receivable.open = round_half_up(left, amount.currency)
    receivable.move("paid" if left == 0 else "partly_paid")
    if left == 0:
        receivable.overdue = False
    receivables.save(work, receivable, event=contracts.ReceivablePaid if left == 0 else contracts.ReceivablePartlyPaid)


def credit(work: Work, receivable: Receivable, amount: Amount, cause: str) -> None:
    """Take a credit note's share off what is open."""
    left = receivable.open.amount - amount.amount
    enter(work, receivable, "credited", -amount.amount, cause)
    receivable.open = round_half_up(left, amount.currency)
    receivable.credited = round_half_up(_credited(receivable) + amount.amount, amount.currency)
    receivable.move("paid" if left == 0 else "partly_paid")
    if left == 0:
        receivable.overdue = False
    receivables.save(work, receivable, event=contracts.ReceivableCredited)


def take_back(work: Work, receivable: Receivable, amount: Amount, cause: str) -> None:
    """A credit note was cancelled: its share is open again, and overdue where its day has passed meanwhile."""
    enter(work, receivable, "uncredited", amount.amount, cause)
    receivable.open = round_half_up(receivable.open.amount + amount.amount, amount.currency)
    receivable.credited = round_half_up(_credited(receivable) - amount.amount, amount.currency)
    receivable.move("open" if receivable.open == receivable.amount else "partly_paid")
    receivable.overdue = receivable.due_on < work.today()
    receivables.save(work, receivable, event=contracts.ReceivableReopened)


def _credited(receivable: Receivable) -> Decimal:
    return Decimal(0) if receivable.credited is None else receivable.credited.amount


def exposure(work: Work, account_id: str, currency: str, but_not: str) -> Decimal:
    """What the account owes or is about to owe in a currency: open receivables and orders whose credit is held.

    An order counts from placing until its receivable stands; the order that asks is left out.
    """
    return Decimal(
        work.sql(
            "SELECT coalesce((SELECT sum(open) FROM receivables WHERE tenant_id = %s AND account_id = %s"
            "  AND open_currency = %s AND status IN ('open', 'partly_paid') AND order_id <> %s), 0)"
            " + coalesce((SELECT sum(amount) FROM credit_holds WHERE tenant_id = %s AND account_id = %s"
            "  AND currency = %s AND order_id <> %s), 0)",
            (work.tenant, account_id, currency, but_not, work.tenant, account_id, currency, but_not),
        ).scalar_one()
    )


def overdue(receivable_id: str, work: Work) -> None:
    """The day after its due date a receivable that is still open becomes overdue, once."""
    receivable = receivables.find(work, receivable_id, lock=True)
    if receivable is not None and receivable.status in ("open", "partly_paid"):
        receivable.overdue = True
        receivables.save(work, receivable, event=contracts.ReceivableOverdue)
