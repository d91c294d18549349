"""What gunicorn runs: `gunicorn -c python:gateway.gunicorn_conf gateway.wsgi:application`."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

from chassis.bus.ports import BusUnavailable, Caller, OutcomeUnknown
from chassis.bus.transport import Transport, connect
from chassis.context import Context, Signer
from chassis.environment import together
from contracts.registry import SERVICES
from gateway.app import create_app
from gateway.bulkhead import Bulkhead
from gateway.settings import from_environment, process

# With the default of 5 ms a thread that computes holds the others up, which cost a p99 of 946 ms against 11 ms.
sys.setswitchinterval(0.0005)

PROBE_SECONDS = 1.0
ESSENTIAL = frozenset({"broker", "identity"})
"""Without these nobody gets in. A gateway that lacks another service still serves all the rest, so it stays ready."""


class LateCaller:
    """Asks the transport for its client when the first call comes, so that no connection is made before a fork."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call(self, service: str, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        return self._transport.caller().call(service, request, timeout=timeout)

    def close(self) -> None:
        self._transport.caller().close()


class BusReadiness:
    """The broker, and each service with its database as it answers over the bus. Asked at most once a second.

    All are asked side by side and each has a second, so that one that hangs delays neither this answer nor the others.
    """

    def __init__(self, caller: Caller, transport: Transport, signer: Signer) -> None:
        self._caller, self._transport, self._signer = caller, transport, signer
        self._lock, self._until, self._found = Lock(), 0.0, dict[str, bool]()

    def __call__(self) -> dict[str, bool]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = self._look()
                self._until = time.monotonic() + 1.0
            return self._found

    def _look(self) -> dict[str, bool]:
        broker = self._transport.connected() and not self._transport.blocked()
        if not broker:
            return {"broker": False, **dict.fromkeys(SERVICES, False)}
        with ThreadPoolExecutor(len(SERVICES)) as askers:
            answers = [(service, askers.submit(partial(self._ask, service))) for service in SERVICES]
            return {"broker": True, **{service: answer.result() for service, answer in answers}}

    def _ask(self, service: str) -> bool:
        context = Context(tenant="", actor="service:gateway", deadline=time.time() + PROBE_SECONDS)
        request = {
            "method": "service.ready",
            "context": self._signer.sign(context),
            "params": {},
            "key": None,
            "route": "",
        }
        try:
            return "ok" in self._caller.call(service, request, timeout=PROBE_SECONDS)
        except (BusUnavailable, OutcomeUnknown):
            return False


def build() -> Any:
    """The app from `GUANXI_…` variables. Raises SettingsError, which names all of them that are wrong or missing."""
    own, edge = together(process, from_environment)
    signer, transport = Signer(own.context_key), connect(own.bus)
    caller = LateCaller(transport)
    return create_app(
        Bulkhead(caller, own.threads),
        signer,
        edge,
        readiness=BusReadiness(caller, transport, signer),
        essential=ESSENTIAL,
        streams=own.streams,
    )


def __getattr__(name: str) -> Any:
    """`application` is made when gunicorn asks for it, so that importing this module needs no settings."""
    if name == "application":
        globals()["application"] = build()
        return globals()["application"]
    raise AttributeError(name)
