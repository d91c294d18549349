"""The rebuild: every document is made anew from the event log, while questions are answered and events come in.

Each tenant's feed is read from its beginning to where it ended when the rebuild began; what came later is taken in as
always, by the same code. In PostgreSQL a document is replaced where the event is not older than it, in one transaction
with its words, so that a question finds either the one or the other, never both and never none. Elasticsearch, where
there is one, gets new indices beside the old ones and is switched over once they are whole (`refilling.py`). How far it
is stands in a table: a process that dies leaves the rest to the next leader.

It begins by itself where documents are of another form than this release makes (`form.py`).
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Iterator
from typing import Any

from chassis.errors import Problem
from chassis.operators import ZERO
from services.search import tenants
from services.search.equipment import elastic_of
from services.search.form import form
from services.search.index import index_of
from services.search.indexing import documents_of

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
PAGE = 500
ENDED = ("done", "cancelled")
LOOK_SECONDS = 5.0
"""How often it is looked whether documents are of another form."""
AT_ONCE = 1.0
"""Seconds that one run may take; the leader's other timers get their turn between two runs."""

_WHOLE = "SELECT state, asked_at, form FROM rebuilds WHERE tenant_id = %s"
_NEXT = (
    "SELECT tenant_id, position, until FROM rebuilds"
    " WHERE tenant_id <> %s AND state = 'reading' ORDER BY tenant_id LIMIT 1"
)
_BEGIN = (
    "INSERT INTO rebuilds (tenant_id, state, asked_at, position, until) VALUES (%s, 'reading', %s, 0, %s)"
    " ON CONFLICT (tenant_id) DO UPDATE SET state = excluded.state, asked_at = excluded.asked_at, ended_at = NULL,"
    " position = 0, until = excluded.until"
)
_MOVE = (
    "UPDATE rebuilds SET position = %(position)s, state = CASE WHEN %(position)s >= until THEN 'done' ELSE state END,"
    " ended_at = CASE WHEN %(position)s >= until THEN %(now)s::timestamptz END WHERE tenant_id = %(tenant)s"
)
_SUM = (
    "UPDATE rebuilds SET position = parts.position, until = parts.until FROM (SELECT sum(position) AS position,"
    " sum(until) AS until FROM rebuilds WHERE tenant_id <> %s) AS parts WHERE tenant_id = %s"
)
_DONE = "UPDATE rebuilds SET state = 'done', ended_at = %s, form = %s WHERE tenant_id = %s AND state <> 'cancelled'"
_COMPARED = (
    "UPDATE rebuilds SET state = 'filling', compared = %s, to_compare = %s"
    " WHERE tenant_id = %s AND state <> 'cancelled'"
)
_STATE = "UPDATE rebuilds SET state = %s, ended_at = %s WHERE tenant_id = %s AND state NOT IN ('done', 'cancelled')"
_ASK = (
    "INSERT INTO rebuilds (tenant_id, state, asked_at) VALUES (%s, 'asked', %s) ON CONFLICT (tenant_id) DO UPDATE SET"
    " state = 'asked', asked_at = excluded.asked_at, ended_at = NULL, position = 0, until = 0,"
    " compared = 0, to_compare = 0"
    " WHERE rebuilds.state IN ('done', 'cancelled')"
)


def ask(runtime: Any) -> bool:
    """Have the leader rebuild the index. False: one is under way."""
    with runtime.database.operations() as connection:
        return bool(connection.exec_driver_sql(_ASK, (ZERO, runtime.clock.now())).rowcount)


def cancel(runtime: Any) -> bool:
    """Stop the rebuild that is under way; what it has made anew stays. False: there is none."""
    with runtime.database.operations() as connection:
        stopped = connection.exec_driver_sql(_STATE, ("cancelled", runtime.clock.now(), ZERO)).rowcount
        connection.exec_driver_sql("UPDATE rebuilds SET state = 'cancelled' WHERE state = 'reading'")
        # Who does not want it now shall not have it begin again by itself.
        if stopped:
            connection.exec_driver_sql("UPDATE rebuilds SET form = %s WHERE tenant_id = %s", (form(), ZERO))
    return bool(stopped)


def under_way(runtime: Any) -> bool:
    with runtime.database.operations() as connection:
        row = connection.exec_driver_sql(_WHOLE, (ZERO,)).first()
    return row is not None and row.state not in ENDED


