"""What became of merged records: who survives them, and that nothing new comes to refer to them.

A merge and a write that adds a reference meet at a lock of the tenant, the fence: writers share it, a merge holds it
alone while it marks the losers. So whoever read a loser as alive has committed before the merge looks for references,
and whoever comes later finds it merged: requests are refused, what follows from an accepted cause goes to the survivor.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import DateTime

from chassis.errors import Problem, not_found
from contracts import deleting, merging
from contracts.merging import Place
from contracts.records import Record

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store
    from chassis.records.stored import Stored

JSON = dict[str, Any]
LED = ("event:", "saga:")
FOLLOWING = (*LED, "merge:", "delete:", "restore:", "erase:")
"""Causes that were accepted already: what they write must succeed."""


def define(metadata: MetaData) -> None:
    """Which record stands for which (in every service that may refer to them), and what each merge has moved."""
    Table(
        "merged_records",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("into_id", Uuid(as_uuid=False), nullable=False),
        Column("merge_id", Uuid(as_uuid=False), nullable=False),
    )
    # `was` is the reference before: an id, `{part: id}` for lists of parts, `{"before": […], "after": […]}` for a list.
    Table(
        "repointed",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("merge_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("record_id", Uuid(as_uuid=False), primary_key=True),
        Column("field", Text, primary_key=True),
        Column("was", JSONB, nullable=False),
    )
    # `undo` is what un-merging needs to bring the survivor's fields back; see `chassis.records.merging`.
    table = Table(
        "merges",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, nullable=False),
        Column("winner_id", Uuid(as_uuid=False), nullable=False),
        Column("losers", JSONB, nullable=False),
        Column("undo", JSONB, nullable=False),
        Column("state", Text, nullable=False),
        Column("moved", Integer, nullable=False, server_default=text("0")),
        Column("actor", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("undone_by", Text),
        Column("undone_at", DateTime(timezone=True)),
    )
    Index("ix_merges_winner", table.c.tenant_id, table.c.winner_id, table.c.id)


@lru_cache(maxsize=1024)
def _key(tenant: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"merge:{tenant}".encode(), digest_size=8).digest(), "big", signed=True)


def fence(work: Work) -> None:
    """Keep merges of this tenant out until the transaction ends. It travels with the next statement and costs no trip.

    As a statement of its own: the one after it must see what a merge has committed meanwhile.
    """
    if not work.fenced and not work.scope.each:
        work.fenced = True
        work.later(f"SELECT pg_advisory_xact_lock_shared({_key(work.tenant)})")


def fence_alone(work: Work) -> None:
    """Wait for everybody who may be adding references, and hold off the next ones until this transaction ends."""
    work.sql(f"SELECT pg_advisory_xact_lock({_key(work.tenant)})")


def into(work: Work, record: str, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Of these ids the merged ones: id to (survivor at the end of the chain, its own merge)."""
    found: dict[str, tuple[str, str]] = {}
    wanted = set(ids)
    while wanted:
        rows = work.rows(
            "SELECT id, into_id, merge_id FROM merged_records"
            " WHERE tenant_id = %s AND record = %s AND id = ANY(%s::uuid[])",
            (work.tenant, record, sorted(wanted)),
        )
        found |= {row[0]: (row[1], row[2]) for row in rows}
        wanted = {row[1] for row in rows} - found.keys()

    def end(record_id: str) -> str:
        while record_id in found:
            record_id = found[record_id][0]
        return record_id

    return {record_id: (end(record_id), merge) for record_id, (_, merge) in found.items()}


def survivor_of(work: Work, record: str, record_id: str) -> str:
    """The record that stands for this one: itself, unless it was merged. Merges wait until the transaction ends."""
    fence(work)
    return into(work, record, [record_id]).get(record_id, (record_id, ""))[0]


def refuse(work: Work, store: Store[Any], record_id: str, status: int) -> NoReturn:
    """308 or 409 `merged` with the survivor named, if the principal may read that one; else 404."""
    survivor = into(work, store.name, [record_id]).get(record_id, (record_id, ""))[0]
    entity = store.find(work, survivor)
    if entity is None or not store.readable(work, {"owner_id": entity.owner_id, "team_id": entity.team_id}):
        raise not_found(store.record.singular)
    raise Problem(
        status,
        "merged",
        f"This {store.record.singular} was merged into another one.",
        extra={"id": survivor, "merged_id": record_id, "location": f"/v1/{store.record.collection}/{survivor}"},
    )


