"""References between records: inside a service by foreign keys, across services by minimal local copies."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis.errors import invalid
from chassis.records import holding, survivors
from chassis.text import fold
from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.stored import Stored

JSON = dict[str, Any]
LONGEST_KEY = 400
_COPY = (
    "SELECT c.record, c.id, c.deleted, c.data, h.hold_id FROM copies AS c LEFT JOIN held_records AS h"
    " ON h.tenant_id = c.tenant_id AND h.record = c.record AND h.id = c.id"
)


def define(metadata: MetaData) -> None:
    """Copies of other services' records: the highest version seen, and the few fields that rules and filters here need.

    `copy_keys` has the folded text of each copied value: what filters through a reference are answered from.
    """
    Table(
        "copies",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("deleted", Boolean, nullable=False),
        Column("data", JSONB, nullable=False),
    )
    keys = Table(
        "copy_keys",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("field", Text, primary_key=True),
        Column("key", Text(collation="C"), nullable=False),
    )
    Index("ix_copy_keys_key", keys.c.tenant_id, keys.c.record, keys.c.field, keys.c.key, keys.c.id)


def keep(work: Work, event: JSON, fields: Sequence[str]) -> None:
    """Keep the copy of an event's record, unless a newer version is here already."""
    data = event["data"]
    store(work, event["type"].rsplit(".", 1)[0], data, fields)


def store(work: Work, record: str, data: JSON, fields: Sequence[str]) -> None:
    """Keep the copy of a record as its owner knows it, unless a newer version is here already."""
    copied = {name: data.get(name) for name in (*fields, "owner_id", "team_id")}
    keys = {name: key_of(value) for name, value in copied.items() if isinstance(value, str)}
    of = (work.tenant, record)
    work.later(
        "WITH kept AS (INSERT INTO copies (tenant_id, record, id, version, deleted, data)"
        "  VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, record, id) DO UPDATE"
        "  SET version = excluded.version, deleted = excluded.deleted, data = excluded.data"
        "  WHERE copies.version < excluded.version RETURNING id),"
        " gone AS (DELETE FROM copy_keys AS k USING kept"
        "  WHERE k.tenant_id = %s AND k.record = %s AND k.id = kept.id AND k.field <> ALL(%s::text[]))"
        " INSERT INTO copy_keys AS k (tenant_id, record, id, field, key)"
        " SELECT %s, %s, kept.id, new.field, new.key FROM kept, unnest(%s::text[], %s::text[]) AS new (field, key)"
        " ON CONFLICT (tenant_id, record, id, field) DO UPDATE SET key = excluded.key WHERE k.key <> excluded.key",
        (
            *of,
            data["id"],
            data["version"],
            data["deleted_at"] is not None,
            orjson.dumps(copied).decode(),
            *of,
            list(keys),
            *of,
            list(keys),
            list(keys.values()),
        ),
    )


def key_of(value: str) -> str:
    """What a copied text is compared by; an entry of an index has its limit."""
    return fold(value)[:LONGEST_KEY]


def copy_of(work: Work, record: str, record_id: str, *, lock: bool = False) -> JSON | None:
    """The copied fields of another service's record; None when it is deleted or nobody knows it.

    An id that has not been heard of yet costs one call to its owner. `lock` holds the copy's row, which makes it the
    place where decisions about that record queue up (credit of an account).
    """
    if not lock and (record, record_id) in work.copies:
        return work.copies[record, record_id]
    if survivors.fenced(record):
        survivors.fence(work)
    sql = f"{_COPY} WHERE c.tenant_id = %s AND c.record = %s AND c.id = %s"
    if lock:
        sql += " FOR UPDATE OF c"
    row = work.sql(sql, (work.tenant, record, record_id)).first()
    if row is None:
        found = work.service.fetch(work, record, record_id)
        if found is None:
            return None
        store(work, record, found, work.service.copies[record])
        row = work.sql(sql, (work.tenant, record, record_id)).first()
        assert row is not None
    _know(work, record, record_id, row)
    return work.copies[record, record_id]


def _know(work: Work, record: str, record_id: str, row: Any) -> None:
    work.copies[record, record_id] = None if row.deleted else row.data
    if row.hold_id is not None:
        work.held[record, record_id] = row.hold_id


