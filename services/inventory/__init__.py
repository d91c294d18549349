"""Inventory owns products, warehouses, the stock ledger, reservations, shipments and purchase orders.

It publishes `inventory.*`. It answers the sales sagas: `reserve` and `release`, `issue` and `take_back`. It listens to
new tenants, who get their first warehouse.
"""
