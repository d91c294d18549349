"""Indexing a custom field later: the values that records have already get their rows batch by batch.

Each batch is one alarm: it locks the next records, writes their rows anew and sets the alarm of the batch behind it,
all in one transaction, so that a killed process goes on where it stood. While a field has an alarm, filters and sorts
read its JSON within the row budget; writers keep its rows from the moment at which they hear of it.
"""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

from chassis import timers
from chassis.definitions import BUILDING, CUSTOM
from chassis.ids import FIRST_ID
from chassis.records import custom
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
BATCH = 500
# A process may believe what it knew for five seconds, and a transaction may last for fifteen more: nobody who does not
# keep the rows yet is still writing when the first batch begins.
GRACE = dt.timedelta(seconds=30)


def heard(work: Work, definition: JSON) -> None:
    """A definition is about to be kept here: where it is indexed and was not before, set off the first batch."""
    record = registry.collections.get(definition["applies_to"])
    if not definition["indexed"] or definition["version"] == 1 or record is None:
        return
    if record.record_name not in work.service.stores:
        return
    row = work.sql(
        "SELECT version, (data ->> 'indexed')::boolean AS indexed FROM copies"
        " WHERE tenant_id = %s AND record = %s AND id = %s",
        (work.tenant, CUSTOM, definition["id"]),
    ).first()
    if row is None or (row.version < definition["version"] and not row.indexed):
        begin(work, definition)


def begin(work: Work, definition: JSON) -> None:
    """The first batch of a field; one that is under way begins anew."""
    name = f"{definition['applies_to']}/{definition['name']}/"
    work.sql(
        "DELETE FROM timers WHERE tenant_id = %s AND name = %s AND starts_with(key, %s)", (work.tenant, BUILDING, name)
    )
    timers.set_alarm(work, BUILDING, name + FIRST_ID, work.now + GRACE)
    work.committed.append(partial(work.service.definitions.forget, work.tenant))


def ring(key: str, work: Work) -> None:
    """One batch: the rows of the next 500 records, and the alarm of those behind them."""
    collection, name, after = key.split("/")
    record = registry.collections[collection]
    store = work.service.stores[record.record_name]
    work.service.definitions.forget(work.tenant)
    known = work.service.definitions.fields(work, collection)
    work.committed.append(partial(work.service.definitions.forget, work.tenant))
    if not known.kept(name):
        return
    rows = work.sql(
        f'SELECT id, custom -> %s AS value FROM "{store.table}" WHERE tenant_id = %s AND id > %s'
        f" ORDER BY id LIMIT {BATCH} FOR UPDATE",
        (name, work.tenant, after),
    ).all()
    # Rows of an earlier time, when it was indexed before, go: up to the last record of the batch, or all that are left.
    last = rows[-1].id if len(rows) == BATCH else None
    work.sql(
        "DELETE FROM custom_values WHERE tenant_id = %s AND record = %s AND field = %s AND record_id > %s"
        " AND (%s::uuid IS NULL OR record_id <= %s::uuid)",
        (work.tenant, store.name, name, after, last, last),
    )
    custom.insert(work, store.name, name, known.wires[name]["type"], [(row.id, row.value) for row in rows])
    if last is not None:
        timers.set_alarm(work, BUILDING, f"{collection}/{name}/{last}", work.now)
