"""What merging products does to their stock: entries stay with the product they were made for, a pair carries it over.

What is free goes at once, in the transaction of the merge; what is reserved goes with its reservation.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from chassis.database import Work
from chassis.errors import conflict
from services.inventory.catalogue import products
from services.inventory.models import Product, Reservation
from services.inventory.reservations import reservations
from services.inventory.stock import enter, lock, shift


@products.merges
def carry_over(winner: Product, losers: Sequence[Product], merge_id: str, work: Work) -> None:
    """Everything free of the losers becomes the survivor's, warehouse by warehouse."""
    ids = sorted([winner.id, *(loser.id for loser in losers)])
    rows = work.sql(
        "SELECT DISTINCT warehouse_id FROM stock_levels WHERE tenant_id = %s AND product_id = ANY(%s::uuid[])"
        " ORDER BY warehouse_id",
        (work.tenant, ids),
    )
    for warehouse_id in [row.warehouse_id for row in rows]:
        levels = lock(work, warehouse_id, ids)
        for loser in losers:
            if levels[loser.id].available:
                _carry(work, warehouse_id, loser.id, winner.id, levels[loser.id].available, _cause(merge_id, loser.id))


@products.unmerges
def carry_back(winner: Product, losers: Sequence[Product], merge_id: str, work: Work) -> None:
    """What was carried over goes back, unless it has left the survivor's shelf since."""
    for loser in losers:
        cause = _cause(merge_id, loser.id)
        carried = work.sql(
            "SELECT warehouse_id, change AS quantity FROM stock_moves"
            " WHERE tenant_id = %s AND cause = %s AND product_id = %s ORDER BY warehouse_id",
            (work.tenant, cause, winner.id),
        ).all()
        for row in carried:
            level = lock(work, row.warehouse_id, [winner.id, loser.id])[winner.id]
            if level.available < row.quantity:
                raise conflict(
                    "stock",
                    "Stock that the merge brought has been used since; without it the merge cannot be taken back.",
                    warehouse_id=row.warehouse_id,
                )
            _carry(work, row.warehouse_id, winner.id, loser.id, row.quantity, f"{cause}:back")


@reservations.repointed
def what_is_held_follows(reservation: Reservation, work: Work) -> None:
    """Held stock changes hands with its reservation; of a released one, what is still on the survivor's shelf."""
    assert reservation.was is not None
    warehouse, merge = reservation.warehouse_id, f"{work.context.cause}:{reservation.id}"
    for before, line in zip(reservation.was["lines"], reservation.lines, strict=True):
        old, new, quantity = before["product_id"], line.product_id, line.quantity
        if old == new or reservation.status not in ("made", "released"):
            continue
        back = _entered(work, f"{merge}:{new[-12:]}")
        cause = f"{merge}:{new[-12:]}:back" if back else f"{merge}:{old[-12:]}"
        levels = lock(work, warehouse, [old, new])
        if reservation.status == "made":
            shift(work, warehouse, reserved=[(old, -quantity)])
            _carry(work, warehouse, old, new, quantity, cause)
            shift(work, warehouse, reserved=[(new, quantity)])
        elif back and levels[old].available >= quantity:
            _carry(work, warehouse, old, new, quantity, cause)


def _cause(merge_id: str, loser_id: str) -> str:
    """One for each loser, since all their entries meet at the survivor. Ids differ in their ends."""
    return f"merge:{merge_id}:{loser_id[-12:]}"


def _entered(work: Work, cause: str) -> bool:
    return (
        work.sql("SELECT 1 FROM stock_moves WHERE tenant_id = %s AND cause = %s LIMIT 1", (work.tenant, cause)).first()
        is not None
    )


def _carry(work: Work, warehouse_id: str, old: str, new: str, quantity: Decimal, cause: str) -> None:
    """A pair of entries: out of one product, into another, in the same place."""
    shift(work, warehouse_id, on_hand=[(old, -quantity), (new, quantity)])
    pair = [(old, -quantity), (new, quantity)]
    enter(work, "adjustment", warehouse_id, pair, sign=1, cause=cause, reason="Merged products")
