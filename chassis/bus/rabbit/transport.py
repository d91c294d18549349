"""The transport over RabbitMQ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from amqp.exceptions import AMQPError

from chassis.bus.ports import BusUnavailable, Endpoint, QueueShape, QueueState
from chassis.bus.rabbit import management, topology
from chassis.bus.rabbit.caller import RabbitCaller
from chassis.bus.rabbit.link import Link, clustered, connect, virtual_host
from chassis.bus.rabbit.publisher import RabbitPublisher
from chassis.bus.transport import Transport

if TYPE_CHECKING:
    from chassis.bus.hosting import Feed, Running


class RabbitTransport(Transport):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._links: list[tuple[int, Link[Any]]] = []

    def publisher(self) -> RabbitPublisher:
        publisher = RabbitPublisher(self._url, self._name())
        self._watch(publisher.link)
        return publisher

    def declare(self, endpoints: Sequence[Endpoint]) -> None:
        try:
            connection = connect(self._url, f"{self._name()} declares")
            try:
                topology.declare(connection, endpoints, clustered=clustered(self._url))
            finally:
                connection.close()
        except (OSError, AMQPError) as error:
            raise BusUnavailable(f"the topology could not be declared: {error}") from error

    def retire(self, endpoint: Endpoint) -> int:
        if endpoint.generation == 1:
            return 0
        try:
            connection = connect(self._url, f"{self._name()} retires")
            try:
                return topology.retire(connection, endpoint)
            finally:
                connection.close()
        except (OSError, AMQPError) as error:
            raise BusUnavailable(f"old queues could not be retired: {error}") from error

    def restore(self, endpoints: Sequence[Endpoint]) -> int:
        try:
            connection = connect(self._url, f"{self._name()} restores")
            try:
                for endpoint in endpoints:
                    for kind in ("rpc", "events") if endpoint.rpc else ("events",):
                        topology.attach(connection, endpoint, kind, clustered=clustered(self._url))
            finally:
                connection.close()
        except (OSError, AMQPError) as error:
            raise BusUnavailable(f"the topology could not be restored: {error}") from error
        return len(self.shapes(endpoints))

    def inspect(self, endpoints: Sequence[Endpoint]) -> list[QueueState]:
        try:
            connection = connect(self._url, f"{self._name()} inspects")
            try:
                return [state for endpoint in endpoints for state in topology.inspect(connection, endpoint)]
            finally:
                connection.close()
        except (OSError, AMQPError) as error:
            raise BusUnavailable(f"the queues could not be looked at: {error}") from error

    def shapes(self, endpoints: Sequence[Endpoint]) -> list[QueueShape]:
        several = clustered(self._url)
        return [shape for endpoint in endpoints for shape in topology.shapes(endpoint, clustered=several)]

    def standing(self, management_url: str) -> dict[str, QueueShape]:
        return management.shapes(management_url, virtual_host(self._url))

    def serve(self, endpoints: Sequence[Endpoint], kinds: set[str]) -> Running:
        from chassis.bus import hosting
        from chassis.bus.rabbit.consumer import RabbitFeed, Replies

        replies = Replies(self._url, self._name()) if "rpc" in kinds else None
        if replies:
            self._watch(replies.link)

        def feed(endpoint: Endpoint, kind: str) -> Feed:
            source = RabbitFeed(self._url, self._name(), endpoint, kind, replies)
            self._watch(source.link)
            return source

        return hosting.serve(endpoints, kinds, feed, replies.link.close if replies else lambda: None)

    def connected(self) -> bool:
        links = self._own_links()
        if not links:
            self.caller()  # A gateway is asked for its health before its first call.
            return False
        return all(link.connected for link in links)

    def blocked(self) -> bool:
        return any(link.blocked for link in self._own_links())

    def _new_caller(self) -> RabbitCaller:
        caller = RabbitCaller(self._url, self._name())
        self._watch(caller.link)
        return caller

    def _watch(self, link: Link[Any]) -> None:
        self._links = [each for each in self._links if not each[1].closed] + [(os.getpid(), link)]

    def _own_links(self) -> list[Link[Any]]:
        return [link for pid, link in self._links if pid == os.getpid() and not link.closed]

    def _name(self) -> str:
        return f"guanxi {os.getpid()}"
