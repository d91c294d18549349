"""Buying: what is ordered from suppliers, and its receipt into stock."""

from __future__ import annotations

from decimal import Decimal

from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.numbering import next_number
from chassis.records import Store
from contracts import inventory as contracts
from services.inventory.catalogue import default_warehouse, products
from services.inventory.models import PurchaseOrder
from services.inventory.stock import enter, shift

purchase_orders = Store(PurchaseOrder)


@purchase_orders.computes
def products_exist(order: PurchaseOrder, work: Work) -> None:
    """Lines are kept inside the order, where no foreign key looks."""
    for index, line in enumerate(order.lines if order.status == "draft" else ()):
        if products.find(work, line.product_id) is None:
            raise invalid({f"lines.{index}.product_id": "There is no such record."}, code="unknown_reference")


@purchase_orders.guards
def only_drafts_are_edited(order: PurchaseOrder, work: Work) -> None:
    if order.status != "draft":
        raise conflict(
            "wrong_state", f"A purchase order that is {order.status} is not edited.", field="status", state=order.status
        )


@purchase_orders.command(contracts.confirm_purchase)
def confirm(order: PurchaseOrder, work: Work) -> None:
    """From here the order binds, so it gets its number."""
    order.move("confirmed")
    order.number = next_number(work, order)
    order.ordered_on = order.ordered_on or work.today()


@purchase_orders.command(contracts.receive_purchase)
def receive(order: PurchaseOrder, work: Work) -> None:
    """The goods arrive: one receipt for each product, once."""
    order.move("received")
    order.warehouse_id = order.warehouse_id or default_warehouse(work)
    if order.warehouse_id is None:
        raise invalid({"warehouse_id": "There is no default warehouse."})
    sums: dict[str, Decimal] = {}
    for line in order.lines:
        sums[line.product_id] = sums.get(line.product_id, Decimal(0)) + line.quantity
    lines = sorted(sums.items())
    shift(work, order.warehouse_id, on_hand=lines)
    enter(work, "receipt", order.warehouse_id, lines, sign=1, cause=f"purchase:{order.id}", reason=order.number)