def look_ahead(work: Work, entities: Sequence[Stored]) -> None:
    """Read the copies that new records refer to in one statement, before rules and checks ask for them one by one."""
    wanted = {
        (target, value)
        for entity in entities
        for name, target, path in _outward(entity.record)
        if target in work.service.copies
        for _, value in _values(entity, name, path)
        if value is not None and value != work.context.user_id
    } - work.copies.keys()
    if len(wanted) < 2:
        return
    survivors.fence(work)
    records, ids = zip(*wanted, strict=True)
    rows = work.sql(
        f"{_COPY} WHERE c.tenant_id = %s AND (c.record, c.id) IN (SELECT * FROM unnest(%s::text[], %s::uuid[]))",
        (work.tenant, list(records), list(ids)),
    )
    for row in rows:
        _know(work, row.record, row.id, row)


def check(work: Work, record: type[Record], entities: Sequence[tuple[Stored, JSON | None]]) -> None:
    """Every reference into another service that is new in these records must lead to a living record there (422).

    What follows from an event or a saga may refer to a record that was deleted since: a cause that was accepted has its
    effect, and refusing it here would only make a dead letter of it.
    """
    follows = work.context.cause.startswith(survivors.FOLLOWING)
    if not follows:
        _check_inward(work, record, entities)
    for name, target, path in _outward(record):
        if target not in work.service.copies:
            continue
        for entity, before in entities:
            for where, value in _values(entity, name, path):
                if value is None or value == work.context.user_id:
                    continue
                if before is not None and value in _before(before, name, path):
                    continue
                known = copy_of(work, target, value) is not None
                if not follows and not (known and holding.is_free(work, target, value)):
                    raise invalid({where: "There is no such record."}, code="unknown_reference")


def _check_inward(work: Work, record: type[Record], entities: Sequence[tuple[Stored, JSON | None]]) -> None:
    """A foreign key admits what was deleted softly; a new reference does not."""
    for name, field in record.declared().items():
        of = field.of if isinstance(field, f.Texts) else field
        if not isinstance(of, f.Ref) or field.computed or name in ("owner_id", "team_id"):
            continue
        target = registry.records.get(of.target)
        if target is None or target.service != record.service:
            continue
        wanted = {
            value
            for entity, before in entities
            for value in _ids(getattr(entity, name)) - _ids((before or {}).get(name))
        }
        if not wanted:
            continue
        table = target.collection.replace("-", "_")
        # Who deletes it holds its row for himself until he has committed; whoever comes first holds it against him.
        lock = " ORDER BY id FOR KEY SHARE" if "delete" in target.operations else ""
        found = work.sql(
            f'SELECT id FROM "{table}" WHERE tenant_id = %s AND id = ANY(%s::uuid[]) AND deleted_at IS NULL{lock}',
            (work.tenant, list(wanted)),
        )
        if len(found.all()) < len(wanted):
            raise invalid({name: "There is no such record."}, code="unknown_reference")


def _ids(value: Any) -> set[Any]:
    return set(value) if isinstance(value, list) else set() if value is None else {value}


@cache
def _outward(record: type[Record]) -> list[tuple[str, str, str | None]]:
    found: list[tuple[str, str, str | None]] = []
    for name, field in record.declared().items():
        if isinstance(field, f.Parts):
            for inner, part in field.part.declared().items():
                if isinstance(part, f.Ref) and part.target and part.target.split(".")[0] != record.service:
                    found.append((name, part.target, inner))
        elif (
            isinstance(field, f.Ref)
            and field.target
            and not field.computed
            and field.target.split(".")[0] != record.service
        ):
            found.append((name, field.target, None))
    return found


def _values(entity: Stored, name: str, inner: str | None) -> list[tuple[str, str | None]]:
    value = getattr(entity, name)
    if inner is None:
        return [(name, value)]
    return [(f"{name}.{index}.{inner}", getattr(part, inner)) for index, part in enumerate(value or ())]


def _before(before: JSON, name: str, inner: str | None) -> set[Any]:
    value = before.get(name)
    return {value} if inner is None else {part.get(inner) for part in value or ()}


def exists(work: Work, target: str, record_id: str) -> bool:
    """Whether a living record stands behind an id, as far as this service can know it."""
    own = work.service.stores.get(target)
    if own is not None:
        return own.find(work, record_id) is not None
    return target not in work.service.copies or copy_of(work, target, record_id) is not None
