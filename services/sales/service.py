"""Sales: a table of stores, sagas, alarms and answers."""

from __future__ import annotations

from chassis.service import Service
from contracts import pipelines as contracts
from services.sales import pipeline
from services.sales.credit_notes import credit_notes
from services.sales.history import orders
from services.sales.payments import payments
from services.sales.pipeline import on_tenant_created, opportunities, pipelines, targets
from services.sales.receivables import overdue, receivables
from services.sales.sagas import cancel_order, place_order, ship_order


class Sales(Service):
    """Pipelines, orders and the money owed for them."""

    name = "sales"
    stores = (pipelines, opportunities, orders, receivables, payments, credit_notes, targets)
    reactions = (on_tenant_created,)
    sagas = (place_order, ship_order, cancel_order)
    asks = (
        (contracts.create_from_lead, pipeline.create_from_lead),
        (contracts.remove_from_lead, pipeline.remove_from_lead),
    )
    alarms = {"overdue": overdue}
    copies = {
        "customer.account": ("name", "city", "country", "currencies", "credit_limit", "payment_days"),
        "customer.contact": ("account_id",),
        "inventory.product": ("name", "price", "tax_rate", "discontinued"),
        "inventory.warehouse": ("name",),
        "inventory.shipper": ("name",),
    }


service = Sales
