"""Which columns refer to which records: from the declarations, and for other tables from the names of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts import fields as f
from contracts.registry import SERVICES, registry
from suite.check.sources import Look
from suite.check.versions import table_of

# Names that do not say what they refer to.
NAMED = {
    ("eventlog", "subscription_positions", "subscription_id"): "eventlog.event-subscription",
    ("sales", "sagas", "record_id"): "sales.order",
    ("marketing", "sagas", "record_id"): "marketing.lead",
}
# Ids that are no references to records, or references that other rules follow: changes and events by I3 and I9, the
# index by I10.
APART = {
    "tenant_id", "event_id", "message_id", "saga_id", "correlation_id", "causation_id", "stage_id", "holder_id",
    "merge_id",
    ("unsent", "record_id"), ("changes", "record_id"), ("events", "record_id"), ("sagas", "record_id"),
    ("documents", "owner_id"), ("documents", "team_id"), ("keys", "owner_id"), ("keys", "team_id"),
    ("events", "owner_id"), ("events", "team_id"),
    # What was done to records that may be gone since: holds, receipts, and what went with what.
    "hold_id", ("erasures", "record_id"), ("erasures", "owner_id"), ("erasures", "team_id"),
    ("gone_with", "record_id"), ("gone_with", "root_id"),
    # They lie in the same service as their record, which says nothing of them when it is gone.
    ("notes", "about_id"), ("attachments", "about_id"),
    # Jobs are no records, and what they were about may be purged before they are forgotten.
    "job_id", ("job_items", "record_id"),
}  # fmt: skip
# Tables whose rows say themselves of which record their id is: `(table, column of the id)`.
TYPED = (
    ("external_ids", "record_id"),
    ("account_facts", "record_id"),
    ("copies", "id"),
    ("copy_keys", "id"),
    ("custom_values", "record_id"),
    ("merged_records", "id"),
    ("merged_records", "into_id"),
    ("repointed", "record_id"),
    ("merges", "winner_id"),
    ("duplicate_keys", "id"),
)


@dataclass(frozen=True)
class Reference:
    """A column, or a member of a list within one, whose values are ids of `target`."""

    service: str
    table: str
    column: str
    target: str
    statement: str
    """Selects `tenant_id` and `ref`."""

    @property
    def within(self) -> bool:
        """Whether it stays in its own service."""
        return self.target.split(".", 1)[0] == self.service


def references(look: Look) -> Iterator[Reference]:
    """Every reference of every service. Raises nothing for columns that nobody can place: see `unplaced`."""
    yield from _declared()
    known = {(one.service, one.table, one.column) for one in _declared()}
    for service in SERVICES:
        for table, column in _columns(look, service):
            target = _target(service, table, column)
            if (service, table, column) not in known and target is not None:
                yield _reference(service, table, column, target)
        yield from _typed(look, service)


def unplaced(look: Look) -> Iterator[tuple[str, str, str]]:
    """Columns called `…_id` of which nothing says what they refer to: service, table, column."""
    known = {(one.service, one.table, one.column) for one in _declared()}
    for service in SERVICES:
        for table, column in _columns(look, service):
            placed = (service, table, column) in known or (table, column) in TYPED
            apart = column in APART or (table, column) in APART
            if not placed and not apart and _target(service, table, column) is None:
                yield service, table, column


def _reference(service: str, table: str, column: str, target: str) -> Reference:
    statement = f'SELECT tenant_id, "{column}" AS ref FROM "{table}" WHERE "{column}" IS NOT NULL'
    return Reference(service, table, column, target, statement)


def _declared() -> Iterator[Reference]:
    for name, record in sorted(registry.records.items()):
        table = table_of(name)
        for column, field in record.declared().items():
            if isinstance(field, f.Ref) and field.target in registry.records:
                yield _reference(record.service, table, column, field.target)
            elif isinstance(field, f.Parts):
                for inner, part in field.part.declared().items():
                    if isinstance(part, f.Ref) and part.target in registry.records:
                        statement = (
                            f"SELECT tenant_id, (part->>'{inner}')::uuid AS ref FROM \"{table}\","
                            f" jsonb_array_elements(\"{column}\") AS part WHERE part->>'{inner}' IS NOT NULL"
                        )
                        yield Reference(record.service, table, f"{column}.{inner}", part.target, statement)


def _target(service: str, table: str, column: str) -> str | None:
    if (service, table, column) in NAMED:
        return NAMED[service, table, column]
    if column in APART or (table, column) in APART:
        return None
    singular = {"owner": "user", "author": "user"}.get(column.removesuffix("_id"), column.removesuffix("_id")).replace(
        "_", "-"
    )
    return next((name for name, record in sorted(registry.records.items()) if record.singular == singular), None)


def _typed(look: Look, service: str) -> Iterator[Reference]:
    tables = {table for table, _ in _columns(look, service)}
    for table, column in TYPED:
        if table not in tables:
            continue
        for row in look.catalogue(service, f'SELECT DISTINCT record FROM "{table}" ORDER BY record'):
            if row.record in registry.records:
                statement = f'SELECT tenant_id, "{column}" AS ref FROM "{table}" WHERE record = \'{row.record}\''
                yield Reference(service, table, column, row.record, statement)


def _columns(look: Look, service: str) -> list[tuple[str, str]]:
    """Columns of ids in a service's tables. Partitions are left out: their rows are their table's."""
    rows = look.catalogue(
        service,
        "SELECT c.relname, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND a.attnum > 0 AND NOT a.attisdropped AND right(a.attname, 3) = '_id' ORDER BY 1, 2",
    )
    return [(row.relname, row.attname) for row in rows]
