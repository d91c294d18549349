"""What a new tenant starts with: roles for the usual jobs."""

from __future__ import annotations

from chassis.context import Grants
from chassis.database import Work
from services.identity.people import roles

_EVERYDAY: Grants = {
    "identity.user": {"read": "all"},
    "identity.team": {"read": "all"},
    "inventory.product": {"read": "all"},
    "inventory.category": {"read": "all"},
    "inventory.stock-level": {"read": "all"},
    "inventory.warehouse": {"read": "all"},
    "inventory.shipper": {"read": "all"},
    "identity.view": {"*": "own", "read": "team"},
    "notify.notification": {"*": "own"},
    "notify.following": {"*": "own"},
    "service.article": {"read": "all"},
}
_SELLING = (
    "customer.account",
    "customer.contact",
    "customer.activity",
    "customer.interaction",
    "customer.group",
    "sales.opportunity",
    "sales.order",
    "marketing.lead",
    "service.request",
)
ROLES: dict[str, Grants] = {
    "Administrator": {"*": {"*": "all"}},
    "Sales manager": {
        **_EVERYDAY,
        **{record: {"*": "all"} for record in _SELLING},
        "sales.receivable": {"read": "all"},
        "sales.pipeline": {"read": "all"},
    },
    "Salesperson": {
        **_EVERYDAY,
        **{record: {"*": "own"} for record in _SELLING},
        # Everybody sees whom the firm knows, and may take who is nobody's; the rest of an account is its owner's.
        "customer.account": {"*": "own", "read": "all", "claim": "all"},
        "sales.receivable": {"read": "own"},
        "sales.pipeline": {"read": "all"},
    },
    "Service agent": {
        **_EVERYDAY,
        "service.request": {"*": "all"},
        "service.article": {"*": "all"},
        "service.contract": {"*": "all"},
        "customer.account": {"read": "all"},
        "customer.contact": {"*": "all"},
        "customer.interaction": {"*": "all"},
        "customer.activity": {"*": "own"},
        "sales.order": {"read": "all"},
    },
    "Marketer": {
        **_EVERYDAY,
        **{
            record: {"*": "all"}
            for record in (
                "marketing.campaign",
                "marketing.lead",
                "marketing.segment",
                "marketing.point-account",
                "marketing.point-entry",
            )
        },
        "customer.account": {"read": "all"},
        "customer.contact": {"read": "all"},
    },
    "Warehouse": {
        **_EVERYDAY,
        **{
            record: {"*": "all"}
            for record in (
                "inventory.product",
                "inventory.category",
                "inventory.supplier",
                "inventory.warehouse",
                "inventory.stock-move",
                "inventory.purchase-order",
                "inventory.shipment",
                "inventory.reservation",
                "inventory.shipper",
            )
        },
        "sales.order": {"read": "all", "ship": "all"},
    },
    "Accountant": {
        **_EVERYDAY,
        "sales.receivable": {"*": "all"},
        "sales.payment": {"*": "all"},
        "sales.credit-note": {"*": "all"},
        "sales.order": {"read": "all"},
        "customer.account": {"read": "all", "update": "all"},
    },
}


def seed_roles(work: Work) -> str:
    """Make the roles; returns the administrator's id."""
    made = {name: roles.make(name=name, grants=grants) for name, grants in ROLES.items()}
    roles.add_all(work, list(made.values()))
    return made["Administrator"].id
