"""Deleting what other services refer to: each of them is asked first, and holds the record until it is gone.

A service that is asked counts what stands against it. Where that is nothing, it notes a hold in the same transaction,
alone behind the tenant's fence (`chassis.records.survivors`): whoever added a reference before has committed and was
counted, and whoever comes later finds the hold. Who asks keeps his row locked until he commits or gives up. So a hold
needs no end of its own: a writer who meets one asks the owner, who knows whether the deletion is under way, happened,
or came to nothing. What answers these questions asks nobody, so that calls never wait in a circle.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid

from chassis.errors import Problem, conflict, not_found, unavailable
from chassis.ids import new_id
from chassis.permissions import scope
from chassis.records import survivors
from contracts.deleting import Tie, asked, ties_to
from contracts.records import Record
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.context import Context
    from chassis.database import Work

JSON = dict[str, Any]
Standing = dict[str, dict[str, int]]
"""What stands against deleting: for each id, collection to count; "" counts what the asker may not read."""
LONGEST = 3.0


def define(metadata: MetaData) -> None:
    """Records of others that are being deleted, in the version in which their owner asked."""
    Table(
        "held_records",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("hold_id", Uuid(as_uuid=False), nullable=False),
    )


def guarded(target: str) -> bool:
    """Whether other services are asked before a record of this kind goes."""
    return bool(asked(target))


def refers(tie: Tie) -> str:
    """SQL: whether a row of the holder refers here to any of the ids of the one parameter."""
    return {
        "one": f'"{tie.name}" = ANY(%s::uuid[])',
        "list": f'"{tie.name}" ?| %s::text[]',
        "parts": f'EXISTS (SELECT 1 FROM jsonb_array_elements("{tie.name}") AS part'
        f" WHERE part->>'{tie.inner}' = ANY(%s::text[]))",
    }[tie.kind]


# --- counting what stands


def standing(work: Work, ties: Sequence[Tie], ids: Sequence[str], leaving: Sequence[str] = ()) -> Standing:
    """The living records of this service that stand against deleting these, but for those that leave with them."""
    found: Standing = {}
    for tie in ties:
        if tie.holder.record_name not in work.service.stores or tie.policy != "restrict":
            continue
        statement, parameters = _counting(work.context, tie, work.tenant, ids, leaving)
        for row in work.sql(statement, parameters):
            counts = found.setdefault(row.target, {})
            for name, count in ((tie.holder.collection, row.seen), ("", row.total - row.seen)):
                if count:
                    counts[name] = counts.get(name, 0) + count
    return found


def _counting(
    context: Context, tie: Tie, tenant: str, ids: Sequence[str], leaving: Sequence[str]
) -> tuple[str, list[Any]]:
    table, column = tie.holder.collection.replace("-", "_"), f't."{tie.name}"'
    source, target, wanted = {
        "one": ("", f"{column}::text", f"{column} = ANY(%s::uuid[])"),
        "list": (f" CROSS JOIN LATERAL jsonb_array_elements_text({column}) AS e (v)", "e.v", "e.v = ANY(%s::text[])"),
        "parts": (
            f" CROSS JOIN LATERAL jsonb_array_elements({column}) AS e (v)",
            f"e.v->>'{tie.inner}'",
            f"e.v->>'{tie.inner}' = ANY(%s::text[])",
        ),
    }[tie.kind]
    readable, values = _readable(context, tie.holder.record_name)
    closed = " AND t.status <> ALL(%s::text[])" if tie.until else ""
    return (
        f"SELECT {target} AS target, count(DISTINCT t.id) AS total,"
        f" count(DISTINCT t.id) FILTER (WHERE {readable}) AS seen"
        f' FROM "{table}" AS t{source} WHERE t.tenant_id = %s AND t.deleted_at IS NULL AND {wanted}'
        f" AND t.id <> ALL(%s::uuid[]){closed} GROUP BY 1",
        [*values, tenant, list(ids), list(leaving), *([list(tie.until)] if tie.until else [])],
    )


def _readable(context: Context, record: str) -> tuple[str, list[Any]]:
    granted = scope(context, record, "read")
    if granted in ("all", "none"):
        return ("TRUE" if granted == "all" else "FALSE"), []
    if granted == "own":
        return "t.owner_id = %s::uuid", [context.user_id]
    return "(t.owner_id = %s::uuid OR t.team_id = ANY(%s::uuid[]))", [context.user_id, list(context.teams)]


def referenced(record: type[Record], found: dict[str, int], what: str) -> Problem:
    """What the asker may read is counted; of the rest he learns only that there is some."""
    named = [(registry.collections[name], count) for name, count in sorted(found.items()) if name]
    return conflict(
        "referenced",
        f"Other records refer to this {record.singular}, so that it cannot be {what}.",
        references=[{"collection": one.collection, "count": count} for one, count in named],
        unseen="" in found,
    )


# --- at the owner


def look(work: Work, record: str, versions: dict[str, int]) -> Standing:
    """What stands against these locked records in other services now, holding nothing."""
    found: Standing = {}
    for service in asked(record):
        _add(found, _call(work, service, "record.hold", {"record": record, "versions": versions, "hold_id": None}))
    return found


def _add(found: Standing, answer: JSON) -> None:
    for record_id, counts in answer["standing"].items():
        mine = found.setdefault(record_id, {})
        for name, count in counts.items():
            mine[name] = mine.get(name, 0) + count


def ask(work: Work, record: str, versions: dict[str, int]) -> Standing:
    """Have every service that refers to these locked records (id to version) hold them.

    Returns what stands against any of them; those are held nowhere when this returns, as far as services answer. Raises
    503 where one of them does not.
    """
    found: Standing = {}
    held: list[str] = []
    hold_id = new_id()
    for service in asked(record):
        params = {"record": record, "versions": versions, "hold_id": hold_id}
        _add(found, _call(work, service, "record.hold", params))
        held.append(service)
    if found:
        for service in held:
            _call(work, service, "record.let_go", {"record": record, "ids": list(found), "hold_id": hold_id})
    work.holding |= {(record, one): hold_id for one in versions if one not in found}
    return found


def release(work: Work) -> None:
    """Give up what is held and was not deleted after all. A service that is not reached asks when it matters."""
    left: dict[tuple[str, str], list[str]] = {}
    for (record, record_id), hold_id in work.holding.items():
        left.setdefault((record, hold_id), []).append(record_id)
    work.holding.clear()
    for (record, hold_id), ids in left.items():
        for service in asked(record):
            with suppress(Problem):
                _call(work, service, "record.let_go", {"record": record, "ids": ids, "hold_id": hold_id})


def _call(work: Work, service: str, method: str, params: JSON) -> JSON:
    """As whoever deletes, so that the counts are of what he may see."""
    left = min(LONGEST, max(0.1, work.context.time_left()))
    context = replace(work.context, deadline=time.time() + left)
    answer: JSON = work.service.ask(service, method, params, context, timeout=left) or {}
    return answer


def settled(work: Work, runtime: Any, params: JSON) -> JSON:
    """What became of a record whose deletion somebody heard of: `alive`, `gone`, or `busy` while its row is locked."""
    store = runtime.stores.get(params["record"])
    if store is None:
        raise not_found("collection")
    key = (work.tenant, params["id"])
    one = f'SELECT deleted_at FROM "{store.table}" WHERE tenant_id = %s AND id = %s'
    row = work.sql(f"{one} FOR SHARE SKIP LOCKED", key).first()
    if row is None:
        state = "gone" if work.sql(one, key).first() is None else "busy"
    else:
        state = "alive" if row.deleted_at is None else "gone"
    return {"status": 200, "body": {"state": state}}


# --- in the services that refer


def hold(work: Work, runtime: Any, params: JSON) -> JSON:
    """Hold the records against which nothing stands here, and tell what stands against the others. Without a hold's id
    it only tells."""
    record, versions = params["record"], params["versions"]
    if record not in registry.records:
        raise not_found("collection")
    if params["hold_id"] is None:
        return {"status": 200, "body": {"standing": standing(work, ties_to(record), list(versions))}}
    survivors.fence_alone(work)
    found = standing(work, ties_to(record), list(versions))
    free = [record_id for record_id in versions if record_id not in found]
    work.sql(
        "INSERT INTO held_records (tenant_id, record, id, version, hold_id)"
        " SELECT %s, %s, id, version, %s FROM unnest(%s::uuid[], %s::int[]) AS new (id, version)"
        " ON CONFLICT (tenant_id, record, id) DO UPDATE SET version = excluded.version, hold_id = excluded.hold_id",
        (work.tenant, record, params["hold_id"], free, [versions[record_id] for record_id in free]),
    )
    return {"status": 200, "body": {"standing": found}}


def let_go(work: Work, runtime: Any, params: JSON) -> JSON:
    """The deletion came to nothing."""
    work.later(
        "DELETE FROM held_records WHERE tenant_id = %s AND record = %s AND id = ANY(%s::uuid[]) AND hold_id = %s",
        (work.tenant, params["record"], params["ids"], params["hold_id"]),
    )
    return {"status": 200, "body": None}


def forget(work: Work, record: str, record_id: str, version: int) -> None:
    """The owner's event of a later version tells what became of it, so that the hold has served its turn."""
    work.later(
        "DELETE FROM held_records WHERE tenant_id = %s AND record = %s AND id = %s AND version < %s",
        (work.tenant, record, record_id, version),
    )


def is_free(work: Work, record: str, record_id: str) -> bool:
    """Whether a new reference to a record may be written here, as far as its deletion goes. Raises 503 while somebody
    is deleting or changing it."""
    hold_id = work.held.get((record, record_id))
    if hold_id is None:
        return True
    answer = _call(work, record.split(".", 1)[0], "record.settled", {"record": record, "id": record_id})
    if answer["state"] == "busy":
        raise unavailable("A record that this one refers to is just being changed; repeat it in a moment.", 1)
    if answer["state"] == "alive":
        work.later(
            "DELETE FROM held_records WHERE tenant_id = %s AND record = %s AND id = %s AND hold_id = %s",
            (work.tenant, record, record_id, hold_id),
        )
        del work.held[record, record_id]
    return bool(answer["state"] == "alive")
