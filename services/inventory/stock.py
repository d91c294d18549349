"""The stock ledger: entries never change, levels are their sums, and the database refuses a level below zero."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.ids import new_id
from chassis.records import Store
from services.inventory.catalogue import default_warehouse, products, warehouses
from services.inventory.models import StockLevel, StockMove

moves, levels = Store(StockMove), Store(StockLevel)
Wanted = Sequence[tuple[str, Decimal]]


@moves.creates
def by_hand(move: StockMove, work: Work) -> None:
    """A receipt, issue, adjustment or transfer that somebody enters: its effect on the levels, or a refusal."""
    move.id = move.id or new_id()
    move.warehouse_id = move.warehouse_id or default_warehouse(work)
    if move.warehouse_id is None:
        raise invalid({"warehouse_id": "There is no default warehouse."})
    for name, store, wanted in (
        ("product_id", products, move.product_id),
        ("warehouse_id", warehouses, move.warehouse_id),
        ("to_warehouse_id", warehouses, move.to_warehouse_id),
    ):
        if wanted is not None and store.find(work, wanted) is None:
            raise invalid({name: "There is no such record."}, code="unknown_reference")
    if move.quantity == 0 or (move.quantity < 0 and move.kind != "adjustment"):
        raise invalid({"quantity": "Must be above 0."})
    if (move.kind == "transfer") != (move.to_warehouse_id is not None) or move.to_warehouse_id == move.warehouse_id:
        raise invalid({"to_warehouse_id": "A transfer names another warehouse, other moves none."})
    move.change = -move.quantity if move.kind in ("issue", "transfer") else move.quantity
    move.cause = f"move:{move.id}"
    if move.kind == "transfer":
        # Levels are always locked in the same order, so that two opposite transfers do not wait for each other.
        for warehouse in sorted((move.warehouse_id, move.to_warehouse_id)):
            lock(work, warehouse, [move.product_id])
        shift(work, move.warehouse_id, on_hand=[(move.product_id, move.change)])
        shift(work, move.to_warehouse_id, on_hand=[(move.product_id, move.quantity)])
        moves.add(
            work,
            moves.make(
                kind="transfer",
                product_id=move.product_id,
                warehouse_id=move.to_warehouse_id,
                quantity=move.quantity,
                change=move.quantity,
                reason=move.reason,
                cause=f"move:{move.id}:in",
            ),
        )
    else:
        shift(work, move.warehouse_id, on_hand=[(move.product_id, move.change)])


def lock(work: Work, warehouse_id: str, product_ids: Iterable[str]) -> dict[str, Any]:
    """The levels of products in a warehouse, locked in product order; a product's first level is made empty.

    Products that do not exist have no level and are missing from the answer.
    """
    wanted = sorted(set(product_ids))
    found = _locked(work, warehouse_id, wanted)
    missing = [product for product in wanted if product not in found]
    if missing:
        now, actor = work.now, work.context.actor
        work.sql(
            "INSERT INTO stock_levels (tenant_id, id, product_id, warehouse_id, on_hand, reserved, available, version,"
            " created_at, created_by, updated_at, updated_by, external_ids, custom)"
            " SELECT p.tenant_id, fresh.id, p.id, %s, 0, 0, 0, 1, %s, %s, %s, %s, '{}', '{}'"
            " FROM products AS p"
            " JOIN (SELECT unnest(%s::uuid[]) AS id, unnest(%s::uuid[]) AS product_id) AS fresh"
            " ON fresh.product_id = p.id"
            " WHERE p.tenant_id = %s ON CONFLICT (tenant_id, product_id, warehouse_id) DO NOTHING",
            (warehouse_id, now, actor, now, actor, [new_id() for _ in missing], missing, work.tenant),
        )
        # Read again in any case: another transaction may have made the same level first.
        return _locked(work, warehouse_id, wanted)
    return found


def _locked(work: Work, warehouse_id: str, wanted: list[str]) -> dict[str, Any]:
    rows = work.sql(
        "SELECT product_id, on_hand, reserved, available FROM stock_levels WHERE tenant_id = %s AND warehouse_id = %s"
        " AND product_id = ANY(%s::uuid[]) ORDER BY product_id FOR UPDATE",
        (work.tenant, warehouse_id, wanted),
    )
    return {row.product_id: row for row in rows}


def shift(work: Work, warehouse_id: str, *, on_hand: Wanted = (), reserved: Wanted = ()) -> None:
    """Add signed quantities to the levels. 409 `stock` where not enough is available."""
    changes: dict[str, list[Decimal]] = {}
    for product, quantity in on_hand:
        changes.setdefault(product, [Decimal(0), Decimal(0)])[0] += quantity
    for product, quantity in reserved:
        changes.setdefault(product, [Decimal(0), Decimal(0)])[1] += quantity
    found = lock(work, warehouse_id, changes)
    short = [
        product
        for product, (hand, held) in changes.items()
        if product not in found or found[product].on_hand + hand < 0 or found[product].available + hand - held < 0
    ]
    if short:
        # Where lines are wanted their quantities are, and a move has only this one.
        raise conflict(
            "stock",
            "Not enough is available.",
            field="quantity",
            product_ids=sorted(short),
            warehouse_id=warehouse_id,
        )
    products = sorted(changes)
    work.later(
        "UPDATE stock_levels AS level SET on_hand = on_hand + change.hand, reserved = reserved + change.held,"
        " available = available + change.hand - change.held, version = version + 1, updated_at = %s, updated_by = %s"
        " FROM (SELECT unnest(%s::uuid[]) AS product_id, unnest(%s::numeric[]) AS hand, unnest(%s::numeric[]) AS held)"
        " AS change"
        " WHERE level.tenant_id = %s AND level.warehouse_id = %s AND level.product_id = change.product_id",
        (
            work.now,
            work.context.actor,
            products,
            [changes[product][0] for product in products],
            [changes[product][1] for product in products],
            work.tenant,
            warehouse_id,
        ),
    )


def enter(
    work: Work,
    kind: str,
    warehouse_id: str,
    lines: Wanted,
    *,
    sign: int,
    cause: str,
    order_id: str | None = None,
    reason: str | None = None,
) -> None:
    """Append ledger entries for products, one each, all with the same cause. The levels are the caller's business."""
    moves.add_all(
        work,
        [
            moves.make(
                kind=kind,
                product_id=product,
                warehouse_id=warehouse_id,
                quantity=quantity,
                change=sign * quantity,
                cause=cause,
                order_id=order_id,
                reason=reason,
            )
            for product, quantity in lines
        ],
    )
