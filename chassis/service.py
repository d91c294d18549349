"""What a service is made of (`Service`); `chassis.runtime` brings it to work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from chassis import repointing, saga
from chassis.context import Context
from chassis.database import Work
from chassis.records import Store
from contracts.records import Ask, Query

JSON = dict[str, Any]
USER = ("name", "email", "manager_id", "status", "locale", "zone")


@dataclass(frozen=True)
class Reaction:
    """What a service does when somebody's event arrives: `handle(event, work)`. Its name is the consumer's."""

    name: str
    types: tuple[str, ...]
    handle: Callable[[JSON, Work], Any]


def on(*types: str) -> Callable[[Callable[[JSON, Work], Any]], Reaction]:
    """Declare a reaction: `@on("sales.order.confirmed") def on_order_confirmed(event, work)`; or `sales.order.*`."""

    def declare(handle: Callable[[JSON, Work], Any]) -> Reaction:
        return Reaction(handle.__name__, types, handle)

    return declare


@dataclass(frozen=True)
class Timer:
    """Something the leader of a service does again and again: `run(runtime)`."""

    name: str
    every: dt.timedelta
    run: Callable[[Any], Any]


class Service:
    """Declares what a service owns, publishes and listens to. It holds no rules."""

    name: ClassVar[str]
    stores: ClassVar[tuple[Store[Any], ...]] = ()
    reactions: ClassVar[tuple[Reaction, ...]] = ()
    sagas: ClassVar[tuple[saga.Saga, ...]] = ()
    asks: ClassVar[tuple[tuple[Ask, Callable[[Any, Work], Any]], ...]] = ()
    queries: ClassVar[tuple[tuple[Query, Callable[[Work, str], JSON]], ...]] = ()
    timers: ClassVar[tuple[Timer, ...]] = ()
    alarms: ClassVar[dict[str, Callable[[str, Work], Any]]] = {}
    """What happens when a durable alarm (`chassis.timers`) is due: `{"overdue": handle(key, work)}`."""
    carries: ClassVar[dict[str, tuple[repointing.Carry, repointing.Carry]]] = {}
    """Balances of others' records that follow a merge: `{"customer.account": (over, back)}`, each called once with
    `(winner_id, loser_ids, merge_id, work)` before the references are led."""
    copies: ClassVar[dict[str, tuple[str, ...]]] = {}
    """Records of others that this service keeps minimal copies of: `{"customer.account": ("name", "currencies")}`."""
    methods: ClassVar[dict[str, Callable[[Any, Context, JSON], JSON]]] = {}
    """Calls of its own shape, such as `identity.login`."""
    generation: ClassVar[int] = 1
    """Of its queues: raised when their arguments change, so that `guanxi migrate` makes new ones."""
    batch: ClassVar[Callable[[Any, list[JSON]], None] | None] = None
    """A heavy reader takes every event, many at a time, instead of reactions."""
    batch_size: ClassVar[int] = 500
    """How many events a heavy reader is given at most."""
    uses: ClassVar[dict[str, Callable[[Any], bool | None]]] = {}
    """What it can do without: whether `(runtime)` it answers, None where it is not set up. Readiness tells of it."""
    environment: ClassVar[tuple[Callable[[], Any], ...]] = ()
    """Readers of the variables that it alone has; a process that is to serve it asks them before it begins."""
    measured: ClassVar[Callable[[Any], bytes] | None] = None
    """What `(runtime)` measures beside what every service does, in the Prometheus text format."""
    held: ClassVar[str] = ""
    """For a heavy reader that keeps every event: SQL that selects `tenant_id`, `source` and `event_id` of those."""
