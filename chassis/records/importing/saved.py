"""Mappings that were saved for the next file of the same kind, by name, per tenant and record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, DateTime, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis.errors import conflict, forbidden, invalid, not_found
from chassis.permissions import scope
from chassis.records.importing import mapping
from contracts import fields as f
from contracts.scalars import CONTROL

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
MOST = 200
NAME = 100


def define(metadata: MetaData) -> None:
    Table(
        "import_mappings",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("mapping", JSONB, nullable=False),
        Column("updated_at", DateTime(timezone=True), nullable=False),
        Column("updated_by", Text, nullable=False),
    )


def may_import(work: Work, store: Store[Any], mode: str = "upsert") -> None:
    """403 for who may neither create nor update, or lacks what the mode needs."""
    needed = {"create": ("create",), "update": ("update",)}.get(mode, ("create", "update"))
    granted = [scope(work.context, store.name, action) != "none" for action in needed]
    if not (any(granted) if mode == "upsert" else all(granted)):
        raise forbidden("import", store.record.collection)


def listing(work: Work, store: Store[Any]) -> JSON:
    may_import(work, store)
    rows = work.sql(
        "SELECT name, mapping, updated_at, updated_by FROM import_mappings WHERE tenant_id = %s AND record = %s"
        " ORDER BY name",
        (work.tenant, store.name),
    )
    return {"items": [_document(row) for row in rows]}


def get(work: Work, store: Store[Any], name: str) -> JSON:
    """The saved mapping itself; 404 when there is none of this name."""
    row = work.sql(
        "SELECT name, mapping, updated_at, updated_by FROM import_mappings WHERE tenant_id = %s AND record = %s"
        " AND name = %s",
        (work.tenant, store.name, name),
    ).first()
    if row is None:
        raise not_found("mapping")
    return _document(row)


def put(work: Work, store: Store[Any], name: str, given: Any) -> JSON:
    """Keep a mapping under a name, in place of one that has it. It is checked against the record's fields."""
    may_import(work, store)
    if not 1 <= len(name.strip()) <= NAME or CONTROL.search(name):
        raise invalid({"name": f"Must have 1 to {NAME} characters."})
    kept = mapping.check_shape(given)
    mapping.check_fields(store.record, kept, None)
    count = work.sql(
        "SELECT count(*) FROM import_mappings WHERE tenant_id = %s AND record = %s AND name <> %s",
        (work.tenant, store.name, name),
    ).scalar_one()
    if count >= MOST:
        raise conflict("too_many_mappings", f"There may be {MOST} saved mappings.")
    work.sql(
        "INSERT INTO import_mappings (tenant_id, record, name, mapping, updated_at, updated_by)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, record, name) DO UPDATE"
        " SET mapping = excluded.mapping, updated_at = excluded.updated_at, updated_by = excluded.updated_by",
        (work.tenant, store.name, name, orjson.dumps(kept).decode(), work.now, work.context.actor),
    )
    return get(work, store, name)


def delete(work: Work, store: Store[Any], name: str) -> None:
    may_import(work, store)
    gone = work.sql(
        "DELETE FROM import_mappings WHERE tenant_id = %s AND record = %s AND name = %s",
        (work.tenant, store.name, name),
    ).rowcount
    if not gone:
        raise not_found("mapping")


def _document(row: Any) -> JSON:
    return {
        "name": row.name,
        "mapping": row.mapping,
        "updated_at": f.instant(row.updated_at),
        "updated_by": row.updated_by,
    }
