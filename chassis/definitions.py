"""What a tenant itself defines: its custom fields and its numbering rules, as one process of a service knows them.

They are records of identity; every service keeps copies by their events. A process reads a tenant's copies once and
keeps what it read for five seconds, so that a write asks for nothing. A custom field that it has not heard of costs a
look at the copies, and then one call to identity.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from contracts import fields as f
from contracts.custom import field_of
from contracts.records import STANDARD
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
CUSTOM, NUMBERING, RETENTION = "identity.custom-field", "identity.numbering-rule", "identity.retention-rule"
BUILDING = "index-custom-field"
"""The alarms of batches that index a field's existing values (`chassis.records.custom_building`), by
`<collection>/<field>/<id of the last record>`."""
# The copies have every field of a definition.
DEFINED = {
    name: tuple(field for field in registry.load().records[name].declared() if field not in STANDARD)
    for name in (CUSTOM, NUMBERING, RETENTION)
}
KEPT = 5.0
MOST_TENANTS = 2_000


@dataclass(frozen=True, slots=True)
class CustomFields:
    """The custom fields of one record. `wires` are the definitions' own documents, inactive ones included."""

    active: dict[str, f.Field] = field(default_factory=dict)
    wires: dict[str, JSON] = field(default_factory=dict)
    building: frozenset[str] = frozenset()
    """Indexed fields whose rows are still being written: lists do not count on them yet."""

    def kept(self, name: str) -> bool:
        """Whether writers keep rows of this field."""
        return name in self.wires and bool(self.wires[name]["indexed"])

    def indexed(self, name: str) -> bool:
        """Whether the rows of this field are complete, so that lists may be answered from them."""
        return self.kept(name) and name not in self.building


NONE = CustomFields()


@dataclass(frozen=True, slots=True)
class Known:
    """What one tenant has defined: custom fields, numbering rules and days of retention, by collection."""

    read_at: float
    fields: dict[str, CustomFields]
    rules: dict[str, JSON]
    retention: dict[str, int]


class Definitions:
    """One service's knowledge of its tenants' definitions."""

    def __init__(self) -> None:
        self._tenants: dict[str, Known] = {}

    def forget(self, tenant: str) -> None:
        """Read the tenant's definitions anew when they are asked for next."""
        self._tenants.pop(tenant, None)

    def fields(self, work: Work, collection: str) -> CustomFields:
        return self._known(work).fields.get(collection, NONE)

    def rule(self, work: Work, collection: str) -> JSON | None:
        return self._known(work).rules.get(collection)

    def retention(self, work: Work, collection: str) -> int | None:
        """How many days the tenant wants deleted records of a collection kept; None where it says nothing."""
        return self._known(work).retention.get(collection)

    def searched(self, work: Work) -> dict[str, frozenset[str]]:
        """The names of the custom fields that search finds, by collection."""
        return {
            collection: frozenset(name for name, field in fields.active.items() if field.search)
            for collection, fields in self._known(work).fields.items()
        }

    def fields_with(self, work: Work, collection: str, names: set[str]) -> CustomFields:
        """The custom fields, after doing what can be done to hear of these names."""
        found = self.fields(work, collection)
        if names <= found.active.keys():
            return found
        self.forget(work.tenant)
        found = self.fields(work, collection)
        if not names <= found.active.keys() and work.service.learn_definitions(work):
            self.forget(work.tenant)
            found = self.fields(work, collection)
        return found

    def _known(self, work: Work) -> Known:
        known = self._tenants.get(work.tenant)
        if known is None or time.monotonic() - known.read_at > KEPT:
            known = _read(work)
            if len(self._tenants) >= MOST_TENANTS:
                self._tenants.clear()
            self._tenants[work.tenant] = known
        return known


def _read(work: Work) -> Known:
    read_at = time.monotonic()
    if CUSTOM in work.service.stores:
        documents = [(name, wire) for name in DEFINED for wire in _owned(work, name)]
    else:
        rows = work.sql(
            "SELECT record, data FROM copies WHERE tenant_id = %s AND record = ANY(%s) AND NOT deleted",
            (work.tenant, list(DEFINED)),
        )
        documents = [(row.record, row.data) for row in rows]
    heavy = work.service.definition.batch is not None
    own = {record.collection for record in registry.records.values() if heavy or record.service == work.service.name}
    rules: dict[str, JSON] = {}
    retention: dict[str, int] = {}
    wires: dict[str, list[JSON]] = {}
    for record, wire in documents:
        if wire["applies_to"] not in own:
            continue
        if record == NUMBERING:
            rules[wire["applies_to"]] = wire
        elif record == RETENTION:
            retention[wire["applies_to"]] = wire["days"]
        else:
            wires.setdefault(wire["applies_to"], []).append(wire)
    building = _building(work) if wires else {}
    return Known(
        read_at,
        {
            collection: custom_fields(several, building.get(collection, frozenset()))
            for collection, several in wires.items()
        },
        rules,
        retention,
    )


def _building(work: Work) -> dict[str, frozenset[str]]:
    """The fields whose existing values are still being indexed here, by collection."""
    rows = work.sql("SELECT key FROM timers WHERE tenant_id = %s AND name = %s", (work.tenant, BUILDING))
    found: dict[str, set[str]] = {}
    for row in rows:
        collection, name, _ = row.key.split("/")
        found.setdefault(collection, set()).add(name)
    return {collection: frozenset(names) for collection, names in found.items()}


def _owned(work: Work, name: str) -> list[JSON]:
    store = work.service.stores[name]
    rows = work.sql(f"{store.select} WHERE tenant_id = %s AND deleted_at IS NULL", (work.tenant,))
    return [store.stored.wire_of_row(row) for row in rows]


def custom_fields(wires: list[JSON], building: frozenset[str] = frozenset()) -> CustomFields:
    """The custom fields of one record from their definitions, in the order of their positions."""
    ordered = sorted(wires, key=lambda wire: (wire["position"], wire["name"]))
    return CustomFields(
        {wire["name"]: field_of(wire) for wire in ordered if wire["active"]},
        {wire["name"]: wire for wire in ordered},
        building,
    )
