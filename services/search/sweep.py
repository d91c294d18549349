"""The sweep: index and databases are compared for ever, a record of a tenant at a time, and drift is repaired.

First count and hash by stretches of ids; only where they differ, ids and versions. What differs is looked at again when
the index has had time; what then still differs in the same way, and is not on its way, is drift. The event log has the
newest event of each record, so that is what is put into the index.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import Problem
from chassis.records.comparing import BUCKET, MOST_ROWS, SUMS, bounds
from services.search import tenants
from services.search.index import index_of
from services.search.indexing import documents_of
from services.search.mapping import gone, searchables

JSON = dict[str, Any]
Pair = tuple[int | None, int | None]
"""The version that lives in the database, and the one that lives in the index."""
log = logging.getLogger("guanxi")
PATIENCE = 3.0
"""Seconds after which a difference is looked at again."""
REST = 50.0
"""A sweep rests for so many times the seconds that it took, so that sweeping costs a fiftieth of a processor."""
LEAST_REST, MOST_REST = 0.2, 60.0
MOST_SUSPECTS = 5_000
AT_ONCE = 200
"""Newest events asked for in one call."""

_BEGUN = (
    "INSERT INTO sweeps (tenant_id, record) SELECT %s, unnest(%s::text[]) ON CONFLICT (tenant_id, record) DO NOTHING"
)
_NEXT = (
    "SELECT tenant_id, record FROM sweeps ORDER BY asked_at NULLS LAST, swept_at NULLS FIRST, tenant_id, record LIMIT 1"
)
_DONE = (
    "UPDATE sweeps SET swept_at = %(now)s, looked = %(looked)s, differing = %(differing)s,"
    " drifted = drifted + %(drifted)s, repaired = repaired + %(repaired)s, unknown = %(unknown)s,"
    " asked_at = CASE WHEN asked_at <= %(began)s THEN NULL ELSE asked_at END"
    " WHERE tenant_id = %(tenant)s AND record = %(record)s"
)
_MINE = (
    f"SELECT left(id::text, {BUCKET}) AS bucket, {SUMS} FROM documents"
    " WHERE tenant_id = %s AND record = %s AND NOT deleted GROUP BY 1"
)
_ROWS = (
    "SELECT id, version FROM documents WHERE tenant_id = %s AND record = %s AND NOT deleted AND id > %s AND id <= %s"
    " ORDER BY id LIMIT %s"
)
_HELD = "SELECT id, version, deleted FROM documents WHERE tenant_id = %s AND record = %s AND id = ANY(%s::uuid[])"


@dataclass
class Suspects:
    """What differed at the first look, and when that was."""

    looked_at: float
    began: Any
    looked: int
    pairs: dict[str, Pair]


@dataclass
class Sweeper:
    """The timer of one process; it alone knows what is suspect."""

    suspects: dict[tuple[str, str], Suspects] = field(default_factory=dict)
    _rest_until: float = 0.0

    def sweep(self, runtime: Any) -> int:
        """Settle what was suspect long enough, or look at the next record. Returns the differences found or settled."""
        now = time.monotonic()
        due = next((key for key, one in self.suspects.items() if one.looked_at + PATIENCE <= now), None)
        try:
            if due is not None:
                return self.settle(runtime, *due)
            if now < self._rest_until:
                return 0
            tenant, record = self._next(runtime)
            if tenant is None or (tenant, record) in self.suspects:
                return 0
            found = self.look(runtime, tenant, record)
        except Problem as problem:
            log.info("the sweep waits: %s", problem)
            self._rest_until = time.monotonic() + MOST_REST / 10
            return 0
        took = time.monotonic() - now
        self._rest_until = time.monotonic() + min(MOST_REST, max(LEAST_REST, REST * took))
        return found

    def _next(self, runtime: Any) -> tuple[str | None, str]:
        with runtime.database.operations() as connection:
            for tenant in tenants.known(runtime):
                connection.exec_driver_sql(_BEGUN, (tenant, list(searchables())))
            row = connection.exec_driver_sql(_NEXT).first()
        return (None, "") if row is None else (str(row.tenant_id), row.record)

    def look(self, runtime: Any, tenant: str, record: str) -> int:
        """Compare one record of one tenant. Returns how many ids differ at the first look."""
        principal = runtime.principal(tenant, "timer:sweep")
        began = runtime.clock.now()
        theirs = _digest(runtime, principal, record)
        with runtime.database.reading(principal) as work:
            mine = {row.bucket: (row.rows, row.hash) for row in work.sql(_MINE, (tenant, record))}
        pairs: dict[str, Pair] = {}
        for bucket in sorted(theirs.keys() | mine.keys()):
            if theirs.get(bucket) != mine.get(bucket) and len(pairs) < MOST_SUSPECTS:
                pairs |= _differing(runtime, principal, record, bucket)
        looked = sum(rows for rows, _ in theirs.values())
        one = Suspects(time.monotonic(), began, looked, pairs)
        if pairs:
            self.suspects[tenant, record] = one
        else:
            _note(runtime, tenant, record, one)
        return len(pairs)

    def settle(self, runtime: Any, tenant: str, record: str) -> int:
        """Look again at what differed, and repair what has drifted. Returns how many documents were put right."""
        one = self.suspects.pop((tenant, record))
        principal = runtime.principal(tenant, "timer:sweep")
        ids = list(one.pairs)
        still: dict[str, tuple[int | None, int | None, int]] = {}
        for start in range(0, len(ids), MOST_ROWS):
            part = ids[start : start + MOST_ROWS]
            params = {"record": record, "ids": part}
            living = dict(runtime.ask(_owner(record), "record.versions", params, principal)["rows"])
            with runtime.database.reading(principal) as work:
                held = {row.id: row for row in work.sql(_HELD, (tenant, record, part))}
            for record_id in part:
                row = held.get(record_id)
                there = None if row is None or row.deleted else row.version
                if one.pairs[record_id] == (living.get(record_id), there):
                    still[record_id] = (living.get(record_id), there, row.version if row else -1)
        drifted, unknown, right = self._drifted(runtime, principal, record, still)
        if right:
            index_of(runtime).replace(tenant, right, older=True)
        if drifted:
            log.warning("the index had drifted: %d of %s, %d repaired", drifted, record, len(right))
        _note(runtime, tenant, record, one, drifted=drifted, repaired=len(right), unknown=unknown)
        return len(right)

    def _drifted(
        self, runtime: Any, principal: Any, record: str, still: dict[str, tuple[int | None, int | None, int]]
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


def _note(
    runtime: Any, tenant: str, record: str, one: Suspects, *, drifted: int = 0, repaired: int = 0, unknown: int = 0
) -> None:
    values = {
        "tenant": tenant,
        "record": record,
        "now": runtime.clock.now(),
        "began": one.began,
        "looked": one.looked,
        "differing": len(one.pairs),
        "drifted": drifted,
        "repaired": repaired,
        "unknown": unknown,
    }
    with runtime.database.operations() as connection:
        connection.exec_driver_sql(_DONE, values)
