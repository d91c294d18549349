"""Customer: a table of stores, reactions and answers."""

from __future__ import annotations

from chassis.service import Service
from contracts import customer as contracts
from services.customer import conversion, overview
from services.customer.accounts import accounts, contacts, groups
from services.customer.activities import activities, interactions


class Customer(Service):
    """Accounts, the people there, and every contact with them."""

    name = "customer"
    stores = (accounts, contacts, groups, activities, interactions)
    reactions = overview.reactions
    queries = ((contracts.overview, overview.overview),)
    asks = (
        (contracts.create_from_lead, conversion.create_from_lead),
        (contracts.remove_from_lead, conversion.remove_from_lead),
    )


service = Customer
