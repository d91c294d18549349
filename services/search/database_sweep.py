"""The sweep's one side: the documents that PostgreSQL keeps, compared with the databases that own the records."""

from __future__ import annotations

from typing import Any

from chassis.records.comparing import BUCKET, MOST_ROWS, SUMS, bounds
from services.search.index import index_of
from services.search.indexing import PORTION, documents_of
from services.search.mapping import gone
from services.search.sweeping import MOST_SUSPECTS, Settled

Pair = tuple[int | None, int | None]
"""The version that lives in the database, and the one that lives in the index."""
AT_ONCE = 200
"""Newest events asked for in one call."""

_MINE = (
    f"SELECT left(id::text, {BUCKET}) AS bucket, {SUMS} FROM documents"
    " WHERE tenant_id = %s AND record = %s AND NOT deleted GROUP BY 1"
)
_ROWS = (
    "SELECT id, version FROM documents WHERE tenant_id = %s AND record = %s AND NOT deleted AND id > %s AND id <= %s"
    " ORDER BY id LIMIT %s"
)
_HELD = "SELECT id, version, deleted FROM documents WHERE tenant_id = %s AND record = %s AND id = ANY(%s::uuid[])"


def look(runtime: Any, principal: Any, record: str) -> tuple[int, dict[str, Pair]]:
    """How many records live in the database, and what differs."""
    theirs = _digest(runtime, principal, record)
    with runtime.database.reading(principal) as work:
        mine = {row.bucket: (row.rows, row.hash) for row in work.sql(_MINE, (principal.tenant, record))}
    pairs: dict[str, Pair] = {}
    for bucket in sorted(theirs.keys() | mine.keys()):
        if theirs.get(bucket) != mine.get(bucket) and len(pairs) < MOST_SUSPECTS:
            pairs |= _differing(runtime, principal, record, bucket)
    return sum(rows for rows, _ in theirs.values()), pairs


def settle(runtime: Any, principal: Any, record: str, pairs: dict[str, Pair]) -> Settled:
    """Look again at what differed, and put right from the event log what has drifted."""
    ids = list(pairs)
    still: dict[str, tuple[int | None, int | None, int]] = {}
    for start in range(0, len(ids), MOST_ROWS):
        part = ids[start : start + MOST_ROWS]
        params = {"record": record, "ids": part}
        living = dict(runtime.ask(_owner(record), "record.versions", params, principal)["rows"])
        with runtime.database.reading(principal) as work:
            held = {row.id: row for row in work.sql(_HELD, (principal.tenant, record, part))}
        for record_id in part:
            row = held.get(record_id)
            there = None if row is None or row.deleted else row.version
            if pairs[record_id] == (living.get(record_id), there):
                still[record_id] = (living.get(record_id), there, row.version if row else -1)
    drifted, unknown, right = _drifted(runtime, principal, record, still)
    # Each portion is kept for itself: thousands at once would take longer than a statement may, again and again.
    for start in range(0, len(right), PORTION):
        index_of(runtime).replace(principal.tenant, right[start : start + PORTION], older=True)
    return Settled(drifted, len(right), unknown)


def _drifted(
    runtime: Any, principal: Any, record: str, still: dict[str, tuple[int | None, int | None, int]]
) -> tuple[int, int, list[Any]]:
    """How many have drifted, of how many of these no event is known, and the documents that put them right."""
    if not still:
        return 0, 0, []
    with runtime.database.reading(principal) as work:
        reached = work.sql("SELECT position FROM positions WHERE tenant_id = %s", (principal.tenant,)).scalar() or 0
    right, unknown, waiting = [], 0, 0
    ids = list(still)
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        events = runtime.ask("eventlog", "eventlog.latest", {"ids": part}, principal)["items"]
        newest = {event["data"]["id"]: event for event in events}
        documents = {one.id: one for one in documents_of(runtime, principal.tenant, events)}
        for record_id in part:
            living, there, version = still[record_id]
            event = newest.get(record_id)
            if living is None and there is not None and (event is None or not documents[record_id].deleted):
                # The database has no such living record, so a hit would lead nowhere.
                right.append(gone(record, record_id, version, runtime.clock.now()))
            elif event is None or (living is not None and event["version"] < living):
                # Its sender has yet to publish it, or lost it; `guanxi check` tells which.
                unknown += 1
            elif event["version"] > version and event["position"] > reached:
                waiting += 1
            else:
                right.append(documents[record_id])
    return len(still) - waiting - unknown, unknown, right


def _owner(record: str) -> str:
    return record.split(".", 1)[0]


def _digest(runtime: Any, principal: Any, record: str) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    after = None
    while True:
        params = {"record": record, "after": after}
        body = runtime.ask(_owner(record), "record.digest", params, principal, timeout=9.0)
        found |= {bucket: (rows, total) for bucket, rows, total in body["buckets"]}
        after = body["next"]
        if after is None:
            return found


def _differing(runtime: Any, principal: Any, record: str, bucket: str) -> dict[str, Pair]:
    """The ids of a bucket whose versions differ: both sides are walked in the order of the ids."""
    theirs: dict[str, int] = {}
    mine: dict[str, int] = {}
    after, end = None, False
    while not end:
        params = {"record": record, "bucket": bucket, "after": after}
        body = runtime.ask(_owner(record), "record.versions", params, principal)
        theirs |= dict(body["rows"])
        after, end = body["next"], body["next"] is None
    low, high = bounds(bucket)
    with runtime.database.reading(principal) as work:
        while True:
            rows = work.sql(_ROWS, (principal.tenant, record, low, high, MOST_ROWS)).all()
            mine |= {row.id: row.version for row in rows}
            if len(rows) < MOST_ROWS:
                break
            low = rows[-1].id
    return {
        record_id: (theirs.get(record_id), mine.get(record_id))
        for record_id in theirs.keys() | mine.keys()
        if theirs.get(record_id) != mine.get(record_id)
    }
