"""The transport for the whole suite in one process.

Ours, and not kombu's memory transport, because that one has no mandatory, no confirms and no expiry and polls once per
second: neither "nobody serves this" nor "every subscriber holds this" could be told apart from silence.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import eventlet

from chassis.bus import hosting, wire
from chassis.bus.handling import Delivery, read_reply
from chassis.bus.ports import COMMANDS, BusUnavailable, Endpoint, Outcome, OutcomeUnknown, Outgoing
from chassis.bus.transport import Transport

if TYPE_CHECKING:
    from chassis.bus.hosting import Running

PUBLISH_SECONDS = 10.0
RETRY_SECONDS = (1.0, 5.0)


class _Call:
    """A request on its way; see `handling.Delivery`."""

    kind = "rpc"
    problem: str | None = None

    def __init__(self, queue: _Queue, body: bytes, deadline: float) -> None:
        self._queue, self.queue = queue, f"rpc-{queue.endpoint.service}"
        self.body = body
        self.headers: Mapping[str, Any] = {"deadline": deadline}
        self.deadline = deadline
        self.reply: bytes | None = None
        self.answered = threading.Event()
        self.abandoned = False

    def void(self) -> bool:
        return self.abandoned or self.deadline <= time.time()

    def answer(self, body: bytes) -> None:
        self.reply = body
        self.answered.set()

    def done(self) -> None:
        """Nothing to do: the answer was all."""

    def again(self) -> None:
        eventlet.spawn_after(random.uniform(*RETRY_SECONDS), self._queue.put, self)

    def release(self) -> None:
        self._queue.put(self)


class _Message:
    """One subscriber's copy of a published message; see `handling.Delivery`."""

    problem: str | None = None

    def __init__(self, kind: str, queue: str, item: Outgoing, settled: Callable[[bool], None]) -> None:
        self.kind, self.queue, self.body = kind, queue, item.body
        self.headers: Mapping[str, Any] = {"message_id": item.id, "routing_key": item.routing_key}
        self._settled = settled

    def void(self) -> bool:
        return False

    def answer(self, body: bytes) -> None:
        """Nobody asked."""

    def done(self) -> None:
        self._settled(True)

    def again(self) -> None:
        # The sender still has the message and publishes it again, as it does when a broker does not confirm.
        self._settled(False)

    def release(self) -> None:
        self._settled(False)


