"""What a service receives from RabbitMQ, and how it answers."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import amqp
import eventlet

from chassis.bus.handling import Delivery
from chassis.bus.ports import Endpoint
from chassis.bus.rabbit import topology
from chassis.bus.rabbit.caller import REPLY_TO
from chassis.bus.rabbit.link import Down, Link, clustered, publish

CALL_PREFETCH = 50
REPLY_PATIENCE = 3.0
RETRY_SECONDS = (1.0, 5.0)
TAG = "bus"
# Two hundred events a second then come to a heavy reader ten at a time, at half the cost of one by one.
PACE_SECONDS, HEAVY_PACE_SECONDS = 0.01, 0.05

log = logging.getLogger(__name__)


class Replies:
    """The connection on which a process answers calls: a publishing connection may be blocked by the broker, and
    then acknowledgements must still flow on the consuming one."""

    def __init__(self, url: str, name: str) -> None:
        self.link: Link[Any] = Link(url, f"{name} replies", lambda connection: connection.channel())
        self.link.start()

    def send(self, reply_to: str, correlation_id: str, body: bytes) -> None:
        """A reply that cannot leave is dropped: its caller learns nothing and asks again with the same key."""
        # After an outage the queue may be back before this connection is, and its first callers would wait in vain.
        self.link.come_up(REPLY_PATIENCE)
        message = amqp.Message(body, content_type="application/json", delivery_mode=1, correlation_id=correlation_id)
        try:
            self.link.write(lambda channel: publish(channel, "", reply_to, message))
        except Down as error:
            log.warning("a reply was dropped: %s", error)


class _Inflow:
    """One queue's channel within one connection, with the tags that are not settled yet, oldest first."""

    def __init__(self, link: Link[list[_Inflow]], kind: str, queue: str, channel: Any) -> None:
        self.link, self.kind, self.queue, self.channel = link, kind, queue, channel
        self.open: dict[int, None] = {}

    def current(self) -> bool:
        return self in (self.link.session or ())

    def ack(self, tags: Sequence[int]) -> None:
        self._write(lambda: self._ack(tags))

    def reject(self, tag: int) -> None:
        self._write(lambda: self._reject(tag))

    def _ack(self, tags: Sequence[int]) -> None:
        for tag in tags:
            self.open.pop(tag, None)
        last = max(tags)
        # One frame for all, unless an older message still waits for its retry and would be acknowledged along.
        if len(tags) > 1 and next(iter(self.open), last + 1) > last:
            self.channel.basic_ack(last, multiple=True)
        else:
            for tag in tags:
                self.channel.basic_ack(tag)

    def _reject(self, tag: int) -> None:
        # Not before its frame has its turn: an acknowledgement of many in between would take it for settled.
        self.open.pop(tag, None)
        self.channel.basic_reject(tag, requeue=True)

    def _write(self, action: Callable[[], Any]) -> None:
        # Tags mean nothing on another channel; what a lost connection had open, the broker delivers again.
        try:
            self.link.write(lambda inflows: action() if self in inflows else None)
        except Down as error:
            log.debug("a message could not be settled: %s", error)
            # A connection that lives on would keep the message, and its place among the prefetched, for ever.
            if self.current():
                self.link.abort()


