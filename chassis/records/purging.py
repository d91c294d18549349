"""Purging: a deleted record goes for good, after its retention or at once by an administrator.

Its row goes with everything that hangs on it, and what was personal in its history. What stays is the history's other
half (who, when, what kind of change) and one last version, `<record>.purged`, by which indexes, copies and the log let
go as well. What went with a record when it was deleted is purged with it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chassis import operators
from chassis.changes import Change
from chassis.errors import Problem, conflict
from chassis.records import custom, external
from chassis.timers import set_alarm
from contracts.deleting import ties_to
from contracts.fields import instant, parse_instant
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store
    from chassis.runtime import Runtime

JSON = dict[str, Any]
ALARM, FOLLOWING = "purge", "purge-along"
ADMINISTRATORS = "admin.purge"
LOOK_AGAIN = dt.timedelta(days=7)
"""A shorter retention counts for what is deleted already within this time."""
BATCH = 200
KEPT = {"id", "version", "created_at", "created_by", "updated_at", "updated_by", "deleted_at", "owner_id", "team_id"}
KEPT |= {"about_type", "about_id"}


def days_kept(work: Work, store: Store[Any]) -> int | None:
    """How long deleted records of a kind are kept, by the tenant's rule or as declared; None: for ever."""
    if not _goes(store):
        return None
    ruled: int | None = work.service.definitions.retention(work, store.record.collection)
    return store.record.retention if ruled is None else ruled


def schedule(work: Work, store: Store[Any], entity: Any) -> None:
    """Let a record that was just deleted go when its time is over."""
    if _goes(store):
        set_alarm(work, ALARM, f"{store.name}/{entity.id}", work.now + LOOK_AGAIN)


def unschedule(work: Work, store: Store[Any], entity: Any) -> None:
    if _goes(store):
        set_alarm(work, ALARM, f"{store.name}/{entity.id}", None)


def _goes(store: Store[Any]) -> bool:
    """Whether deleted ones go for good in time. Notes and files do, though nobody can ask for it at once."""
    return store.record.retention is not None and (
        "purge" in store.record.operations or store.name in registry.children
    )


def on_alarm(key: str, work: Work) -> None:
    """Purge a record whose time is over, or look again later: also where something here still refers to it."""
    name, _, record_id = key.partition("/")
    store = _children(work, name, record_id) if name in registry.children else work.service.stores.get(name)
    entity = store.find(work, record_id, lock=True, deleted=True) if store is not None else None
    if store is None or entity is None or entity.deleted_at is None:
        return
    days = days_kept(work, store)
    if days is not None and entity.deleted_at + dt.timedelta(days=days) <= work.now:
        try:
            with work.savepoint():
                purge(work, store, entity)
            return
        except Problem:
            days = None
    over = work.now + LOOK_AGAIN if days is None else entity.deleted_at + dt.timedelta(days=days)
    set_alarm(work, ALARM, key, min(over, work.now + LOOK_AGAIN))


def at_once(work: Work, runtime: Runtime, params: JSON) -> JSON:
    """`POST …/purge`: an administrator's doing, written down with its reason. Only what is deleted is purged."""
    store = runtime.stores[params["record"]]
    entity = store.allowed(work, params["id"], "purge", deleted=True)
    operators.permit(work, ADMINISTRATORS, "purge")
    store.check_version(work, entity, params.get("if_match"))
    if entity.deleted_at is None:
        raise conflict("not_deleted", f"This {store.record.singular} is not deleted.")
    days = days_kept(work, store)
    over = None if days is None else entity.deleted_at + dt.timedelta(days=days)
    if over is None or (store.record.kept_by_law and over > work.now):
        if over is None:
            raise conflict("kept", f"A deleted {store.record.singular} is kept for ever.")
        raise conflict(
            "kept", f"A deleted {store.record.singular} is kept until {over.date()}.", until=str(over.date())
        )
    purged = purge(work, store, entity)
    detail = {"record": store.name, "records": purged}
    operators.note(work, "purge", f"{store.record.singular}/{entity.id}", params.get("reason") or "", detail)
    return {"status": 204, "body": None}


def purge(work: Work, store: Store[Any], entity: Any) -> int:
    """Let a locked, deleted record go with what went with it here. Returns how many records that were. Raises 409
    `referenced` while something that is not purged yet refers to it."""
    leaving = _leaving(work, store, entity)
    if "erase" in store.record.operations and _being_erased(work, entity.id):
        raise conflict("erasing", "What else says something of this person is still being erased.")
    ids = [one.id for _, one in leaving]
    for other, one in leaving:
        _refuse_referenced(work, other, one, ids)
    # Who refers goes before whom he refers to.
    for other, one in reversed(leaving):
        _purge_one(work, other, one)
    work.later("DELETE FROM gone_with WHERE tenant_id = %s AND record_id = ANY(%s::uuid[])", (work.tenant, ids))
    work.flush()
    return len(leaving)


def _being_erased(work: Work, record_id: str) -> bool:
    """Whether services are still letting go of this record's person."""
    row = work.sql(
        "SELECT 1 FROM erasures WHERE tenant_id = %s AND record_id = %s AND state = 'erasing'", (work.tenant, record_id)
    ).first()
    return row is not None


