"""A record of every kind and a body for every write, made from the declarations: a new record is covered as is."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import Any

from chassis.ids import new_id
from contracts import fields as f
from contracts.records import Part, Record
from contracts.registry import registry
from tests.security.shop import Shop

JSON = dict[str, Any]
PURGED = [
    record.collection
    for record in registry.load().records.values()
    if "purge" in record.operations and record.retention is not None and not record.kept_by_law
]
# What a declaration does not say: values between which only the service's own rules choose.
SPECIAL: dict[tuple[str, str], Any] = {
    ("inventory.stock-move", "kind"): "receipt",
    ("inventory.stock-move", "quantity"): "5",
    ("marketing.point-entry", "points"): 5,
    ("identity.custom-field", "applies_to"): "accounts",
    # At most one rule for each.
    ("identity.retention-rule", "applies_to"): partial(next, cycle(PURGED)),
    ("identity.synonym", "means"): lambda: [f"Other {new_id()}"],
    ("identity.view", "applies_to"): "accounts",
    ("identity.custom-field", "name"): lambda: f"x{new_id().replace('-', '')}",
    ("notify.following", "about"): lambda: f"account/{new_id()}",
    ("notify.webhook", "url"): "https://example.com/hook",
    ("service.contract", "ends_on"): "2027-11-23",
}


def _special(value: Any) -> Any:
    return value() if callable(value) else value


class Examples:
    """Records of one shop, made on first use by its administrator."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._ids: dict[str, str] = {
            "customer.account": shop.account["id"],
            "inventory.product": shop.product["id"],
            "identity.user": shop.tenant.user_id,
            "sales.receivable": shop.receivable["id"],
        }

    def id_of(self, name: str) -> str:
        """The id of a record of this kind. Kinds that only the suite makes come from the shop's orders."""
        if name not in self._ids:
            record = registry.records[name]
            if "create" in record.operations:
                self._ids[name] = self.shop.api.post(f"/v1/{record.collection}", self.body(record))["id"]
            else:
                items = self.shop.api.get(f"/v1/{record.collection}?limit=1")["items"]
                assert items, f"the shop has no {name}: let an order or a rule of it make one"
                self._ids[name] = items[0]["id"]
        return self._ids[name]

    def body(self, record: type[Record]) -> JSON:
        """What creating such a record demands, and nothing more."""
        return self._part(record, record.record_name)

    def request(self, part: type[Part] | None) -> JSON:
        """What a command's body demands."""
        return {} if part is None else self._part(part, "")

    def _part(self, part: type[Part], name: str) -> JSON:
        return {
            field_name: _special(SPECIAL[name, field_name])
            if (name, field_name) in SPECIAL
            else self._value(field, field_name)
            for field_name, field in part.declared().items()
            if (field.required or (name, field_name) in SPECIAL) and not field.computed
        }

    def _value(self, field: f.Field, name: str) -> Any:
        if isinstance(field, f.Ref):
            return self.id_of(field.target) if field.target else new_id()
        if isinstance(field, f.Email):
            return f"{new_id()}@example.com"
        if isinstance(field, f.Choice):
            return next(iter(field.choices))
        if isinstance(field, f.Currency):
            return "USD"
        if name == "about":
            return f"account/{self.shop.account['id']}"
        if isinstance(field, f.Text):
            return f"{name} {new_id()}"[: field.max]
        if isinstance(field, f.Number):
            return "1"
        if isinstance(field, f.Money):
            return {"amount": "1.00", "currency": "USD"}
        if isinstance(field, f.Integer):
            return max(1, field.least)
        if isinstance(field, f.Boolean):
            return False
        if isinstance(field, f.Date):
            return "2026-11-23"
        if isinstance(field, f.Instant):
            return "2026-11-23T08:00:00Z"
        if isinstance(field, f.Embedded):
            return self._part(field.part, "")
        if isinstance(field, f.Parts):
            return [self._part(field.part, "")] * max(field.at_least, 1)
        if isinstance(field, f.Texts):
            return []
        return {}