class _Queue:
    """What is declared for one service. Calls wait here while the service is stopped, as in a durable queue."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.takers: dict[str, Callable[[Delivery], None]] = {}
        self._waiting: deque[_Call] = deque()

    def put(self, call: _Call) -> None:
        if taker := self.takers.get("rpc"):
            taker(call)
        else:
            self._waiting = deque(each for each in (*self._waiting, call) if not each.void())

    def open(self, kind: str, taker: Callable[[Delivery], None]) -> None:
        self.takers[kind] = taker
        if kind == "rpc":
            waiting, self._waiting = self._waiting, deque()
            for call in waiting:
                taker(call)

    def subscription(self, item: Outgoing) -> str | None:
        """As what this service gets the message: "event", "message" or, if it does not, None."""
        if item.exchange == COMMANDS:
            return "message" if self.endpoint.message and item.routing_key == self.endpoint.service else None
        if not (self.endpoint.event or self.endpoint.event_batch):
            return None
        words = item.routing_key.split(".")
        bound = any(
            exchange == item.exchange and _matches(key.split("."), words) for exchange, key in self.endpoint.bindings()
        )
        return "event" if bound else None


class _Feed:
    """See `hosting.Feed`."""

    # The sender waits here until every subscriber has the event, so nobody lets it wait.
    pace = 0.0

    def __init__(self, queue: _Queue, kind: str) -> None:
        self._queue, self._kind = queue, kind
        self._taker: Callable[[Delivery], None] | None = None

    def open(self, put: Callable[[Delivery], None]) -> None:
        self._taker = put
        self._queue.open(self._kind, put)

    def ready(self) -> bool:
        return self._taker is not None

    def cancel(self) -> None:
        if self._taker is not None and self._queue.takers.get(self._kind) is self._taker:
            del self._queue.takers[self._kind]
        self._taker = None

    def finish(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            delivery.done()

    def close(self) -> None:
        self.cancel()


class _Caller:
    """See `ports.Caller`."""

    def __init__(self, queues: dict[str, _Queue]) -> None:
        self._queues = queues

    def call(self, service: str, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        body = wire.encode(request)
        queue = self._queues.get(service)
        if queue is None or queue.endpoint.rpc is None:
            raise BusUnavailable(f"nobody serves rpc-{service}")
        call = _Call(queue, body, time.time() + timeout)
        queue.put(call)
        if not call.answered.wait(timeout):
            call.abandoned = True
            raise OutcomeUnknown(f"{service} did not answer within {timeout:g} s")
        return read_reply(service, call.reply or b"")

    def close(self) -> None:
        """Nothing to do: there is no connection."""


class _Publisher:
    """Confirmed means that every subscriber's handler returned, so that its inbox holds the message."""

    def __init__(self, queues: dict[str, _Queue]) -> None:
        self._queues = queues

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        end = time.monotonic() + PUBLISH_SECONDS
        pending = [self._send(item) for item in batch]
        for each in pending:
            each.settled.wait(max(0.0, end - time.monotonic()))
        return [each.outcome for each in pending]

    def close(self) -> None:
        """Nothing to do: there is no connection."""

    def _send(self, item: Outgoing) -> _Publication:
        targets = [(queue, kind) for queue in self._queues.values() if (kind := queue.subscription(item))]
        takers = [queue.takers.get("events") for queue, _ in targets]
        publication = _Publication(len(targets))
        if None in takers:
            publication.fail()  # A subscriber is stopped. Telling only the others would repeat it to them for nothing.
            return publication
        for (queue, kind), taker in zip(targets, takers, strict=True):
            prefix = "evt" if kind == "event" else "cmd"
            if taker:
                taker(_Message(kind, f"{prefix}-{queue.endpoint.service}", item, publication.settle))
        return publication


class _Publication:
    """One message and how many subscribers have not finished with it."""

    def __init__(self, subscribers: int) -> None:
        self.settled = threading.Event()
        self.outcome = Outcome.FAILED if subscribers else Outcome.UNROUTABLE
        self._open = subscribers
        if not subscribers:
            self.settled.set()

    def settle(self, taken: bool) -> None:
        if not taken:
            self.fail()
            return
        self._open -= 1
        if self._open == 0:
            self.outcome = Outcome.CONFIRMED
            self.settled.set()

    def fail(self) -> None:
        self.settled.set()


class InProcessTransport(Transport):
    """Transports of the same name in one process share their services. Needs a patched process (`bus.start`)."""

    _shared: dict[str, dict[str, _Queue]] = {}

    def __init__(self, name: str) -> None:
        super().__init__()
        self._queues = self._shared.setdefault(name, {})

    def publisher(self) -> _Publisher:
        return _Publisher(self._queues)

    def declare(self, endpoints: Sequence[Endpoint]) -> None:
        for endpoint in endpoints:
            if queue := self._queues.get(endpoint.service):
                queue.endpoint = endpoint
            else:
                self._queues[endpoint.service] = _Queue(endpoint)

    def serve(self, endpoints: Sequence[Endpoint], kinds: set[str]) -> Running:
        self.declare(endpoints)
        return hosting.serve(endpoints, kinds, lambda endpoint, kind: _Feed(self._queues[endpoint.service], kind))

    def connected(self) -> bool:
        return True

    def blocked(self) -> bool:
        return False

    def _new_caller(self) -> _Caller:
        return _Caller(self._queues)


def _matches(pattern: list[str], words: list[str]) -> bool:
    """AMQP's topic rule: `*` is exactly one word, `#` any number of them."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_matches(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _matches(pattern[1:], words[1:])
