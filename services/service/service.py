"""Service: a table of stores and reactions."""

from __future__ import annotations

from chassis.service import Service
from services.service.knowledge import articles, service_contracts
from services.service.reactions import on_order_rejected
from services.service.requests import requests


class ServiceDesk(Service):
    """Service requests, service contracts and the knowledge base."""

    name = "service"
    stores = (requests, service_contracts, articles)
    reactions = (on_order_rejected,)
    copies = {
        "customer.account": ("name", "city", "country"),
        "customer.contact": ("name", "account_id"),
        "sales.order": ("number", "status"),
    }


service = ServiceDesk
