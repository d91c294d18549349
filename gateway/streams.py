"""The event feed over HTTP: pages, long polls and server-sent events. The eventlog answers; here is the waiting."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

import falcon
import orjson

from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.errors import Problem, unavailable
from contracts.documents.system import TYPE_PATTERN
from gateway import answers, parameters
from gateway.authentication import Authenticator
from gateway.rpc import Services
from gateway.settings import Settings

log = logging.getLogger(__name__)

JSON = dict[str, Any]

MOST_EVENTS = 500
MOST_TYPES = 50
LONGEST_WAIT = 30
LONGEST_STREAM = 600.0
POLL = 0.25
HEARTBEAT = 15.0
_TYPE = re.compile(TYPE_PATTERN, re.ASCII)
_LAST_POSITION = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Pace:
    """How waiting measures and spends time: monotonic seconds, so that a corrected wall clock ends no wait."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Events:
    """`GET /v1/events` and `GET /v1/events/stream`.

    With a streams process elsewhere, whatever would wait is sent there by 307, so that waiting starves nothing else.
    """

    def __init__(
        self, services: Services, authenticator: Authenticator, settings: Settings, streams: bool, pace: Pace
    ) -> None:
        self._services, self._authenticator, self._pace = services, authenticator, pace
        self._elsewhere = settings.streams_url.rstrip("/") if settings.streams_url and not streams else None
        self._places = BoundedSemaphore(settings.streams_limit)

    def page(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = parameters.single(req, ("after", "types", "limit", "wait"))
        wait = parameters.whole("wait", given.get("wait", "0"), 0, LONGEST_WAIT)
        question = _question(given)
        if not wait:
            answers.send(resp, self._services.ask(req.context.caller, "eventlog", "eventlog.feed", question))
        elif self._elsewhere:
            self._redirect(req)
        else:
            self._take_place()
            try:
                answers.send_json(resp, self._wait(req, question, wait))
            finally:
                self._places.release()

    def _wait(self, req: falcon.Request, question: JSON, wait: float) -> JSON:
        end = self._pace.monotonic() + wait
        while True:
            page = self._ask(req, question)
            question["after"] = page["next"]
            left = end - self._pace.monotonic()
            if page["items"] or left <= 0:
                return page
            self._pace.sleep(min(POLL, left))

    def stream(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = parameters.single(req, ("after", "types"))
        last = req.get_header("Last-Event-ID")
        if last:
            given["after"] = last
        question = _question(given)
        if self._elsewhere:
            self._redirect(req)
        self._take_place()
        resp.content_type = "text/event-stream; charset=utf-8"
        # A proxy that gathers the answer would hold events back.
        resp.set_header("X-Accel-Buffering", "no")
        resp.stream = _Stream(self._events(req, question), self._places.release)

    def _events(self, req: falcon.Request, question: JSON) -> Iterator[bytes]:
        now = self._pace.monotonic
        end, heartbeat = now() + LONGEST_STREAM, now() + HEARTBEAT
        yield b"retry: 2000\n\n"
        while now() < end:
            try:
                page = self._ask(req, question)
            except (Problem, BusUnavailable, OutcomeUnknown) as error:
                # The head of the answer is gone, so the stream just ends; the client comes back with Last-Event-ID and
                # gets the reason, or goes on.
                log.info("event stream %s ends: %s", req.context.correlation_id, error)
                return
            chunk = b"".join(map(_event, page["items"]))
            if page["next"] != question["after"] and not page["items"]:
                # Only hidden events passed. An id alone moves Last-Event-ID on and shows the client nothing.
                chunk = b"id: %d\n\n" % page["next"]
            question["after"] = page["next"]
            if chunk:
                yield chunk
            elif now() >= heartbeat:
                yield b": alive\n\n"
            else:
                self._pace.sleep(POLL)
                continue
            heartbeat = now() + HEARTBEAT

    def _ask(self, req: falcon.Request, question: JSON) -> JSON:
        """One page, as a request of its own: with its own deadline, and with the caller's rights of this moment."""
        context = self._authenticator.context(req)
        return self._services.ask(context, "eventlog", "eventlog.feed", dict(question))["body"]

    def _take_place(self) -> None:
        if not self._places.acquire(blocking=False):
            raise unavailable("Too many clients wait for events here.", retry_after=5)

    def _redirect(self, req: falcon.Request) -> None:
        raise falcon.HTTPTemporaryRedirect(f"{self._elsewhere}{req.path}?{req.query_string}".rstrip("?"))


class _Stream:
    """A body whose place is given back however it ends, even when it is closed before its first chunk."""

    def __init__(self, chunks: Iterator[bytes], release: Callable[[], None]) -> None:
        self._chunks, self._release = chunks, release
        self._open = True

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        if self._open:
            self._open = False
            self._release()


def _question(given: dict[str, str]) -> JSON:
    types = None
    if "types" in given:
        types = given["types"].split(",")
        if len(types) > MOST_TYPES or any(len(kind) > 120 or not _TYPE.fullmatch(kind) for kind in types):
            raise parameters.bad(
                "types", f"Must be 1 to {MOST_TYPES} event types such as sales.order.placed or sales.order.*."
            )
    return {
        "after": parameters.whole("after", given.get("after", "0"), 0, _LAST_POSITION),
        "types": types,
        "limit": parameters.whole("limit", given.get("limit", "100"), 1, MOST_EVENTS),
    }


def _event(event: JSON) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event["position"], event["type"].encode(), orjson.dumps(event))
