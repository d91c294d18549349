"""I3: every change becomes an event that is sent, logged and taken in by whoever listens to it."""

from __future__ import annotations

import importlib
import re
import time
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from chassis.clock import SystemClock
from chassis.context import Signer
from chassis.runtime import Runtime
from contracts.registry import SERVICES
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Key, Look, Side

UNSENT_AFTER = "60 s"
KEPT_DAYS = 30
"""Inboxes are kept for so long: older events are not looked for in them."""


@dataclass(frozen=True)
class Subscription:
    """What one reaction of a service listens to."""

    service: str
    consumer: str
    types: tuple[str, ...]

    @property
    def condition(self) -> str:
        """The same choice in SQL, over a column `type`."""
        one_level = "[^.]+"
        patterns = [re.escape(kind).replace(r"\*", one_level).replace("%", "%%") for kind in self.types]
        return f"type ~ '^({'|'.join(patterns)})$'"

    @property
    def sources(self) -> list[str]:
        return sorted({kind.split(".", 1)[0] for kind in self.types})


def runtimes() -> Iterator[Runtime]:
    """Every service, connected to nothing: it still knows what it listens to."""
    for service in SERVICES:
        definition = importlib.import_module(f"services.{service}.service").service
        yield Runtime(definition, cast(Any, SimpleNamespace()), Signer("-" * 32), None, SystemClock())


def subscriptions() -> Iterator[Subscription]:
    """Every reaction of every service. Heavy readers have none: I3 checks the event log, I10 the index."""
    for unconnected in runtimes():
        if unconnected.definition.batch is None:
            for reaction in unconnected.reactions:
                yield Subscription(unconnected.name, reaction.name, reaction.types)


@rule("I3", "every change is in the event log, and every event in the log is a change", moving=True)
def logged(look: Look) -> Seen:
    changes = [Side(service, "SELECT tenant_id, id::text AS key FROM changes") for service in SERVICES]
    # A repeated event is a fault of I2; here it only must not hide a lost one.
    log = Side("eventlog", "SELECT DISTINCT tenant_id, id::text AS key FROM events")
    rows, missing, extra = look.compare(changes, [log])
    waiting = _waiting(look, SERVICES, missing)
    faults = [
        Fault(tenant, "eventlog", f"event {event}", "was sent and is not in the log")
        for tenant, event in sorted(missing.keys() - waiting)
    ]
    faults += [
        Fault(tenant, "eventlog", f"event {event}", "is in the log and is no change of any service")
        for tenant, event in sorted(extra)
    ]
    return seen(rows, faults)


@rule("I3", "positions in the event log run 1, 2, 3 … up to the tenant's position")
def positions(look: Look) -> Seen:
    return look.audit(
        "eventlog",
        "SELECT tenant_id, 'event log' AS subject, CASE WHEN coalesce(lowest, 1) <> 1 OR coalesce(rows, 0) <> position"
        " OR coalesce(highest, 0) <> position THEN 'holds ' || coalesce(rows, 0) || ' events with positions from '"
        " || coalesce(lowest, 0) || ' to ' || coalesce(highest, 0) || ', served up to ' || coalesce(position, 0) END"
        " AS fault FROM (SELECT tenant_id, min(position) AS lowest, max(position) AS highest, count(*) AS rows"
        "  FROM events GROUP BY tenant_id) AS log FULL JOIN feed_positions USING (tenant_id)",
    )


@rule("I3", f"every subscriber has taken in every event of the last {KEPT_DAYS} days that it listens to", moving=True)
def taken_in(look: Look) -> Seen:
    found = Seen()
    oldest = _oldest(time.time() - KEPT_DAYS * 86_400)
    for one in subscriptions():
        recent = f"{one.condition} AND {{id}} >= '{oldest}'::uuid"
        sent = [
            Side(service, f"SELECT tenant_id, id::text AS key FROM changes WHERE {recent.format(id='id')}")
            for service in one.sources
        ]
        inbox = Side(
            one.service,
            f"SELECT tenant_id, event_id::text AS key FROM inbox WHERE consumer = '{one.consumer}'"
            f" AND {recent.format(id='event_id')}",
        )
        rows, missing, extra = look.compare(sent, [inbox])
        waiting = _waiting(look, one.sources, missing)
        faults = [
            Fault(tenant, one.service, f"event {event} for {one.consumer}", "was sent and did not arrive")
            for tenant, event in sorted(missing.keys() - waiting)
        ]
        faults += [
            Fault(tenant, one.service, f"event {event} for {one.consumer}", "arrived and is no change of any service")
            for tenant, event in sorted(extra)
        ]
        found += seen(rows, faults)
    return found


@rule("I3", f"nothing waits longer than {UNSENT_AFTER} to be sent", moving=True)
def sent_in_time(look: Look) -> Seen:
    """Every change is looked at, since each of them was, or is, to be sent."""
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT tenant_id, 'message ' || seq AS subject,"
            f" CASE WHEN queued_at < clock_timestamp() - interval '{UNSENT_AFTER}'"
            " THEN 'waits to be sent since ' || queued_at END AS fault"
            " FROM changes FULL JOIN unsent USING (tenant_id, record_id, version, at)",
        )
    return found


@rule("I3", "no event is dead in an inbox, and no message was unreadable")
def nothing_dead(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT tenant_id, type || ' ' || event_id || ' for ' || consumer AS subject, CASE WHEN state = 'dead'"
            " THEN 'gave up after ' || attempts || ' attempts: ' || right(coalesce(error, ''), 200) END AS fault"
            " FROM inbox",
        )
        if look.tenant is None:
            # What could not be read belongs to no tenant that one could name.
            letters = look.catalogue(
                service,
                "SELECT id, queue, left(reason, 200) AS reason FROM dead_letters"
                " WHERE discarded_at IS NULL ORDER BY id",
            )
            faults = [
                Fault(None, service, f"dead letter {letter.id} of {letter.queue}", letter.reason) for letter in letters
            ]
            found += seen(len(letters), faults)
    return found


def _waiting(look: Look, services: Iterable[str], events: Collection[Key]) -> set[Key]:
    """Which of these events still wait to be sent."""
    found: set[Key] = set()
    if not events:
        return found
    for service in services:
        rows = look.rows(
            service,
            "SELECT c.tenant_id, c.id FROM unsent AS u JOIN changes AS c ON c.tenant_id = u.tenant_id"
            " AND c.record_id = u.record_id AND c.version = u.version AND c.at = u.at"
            " WHERE c.id = ANY(%(ids)s::uuid[])",
            ids=[event for _, event in events],
        )
        found |= {(row.tenant_id, row.id) for row in rows}
    return found


def _oldest(moment: float) -> uuid.UUID:
    """The least UUIDv7 of a moment in seconds."""
    return uuid.UUID(int=int(moment * 1000) << 80)


rules = (logged, positions, taken_in, sent_in_time, nothing_dead)
