"""How far the index has come in the feed, checked and not believed: the position up to which every event is in it.

The leader reads the tail of the event log without its data, and compares it with the versions in the index. The index
takes its own events from the bus, in the order in which they come; a gap therefore shows as an event that stays away
while much younger ones are in, and such a one is fetched from the log.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from chassis.errors import Problem
from services.search import equipment, tenants
from services.search.indexing import take_in
from services.search.mapping import searchables

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
LOST_AFTER = dt.timedelta(seconds=10)
"""An event is lost when the index holds events so much younger than it: batches are done within a second or two."""
PAGE = 2_000
FETCHED = 200
AT_ONCE = 2.0
"""Seconds that one run may take; a tail that is longer goes on with the next one."""
BEHIND_SECONDS = 3.0
"""Between two runs while more than a page of a feed waits: to show what is new costs Elasticsearch much each time, and
whoever is so far behind is seconds late as it is."""

_STAND = "SELECT position, waiting_since FROM positions WHERE tenant_id = %s"
_KEEP = (
    "INSERT INTO positions (tenant_id, position, waiting_since, checked_at) VALUES (%s, %s, %s, %s)"
    " ON CONFLICT (tenant_id) DO UPDATE SET position = excluded.position, waiting_since = excluded.waiting_since,"
    " checked_at = excluded.checked_at WHERE positions.position <= excluded.position"
)
_HELD = (
    "SELECT record, id, version FROM documents JOIN unnest(%s::text[], %s::uuid[]) AS wanted (record, id)"
    " USING (record, id) WHERE tenant_id = %s"
)


class Place(NamedTuple):
    """How far a tenant's feed is indexed, since when the next event waits, by how many events that moved, and how many
    may not be indexed."""

    tenant: str
    position: int
    since: dt.datetime | None
    moved: int
    waiting: int


@dataclass
class Follower:
    """The timer of one process. `fetched` counts the events that had to be fetched from the log since it started."""

    fetched: int = 0
    rest_until: float = 0.0

    def follow(self, runtime: Any) -> int:
        """Bring every tenant's position nearer to the end of its feed, and make Elasticsearch show what it was given.

        Returns by how many events.
        """
        if time.monotonic() < self.rest_until:
            return 0
        # A position promises that all up to it is found. Elasticsearch of itself shows what it took some seconds later.
        places = self._places(runtime)
        equipment.show(runtime)
        for place in places:
            with runtime.database.work(runtime.principal(place.tenant, "timer:follow")) as work:
                work.sql(_KEEP, (place.tenant, place.position, place.since, work.now))
        if any(place.waiting > PAGE for place in places):
            self.rest_until = time.monotonic() + BEHIND_SECONDS
        return sum(place.moved for place in places)

    def _places(self, runtime: Any) -> list[Place]:
        """Where each tenant is; nothing where the event log does not answer."""
        known = tenants.known(runtime)
        if not known:
            return []
        principal = runtime.principal(known[0], "timer:follow")
        try:
            heads: dict[str, int] = runtime.ask("eventlog", "eventlog.heads", {"tenants": known}, principal)
        except Problem as problem:
            log.info("search does not know how far it is: %s", problem)
            return []
        end, places = time.monotonic() + AT_ONCE, list[Place]()
        for tenant in known:
            try:
                places.append(self._reached(runtime, tenant, heads.get(tenant, 0), end))
            except Problem as problem:
                log.info("search does not know how far it is: %s", problem)
        return places

    def _reached(self, runtime: Any, tenant: str, head: int, end: float) -> Place:
        """Up to where the index has come in a tenant's feed, looked at page by page until `end`."""
        principal = runtime.principal(tenant, "timer:follow")
        with runtime.database.reading(principal) as work:
            stand = work.sql(_STAND, (tenant,)).first()
        began = position = stand.position if stand else 0
        waiting: list[list[Any]] = []
        while position < head:
            body = runtime.ask("eventlog", "eventlog.tail", {"after": position}, principal)
            rows, head = body["rows"], body["head"]
            waiting = self._waiting(runtime, principal, rows)
            position = waiting[0][0] - 1 if waiting else rows[-1][0] if rows else head
            if waiting or len(rows) < PAGE or time.monotonic() > end:
                break
        since = dt.datetime.fromtimestamp(waiting[0][4], dt.UTC) if waiting else None
        if waiting:
            self._fetch(runtime, principal, waiting)
        return Place(tenant, position, since, position - began, head - position if waiting else 0)

    def _waiting(self, runtime: Any, principal: Any, rows: list[list[Any]]) -> list[list[Any]]:
        """Those of these events whose record is not in the index in that version or a newer one."""
        asked = [row for row in rows if row[1] in searchables()]
        if not asked:
            return []
        with runtime.database.reading(principal) as work:
            held = {
                (row.record, row.id): row.version
                for row in work.sql(_HELD, ([row[1] for row in asked], [row[2] for row in asked], principal.tenant))
            }
        return [row for row in asked if held.get((row[1], row[2]), -1) < row[3]]

    def _fetch(self, runtime: Any, principal: Any, waiting: list[list[Any]]) -> None:
        with runtime.database.reading(principal) as work:
            newest = work.sql("SELECT event_at FROM progress WHERE tenant_id = %s", (principal.tenant,)).scalar()
        if newest is None:
            return
        lost = [row[2] for row in waiting if newest.timestamp() - row[4] > LOST_AFTER.total_seconds()][:FETCHED]
        if lost:
            events = runtime.ask("eventlog", "eventlog.latest", {"ids": lost}, principal)["items"]
            take_in(runtime, events)
            self.fetched += len(events)
            log.warning("search had missed %d events and fetched them from the log", len(events))