def _leaving(work: Work, store: Store[Any], entity: Any) -> list[tuple[Store[Any], Any]]:
    """The record, what was merged into it, and what belongs to any of these: all deleted, none of use without it."""
    leaving: dict[tuple[str, str], tuple[Store[Any], Any]] = {(store.name, entity.id): (store, entity)}
    waiting = [(store, entity)]
    while waiting:
        of, one = waiting.pop()
        for tie in ties_to(of.name):
            other = work.service.stores.get(tie.holder.record_name)
            if other is None or (tie.policy != "cascade" and tie.name != "merged_into_id"):
                continue
            rows = work.sql(
                f'{other.select} WHERE tenant_id = %s AND deleted_at IS NOT NULL AND "{tie.name}" = %s FOR UPDATE',
                (work.tenant, one.id),
            )
            for child in [other.stored.from_row(row) for row in rows]:
                if (other.name, child.id) not in leaving:
                    leaving[other.name, child.id] = other, child
                    waiting.append((other, child))
    return list(leaving.values())


def _refuse_referenced(work: Work, store: Store[Any], entity: Any, leaving: Sequence[str]) -> None:
    """A foreign key would say the same, in words that nobody understands."""
    for tie in ties_to(store.name):
        other = work.service.stores.get(tie.holder.record_name)
        if other is None or tie.kind != "one" or tie.until or tie.policy not in ("restrict", "cascade"):
            continue
        held = work.sql(
            f'SELECT 1 FROM "{other.table}" WHERE tenant_id = %s AND "{tie.name}" = %s AND id <> ALL(%s::uuid[])'
            " LIMIT 1",
            (work.tenant, entity.id, list(leaving)),
        ).first()
        if held is not None:
            raise conflict(
                "referenced",
                f"Deleted {other.record.collection.replace('-', ' ')} that are kept longer refer to it.",
                references=[{"collection": other.record.collection}],
            )


def _purge_one(work: Work, store: Store[Any], entity: Any) -> None:
    for rule in store.purging:
        rule(entity, work)
    children_of(work, store.name, [entity.id])
    key = (work.tenant, store.name, entity.id)
    work.later(f'DELETE FROM "{store.table}" WHERE tenant_id = %s AND id = %s', (work.tenant, entity.id))
    custom.forget(work, store.name, [entity.id])
    external.forget(work, store.name, entity.id)
    work.later("DELETE FROM duplicate_keys WHERE tenant_id = %s AND record = %s AND id = %s", key)
    work.later("DELETE FROM merged_records WHERE tenant_id = %s AND record = %s AND id = %s", key)
    work.later(
        "DELETE FROM repointed WHERE tenant_id = %s AND merge_id IN"
        " (SELECT id FROM merges WHERE tenant_id = %s AND winner_id = %s)",
        (work.tenant, work.tenant, entity.id),
    )
    work.later("DELETE FROM merges WHERE tenant_id = %s AND winner_id = %s", (work.tenant, entity.id))
    work.later(
        "UPDATE changes SET private = '{}' WHERE tenant_id = %s AND record_id = %s AND private <> '{}'",
        (work.tenant, entity.id),
    )
    unschedule(work, store, entity)
    assert entity.was is not None
    _last_version(work, store.name, entity.id, entity.was)


def _last_version(work: Work, record: str, record_id: str, document: JSON) -> None:
    at = max(work.now, parse_instant(document["updated_at"]))
    last = {name: value if name in KEPT else None for name, value in document.items()}
    last |= {"version": document["version"] + 1, "updated_at": instant(at), "updated_by": work.context.actor}
    work.changes.append(
        Change(
            record=record,
            record_id=record_id,
            version=document["version"] + 1,
            type=f"{record}.purged",
            changed=[],
            previous={},
            snapshot=last,
            private={},
            at=at,
        )
    )


def _children(work: Work, name: str, record_id: str) -> Store[Any] | None:
    """The notes, or files, of the kind of record that this one is about; None: it has gone with its record."""
    from chassis.records import children

    return children.holding(work, name, record_id)


def children_of(work: Work, record: str, ids: Sequence[str]) -> list[tuple[str, str]]:
    """Let the notes and attachments of records go for good, each with a last version. Returns name and id of each."""
    # Children are stores, which need this room themselves.
    from chassis.records import children

    gone = children.purge(work, record, ids)
    if not gone:
        return []
    names = {record_id: name for name, record_id in gone}
    rows = work.sql(
        "SELECT DISTINCT ON (record_id) record_id, snapshot FROM changes WHERE tenant_id = %s"
        " AND record_id = ANY(%s::uuid[]) ORDER BY record_id, version DESC",
        (work.tenant, list(names)),
    ).all()
    work.later(
        "UPDATE changes SET private = '{}' WHERE tenant_id = %s AND record_id = ANY(%s::uuid[])",
        (work.tenant, list(names)),
    )
    for row in rows:
        _last_version(work, names[row.record_id], row.record_id, row.snapshot)
    return gone


# --- what went with another service's record


def follow(work: Work, target: str, root_id: str) -> None:
    """Another service has purged a record: what went with it here is purged as well, a batch at a time."""
    rows = work.sql(
        f"SELECT record, record_id FROM gone_with WHERE tenant_id = %s AND root = %s AND root_id = %s"
        f" ORDER BY record, record_id LIMIT {BATCH}",
        (work.tenant, target, root_id),
    ).all()
    for row in rows:
        store = work.service.stores[row.record]
        entity = store.find(work, row.record_id, lock=True, deleted=True)
        if entity is not None and entity.deleted_at is not None:
            try:
                with work.savepoint():
                    purge(work, store, entity)
            except Problem:
                schedule(work, store, entity)
    work.later(
        "DELETE FROM gone_with WHERE tenant_id = %s AND record_id = ANY(%s::uuid[])",
        (work.tenant, [row.record_id for row in rows]),
    )
    if len(rows) == BATCH:
        set_alarm(work, FOLLOWING, f"{target}/{root_id}", work.now)


def on_following(key: str, work: Work) -> None:
    target, _, root_id = key.partition("/")
    follow(work, target, root_id)
