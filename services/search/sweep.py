"""The sweep: what is indexed is compared for ever, a record of a tenant at a time, and drift is repaired.

The documents that PostgreSQL keeps are compared with the databases that own the records, here; and Elasticsearch, where
there is one, with the documents that PostgreSQL keeps (`elastic_sweep.py`). First count and hash by stretches of ids;
only where they differ, ids and versions. What differs is looked at again when the index has had time; what then still
differs in the same way, and is not on its way, is drift. The event log has the newest event of each record, so that is
what is put into the index.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from chassis.errors import Problem
from services.search import database_sweep, equipment, tenants
from services.search.mapping import searchables
from services.search.sweeping import Settled

log = logging.getLogger("guanxi")
PATIENCE = 3.0
"""Seconds after which a difference is looked at again."""
REST = 50.0
"""A sweep rests for so many times the seconds that it took, so that sweeping costs a fiftieth of a processor."""
LEAST_REST, MOST_REST = 0.2, 60.0
AT_ONCE = 1.0
"""Seconds that one run goes on for while somebody waits; the leader's other timers get their turn between two runs."""

DATABASES, ELASTICSEARCH = "databases", "elasticsearch"
_FORGET = "DELETE FROM sweeps WHERE against <> ALL(%s)"
_BEGUN = (
    "INSERT INTO sweeps (tenant_id, record, against) SELECT tenant, record, against FROM unnest(%s::uuid[]) AS tenant,"
    " unnest(%s::text[]) AS record, unnest(%s::text[]) AS against ON CONFLICT (tenant_id, record, against) DO NOTHING"
)
# A tenant of which something is noted as lacking in Elasticsearch is compared when it is written.
_NEXT = (
    "SELECT tenant_id, record, against FROM sweeps WHERE against = ANY(%s) AND (against = 'databases' OR tenant_id NOT"
    "  IN (SELECT tenant_id FROM behind WHERE refused IS NULL)) AND (asked_at IS NOT NULL OR NOT %s)"
    " ORDER BY asked_at NULLS LAST, swept_at NULLS FIRST, tenant_id, record, against LIMIT %s"
)
_ASKED = "SELECT EXISTS (SELECT FROM sweeps WHERE asked_at IS NOT NULL)"
_DONE = (
    "UPDATE sweeps SET swept_at = %(now)s, looked = %(looked)s, differing = %(differing)s,"
    " drifted = drifted + %(drifted)s, repaired = repaired + %(repaired)s, unknown = %(unknown)s,"
    " asked_at = CASE WHEN asked_at <= %(began)s THEN NULL ELSE asked_at END"
    " WHERE tenant_id = %(tenant)s AND record = %(record)s AND against = %(against)s"
)


class Task(NamedTuple):
    """What is compared: a record of a tenant, and with what."""

    tenant: str
    record: str
    against: str = DATABASES


@dataclass
class Suspects:
    """What differed at the first look, and when that was."""

    looked_at: float
    began: Any
    looked: int
    pairs: dict[str, Any]


@dataclass
class Sweeper:
    """The timer of one process; it alone knows what is suspect."""

    suspects: dict[Task, Suspects] = field(default_factory=dict)
    _begun: tuple[list[str], list[str]] | None = None
    _rest_until: float = 0.0

    def sweep(self, runtime: Any) -> int:
        """Settle what was suspect long enough, or look at the next record; while somebody waits, one after the other.

        Returns the differences found or settled.
        """
        end, found = time.monotonic() + AT_ONCE, 0
        try:
            while (done := self._step(runtime)) is not None:
                found += done
                if time.monotonic() > end or not _asked(runtime):
                    break
        except Problem as problem:
            log.info("the sweep waits: %s", problem)
            self._rest_until = time.monotonic() + MOST_REST / 10
        return found

    def _step(self, runtime: Any) -> int | None:
        """One comparison. None: there is nothing to compare now."""
        now = time.monotonic()
        due = next((task for task, one in self.suspects.items() if one.looked_at + PATIENCE <= now), None)
        if due is not None:
            return self.settle(runtime, due)
        resting = now < self._rest_until
        if resting and not _asked(runtime):
            return None
        task = self.next(runtime, asked=resting)
        if task is None:
            return None
        found = self.look(runtime, task)
        took = time.monotonic() - now
        self._rest_until = time.monotonic() + min(MOST_REST, max(LEAST_REST, REST * took))
        return found

    def next(self, runtime: Any, *, asked: bool = False) -> Task | None:
        """What is to be compared next, and is not suspect: what was asked for, else what was compared longest ago.

        With `asked`, only what somebody waits for.
        """
        comparable = {DATABASES: True, ELASTICSEARCH: equipment.comparable(runtime)}
        sides = [one for one, there in comparable.items() if there is not None]
        known = tenants.known(runtime)
        with runtime.database.operations() as connection:
            if self._begun != (known, sides):
                connection.exec_driver_sql(_FORGET, (sides,))
                connection.exec_driver_sql(_BEGUN, (known, list(searchables()), sides))
            able = [one for one in sides if comparable[one]]
            rows = connection.exec_driver_sql(_NEXT, (able, asked, len(self.suspects) + 1)).all()
        self._begun = (known, sides)
        tasks = (Task(str(row.tenant_id), row.record, row.against) for row in rows)
        return next((task for task in tasks if task not in self.suspects), None)

    def look(self, runtime: Any, task: Task) -> int:
        """Compare one record of one tenant. Returns how many ids differ at the first look."""
        principal = runtime.principal(task.tenant, "timer:sweep")
        began = runtime.clock.now()
        looked, pairs = _side(task).look(runtime, principal, task.record)
        one = Suspects(time.monotonic(), began, looked, pairs)
        if pairs:
            self.suspects[task] = one
        else:
            _note(runtime, task, one, Settled())
        return len(pairs)

    def settle(self, runtime: Any, task: Task) -> int:
        """Look again at what differed, and repair what has drifted. Returns how many documents were put right."""
        one = self.suspects.pop(task)
        principal = runtime.principal(task.tenant, "timer:sweep")
        settled = _side(task).settle(runtime, principal, task.record, one.pairs)
        if settled.drifted:
            found = (settled.drifted, task.record, task.against, settled.repaired)
            log.warning("the index had drifted: %d of %s against %s, %d repaired", *found)
        _note(runtime, task, one, settled)
        return settled.repaired


def _asked(runtime: Any) -> bool:
    """Whether somebody waits for a comparison: then it is no time to rest."""
    with runtime.database.operations() as connection:
        return bool(connection.exec_driver_sql(_ASKED).scalar())


def _side(task: Task) -> Any:
    if task.against == DATABASES:
        return database_sweep
    from services.search import elastic_sweep

    return elastic_sweep


def _note(runtime: Any, task: Task, one: Suspects, settled: Settled) -> None:
    now = runtime.clock.now()
    found = {"now": now, "began": one.began, "looked": one.looked, "differing": len(one.pairs)}
    with runtime.database.operations() as connection:
        connection.exec_driver_sql(_DONE, {**task._asdict(), **settled._asdict(), **found})