class Rebuilder:
    """The timer: brings a rebuild that was asked for a step further."""

    def __init__(self) -> None:
        self._filling: Iterator[tuple[int, int]] | None = None
        self._looked_at = -LOOK_SECONDS

    def advance(self, runtime: Any) -> int:
        """Returns how many events were read."""
        end, read = time.monotonic() + AT_ONCE, 0
        try:
            self._look_at_form(runtime)
            while time.monotonic() < end:
                done = self._step(runtime)
                if not done:
                    break
                read += done
        except Problem as problem:
            log.info("the rebuild waits: %s", problem)
        return read

    def _look_at_form(self, runtime: Any) -> None:
        """Ask for a rebuild where documents are of another form; an index without documents is of this one."""
        if self._looked_at + LOOK_SECONDS > time.monotonic():
            return
        self._looked_at = time.monotonic()
        with runtime.database.operations() as connection:
            whole = connection.exec_driver_sql(_WHOLE, (ZERO,)).first()
            if whole is not None and (whole.state not in ENDED or whole.form == form()):
                return
            if ask(runtime) and tenants.known(runtime):
                log.warning("documents are of another form than this release makes: they are made anew")
            elif not tenants.known(runtime):
                connection.exec_driver_sql(_DONE, (runtime.clock.now(), form(), ZERO))

    def _step(self, runtime: Any) -> int:
        with runtime.database.operations() as connection:
            whole = connection.exec_driver_sql(_WHOLE, (ZERO,)).first()
            if whole is None or whole.state in ENDED:
                self._filling = None
                return 0
            if whole.state == "asked":
                self._begin(runtime, connection, whole.asked_at)
                return 1
            row = connection.exec_driver_sql(_NEXT, (ZERO,)).first()
        if row is not None:
            return self._read(runtime, str(row.tenant_id), row.position, row.until)
        if self._fill(runtime):
            return 1
        with runtime.database.operations() as connection:
            connection.exec_driver_sql(_DONE, (runtime.clock.now(), form(), ZERO))
        log.warning("the index is rebuilt")
        return 0

    def _fill(self, runtime: Any) -> bool:
        """Fill the new indices of Elasticsearch a step further. False: they are asked now, or there is none."""
        index = elastic_of(runtime)
        if index is None:
            return False
        from services.search import refilling

        with refilling.answered():
            try:
                self._filling = self._filling or refilling.fill(runtime, index)
                progress = next(self._filling, None)
            except BaseException:
                self._filling = None
                raise
        if progress is None:
            self._filling = None
            return False
        with runtime.database.operations() as connection:
            connection.exec_driver_sql(_COMPARED, (*progress, ZERO))
        return True

    def _begin(self, runtime: Any, connection: Any, asked_at: dt.datetime) -> None:
        index = elastic_of(runtime)
        if index is not None:
            from services.search import refilling

            with refilling.answered():
                refilling.begin(runtime, index)
        known = tenants.known(runtime)
        heads: dict[str, int] = {}
        if known:
            principal = runtime.principal(known[0], "timer:rebuild")
            heads = runtime.ask("eventlog", "eventlog.heads", {"tenants": known}, principal)
        for tenant in known:
            if heads.get(tenant):
                connection.exec_driver_sql(_BEGIN, (tenant, asked_at, heads[tenant]))
        self._set(runtime, "reading", None)

    def _read(self, runtime: Any, tenant: str, position: int, until: int) -> int:
        principal = runtime.principal(tenant, "timer:rebuild")
        params = {"after": position, "limit": min(PAGE, until - position)}
        page = runtime.ask("eventlog", "eventlog.feed", params, principal, timeout=9.0)
        documents = documents_of(runtime, tenant, page["items"])
        if documents:
            index_of(runtime).replace(tenant, documents)
        values = {"position": min(page["next"], until), "now": runtime.clock.now(), "tenant": tenant}
        with runtime.database.operations() as connection:
            connection.exec_driver_sql(_MOVE, values)
            connection.exec_driver_sql(_SUM, (ZERO, ZERO))
        return max(1, len(page["items"]))

    def _set(self, runtime: Any, state: str, ended_at: dt.datetime | None) -> None:
        with runtime.database.operations() as connection:
            connection.exec_driver_sql(_STATE, (state, ended_at, ZERO))