@cache
def places(record: type[Record]) -> tuple[Place, ...]:
    return tuple(merging.places(record))


def fenced(target: str) -> bool:
    """Whether who adds a reference to such a record shares the fence: its merges and deletions hold it alone."""
    return merging.merges(target) or bool(deleting.asked(target))


@cache
def fenced_places(record: type[Record]) -> tuple[Place, ...]:
    """Places whose new values are fenced: of records that merge, or that are not deleted before others were asked."""
    known = {(place.name, place.target) for place in places(record)}
    return (
        *places(record),
        *(
            Place(tie.name, tie.target, tie.kind, tie.inner)
            for tie in deleting.ties_of(record)
            if (tie.name, tie.target) not in known
            and tie.name != "merged_into_id"
            and tie.policy == "restrict"
            and deleting.asked(tie.target)
        ),
    )


def settle(work: Work, record: type[Record], entities: Sequence[Stored]) -> None:
    """Before these records are checked and written: fence their new references, and lead merged ones to the survivor.

    Only what follows from an accepted cause is led; the references of a request are refused by their check. What was
    led is noted with the merge, so that un-merging brings it back like what was there before.
    """
    wanted: dict[str, set[str]] = {}
    for place in fenced_places(record):
        for entity in entities:
            before = place.values_of(entity.was) if entity.was else set()
            wanted.setdefault(place.target, set()).update(set(place.values(entity)) - before)
    if not any(wanted.values()):
        return
    fence(work)
    if not work.context.cause.startswith(LED):
        return
    for target, ids in wanted.items():
        moved = into(work, target, ids) if ids and merging.merges(target) else {}
        if moved:
            for entity in entities:
                _lead(work, record, entity, target, moved)


def _lead(work: Work, record: type[Record], entity: Stored, target: str, moved: dict[str, tuple[str, str]]) -> None:
    for place in places(record):
        if place.target == target:
            led: Any = exchange(entity, place, {old: new for old, (new, _) in moved.items()})
            # A chain of merges moves back one by one, the latest first, so the note belongs to the first of them.
            for old in place_ids(led) if record.repoints else ():
                was = {key: value for key, value in led.items() if value == old} if place.kind == "parts" else led
                note(work, moved[old][1], record.record_name, entity.id, place, was)


def place_ids(was: Any) -> set[str]:
    """The ids that an exchange has replaced."""
    if not was:
        return set()
    if isinstance(was, str):
        return {was}
    return set(was["before"]) - set(was["after"]) if "before" in was else set(was.values())


def exchange(entity: Stored, place: Place, by: dict[str, str]) -> Any:
    """Replace references in one place by others. Returns what to note in `repointed`, None where nothing changed."""
    value = getattr(entity, place.name)
    if not value:
        return None
    if place.kind == "one":
        if value not in by:
            return None
        setattr(entity, place.name, by[value])
        return value
    if place.kind == "list":
        after = list(dict.fromkeys(by.get(item, item) for item in value))
        if after == value:
            return None
        setattr(entity, place.name, after)
        return {"before": list(value), "after": after}
    was = {}
    for index, part in enumerate(value):
        old = getattr(part, place.inner)
        if old in by:
            was[part_key(part, index)] = old
            setattr(part, place.inner, by[old])
    return was or None


def part_key(part: Any, index: int) -> str:
    """Parts are known by their id, those without one by their place."""
    return getattr(part, "id", None) or str(index)


def note(work: Work, merge_id: str, record: str, record_id: str, place: Place, was: Any) -> None:
    """Remember what a merge moved. Parts that were moved later join those of the same record."""
    work.later(
        "INSERT INTO repointed (tenant_id, merge_id, record, record_id, field, was) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, merge_id, record, record_id, field) DO UPDATE SET was ="
        " CASE WHEN jsonb_typeof(excluded.was) = 'object' THEN excluded.was || repointed.was ELSE repointed.was END",
        (work.tenant, merge_id, record, record_id, place.name, orjson.dumps(was).decode()),
    )
