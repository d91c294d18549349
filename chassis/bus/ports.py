"""What the bus offers and what it asks for, in types that name no broker and no framework."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

COMMANDS = "guanxi.commands"
"""The direct exchange of saga commands and their replies; the routing key is the receiving service."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A persistent message: an event (exchange `sales.events`, key `sales.order.placed`) or a saga message."""

    exchange: str
    routing_key: str
    id: str
    body: bytes


class Outcome(Enum):
    """What became of a published message. Only CONFIRMED may be forgotten by the sender."""

    CONFIRMED = "confirmed"
    UNROUTABLE = "unroutable"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue that an endpoint has, or (`old`) had in an earlier generation: whether it is there, how many messages
    wait in it, and how many consumers read it."""

    name: str
    there: bool
    messages: int
    consumers: int
    old: bool = False


@dataclass(frozen=True, slots=True)
class QueueShape:
    """A queue as it has to be: its arguments, and the pairs of exchange and routing key by which it is fed."""

    name: str
    arguments: dict[str, Any]
    bindings: list[tuple[str, str]]


class BusUnavailable(Exception):
    """The request was certainly not delivered: no broker, or nobody serves this, or nothing was written."""


class OutcomeUnknown(Exception):
    """The request was sent, and no answer came before the deadline or before the connection broke."""


class Publisher(Protocol):
    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        """Outcomes in the order of the batch, after at most 10 s; broker trouble is FAILED, never an exception."""
        ...

    def close(self) -> None: ...


class Caller(Protocol):
    def call(self, service: str, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        """The service's reply within `timeout` seconds. Raises BusUnavailable or OutcomeUnknown."""
        ...

    def close(self) -> None: ...


@dataclass
class Endpoint:
    """What one service offers to the bus. Every callable may run in several green threads at once, batches excepted.

    `rpc` maps a request to a reply. `event` takes one structured CloudEvents body; who gives `event_batch` instead gets
    many in one call, one call at a time: in the whole system, or (`single_consumer` false) in each process.
    `event_keys` are event types (`sales.order.placed`, `sales.order.*`) or whole exchanges (`sales.#`). `message` takes
    saga commands and replies.
    `undecodable(queue, body, headers, reason)` stores what nobody can read, headers as texts; then the bus forgets it.
    A handler that returns has taken the message over; one that raises gets it again later.
    Whoever changes the `arguments` of the queues of events and messages raises their `generation` as well.
    """

    service: str
    rpc: Callable[[dict[str, Any]], dict[str, Any]] | None
    event: Callable[[bytes], None] | None
    event_batch: Callable[[list[bytes]], None] | None
    event_keys: tuple[str, ...]
    message: Callable[[bytes], None] | None
    undecodable: Callable[[str, bytes, dict[str, str], str], None]
    batch_size: int = 500
    single_consumer: bool = True
    rpc_workers: int = 16
    event_workers: int = 8
    generation: int = 1
    arguments: dict[str, Any] = field(default_factory=dict)

    def bindings(self) -> list[tuple[str, str]]:
        """Pairs of exchange and routing key from which this service's event queue is fed."""
        return [(f"{key.partition('.')[0]}.events", key) for key in self.event_keys]
