"""Exchanges and queues, and what becomes of a queue that has to be another one than it was.

A queue cannot change: who declares it with other arguments is refused. So the queues of events and saga messages have a
*generation* (`Endpoint.generation`), which is raised with their arguments and is part of their names. Declaring the new
ones takes the bindings from the old ones; what the old ones still hold is moved by `retire` when nobody consumes from
them any more, so that nothing is lost and both versions may run side by side meanwhile. Calls are transient and
repeatable, hence their queue is simply made anew.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import amqp
from amqp import spec
from amqp.exceptions import MessageNacked, NotFound, PreconditionFailed

from chassis.bus.ports import COMMANDS, BusUnavailable, Endpoint, QueueShape, QueueState
from chassis.bus.rabbit.link import publish

log = logging.getLogger(__name__)

_QUORUM = {
    "x-queue-type": "quorum",
    # RabbitMQ 4 drops a message after 20 deliveries unless told otherwise. Nothing may be dropped here: retries are
    # counted in the inbox, and a message comes back only while the database cannot take it. All versions accept this.
    "x-delivery-limit": 1_000_000_000,
}
# Calls expire by themselves; the limit protects the broker from a flood, at the cost of the calls that waited longest.
_CALLS = {"x-queue-type": "classic", "x-max-length": 10_000}
# A classic queue stands on one node. Without that node AMQP can neither read it nor make it anew, so where there are
# several, calls pay for a queue that outlives one of them.
_CLUSTERED_CALLS = _CALLS | {"x-queue-type": "quorum", "x-delivery-limit": _QUORUM["x-delivery-limit"]}
CALL_ATTEMPTS = 5


def _calls(clustered: bool) -> dict[str, Any]:
    return _CLUSTERED_CALLS if clustered else _CALLS


def calls_queue(endpoint: Endpoint) -> str:
    return f"rpc-{endpoint.service}"


def events_queue(endpoint: Endpoint, generation: int = 0) -> str:
    return _name(f"evt-{endpoint.service}", generation or endpoint.generation)


def messages_queue(endpoint: Endpoint, generation: int = 0) -> str:
    return _name(f"cmd-{endpoint.service}", generation or endpoint.generation)


def _name(queue: str, generation: int) -> str:
    return queue if generation == 1 else f"{queue}.{generation}"


def _kept(endpoint: Endpoint, generation: int = 0) -> Iterator[tuple[str, dict[str, Any], list[tuple[str, str]]]]:
    """Name, arguments and bindings of the queues whose messages must not be lost."""
    if endpoint.event or endpoint.event_batch:
        single = {"x-single-active-consumer": True} if endpoint.event_batch and endpoint.single_consumer else {}
        yield events_queue(endpoint, generation), _QUORUM | single | endpoint.arguments, endpoint.bindings()
    if endpoint.message:
        yield messages_queue(endpoint, generation), _QUORUM | endpoint.arguments, [(COMMANDS, endpoint.service)]


def declare(connection: Any, endpoints: Sequence[Endpoint], *, clustered: bool = False) -> None:
    """What `guanxi migrate` does; repeating it changes nothing.

    rpc-<service>                durable classic queue (on a cluster a quorum queue), default exchange
    evt-<service>[.<generation>] durable quorum queue, bound to the topic exchanges `<source>.events` by event type
    cmd-<service>[.<generation>] durable quorum queue, bound to the direct exchange `guanxi.commands` by service name

    Raises BusUnavailable when a queue is there with other arguments and the same generation.
    """
    for endpoint in endpoints:
        _exchanges(connection, endpoint)
        if endpoint.rpc:
            _declare_calls(connection, calls_queue(endpoint), _calls(clustered))
        for queue, arguments, bindings in _kept(endpoint):
            try:
                _declare(connection, queue, arguments, bindings)
            except PreconditionFailed as error:
                raise BusUnavailable(f"{queue} has another shape; raise its generation: {error.reply_text}") from error
        for generation in range(1, endpoint.generation):
            for queue, _, bindings in _kept(endpoint, generation):
                if _counts(connection, queue) is not None:
                    with _channel(connection) as channel:
                        for exchange, key in bindings:
                            channel.queue_unbind(queue, exchange, key)


def attach(connection: Any, endpoint: Endpoint, kind: str, *, clustered: bool = False) -> None:
    """What a process does before it consumes: a queue that is gone is made again, one that is there is taken as it is.

    So a process never argues with the broker about a queue's arguments, which would go on for ever.
    """
    _exchanges(connection, endpoint)
    if kind == "rpc":
        if _counts(connection, calls_queue(endpoint)) is None:
            _declare_calls(connection, calls_queue(endpoint), _calls(clustered))
        return
    for queue, arguments, bindings in _kept(endpoint):
        missing = _counts(connection, queue) is None
        _declare(connection, queue, arguments if missing else None, bindings)


def retire(connection: Any, endpoint: Endpoint) -> int:
    """Move what queues of earlier generations still hold, and delete them. Returns how many messages were moved.

    A queue that somebody consumes from is left for later: what he has not acknowledged would be lost with it.
    """
    moved = 0
    for generation in range(1, endpoint.generation):
        for (old, _, _), (new, _, _) in zip(_kept(endpoint, generation), _kept(endpoint), strict=True):
            counts = _counts(connection, old)
            if counts is None:
                continue
            if counts[1]:
                log.info("%s still has consumers, so it stays for now", old)
                continue
            moved += _move(connection, old, new)
            with _channel(connection) as channel:
                channel.queue_delete(old)
            log.warning("%s is gone; its messages went to %s", old, new)
    return moved


def shapes(endpoint: Endpoint, *, clustered: bool = False) -> Iterator[QueueShape]:
    """The queues as `declare` makes them."""
    if endpoint.rpc:
        yield QueueShape(calls_queue(endpoint), _calls(clustered), [])
    for queue, arguments, bindings in _kept(endpoint):
        yield QueueShape(queue, arguments, bindings)


def inspect(connection: Any, endpoint: Endpoint) -> Iterator[QueueState]:
    """The queues that this endpoint has and those of earlier generations, by passive declarations."""
    queues = [(calls_queue(endpoint), False)] if endpoint.rpc else []
    for generation in range(endpoint.generation, 0, -1):
        queues += [(queue, generation < endpoint.generation) for queue, _, _ in _kept(endpoint, generation)]
    for queue, old in queues:
        counts = _counts(connection, queue)
        yield QueueState(queue, counts is not None, *(counts or (0, 0)), old=old)


def _move(connection: Any, old: str, new: str) -> int:
    """Every message is confirmed in the new queue before it leaves the old one; a repeat is known by its id."""
    moved = 0
    with _channel(connection) as source, _channel(connection) as target:
        target.confirm_select()
        while (message := source.basic_get(old)) is not None:
            copy = amqp.Message(message.body, **message.properties)
            publish(target, "", new, copy, mandatory=True)
            # A refusal of any kind raises, and the message stays where it is.
            target.wait([spec.Basic.Ack, spec.Basic.Nack], callback=_confirmed)
            source.basic_ack(message.delivery_tag)
            moved += 1
    return moved


def _confirmed(method: Any, *_: object) -> None:
    if method == spec.Basic.Nack:
        raise MessageNacked


def _exchanges(connection: Any, endpoint: Endpoint) -> None:
    with _channel(connection) as channel:
        channel.exchange_declare(COMMANDS, "direct", durable=True, auto_delete=False)
        for exchange in sorted({f"{endpoint.service}.events"} | {exchange for exchange, _ in endpoint.bindings()}):
            channel.exchange_declare(exchange, "topic", durable=True, auto_delete=False)


def _declare(
    connection: Any, queue: str, arguments: dict[str, Any] | None, bindings: Sequence[tuple[str, str]]
) -> None:
    with _channel(connection) as channel:
        if arguments is not None:
            channel.queue_declare(queue, durable=True, auto_delete=False, arguments=arguments)
        for exchange, key in bindings:
            channel.queue_bind(queue, exchange, key)


def _declare_calls(connection: Any, queue: str, arguments: dict[str, Any]) -> None:
    for attempt in range(1, CALL_ATTEMPTS + 1):
        try:
            _declare(connection, queue, arguments, [])
            return
        except PreconditionFailed:
            # A process of the version before may make it again in its own shape in between.
            if attempt == CALL_ATTEMPTS:
                raise
            with _channel(connection) as channel:
                channel.queue_delete(queue)


def _counts(connection: Any, queue: str) -> tuple[int, int] | None:
    """How many messages are ready and how many consumers there are; None without such a queue."""
    with suppress(NotFound), _channel(connection) as channel:
        found = channel.queue_declare(queue, passive=True)
        return found.message_count, found.consumer_count
    return None


@contextmanager
def _channel(connection: Any) -> Iterator[Any]:
    """A channel of its own: the broker ends a channel with what it refuses, and everything else must go on."""
    channel = connection.channel()
    try:
        yield channel
    finally:
        if channel.is_open:
            channel.close()
