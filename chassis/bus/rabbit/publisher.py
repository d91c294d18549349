"""Persistent messages with confirms, many on their way at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import amqp

from chassis.bus.ports import COMMANDS, Outcome, Outgoing
from chassis.bus.rabbit.link import Down, Link, publish

DEADLINE = 10.0
PATIENCE = 2.0
WINDOW = 256


class _Session:
    """A channel in confirm mode and what it still waits for. Its `waiting` is ordered by tag, oldest first."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.next_tag = 1
        self.waiting: dict[int, tuple[list[Outcome], int]] = {}
        self.returned: set[str] = set()
        self.room = WINDOW
        self.settled = threading.Event()
        self.ended = False

    def send(self, outcomes: list[Outcome], index: int, item: Outgoing) -> None:
        tag = self.next_tag
        self.next_tag += 1
        self.waiting[tag] = (outcomes, index)
        message = amqp.Message(
            item.body,
            content_type="application/json" if item.exchange == COMMANDS else "application/cloudevents+json",
            delivery_mode=2,
            message_id=item.id,
            correlation_id=str(tag),
        )
        publish(self.channel, item.exchange, item.routing_key, message, mandatory=True)

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
            if found := self.waiting.pop(each, None):
                outcomes, index = found
                returned = str(each) in self.returned
                self.returned.discard(str(each))
                outcomes[index] = Outcome.UNROUTABLE if returned else outcome
        if len(self.waiting) <= self.room:
            self.settled.set()

    def end(self) -> None:
        self.ended = True
        self.settled.set()


class RabbitPublisher:
    """Thread-safe, one batch at a time, on a connection that consumes nothing.

    What the broker did not confirm before the deadline counts as failed although it may have arrived: the sender
    sends it again and every receiver knows its id.
    """

    def __init__(self, url: str, name: str) -> None:
        self._turn = threading.Lock()
        self.link: Link[_Session] = Link(url, f"{name} publishes", self._opened, lost=_Session.end)
        self.link.start()

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        end = time.monotonic() + DEADLINE
        outcomes = [Outcome.FAILED] * len(batch)
        if not batch or not self._turn.acquire(timeout=DEADLINE):
            return outcomes
        try:
            if self.link.wait(PATIENCE) and not self.link.blocked:
                self._send(batch, outcomes, end)
        except Down:
            pass  # What was confirmed before says so already; the rest has failed.
        finally:
            self._turn.release()
        return list(outcomes)

    def close(self) -> None:
        self.link.close()

    def _send(self, batch: Sequence[Outgoing], outcomes: list[Outcome], end: float) -> None:
        position = 0
        while position < len(batch):
            session = self.link.session
            part = range(position, min(position + WINDOW, len(batch)))

            def write(current: _Session, part: range = part, expected: _Session | None = session) -> None:
                if current is not expected:
                    raise Down("reconnected in the middle of a batch")
                for index in part:
                    self.link.allow(end - time.monotonic())
                    current.send(outcomes, index, batch[index])

            self.link.write(write, end - time.monotonic())
            position = part.stop
            room = WINDOW if position < len(batch) else 0
            if session is None or not session.wait(room, end):
                # A late confirm would belong to a batch that was answered already, so the channel must go.
                self.link.abort()
                return

    def _opened(self, connection: Any) -> _Session:
        channel = connection.channel()
        session = _Session(channel)
        channel.events["basic_return"].add(session.on_return)
        channel.events["basic_ack"].add(session.on_ack)
        channel.events["basic_nack"].add(session.on_nack)
        channel.confirm_select()
        return session
