"""Exchanges and queues. Declaring is idempotent: every start and every reconnect does it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis.bus.ports import COMMANDS, Endpoint

_QUORUM = {
    "x-queue-type": "quorum",
    # RabbitMQ 4 drops a message after 20 deliveries unless told otherwise. Nothing may be dropped here: retries are
    # counted in the inbox, and a message comes back only while the database cannot take it. All versions accept this.
    "x-delivery-limit": 1_000_000_000,
}
# Calls expire by themselves; the limit protects the broker from a flood, at the cost of the calls that waited longest.
_CALLS = {"x-queue-type": "classic", "x-max-length": 10_000}


def declare(channel: Any, endpoints: Sequence[Endpoint]) -> None:
    """
    rpc-<service>    durable classic queue, default exchange
    evt-<service>    durable quorum queue, bound to the topic exchanges `<source>.events` by event type
    cmd-<service>    durable quorum queue, bound to the direct exchange `guanxi.commands` by service name
    """
    channel.exchange_declare(COMMANDS, "direct", durable=True, auto_delete=False)
    for endpoint in endpoints:
        service = endpoint.service
        exchanges = {f"{service}.events"} | {exchange for exchange, _ in endpoint.bindings()}
        for exchange in sorted(exchanges):
            channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)
        if endpoint.rpc:
            channel.queue_declare(f"rpc-{service}", durable=True, auto_delete=False, arguments=_CALLS)
        if endpoint.event or endpoint.event_batch:
            single = {"x-single-active-consumer": True} if endpoint.event_batch and endpoint.single_consumer else {}
            channel.queue_declare(f"evt-{service}", durable=True, auto_delete=False, arguments=_QUORUM | single)
            for exchange, key in endpoint.bindings():
                channel.queue_bind(f"evt-{service}", exchange, key)
        if endpoint.message:
            channel.queue_declare(f"cmd-{service}", durable=True, auto_delete=False, arguments=_QUORUM)
            channel.queue_bind(f"cmd-{service}", COMMANDS, service)
