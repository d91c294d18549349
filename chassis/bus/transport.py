"""The one door to the bus: `connect(url)` gives the transport that the settings name."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chassis.bus.ports import Caller, Endpoint, Publisher, QueueShape, QueueState

if TYPE_CHECKING:
    from chassis.bus.hosting import Running


class Transport(ABC):
    """Carries calls, events and saga messages. Made before a fork, it opens its connections after it, when needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._caller: tuple[int, Caller] | None = None

    def caller(self) -> Caller:
        """The thread-safe client that this whole process shares."""
        with self._lock:
            if self._caller is None or self._caller[0] != os.getpid():
                self._caller = os.getpid(), self._new_caller()
            return self._caller[1]

    @abstractmethod
    def publisher(self) -> Publisher:
        """A publisher of its own for each relay."""

    @abstractmethod
    def declare(self, endpoints: Sequence[Endpoint]) -> None:
        """Make every exchange, queue and binding of these endpoints; repeating it changes nothing.

        Raises BusUnavailable without a broker."""

    def retire(self, endpoint: Endpoint) -> int:
        """Move what earlier generations of this endpoint's queues hold to the present one, as soon as nobody consumes
        from them. Returns how many messages were moved. Raises BusUnavailable."""
        return 0

    def restore(self, endpoints: Sequence[Endpoint]) -> int:
        """Make the queues and bindings of these endpoints that are missing; a queue that is there stays as it is.
        Returns how many queues there are then. Raises BusUnavailable."""
        return 0

    def inspect(self, endpoints: Sequence[Endpoint]) -> list[QueueState]:
        """The broker's queues of these endpoints, asked for and not touched; none within one process.

        Raises BusUnavailable."""
        return []

    def shapes(self, endpoints: Sequence[Endpoint]) -> list[QueueShape]:
        """The queues of these endpoints as `declare` makes them; none within one process."""
        return []

    def standing(self, management_url: str) -> dict[str, QueueShape]:
        """The broker's queues as they are, by their names, by its management API: AMQP tells of neither arguments nor
        bindings. None within one process. Raises BusUnavailable."""
        return {}

    @abstractmethod
    def serve(self, endpoints: Sequence[Endpoint], kinds: set[str]) -> Running:
        """Start Nameko containers for these kinds of work ("rpc", "events"). Broker trouble shows in `ready()` only;
        nothing ends a container but `stop`."""

    @abstractmethod
    def connected(self) -> bool:
        """Whether every connection that this process uses is up."""

    @abstractmethod
    def blocked(self) -> bool:
        """Whether the broker refuses messages, for want of memory or disk."""

    @abstractmethod
    def _new_caller(self) -> Caller: ...


def connect(url: str) -> Transport:
    """The transport for `inprocess://<name>` or `amqp://user:password@host:port/vhost` (also `pyamqp://`). Nodes of a
    cluster are named one after the other, with `;` between the addresses.

    Opens nothing yet. Raises ValueError for any other scheme.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "inprocess":
        from chassis.bus.inprocess import InProcessTransport

        return InProcessTransport(rest)
    if scheme in ("amqp", "pyamqp"):
        from chassis.bus.rabbit.transport import RabbitTransport

        return RabbitTransport(f"amqp://{rest}")
    raise ValueError(f"unknown bus: {scheme}://")
