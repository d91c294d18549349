"""Points: a ledger of entries, and the balance of each account as their sum.

A paid order earns one point for each whole unit of its net amount, whatever the currency. When its receivable is no
longer paid, the opposite entry gives the points back. Orders that were imported as history earn none.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

from chassis.database import Work
from chassis.errors import invalid
from chassis.ids import derived_id
from chassis.records import Store, survivors
from chassis.service import on
from services.marketing.models import PointAccount, PointEntry

point_accounts, point_entries = Store(PointAccount), Store(PointEntry)
JSON = dict[str, Any]
# The product of two amounts is still exact.
EXACT = Context(prec=60)


@point_entries.creates
def adjust(entry: PointEntry, work: Work) -> None:
    """An entry by hand moves the balance too, and takes no more than there is."""
    entry.kind = "adjusted"
    if entry.points == 0:
        raise invalid({"points": "Must not be zero."})
    balance = _move(work, entry.account_id, entry.points)
    if entry.points < 0 and balance < 0:
        raise invalid({"points": "The balance would fall below zero."}, code="insufficient_points")


@on("sales.receivable.*")
def on_receivable(event: JSON, work: Work) -> None:
    """Bring the order's entries to what its receivable in the highest version is worth.

    Only the difference is appended, so that events that come twice or late converge: a giving back that was entered may
    leave the balance below zero, since the points may have been spent.
    """
    row = _keep(work, event)
    if row is None:
        return
    difference = row.target - _entered(work, row.order_id)
    if difference == 0:
        return
    _move(work, row.account_id, difference)
    point_entries.add(
        work,
        point_entries.make(
            account_id=row.account_id,
            points=difference,
            kind="earned" if difference > 0 else "reversed",
            order_id=row.order_id,
            reverses_id=None if difference > 0 else _latest_earned(work, row.order_id),
        ),
    )


def _keep(work: Work, event: JSON) -> Any:
    """Note what this event says: a newer version, or that the order is history, which no version takes back.

    Returns the order's row, locked, or None where the event brings nothing new.
    """
    data, history = event["data"], event["type"] == "sales.receivable.imported"
    account_id = survivors.survivor_of(work, "customer.account", data["account_id"])
    return work.sql(
        "INSERT INTO order_points AS known (tenant_id, order_id, version, account_id, target, history)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, order_id) DO UPDATE SET"
        "  version = greatest(known.version, excluded.version), account_id = excluded.account_id,"
        "  target = CASE WHEN known.history THEN 0 ELSE excluded.target END,"
        "  history = known.history OR excluded.history"
        " WHERE known.version < excluded.version OR (excluded.history AND NOT known.history)"
        " RETURNING order_id, account_id, target",
        (
            work.tenant,
            data["order_id"],
            data["version"],
            account_id,
            0 if history else _worth(data),
            history,
        ),
    ).first()


def _worth(receivable: JSON) -> int:
    """Whole units of the order's net while the receivable is paid, else nothing. What was credited earns in proportion
    less."""
    if receivable["status"] != "paid" or receivable["net"] is None:
        return 0
    net = Decimal(receivable["net"]["amount"])
    credited = Decimal((receivable.get("credited") or {"amount": "0"})["amount"])
    if not credited:
        return int(net)
    amount = Decimal(receivable["amount"]["amount"])
    with localcontext(EXACT):
        return int(net * (amount - credited) // amount)


def _entered(work: Work, order_id: str) -> int:
    row = work.sql(
        "SELECT coalesce(sum(points), 0) FROM point_entries WHERE tenant_id = %s AND order_id = %s",
        (work.tenant, order_id),
    ).one()
    return int(row[0])


def _latest_earned(work: Work, order_id: str) -> str | None:
    found = point_entries.where(work, "order_id = %s AND points > 0", (order_id,))
    return found[-1].id if found else None


def _move(work: Work, account_id: str, points: int) -> int:
    """Change the balance of an account, opening its point account with the first entry. Returns the new balance."""
    key = derived_id("point-account", work.tenant, account_id)
    # Two first entries at once: the later one waits here and finds the point account that the earlier one opened.
    work.sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (key,))
    point_account = point_accounts.find(work, key, lock=True)
    if point_account is None:
        point_accounts.add(work, point_accounts.make(id=key, account_id=account_id, balance=points))
        return points
    point_account.balance += points
    point_accounts.save(work, point_account)
    return int(point_account.balance)


def carry_over(winner_id: str, loser_ids: list[str], merge_id: str, work: Work) -> None:
    """The survivor takes over the balances: entries stay where they were made, a pair of entries moves their sum."""
    for loser_id in loser_ids:
        held = point_accounts.find(work, derived_id("point-account", work.tenant, loser_id))
        if held is not None and held.balance:
            _transfer(work, merge_id, loser_id, winner_id, int(held.balance), "Merged accounts")


def carry_back(winner_id: str, loser_ids: list[str], merge_id: str, work: Work) -> None:
    """The opposite pair, of what was carried over then; what was earned since stays with the survivor."""
    for loser_id in loser_ids:
        carried = point_entries.find(work, derived_id("carried", merge_id, loser_id))
        if carried is not None:
            _transfer(work, f"{merge_id}:back", winner_id, loser_id, -carried.points, "Un-merged accounts", loser_id)


def _transfer(
    work: Work, cause: str, from_id: str, to_id: str, points: int, reason: str, key: str | None = None
) -> None:
    for account_id, amount, role in ((from_id, -points, "carried"), (to_id, points, "received")):
        _move(work, account_id, amount)
        point_entries.add(
            work,
            point_entries.make(
                id=derived_id(role, cause, key or from_id),
                account_id=account_id,
                points=amount,
                kind="adjusted",
                reason=reason,
            ),
        )
