"""Keeps what is broken from taking every thread of the gateway: the parts that live go on being served."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from chassis.bus.ports import BusUnavailable, Caller, OutcomeUnknown

JSON = dict[str, Any]
SILENCE = 0.5
"""Seconds without any answer after which a service (or the bus) counts as silent while calls wait for it."""


class _Wait:
    """How many calls wait, and when the last sign of life came: an answer, or that there was nothing to answer."""

    __slots__ = ("most", "sign", "waiting")

    def __init__(self, most: int) -> None:
        self.most, self.waiting, self.sign = most, 0, 0.0

    def full(self, now: float) -> bool:
        return self.waiting >= self.most and now - self.sign > SILENCE

    def begin(self, now: float) -> None:
        if not self.waiting:
            self.sign = now
        self.waiting += 1


class Bulkhead:
    """A `Caller` for `threads` threads. While a service is silent, at most half of them wait for it; while all are
    silent (the broker hangs), at most three quarters wait for anybody. Who comes then is refused at once, and nothing
    was sent. Who answers, however slowly, is not limited."""

    def __init__(self, caller: Caller, threads: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._caller, self._threads, self._monotonic = caller, threads, monotonic
        self._lock = threading.Lock()
        self._all = _Wait(max(1, threads * 3 // 4))
        self._services: dict[str, _Wait] = {}

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        now = self._monotonic()
        with self._lock:
            one = self._services.setdefault(service, _Wait(max(1, self._threads // 2)))
            if one.full(now) or self._all.full(now):
                raise BusUnavailable(f"too many requests wait for {service}, which does not answer")
            one.begin(now)
            self._all.begin(now)
        answered = False
        try:
            reply = self._caller.call(service, request, timeout=timeout)
            answered = True
            return reply
        except OutcomeUnknown:
            raise
        except BusUnavailable:
            answered = True  # Refused at once, which keeps nobody waiting.
            raise
        finally:
            now = self._monotonic()
            with self._lock:
                for each in (one, self._all):
                    each.waiting -= 1
                    if answered:
                        each.sign = now

    def close(self) -> None:
        self._caller.close()