class RabbitDelivery:
    """See `handling.Delivery`."""

    def __init__(self, inflow: _Inflow, replies: Replies | None, message: Any) -> None:
        self.kind, self.queue = inflow.kind, inflow.queue
        self.body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
        self._properties: Mapping[str, Any] = message.properties
        own = {name: value for name, value in self._properties.items() if name != "application_headers"}
        self.headers: Mapping[str, Any] = own | self._properties.get("application_headers", {})
        self.inflow, self.tag = inflow, message.delivery_tag
        self._replies = replies
        self.problem = self._find_problem()

    def void(self) -> bool:
        if not self.inflow.current():
            return True
        return self.kind == "rpc" and self.problem is None and self.headers["deadline"] <= time.time()

    def answer(self, body: bytes) -> None:
        if self._replies:
            self._replies.send(self._properties["reply_to"], self._properties["correlation_id"], body)

    def done(self) -> None:
        self.inflow.ack([self.tag])

    def again(self) -> None:
        eventlet.spawn_after(random.uniform(*RETRY_SECONDS), self.inflow.reject, self.tag)

    def release(self) -> None:
        """Another replica may take it at once, while this one still finishes what it has begun."""
        self.inflow.reject(self.tag)

    def _find_problem(self) -> str | None:
        content_type = self._properties.get("content_type", "")
        if content_type not in ("application/json", "application/cloudevents+json"):
            return "the content type is not JSON"
        if self.kind == "rpc":
            # Only the broker's own reply address, so that a reply cannot be made to land in another service's queue.
            if not str(self._properties.get("reply_to", "")).startswith(REPLY_TO):
                return "there is no direct reply address"
            if not self._properties.get("correlation_id"):
                return "there is no correlation id"
            if type(self.headers.get("deadline")) not in (int, float):
                return "there is no deadline"
        return None


class RabbitFeed:
    """The consuming connection of one endpoint and kind."""

    def __init__(self, url: str, name: str, endpoint: Endpoint, kind: str, replies: Replies | None) -> None:
        self._url, self._name = url, f"{name} {endpoint.service} {kind}"
        self._endpoint, self._replies = endpoint, replies
        self.pace = HEAVY_PACE_SECONDS if endpoint.single_consumer else PACE_SECONDS
        self._queues: list[tuple[str, str, int]] = []
        self._kind = kind
        if kind == "rpc":
            self._queues.append(("rpc", topology.calls_queue(endpoint), max(CALL_PREFETCH, 2 * endpoint.rpc_workers)))
        else:
            many = 2 * endpoint.batch_size if endpoint.event_batch else 4 * endpoint.event_workers
            if endpoint.event or endpoint.event_batch:
                self._queues.append(("event", topology.events_queue(endpoint), many))
            if endpoint.message:
                self._queues.append(("message", topology.messages_queue(endpoint), 4 * endpoint.event_workers))
        self.link: Link[list[_Inflow]] = Link(self._url, self._name, self._opened, self._consume)

    def open(self, put: Callable[[Delivery], None]) -> None:
        self._put = put
        self.link.start()

    def ready(self) -> bool:
        return self.link.connected

    def cancel(self) -> None:
        with suppress(Down):  # Without a connection nothing is consumed either.
            self.link.write(_cancel, 1.0)

    def finish(self, deliveries: Sequence[Delivery]) -> None:
        tags: dict[_Inflow, list[int]] = {}
        for delivery in deliveries:
            assert isinstance(delivery, RabbitDelivery)
            tags.setdefault(delivery.inflow, []).append(delivery.tag)
        for inflow, each in tags.items():
            inflow.ack(each)

    def close(self) -> None:
        self.link.close()

    def _opened(self, connection: Any) -> list[_Inflow]:
        topology.attach(connection, self._endpoint, self._kind, clustered=clustered(self._url))
        inflows = []
        for kind, queue, prefetch in self._queues:
            channel = connection.channel()
            channel.basic_qos(0, prefetch, False)
            inflows.append(_Inflow(self.link, kind, queue, channel))
        return inflows

    def _consume(self, inflows: list[_Inflow]) -> None:
        for inflow in inflows:
            inflow.channel.basic_consume(
                inflow.queue, TAG, callback=partial(self._receive, inflow), on_cancel=self._cancelled
            )

    def _receive(self, inflow: _Inflow, message: Any) -> None:
        inflow.open[message.delivery_tag] = None
        self._put(RabbitDelivery(inflow, self._replies, message))

    def _cancelled(self, tag: str) -> None:
        raise ConnectionError("the broker cancelled a consumer; its queue may have been deleted")


def _cancel(inflows: Sequence[_Inflow]) -> None:
    for inflow in inflows:
        inflow.channel.basic_cancel(TAG, nowait=True)
