"""Stock for orders: reserved all or none, released or issued by the order's saga, never by time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from chassis.database import Work
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.numbering import next_number
from chassis.records import Store, survivors
from chassis.saga import Refused
from contracts import inventory as contracts
from contracts.fields import instant
from services.inventory.catalogue import default_warehouse, products, warehouses
from services.inventory.models import Reservation, Shipment
from services.inventory.stock import enter, shift

JSON = dict[str, Any]
reservations, shipments = Store(Reservation), Store(Shipment)


def _of(work: Work, order_id: str) -> Reservation | None:
    found = reservations.where(work, "order_id = %s", (order_id,), lock=True)
    return found[0] if found else None


def _wanted(lines: Any) -> list[tuple[str, Decimal]]:
    """Quantities by product: an order may name a product on several lines."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.product_id] = sums.get(line.product_id, Decimal(0)) + line.quantity
    return sorted(sums.items())


def reserve(request: Any, work: Work) -> JSON | Refused:
    """Hold every line of an order, or refuse and say what is short. A refusal is kept and published as well."""
    known = _of(work, request.order_id)
    if known is not None:
        if known.status == "made":
            return {"reservation_id": known.id, "warehouse_id": known.warehouse_id}
        if known.status == "refused":
            return Refused("stock", known.reason)
        return Refused("cancelled", "The order's reservation has ended.")
    warehouse_id = request.warehouse_id or default_warehouse(work)
    made = reservations.make(
        id=new_id(),
        order_id=request.order_id,
        warehouse_id=warehouse_id,
        lines=[
            contracts.StockLine.make({"product_id": product, "quantity": quantity})
            for product, quantity in _wanted(request.lines)
        ],
        owner_id=request.owner_id,
        team_id=request.team_id,
    )
    # An order may still name a product that was merged: its stock is the survivor's.
    survivors.settle(work, contracts.Reservation, [made])
    wanted = _wanted(made.lines)
    reason = ""
    if warehouse_id is None or (request.warehouse_id and warehouses.find(work, warehouse_id) is None):
        made.warehouse_id, reason = None, "There is no such warehouse."
    else:
        try:
            shift(work, warehouse_id, reserved=wanted)
        except Problem as problem:
            if problem.code != "stock":
                raise
            reason = _short(work, problem.extra["product_ids"])
    if reason:
        made.status, made.reason = "refused", reason
        reservations.add(work, made, event=contracts.ReservationRefused)
        return Refused("stock", reason)
    made.status = "made"
    reservations.add(work, made, event=contracts.ReservationMade)
    return {"reservation_id": made.id, "warehouse_id": made.warehouse_id}


def _short(work: Work, product_ids: list[str]) -> str:
    names = [product.name for product in products.where(work, "id = ANY(%s::uuid[])", (product_ids,))]
    return f"Not enough in stock: {', '.join(sorted(names)) or 'unknown product'}"[:500]


def release(request: Any, work: Work) -> None:
    """Let the held stock go. Nothing held (refused, released, or never made): nothing to do."""
    held = _of(work, request.order_id)
    if held is None or held.status != "made":
        return
    shift(work, held.warehouse_id, reserved=[(product, -quantity) for product, quantity in _wanted(held.lines)])
    held.move("released")
    reservations.save(work, held, event=contracts.ReservationReleased)


def issue(request: Any, work: Work) -> JSON:
    """The goods leave: ledger entries take them from the shelf and the reservation ends as issued."""
    held = _of(work, request.order_id)
    if held is None or held.status != "made":
        raise Refused("no_reservation", "Nothing is reserved for this order.")
    lines = _wanted(held.lines)
    shipment = shipments.make(
        order_id=request.order_id,
        warehouse_id=held.warehouse_id,
        shipper_id=request.shipper_id,
        shipped_at=work.now,
        lines=held.lines,
        owner_id=held.owner_id,
        team_id=held.team_id,
    )
    shipment.number = next_number(work, shipment)
    shipments.add(work, shipment, event=contracts.ShipmentShipped)
    shift(work, held.warehouse_id, on_hand=[(p, -q) for p, q in lines], reserved=[(p, -q) for p, q in lines])
    enter(work, "issue", held.warehouse_id, lines, sign=-1, cause=f"shipment:{shipment.id}", order_id=request.order_id)
    held.move("issued")
    reservations.save(work, held, event=contracts.ReservationIssued)
    return {"shipment_id": shipment.id, "shipped_at": instant(shipment.shipped_at)}


def take_back(request: Any, work: Work) -> None:
    """Undo an issue: opposite entries put the goods back and the reservation holds them again."""
    held = _of(work, request.order_id)
    if held is None or held.status != "issued":
        return
    lines = _wanted(held.lines)
    for shipment in shipments.where(work, "order_id = %s AND status = 'shipped'", (request.order_id,), lock=True):
        shipment.move("returned")
        shipments.save(work, shipment, event=contracts.ShipmentReturned)
        shift(work, held.warehouse_id, on_hand=lines, reserved=lines)
        enter(
            work,
            "receipt",
            held.warehouse_id,
            lines,
            sign=1,
            cause=f"shipment:{shipment.id}:back",
            order_id=request.order_id,
        )
    held.move("made")
    reservations.save(work, held, event=contracts.ReservationMade)
