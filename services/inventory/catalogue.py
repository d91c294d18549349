"""What can be sold, from whom it comes, where it lies and who carries it."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.records import Store
from chassis.service import on
from services.inventory.models import Category, Product, Shipper, Supplier, Warehouse

JSON = dict[str, Any]
categories, suppliers, products = Store(Category), Store(Supplier), Store(Product)
warehouses, shippers = Store(Warehouse), Store(Shipper)


@warehouses.creates
def the_first_is_the_default(warehouse: Warehouse, work: Work) -> None:
    """Orders that name no warehouse need one: the first that is made serves until another is chosen."""
    if not warehouses.where(work, '"default"'):
        warehouse.default = True


@warehouses.computes
def one_default(warehouse: Warehouse, work: Work) -> None:
    """Choosing a default takes the mark from the one that had it, as a change of that record.

    A warehouse that comes back from deletion was chosen before the present one, so it is the one to give way.
    """
    if not warehouse.default or warehouse.deleted_at is not None:
        return
    before = warehouse.was or {}
    others = warehouses.where(work, '"default" AND id <> %s', (warehouse.id,), lock=True)
    if others and before.get("deleted_at"):
        warehouse.default = False
    elif not before.get("default"):
        for other in others:
            other.default = False
            warehouses.save(work, other)


def default_warehouse(work: Work) -> str | None:
    found = warehouses.where(work, '"default"')
    return found[0].id if found else None


@on("identity.tenant.created")
def on_tenant_created(event: JSON, work: Work) -> None:
    """A new business can sell at once: it starts with one warehouse."""
    if not warehouses.where(work, "true"):
        warehouses.add(work, warehouses.make(name="Main warehouse", code="MAIN", default=True))
