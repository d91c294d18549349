"""All services in one process between a bus, a clock and a mail server that the test holds in its hands."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from chassis import blobs, relay
from chassis.bus.handling import handle, handle_batch
from chassis.bus.ports import BusUnavailable, Endpoint, Outcome, Outgoing
from chassis.bus.wire import decode, encode
from chassis.context import Signer
from chassis.runtime import Runtime
from chassis.testing import SECRET, Databases
from contracts.registry import registry
from services.notify import mail
from tests.proof import steps

JSON = dict[str, Any]


def morning() -> dt.datetime:
    """Today at ten, so that no run crosses midnight."""
    return dt.datetime.now(dt.UTC).replace(hour=10, minute=0, second=0, microsecond=0)


class Clock:
    """Stands where it is put and goes on by a microsecond each time that it is asked."""

    def __init__(self) -> None:
        self.at = morning()

    def now(self) -> dt.datetime:
        self.at += dt.timedelta(microseconds=1)
        return self.at


class Outside(Protocol):
    """What lies beyond the process and outlives it."""

    def publish(self, item: Outgoing) -> Outcome: ...

    def acknowledge(self, tags: Sequence[int]) -> None: ...

    def again(self, tag: int) -> None: ...

    def answer(self, body: bytes) -> None: ...

    def mail(self, message_id: str) -> None: ...


class Parcel:
    """One delivered message; see `chassis.bus.handling.Delivery`."""

    headers: Mapping[str, Any] = {}
    problem: str | None = None

    def __init__(self, kind: str, service: str, body: bytes, tag: int, outside: Outside) -> None:
        self.kind, self.queue, self.body, self.tag = kind, f"{kind}-{service}", body, tag
        self._outside = outside

    def void(self) -> bool:
        return False

    def answer(self, body: bytes) -> None:
        steps.reach("answer", self.queue)
        self._outside.answer(body)

    def done(self) -> None:
        if self.kind != "rpc":
            steps.reach("ack", self.queue)
            self._outside.acknowledge([self.tag])

    def again(self) -> None:
        self._outside.again(self.tag)

    def release(self) -> None:
        """Nothing stops these services but death."""


class House:
    """The services that stand on one set of databases. Every call is one turn of one of them."""

    def __init__(self, databases: Databases, services: Iterable[str], clock: Clock, outside: Outside) -> None:
        registry.load()
        self.clock, self.signer, self.outside = clock, Signer(SECRET), outside
        self._databases = databases
        self.blobs = blobs.connect(databases.files.as_uri())
        self.runtimes: dict[str, Runtime] = {}
        self.endpoints: dict[str, Endpoint] = {}
        for service in services:
            self.start(service)
        # The mail server is outside as well.
        mail.send = self._send  # type: ignore[assignment]

    def start(self, service: str) -> None:
        """Start a service, or start it anew with nothing in its memory."""
        definition = importlib.import_module(f"services.{service}.service").service
        database = self._databases.open(service, self.clock)  # type: ignore[arg-type]
        database.clock = self.clock
        self.runtimes[service] = Runtime(definition, database, self.signer, self, self.clock)
        self.runtimes[service].blobs = self.blobs
        self.endpoints[service] = self.runtimes[service].endpoint()

    def _send(self, smtp: Any, message: Any) -> None:
        steps.reach("mail", str(message["Subject"]))
        self.outside.mail(message["Message-ID"])

    # --- what services use of the bus

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        if service not in self.runtimes:
            raise BusUnavailable(f"{service} does not run here")
        reply: JSON = decode(encode(self.runtimes[service].rpc(decode(encode(request)))))
        return reply

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        outcomes = []
        for item in batch:
            steps.reach("publish", item.routing_key)
            outcomes.append(self.outside.publish(item))
        steps.reach("confirm", f"{len(batch)} messages")
        return outcomes

    def close(self) -> None:
        """There is no connection."""

    # --- turns

    def request(self, service: str, body: bytes) -> None:
        handle(self.endpoints[service], Parcel("rpc", service, body, 0, self.outside))

    def relay(self, service: str) -> int:
        done, left = relay.publish_once(self.runtimes[service].database, service, self)
        return done + left

    def deliver(self, service: str, kind: str, messages: Sequence[tuple[int, bytes]]) -> None:
        """Hand over events, all in one batch as a consumer would get them, or messages, one by one."""
        parcels = [Parcel(kind, service, body, tag, self.outside) for tag, body in messages]
        if kind == "event":
            handle_batch(self.endpoints[service], parcels, self._finished)
        else:
            for parcel in parcels:
                handle(self.endpoints[service], parcel)

    def _finished(self, parcels: Sequence[Any]) -> None:
        steps.reach("ack", parcels[0].queue)
        self.outside.acknowledge([parcel.tag for parcel in parcels])

    def keep_house(self, service: str) -> int:
        """One round of the leader's housekeeping. Returns how much there was to do."""
        runtime = self.runtimes[service]
        busy = 0
        if runtime.anything_due():
            busy = runtime.retry_due() + runtime.sweep_sagas() + runtime.ring_alarms()
        for timer in runtime.definition.timers:
            # Search compares all tenants by the clock on the wall, so its steps are not the same each time; and what
            # it repairs must have come right without it.
            if service == "search":
                continue
            busy += timer.run(runtime) or 0
        return busy

    def subscribers(self, item: Outgoing) -> list[tuple[str, str]]:
        """Who gets a message and as what: `[("customer", "event"), …]`."""
        if not item.exchange.endswith(".events"):
            return [(item.routing_key, "message")]
        return [
            (name, "event")
            for name, endpoint in self.endpoints.items()
            if any(_bound(key, item) for key in endpoint.bindings())
        ]


def _bound(binding: tuple[str, str], item: Outgoing) -> bool:
    exchange, key = binding
    if exchange != item.exchange:
        return False
    return key.endswith(".#") or key == item.routing_key or key == item.routing_key.rsplit(".", 1)[0] + ".*"
