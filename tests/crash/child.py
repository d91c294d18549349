"""A process that runs every service and is killed at the step it was told to die at. The world is at the other end."""

from __future__ import annotations

import datetime as dt
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from chassis.bus.ports import Outcome, Outgoing
from tests.proof import steps
from tests.proof.house import House


class Died(Exception):
    """The child is gone; its last step is the message."""


class Pipeline:
    """See `tests.proof.house.Outside`: each call crosses into the parent, which outlives this process."""

    connection: Connection

    def publish(self, item: Outgoing) -> Outcome:
        self.connection.send(("publish", item))
        outcome: Outcome = self.connection.recv()
        return outcome

    def acknowledge(self, tags: Sequence[int]) -> None:
        self.connection.send(("acknowledge", list(tags)))

    def again(self, tag: int) -> None:
        self.connection.send(("again", tag))

    def answer(self, body: bytes) -> None:
        self.connection.send(("answer", body))

    def mail(self, message_id: str) -> None:
        self.connection.send(("mail", message_id))


class Mortal:
    """Counts the steps of this process and ends it, by a real SIGKILL, just before the one that was chosen."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._last: int | None = None
        self._seen: list[str] = []

    def arm(self, moment: int | None) -> None:
        self._last, self._seen = moment, []

    def passed(self) -> list[str]:
        return self._seen

    def step(self, kind: str, label: str) -> None:
        told = f"{kind} {steps.readable(label)}"
        if len(self._seen) == self._last:
            self._pipeline.connection.send(("dying", told))
            os.kill(os.getpid(), signal.SIGKILL)
        self._seen.append(told)


class Child:
    """The parent's handle on one such process, a fork of itself with everything imported and connected."""

    def __init__(self, house: House, pipeline: Pipeline, bug: Callable[[House], None] | None) -> None:
        self._connection, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._connection.close()
                pipeline.connection = theirs
                if bug is not None:
                    bug(house)
                _serve(house, Mortal(pipeline), theirs)
            finally:
                os._exit(0)
        theirs.close()

    def do(self, turn: str, *arguments: Any, heard: Callable[[str, Any], Any]) -> tuple[Any, set[str]]:
        """Let the child take a turn; `heard` is told what it says to the world. Raises Died when it does not return.

        Returns what the turn returned, and the services that now have something to publish.
        """
        words = "killed from outside"
        try:
            self._connection.send((turn, arguments))
            while True:
                kind, value = self._connection.recv()
                if kind == "done":
                    result, woken = value
                    return result, woken
                if kind == "failed":
                    raise AssertionError(value)
                if kind == "dying":
                    words = value
                elif kind == "publish":
                    self._connection.send(heard(kind, value))
                else:
                    heard(kind, value)
        except (EOFError, OSError):
            self.bury()
            raise Died(words) from None

    def at(self, now: dt.datetime) -> None:
        """Put the child's clock."""
        with suppress(OSError):
            self._connection.send(("at", (now,)))

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.bury()

    def bury(self) -> None:
        os.waitpid(self.pid, 0)
        self._connection.close()


def _serve(house: House, mortal: Mortal, connection: Connection) -> None:
    turns = {
        "request": house.request,
        "relay": house.relay,
        "deliver": house.deliver,
        "keep_house": house.keep_house,
        "arm": mortal.arm,
        "passed": mortal.passed,
    }
    steps.listen(mortal.step)
    steps.woken.clear()
    while True:
        try:
            turn, arguments = connection.recv()
        except EOFError:
            return
        if turn == "at":
            (house.clock.at,) = arguments
            continue
        try:
            result = turns[turn](*arguments)
        except Exception as error:
            connection.send(("failed", f"{turn}: {error!r}"))
        else:
            connection.send(("done", (result, set(steps.woken))))
            steps.woken.clear()
