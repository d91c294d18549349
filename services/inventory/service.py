"""Inventory: a table of stores and answers."""

from __future__ import annotations

from chassis.service import Service
from contracts import inventory as contracts
from services.inventory import merging as merging
from services.inventory import reservations as stock_for_orders
from services.inventory.catalogue import categories, on_tenant_created, products, shippers, suppliers, warehouses
from services.inventory.purchasing import purchase_orders
from services.inventory.reservations import reservations, shipments
from services.inventory.stock import levels, moves


class Inventory(Service):
    """Products, warehouses, the stock ledger, reservations and purchasing."""

    name = "inventory"
    stores = (
        categories,
        suppliers,
        products,
        warehouses,
        shippers,
        moves,
        levels,
        reservations,
        shipments,
        purchase_orders,
    )
    reactions = (on_tenant_created,)
    asks = (
        (contracts.reserve, stock_for_orders.reserve),
        (contracts.release, stock_for_orders.release),
        (contracts.issue, stock_for_orders.issue),
        (contracts.take_back, stock_for_orders.take_back),
    )


service = Inventory
