"""`guanxi check --repair`: publish again what subscribers miss, then look whether it arrived."""

from __future__ import annotations

import datetime as dt
import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

from chassis import reconcile
from chassis.bus.ports import BusUnavailable
from chassis.bus.transport import connect
from chassis.database import make_engine
from chassis.reconcile import Act, Difference, Report, Subscriber
from chassis.runtime import matches
from contracts.registry import SERVICES
from suite.check.delivery import runtimes, subscriptions
from suite.check.index import DOCUMENTS, living
from suite.check.sources import Look, Settings, Sources, Unreachable

EVERYTHING = "*"
ARRIVES_WITHIN = 60.0


@dataclass
class Repaired:
    """What was found and done: by `reconcile` for events, and for the index by comparing its own tables."""

    report: Report
    indexed: int = 0
    """Records whose latest change was published again for the index."""
    queues: int = 0
    """Queues of which what was missing was made again, bindings too."""
    left: list[Difference] = field(default_factory=list)
    """What still differs afterwards."""


def subscribers() -> Iterator[Subscriber]:
    """Every reaction of every service, and the heavy readers that keep every event."""
    for one in subscriptions():
        yield Subscriber(one.service, one.consumer, one.types)
    for service in SERVICES:
        definition = importlib.import_module(f"services.{service}.service").service
        if definition.held:
            yield Subscriber(service, "log", (EVERYTHING,), definition.held)


def wants(pattern: str, kind: str) -> bool:
    return pattern == EVERYTHING or matches(pattern, kind)


def compare(settings: Settings, *, act: Act | None = None, now: dt.datetime | None = None) -> Report:
    """All differences between senders and subscribers. With `act` they are repaired as well."""
    sources = Sources(settings)
    try:
        with sources.look() as look:
            moment = now or dt.datetime.now(dt.UTC)
            return reconcile.reconcile(look.rows, act, SERVICES, subscribers(), wants, moment)
    finally:
        sources.close()


def repair(
    settings: Settings, *, wait: Callable[[float], Any] = time.sleep, within: float = ARRIVES_WITHIN
) -> Repaired:
    """Make missing queues and bindings again, compare, publish again, and wait until it arrived or `within` seconds are
    over. Raises Unreachable.
    """
    restored = restore(settings.bus)
    with operations(settings) as act:
        done = Repaired(compare(settings, act=act), _index(settings, act), restored)
        waited, pause = 0.0, 0.5
        while True:
            now = compare(settings) if done.report.published or done.report.differences else Report()
            done.left = now.differences
            # What the source itself has lost is nobody's to publish.
            arrived = not now.waiting and not any(one.missing for one in now.differences)
            if waited >= within or arrived:
                return done
            wait(pause)
            waited += pause
            pause = min(pause * 2, 8.0)


def restore(bus: str) -> int:
    """What is published again must find its way. Returns how many queues there are; none is changed that is there."""
    if not bus:
        return 0
    try:
        return connect(bus).restore([runtime.endpoint() for runtime in runtimes()])
    except BusUnavailable as error:
        raise Unreachable(f"broker: {error}") from error


def _index(settings: Settings, act: Act) -> int:
    """Publish the latest change of what the index has not, has in another version, or has too much."""
    sources, published = Sources(settings), 0
    try:
        with sources.look() as look:
            for service, records in sorted(_differing(look).items()):
                published += reconcile.publish_latest(look.rows, act, service, sorted(records))
    finally:
        sources.close()
    return published


def _differing(look: Look) -> dict[str, set[tuple[str, str]]]:
    """By service the records (tenant, id) whose document is not of their version."""
    _, missing, extra = look.compare(living(), [DOCUMENTS])
    found: dict[str, set[tuple[str, str]]] = {}
    for tenant, key in [*missing, *extra]:
        record_id, record, _ = key.split(" ")
        found.setdefault(record.split(".", 1)[0], set()).add((tenant, record_id))
    return found


@contextmanager
def operations(settings: Settings) -> Iterator[Act]:
    """Connections of the `ops` roles, one at a time: an embedded suite has few to spare."""

    @contextmanager
    def act(service: str) -> Iterator[Connection]:
        engine = make_engine(settings.database_url(service, "ops"), pool_size=1, name="guanxi reconcile")
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    yield act
