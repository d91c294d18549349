"""The tables of inventory. The ledger is append-only; levels are its sums, guarded by CHECKs."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text

from chassis.records import Stored
from contracts import inventory as contracts


class Category(Stored, record=contracts.Category):
    pass


class Supplier(Stored, record=contracts.Supplier):
    pass


class Product(Stored, record=contracts.Product):
    pass


class Warehouse(Stored, record=contracts.Warehouse):
    __table_args__ = (
        Index(
            "uq_warehouses_default", "tenant_id", unique=True, postgresql_where=text('"default" AND deleted_at IS NULL')
        ),
    )


class Shipper(Stored, record=contracts.Shipper):
    pass


class StockMove(Stored, record=contracts.StockMove):
    """One effect per cause: a repeated cause meets the unique key."""

    insert_only = True
    __table_args__ = (UniqueConstraint("tenant_id", "cause", "product_id", "warehouse_id"),)


class StockLevel(Stored, record=contracts.StockLevel):
    __table_args__ = (
        UniqueConstraint("tenant_id", "product_id", "warehouse_id"),
        CheckConstraint("on_hand >= 0", name="on_hand"),
        CheckConstraint("reserved >= 0", name="reserved"),
        CheckConstraint("available = on_hand - reserved", name="available"),
        CheckConstraint("available >= 0", name="enough"),
    )


class Reservation(Stored, record=contracts.Reservation):
    __table_args__ = (UniqueConstraint("tenant_id", "order_id"),)


class Shipment(Stored, record=contracts.Shipment):
    pass


class PurchaseOrder(Stored, record=contracts.PurchaseOrder):
    pass
