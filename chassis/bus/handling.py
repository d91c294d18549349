"""What happens to one delivered message, whatever transport brought it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from chassis.bus import wire
from chassis.bus.ports import Endpoint, OutcomeUnknown
from chassis.errors import is_unavailable

log = logging.getLogger(__name__)

INTERNAL = wire.encode({"error": {"code": "internal", "status": 500}})


class Delivery(Protocol):
    """A message in the hands of a service, to be finished by exactly one of `done` and `again`."""

    kind: str  # "rpc", "event" or "message"
    queue: str
    body: bytes
    headers: Mapping[str, Any]
    problem: str | None  # why the envelope cannot be used, if so

    def void(self) -> bool:
        """Whether nobody waits for it any more (a call past its deadline) or it will be delivered anew."""
        ...

    def answer(self, body: bytes) -> None: ...

    def done(self) -> None: ...

    def again(self) -> None:
        """Deliver it once more, after a pause."""
        ...

    def release(self) -> None:
        """Give it back untouched, because this service stops."""
        ...


def handle(endpoint: Endpoint, delivery: Delivery) -> None:
    """Run the endpoint's callable for one message. Never raises, since that would end the whole Nameko container."""
    try:
        if delivery.void():
            delivery.done()
            return
        if delivery.kind == "rpc":
            _answer(endpoint, delivery)
        elif _readable(endpoint, delivery) is not None:
            handler = endpoint.event if delivery.kind == "event" else endpoint.message
            _take(endpoint, delivery, handler)
        delivery.done()
    except Exception as error:
        _log(f"{delivery.queue}: a handler failed, the message will be delivered again", error)
        delivery.again()


def handle_batch(
    endpoint: Endpoint, deliveries: Sequence[Delivery], done: Callable[[Sequence[Delivery]], None]
) -> None:
    """Run `event_batch` for the readable ones among these messages. Never raises.

    Where one makes it fail only that one is delivered again: the others are found by taking halves apart.
    """
    try:
        live = [each for each in deliveries if not each.void() and _readable(endpoint, each) is not None]
        if len(live) < len(deliveries):
            kept = set(map(id, live))
            done([each for each in deliveries if id(each) not in kept])
    except Exception as error:
        _repeat(endpoint, deliveries, error)
        return
    if live:
        _take_batch(endpoint, live, done)


def _take_batch(endpoint: Endpoint, live: Sequence[Delivery], done: Callable[[Sequence[Delivery]], None]) -> None:
    try:
        if endpoint.event_batch:
            endpoint.event_batch([each.body for each in live])
        done(live)
    except Exception as error:
        if len(live) == 1 or is_unavailable(error):
            _repeat(endpoint, live, error)
            return
        log.warning("%s: a batch of %s failed, it is taken by halves: %r", endpoint.service, len(live), error)
        middle = len(live) // 2
        _take_batch(endpoint, live[:middle], done)
        _take_batch(endpoint, live[middle:], done)


def _repeat(endpoint: Endpoint, deliveries: Sequence[Delivery], error: Exception) -> None:
    _log(f"{endpoint.service}: a batch failed, its messages will be delivered again", error)
    for delivery in deliveries:
        delivery.again()


def _log(what: str, error: Exception) -> None:
    """Where a database is away one line says so; a traceback would point at code that is in order."""
    if is_unavailable(error):
        log.warning("%s: %s", what, error)
    else:
        log.error(what, exc_info=error)


def read_reply(service: str, body: bytes) -> dict[str, Any]:
    """The reply object in these bytes. Raises OutcomeUnknown, since the work was done, if they cannot be read."""
    try:
        reply = wire.decode(body)
    except wire.Undecodable as error:
        raise OutcomeUnknown(f"the reply of {service} is unreadable: {error}") from error
    if not isinstance(reply, dict):
        raise OutcomeUnknown(f"the reply of {service} is no object")
    return reply


def _answer(endpoint: Endpoint, delivery: Delivery) -> None:
    request = _readable(endpoint, delivery)
    if request is None or endpoint.rpc is None:
        return
    try:
        reply = wire.encode(endpoint.rpc(request))
    except Exception:
        log.exception("%s: a call failed", delivery.queue)
        reply = INTERNAL
    delivery.answer(reply)


def _take(endpoint: Endpoint, delivery: Delivery, handler: Callable[[bytes], None] | None) -> None:
    if handler is None:
        _set_aside(endpoint, delivery, f"no handler for {delivery.kind}")
        return
    try:
        handler(delivery.body)
    except wire.Undecodable as error:
        _set_aside(endpoint, delivery, str(error))


def _readable(endpoint: Endpoint, delivery: Delivery) -> dict[str, Any] | None:
    """The message's object, or None after it was given to the dead letters."""
    problem = delivery.problem
    if problem is None:
        try:
            value = wire.decode(delivery.body)
            if isinstance(value, dict):
                return value
            problem = "the body is no JSON object"
        except wire.Undecodable as error:
            problem = str(error)
    _set_aside(endpoint, delivery, problem)
    return None


def _set_aside(endpoint: Endpoint, delivery: Delivery, reason: str) -> None:
    """Headers come from anywhere, so they are given as texts that a database can store."""
    log.warning("%s: an unreadable message was set aside: %s", delivery.queue, reason)
    headers = {_storable(name): _storable(value) for name, value in delivery.headers.items()}
    endpoint.undecodable(delivery.queue, delivery.body, headers, reason)


def _storable(value: object) -> str:
    return str(value).replace("\0", "").encode(errors="replace").decode()
