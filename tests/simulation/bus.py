"""A bus that repeats, delays and reorders as the dice say, and loses what it has not confirmed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from chassis.bus.ports import Outcome, Outgoing


class Dice(Protocol):
    """What decides: `random.Random(seed)`, or Hypothesis, which shrinks."""

    def random(self) -> float: ...

    def randint(self, a: int, b: int) -> int: ...

    def shuffle(self, x: list[Message]) -> None: ...


@dataclass(frozen=True)
class Message:
    tag: int
    label: str
    body: bytes


class DicedBus:
    """See `tests.proof.house.Outside`. What is confirmed stays in its queue until it is acknowledged."""

    def __init__(
        self, dice: Dice, subscribers: Callable[[Outgoing], list[tuple[str, str]]], say: Callable[[str], None]
    ) -> None:
        self._dice, self._subscribers, self._say = dice, subscribers, say
        self.queues: dict[tuple[str, str], list[Message]] = {}
        self.answered: bytes | None = None
        self.kind = True
        """No faults (any more)."""
        self._tags = 0

    def _happens(self, probability: float) -> bool:
        # The smallest roll is no fault, so that a story is shortened towards one without any.
        return not self.kind and self._dice.random() > 1 - probability

    def publish(self, item: Outgoing) -> Outcome:
        if self._happens(0.08):
            self._say(f"    lost before the broker had it: {item.routing_key}")
            return Outcome.FAILED
        for target in self._subscribers(item):
            for _ in range(2 if self._happens(0.08) else 1):
                self._tags += 1
                self.queues.setdefault(target, []).append(Message(self._tags, item.routing_key, item.body))
        if self._happens(0.05):
            self._say(f"    the confirm was lost: {item.routing_key}")
            return Outcome.FAILED
        return Outcome.CONFIRMED

    def take(self, target: tuple[str, str]) -> list[Message]:
        """Some of what waits in a queue, in any order; the rest is delayed."""
        messages = list(self.queues[target])
        if not self.kind:
            self._dice.shuffle(messages)
            del messages[self._dice.randint(1, len(messages)) :]
        return messages

    def acknowledge(self, tags: Sequence[int]) -> None:
        if self._happens(0.05):
            self._say("    the acknowledgement was lost")
            return
        for target, queue in self.queues.items():
            self.queues[target] = [message for message in queue if message.tag not in tags]

    def again(self, tag: int) -> None:
        raise AssertionError(f"a handler failed, and message {tag} was given back")

    def answer(self, body: bytes) -> None:
        self.answered = body

    def mail(self, message_id: str) -> None:
        """Nobody is told anything here."""
