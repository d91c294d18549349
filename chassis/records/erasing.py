"""Erasing a person, in the service that owns his record: what happens in the transaction of who asks for it.

The record stays without anything that says who it was, so that statistics stay; the saga of `chassis.forgetting` lets
every service go of its part, and leaves a receipt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
from marshmallow import ValidationError
from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis.errors import from_validation, not_found
from chassis.ids import new_id
from chassis.permissions import covers, scope
from chassis.records import holding, merging, purging, redacting
from contracts import fields as f
from contracts.deleting import ties_to
from contracts.erasing import ERASED, Reasoned, longest_first, spoken, words_of
from contracts.fields import instant

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
NOTHING_UNDONE = '{"fields": {}, "custom": {}, "external_ids": {}}'


def define(metadata: MetaData) -> None:
    """Receipts: who asked for which erasure when and why, and what every service let go of. Nothing is personal."""
    table = Table(
        "erasures",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, nullable=False),
        Column("record_id", Uuid(as_uuid=False), nullable=False),
        Column("version", Integer, nullable=False),
        Column("owner_id", Uuid(as_uuid=False)),
        Column("team_id", Uuid(as_uuid=False)),
        Column("state", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("ended_at", DateTime(timezone=True)),
        Column("stores", JSONB, nullable=False),
    )
    Index("ix_erasures_record", table.c.tenant_id, table.c.record_id, table.c.id)


def erase(work: Work, store: Store[Any], record_id: str, body: JSON, if_match: str | None = None) -> Started | None:
    """Make the record say nothing of anybody, here and in its history. None: that was done, and nothing came since.

    Raises 409: `referenced` while business with the person is open, or what the record's own rules say.
    """
    try:
        reason = Reasoned().load(body)["reason"].strip()
    except ValidationError as error:
        raise from_validation(error) from None
    entity = store.allowed(work, record_id, "erase", deleted=True)
    store.check_version(work, entity, if_match)
    latest = _latest(work, store.name, record_id)
    if latest is not None and latest.version == entity.version:
        return None
    merging.refuse_under_way(work, store, record_id)
    for rule in store.erasing:
        rule(entity, work)
    _refuse_open(work, store, entity)
    twins = _twins(work, store, record_id)
    words = longest_first(word for one in (entity, *twins) for word in _known_by(work, store, one))
    for one in (*twins, entity):
        _empty(work, store, one)
    written = purging.children_of(work, store.name, [entity.id, *(twin.id for twin in twins)])
    work.later(
        "UPDATE merges SET undo = %s WHERE tenant_id = %s AND winner_id = %s", (NOTHING_UNDONE, work.tenant, record_id)
    )
    erasure_id = new_id()
    work.later(
        "INSERT INTO erasures (tenant_id, id, record, record_id, version, owner_id, team_id, state, reason, actor, at,"
        " stores) VALUES (%s, %s, %s, %s, %s, %s, %s, 'erasing', %s, %s, %s, '[]')",
        (
            work.tenant,
            erasure_id,
            store.name,
            record_id,
            entity.version,
            entity.owner_id,
            entity.team_id,
            redacting.Words(words).out_of(reason),
            work.context.actor,
            work.now,
        ),
    )
    return Started(entity, erasure_id, words, len(written))


class Started:
    """An erasure under way: the emptied record, and the words by which the person is known elsewhere."""

    def __init__(self, entity: Any, erasure_id: str, words: list[str], written: int) -> None:
        self.entity, self.erasure_id, self.words = entity, erasure_id, words
        self.written = written
        """How many notes and attachments about him went for good."""


def _refuse_open(work: Work, store: Store[Any], entity: Any) -> None:
    """Open orders and debts need to know with whom they are; what has ended does not."""
    found = holding.standing(work, ties_to(store.name), [entity.id]).get(entity.id, {})
    if holding.guarded(store.name):
        for name, count in holding.look(work, store.name, {entity.id: entity.version}).get(entity.id, {}).items():
            found[name] = found.get(name, 0) + count
    if found:
        raise holding.referenced(store.record, found, "erased")


def _twins(work: Work, store: Store[Any], record_id: str) -> list[Any]:
    """What was merged into the record is the same person."""
    if "merge" not in store.record.operations:
        return []
    found, waiting = [], [record_id]
    while waiting:
        rows = work.sql(
            f"{store.select} WHERE tenant_id = %s AND merged_into_id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE",
            (work.tenant, waiting),
        )
        twins = [store.stored.from_row(row) for row in rows]
        found += twins
        waiting = [twin.id for twin in twins]
    return found


def _known_by(work: Work, store: Store[Any], entity: Any) -> Iterator[str]:
    """The words by which he is or was known, by every version of the record."""
    assert entity.was is not None
    yield from words_of(store.record, entity.was)
    for row in work.sql(
        "SELECT snapshot, previous, private FROM changes WHERE tenant_id = %s AND record_id = %s",
        (work.tenant, entity.id),
    ).all():
        # What was not declared personal when it was written stands beside the private part.
        for part in ("snapshot", "previous"):
            yield from words_of(store.record, {**getattr(row, part), **(row.private.get(part) or {})})


def _empty(work: Work, store: Store[Any], entity: Any) -> None:
    names = spoken(store.record)
    for name in names:
        field = store.record.declared()[name]
        setattr(entity, name, _nothing(field, entity.id))
    store.write_as_is(work, entity, f"{store.name}.erased")
    work.flush()
    work.later(
        "UPDATE changes SET private = CASE WHEN version = %s THEN private - 'previous' ELSE '{}' END,"
        " snapshot = CASE WHEN version = %s THEN snapshot ELSE snapshot - %s::text[] END,"
        " previous = previous - %s::text[] WHERE tenant_id = %s AND record_id = %s",
        (entity.version, entity.version, names, names, work.tenant, entity.id),
    )


def _nothing(field: f.Field, record_id: str) -> Any:
    if isinstance(field, (f.Document, f.StringMap)):
        return {}
    if isinstance(field, f.Texts):
        return []
    if not field.required:
        return None
    # An address that cannot exist (RFC 2606), and no other record's.
    return f"{record_id}@erased.invalid" if isinstance(field, f.Email) else ERASED


# --- the receipt


def _latest(work: Work, record: str, record_id: str) -> Any:
    return work.sql(
        "SELECT id, record_id, version, owner_id, team_id, state, reason, actor, at, ended_at, stores FROM erasures"
        " WHERE tenant_id = %s AND record = %s AND record_id = %s ORDER BY id DESC LIMIT 1",
        (work.tenant, record, record_id),
    ).first()


def was_erased(work: Work, store: Store[Any], record_id: str) -> bool:
    """Whether the record once said who somebody is, and does not any more."""
    return _latest(work, store.name, record_id) is not None


def receipt(work: Work, store: Store[Any], record_id: str) -> JSON:
    """The latest erasure of a record that the principal may read (or could, before it was purged); else 404."""
    row = _latest(work, store.name, record_id)
    if row is None or not covers(work.context, scope(work.context, store.name, "read"), row.owner_id, row.team_id):
        raise not_found("erasure")
    return {
        "erasure_id": row.id,
        "collection": store.record.collection,
        "id": row.record_id,
        "version": row.version,
        "state": row.state,
        "reason": row.reason,
        "asked_by": row.actor,
        "asked_at": instant(row.at),
        "ended_at": instant(row.ended_at) if row.ended_at else None,
        "stores": row.stores,
    }


def finish(work: Work, erasure_id: str, stores: list[JSON]) -> None:
    work.later(
        "UPDATE erasures SET state = 'erased', ended_at = %s, stores = %s WHERE tenant_id = %s AND id = %s",
        (work.now, orjson.dumps(stores).decode(), work.tenant, erasure_id),
    )
