"""Remote calls: requests from any thread over one connection, answers by direct reply-to."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any

import amqp

from chassis.bus import wire
from chassis.bus.handling import read_reply
from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.bus.rabbit.link import Down, Link, publish

REPLY_TO = "amq.rabbitmq.reply-to"
PATIENCE = 2.0
"""Seconds that a call waits for a connection before it says that there is no bus."""


class _Pending:
    __slots__ = ("answered", "outcome")

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.outcome: bytes | Exception | None = None

    def settle(self, outcome: bytes | Exception) -> None:
        self.outcome = outcome
        self.answered.set()


class RabbitCaller:
    """Thread-safe. Requests are transient, unconfirmed and mandatory, and expire in the queue at their deadline:
    what a repeated or lost request means is settled by the idempotency key in the database, not by the broker."""

    def __init__(self, url: str, name: str) -> None:
        self._pending: dict[str, _Pending] = {}
        self._ids = itertools.count(1)
        self.link: Link[Any] = Link(url, f"{name} calls", self._opened, lost=self._lost)
        self.link.start()

    def call(self, service: str, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        body = wire.encode(request)
        end = time.monotonic() + timeout
        if not self.link.wait(min(timeout, PATIENCE)):
            raise BusUnavailable("no connection to the broker")
        if self.link.blocked:
            raise BusUnavailable("the broker accepts no messages")
        seconds = end - time.monotonic()
        identity = str(next(self._ids))
        message = amqp.Message(
            body,
            content_type="application/json",
            delivery_mode=1,
            correlation_id=identity,
            reply_to=REPLY_TO,
            expiration=str(max(1, int(seconds * 1000))),
            application_headers={"deadline": time.time() + seconds},
        )
        pending = _Pending()

        def send(channel: Any) -> None:
            self._pending[identity] = pending
            publish(channel, "", f"rpc-{service}", message, mandatory=True)

        try:
            self.link.write(send, seconds)
            if not pending.answered.wait(max(0.0, end - time.monotonic())):
                raise OutcomeUnknown(f"{service} did not answer within {timeout:g} s")
        except Down as error:
            raise BusUnavailable(str(error)) from error
        finally:
            self._pending.pop(identity, None)
        if isinstance(pending.outcome, Exception):
            raise pending.outcome
        return read_reply(service, pending.outcome or b"")

    def close(self) -> None:
        self.link.close()

    def _opened(self, connection: Any) -> Any:
        channel = connection.channel()
        channel.events["basic_return"].add(self._on_return)
        channel.basic_consume(REPLY_TO, no_ack=True, callback=self._on_reply)
        return channel

    def _on_reply(self, message: Any) -> None:
        # An answer that came after its caller had given up finds nobody here, and is dropped.
        if pending := self._pending.get(message.properties.get("correlation_id", "")):
            pending.settle(bytes(message.body))

    def _on_return(self, _error: Exception, _exchange: str, routing_key: str, message: Any) -> None:
        if pending := self._pending.get(message.properties.get("correlation_id", "")):
            pending.settle(BusUnavailable(f"nobody serves {routing_key}"))

    def _lost(self, _channel: Any) -> None:
        for pending in list(self._pending.values()):
            pending.settle(OutcomeUnknown("the connection broke while the answer was awaited"))
