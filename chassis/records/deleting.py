"""Deleting and restoring with what hangs on a record, by the policies that references declare.

What `restrict`s is counted and told, here and in other services (`chassis.records.holding`). What `cascade`s goes in
the same transaction within the service; other services let their records follow the event. Each notes in `gone_with`
what went with which record, so that restoring brings back exactly that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Index, MetaData, Table, Text, Uuid

from chassis.errors import conflict
from chassis.records import external, holding, merging, purging, references
from chassis.timers import set_alarm
from contracts.deleting import Tie, followed, ties_of, ties_to
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
MOST = 5_000
"""How many records of its service may go with one, in its transaction."""
BATCH = 500
FOLLOW = "follow"


def define(metadata: MetaData) -> None:
    """What went with which record, of this service or another one."""
    table = Table(
        "gone_with",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("record_id", Uuid(as_uuid=False), primary_key=True),
        Column("root", Text, nullable=False),
        Column("root_id", Uuid(as_uuid=False), nullable=False),
    )
    Index("ix_gone_with_root", table.c.tenant_id, table.c.root_id)


# --- deleting


def prepare(work: Work, store: Store[Any], ids: Sequence[str]) -> None:
    """Lock many records that are about to be deleted, and ask the other services about all of them at once."""
    if not ids or not holding.guarded(store.name):
        return
    rows = work.sql(
        f'SELECT id, version FROM "{store.table}" WHERE tenant_id = %s AND id = ANY(%s::uuid[]) AND deleted_at IS NULL'
        " ORDER BY id FOR UPDATE",
        (work.tenant, list(ids)),
    )
    versions = {row.id: row.version for row in rows}
    if versions:
        found = holding.ask(work, store.name, versions)
        work.asked |= {(store.name, one, version): found.get(one, {}) for one, version in versions.items()}


def delete(work: Work, store: Store[Any], entity: Any) -> None:
    """Delete a locked record softly, with what goes with it. Raises 409 `referenced` with what stands against it."""
    going = _going(work, store, entity)
    found = _standing_here(work, going)
    if holding.guarded(store.name):
        key = (store.name, entity.id, entity.version)
        if key not in work.asked and not found:
            work.asked[key] = holding.ask(work, store.name, {entity.id: entity.version}).get(entity.id, {})
        for name, count in work.asked.get(key, {}).items():
            found[name] = found.get(name, 0) + count
    if found:
        raise holding.referenced(store.record, found, "deleted")
    work.holding.pop((store.name, entity.id), None)
    store.remove(work, entity)
    _take_along(work, store.name, entity.id, [pair for pair in going if pair[1] is not entity])


def _going(work: Work, store: Store[Any], entity: Any) -> list[tuple[Store[Any], Any]]:
    """The record and, locked, all of this service that go with it."""
    going: dict[tuple[str, str], tuple[Store[Any], Any]] = {(store.name, entity.id): (store, entity)}
    level = {store.name: [entity.id]}
    while level:
        below: dict[str, list[str]] = {}
        for target, ids in level.items():
            for tie in ties_to(target):
                if tie.policy != "cascade" or tie.holder.record_name not in work.service.stores:
                    continue
                other = work.service.stores[tie.holder.record_name]
                for child in _referring(work, other, tie, ids, MOST + 1 - len(going)):
                    if (other.name, child.id) not in going:
                        going[other.name, child.id] = other, child
                        below.setdefault(other.name, []).append(child.id)
                if len(going) > MOST:
                    raise conflict("too_many", f"More than {MOST} records would go with it; delete some of them first.")
        for name, ids in below.items():
            merging.refuse_under_way(work, work.service.stores[name], *ids)
        level = below
    return list(going.values())


def _referring(work: Work, store: Store[Any], tie: Tie, ids: Sequence[str], limit: int) -> list[Any]:
    """Living records of a store that go with any of these, locked, in the order of their ids."""
    closed = " AND status <> ALL(%s::text[])" if tie.until else ""
    rows = work.sql(
        f'{store.select} WHERE tenant_id = %s AND deleted_at IS NULL AND "{tie.name}" = ANY(%s::uuid[]){closed}'
        f" ORDER BY id LIMIT {max(limit, 1)} FOR UPDATE",
        (work.tenant, list(ids), *([list(tie.until)] if tie.until else [])),
    )
    return [store.stored.from_row(row) for row in rows]


def _standing_here(work: Work, going: Sequence[tuple[Store[Any], Any]]) -> dict[str, int]:
    leaving = [entity.id for _, entity in going]
    by_record: dict[str, list[str]] = {}
    for store, entity in going:
        by_record.setdefault(store.name, []).append(entity.id)
    found: dict[str, int] = {}
    for name, ids in by_record.items():
        for counts in holding.standing(work, ties_to(name), ids, leaving).values():
            for collection, count in counts.items():
                found[collection] = found.get(collection, 0) + count
    return found


@contextmanager
def _because(work: Work, cause: str) -> Iterator[None]:
    """Changes of others than the record itself have it for their cause."""
    work.flush()
    before, pipelined = work.context, work.pipelined
    work.context, work.pipelined = before.caused_by(cause, before.causation_id), True
    try:
        yield
        work.flush()
    finally:
        work.context, work.pipelined = before, pipelined


def _cause(verb: str, root: str, root_id: str) -> str:
    return f"{verb}:{registry.records[root].singular}/{root_id}"


def _take_along(work: Work, root: str, root_id: str, children: Sequence[tuple[Store[Any], Any]]) -> None:
    if not children:
        return
    with _because(work, _cause("delete", root, root_id)):
        for number, (store, child) in enumerate(children, 1):
            store.remove(work, child, alone=False)
            if number % BATCH == 0:
                work.flush()
        work.later(
            "INSERT INTO gone_with (tenant_id, record, record_id, root, root_id)"
            " SELECT %s, record, id, %s, %s FROM unnest(%s::text[], %s::uuid[]) AS new (record, id)"
            " ON CONFLICT (tenant_id, record, record_id)"
            " DO UPDATE SET root = excluded.root, root_id = excluded.root_id",
            (work.tenant, root, root_id, [store.name for store, _ in children], [child.id for _, child in children]),
        )


# --- restoring


def restore(work: Work, store: Store[Any], entity: Any) -> None:
    """Bring a locked, deleted record back, with exactly what went with it. Raises 409 `parent_deleted` where what it
    belongs to is still deleted."""
    missing = _missing(work, store, entity)
    if missing is not None:
        raise conflict(
            "parent_deleted",
            f"The {registry.records[missing.target].singular} of this {store.record.singular} is deleted;"
            " it has to be restored first.",
            field=missing.name,
            id=getattr(entity, missing.name),
        )
    store.revive(work, entity)
    while _bring_back(work, store.name, entity.id, BATCH):
        pass


def _missing(work: Work, store: Store[Any], entity: Any) -> Tie | None:
    """A reference, other than one that is only kept, whose record is deleted."""
    for tie in ties_of(store.record):
        value = getattr(entity, tie.name)
        if tie.policy == "keep" or tie.kind != "one" or not value:
            continue
        if tie.until and getattr(entity, "status", None) in tie.until:
            continue
        if not references.exists(work, tie.target, value):
            return tie
    return None


def _bring_back(work: Work, root: str, root_id: str, limit: int) -> bool:
    """Restore some of what went with a record. True: there may be more."""
    rows = work.sql(
        "DELETE FROM gone_with WHERE (tenant_id, record, record_id) IN (SELECT tenant_id, record, record_id"
        f" FROM gone_with WHERE tenant_id = %s AND root_id = %s ORDER BY record, record_id LIMIT {limit} FOR UPDATE)"
        " RETURNING record, record_id",
        (work.tenant, root_id),
    ).all()
    with _because(work, _cause("restore", root, root_id)):
        for row in sorted(rows, key=lambda row: (row.record, row.record_id)):
            store = work.service.stores[row.record]
            child = store.find(work, row.record_id, lock=True, deleted=True)
            if child is None or child.deleted_at is None or _missing(work, store, child) is not None:
                continue
            # Whoever took one of its keys meanwhile keeps it.
            child.external_ids = {
                system: key
                for system, key in child.external_ids.items()
                if external.find(work, store.name, system, key) is None
            }
            store.revive(work, child)
    return len(rows) == limit


# --- following what happens elsewhere


def follow(work: Work, event: JSON, fields: Sequence[str]) -> None:
    """Keep the copy of another service's record, and let the records here go with it or come back with it.

    What counts is whether the copy's newest version is deleted, so events may come in any order. A record that was
    merged is not followed: what refers to it is led over.
    """
    target, verb = event["type"].rsplit(".", 1)
    data = event["data"]
    key = (work.tenant, target, data["id"])
    copy = "SELECT deleted FROM copies WHERE tenant_id = %s AND record = %s AND id = %s"
    before = work.sql(f"{copy} FOR UPDATE", key).scalar()
    references.keep(work, event, fields)
    after = work.sql(copy, key).scalar()
    if after and not before and not data.get("merged_into_id"):
        _go_on(work, target, data["id"], gone=True)
    elif before and not after:
        _go_on(work, target, data["id"], gone=False)
    if verb == "purged":
        purging.follow(work, target, data["id"])


def on_alarm(key: str, work: Work) -> None:
    """Go on with what is too much for one transaction."""
    target, _, root_id = key.partition(":")
    gone = work.sql(
        "SELECT deleted FROM copies WHERE tenant_id = %s AND record = %s AND id = %s", (work.tenant, target, root_id)
    ).scalar()
    _go_on(work, target, root_id, gone=bool(gone))


def _go_on(work: Work, target: str, root_id: str, *, gone: bool) -> None:
    more = False
    if gone:
        found: dict[tuple[str, str], tuple[Store[Any], Any]] = {}
        for tie in followed(target, work.service.name):
            store = work.service.stores[tie.holder.record_name]
            if len(found) < BATCH:
                for child in _referring(work, store, tie, [root_id], BATCH - len(found)):
                    found |= {(one.name, entity.id): (one, entity) for one, entity in _going(work, store, child)}
        more = len(found) >= BATCH
        _take_along(work, target, root_id, list(found.values()))
    else:
        more = _bring_back(work, target, root_id, BATCH)
    if more:
        set_alarm(work, FOLLOW, f"{target}:{root_id}", work.now)
