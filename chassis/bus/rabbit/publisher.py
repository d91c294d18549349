"""Persistent messages with confirms, many on their way at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import amqp

from chassis.bus.ports import COMMANDS, Outcome, Outgoing
from chassis.bus.rabbit.link import Down, Link, publish

DEADLINE = 10.0
PATIENCE = 2.0
WINDOW = 256


class _Session:
    """A channel in confirm mode, what it still waits for (ordered by tag, oldest first), and what became of the rest
    until its sender asks."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.next_tag = 1
        self.waiting: dict[int, str] = {}
        self.outcomes: dict[str, Outcome | None] = {}
        self.returned: set[str] = set()
        self.room = WINDOW
        self.settled = threading.Event()
        self.ended = False

    def send(self, item: Outgoing) -> None:
        tag = self.next_tag
        self.next_tag += 1
        self.waiting[tag] = item.id
        self.outcomes[item.id] = None
        message = amqp.Message(
            item.body,
            content_type="application/json" if item.exchange == COMMANDS else "application/cloudevents+json",
            delivery_mode=2,
            message_id=item.id,
            correlation_id=str(tag),
        )
        publish(self.channel, item.exchange, item.routing_key, message, mandatory=True)

    def take(self, item: Outgoing) -> Outcome:
        """What became of it. An answer is given once; what is still on its way stays known."""
        outcome = self.outcomes.get(item.id)
        if outcome is None:
            return Outcome.FAILED
        del self.outcomes[item.id]
        return outcome

    def wait(self, room: int, end: float) -> bool:
        """Whether at most `room` messages are unconfirmed, after waiting for that until `end`."""
        self.room = room
        while len(self.waiting) > room and not self.ended:
            self.settled.clear()
            if (len(self.waiting) > room and not self.ended) and not self.settled.wait(
                max(0.0, end - time.monotonic())
            ):
                return False
        return not self.ended

    def on_return(self, _error: Exception, _exchange: str, _routing_key: str, message: Any) -> None:
        # The broker returns a message before it confirms it.
        self.returned.add(message.properties["correlation_id"])

    def on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple, Outcome.CONFIRMED)

    def on_nack(self, tag: int, multiple: bool) -> None:
        self._settle(tag, multiple, Outcome.FAILED)

    def _settle(self, tag: int, multiple: bool, outcome: Outcome) -> None:
        done = [tag]
        if multiple:
            done = []
            for waiting in list(self.waiting):
                if waiting > tag:
                    break
                done.append(waiting)
        for each in done:
            if (found := self.waiting.pop(each, None)) is not None:
                returned = str(each) in self.returned
                self.returned.discard(str(each))
                self.outcomes[found] = Outcome.UNROUTABLE if returned else outcome
        if len(self.waiting) <= self.room:
            self.settled.set()

    def end(self) -> None:
        self.ended = True
        self.settled.set()


class RabbitPublisher:
    """Thread-safe, one batch at a time, on a connection that consumes nothing.

    What the broker did not confirm before the deadline counts as failed although it may have arrived: the sender
    sends it again and every receiver knows its id. While the broker is blocked by an alarm, what was written to the
    living connection is on its way still, and is not written again: a broker reads all of that when the alarm is over.
    """

    def __init__(self, url: str, name: str) -> None:
        self._turn = threading.Lock()
        self.link: Link[_Session] = Link(url, f"{name} publishes", self._opened, lost=_Session.end)
        self.link.start()

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        end = time.monotonic() + DEADLINE
        if not batch or not self._turn.acquire(timeout=DEADLINE):
            return [Outcome.FAILED] * len(batch)
        try:
            if not self.link.wait(PATIENCE) or self.link.blocked:
                return [Outcome.FAILED] * len(batch)
            session = self.link.session
            if session is None:
                return [Outcome.FAILED] * len(batch)
            with suppress(Down):  # What was confirmed before says so; the rest has failed.
                self._send(session, [item for item in batch if item.id not in session.outcomes], end)
            return [session.take(item) for item in batch]
        finally:
            self._turn.release()

    def close(self) -> None:
        self.link.close()

    def _send(self, session: _Session, batch: Sequence[Outgoing], end: float) -> None:
        """Write what is new, and wait until everything is confirmed, also what an earlier batch left on its way."""
        position = 0
        while True:
            part = batch[position : position + WINDOW]

            def write(current: _Session, part: Sequence[Outgoing] = part) -> None:
                if current is not session:
                    raise Down("reconnected in the middle of a batch")
                for item in part:
                    self.link.allow(end - time.monotonic())
                    current.send(item)

            if part:
                self.link.write(write, end - time.monotonic())
            position += len(part)
            if not session.wait(WINDOW if position < len(batch) else 0, end):
                # Nothing can be said of a connection that is silent without a reason, so it goes.
                if not self.link.blocked:
                    self.link.abort()
                return
            if position == len(batch):
                return

    def _opened(self, connection: Any) -> _Session:
        channel = connection.channel()
        session = _Session(channel)
        channel.events["basic_return"].add(session.on_return)
        channel.events["basic_ack"].add(session.on_ack)
        channel.events["basic_nack"].add(session.on_nack)
        channel.confirm_select()
        return session
