"""Credit of an account: what it owes and is about to owe must not pass its limit, however many order at once."""

from __future__ import annotations

from decimal import Decimal

from chassis.database import Work
from chassis.records.references import copy_of
from chassis.saga import Refused
from services.sales.models import Order
from services.sales.orders import orders
from services.sales.receivables import exposure


def hold_credit(work: Work, order: Order) -> None:
    """Hold the order's total against the limit. The lock on the account's copy makes its orders queue up here.

    A limit binds orders in its own currency; in another currency an account with a limit has no credit.
    """
    account = copy_of(work, "customer.account", order.account_id, lock=True)
    if account is None:
        raise Refused("credit", "The account no longer exists.")
    limit = account.get("credit_limit")
    if limit is None:
        return
    if limit["currency"] != order.currency:
        raise Refused("credit", f"The credit limit is in {limit['currency']}, the order in {order.currency}.")
    owed = exposure(work, order.account_id, order.currency, but_not=order.id)
    if owed + order.total.amount > Decimal(limit["amount"]):
        raise Refused(
            "credit", f"{owed} of {limit['amount']} {order.currency} are in use; the order needs {order.total.amount}."
        )
    work.later(
        "INSERT INTO credit_holds (tenant_id, order_id, account_id, amount, currency) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, order_id) DO NOTHING",
        (work.tenant, order.id, order.account_id, order.total.amount, order.currency),
    )


def free_credit(work: Work, order: Order) -> None:
    """Let the hold go: the order failed, or its receivable stands in its place."""
    work.later("DELETE FROM credit_holds WHERE tenant_id = %s AND order_id = %s", (work.tenant, order.id))


@orders.repointed
def hold_follows(order: Order, work: Work) -> None:
    """What an order holds of its account's credit goes where a merge leads the order."""
    work.later(
        "UPDATE credit_holds SET account_id = %s WHERE tenant_id = %s AND order_id = %s",
        (order.account_id, work.tenant, order.id),
    )
