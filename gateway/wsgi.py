"""What gunicorn runs: `gunicorn -c python:gateway.gunicorn_conf gateway.wsgi:application`."""

from __future__ import annotations

import sys
import time
from threading import Lock
from typing import Any

from environs import Env

from chassis.bus.ports import BusUnavailable, Caller, OutcomeUnknown
from chassis.bus.transport import Transport, connect
from chassis.context import Context, Signer
from gateway.app import create_app
from gateway.settings import from_environment

# With the default of 5 ms a thread that computes holds the others up, which cost a p99 of 946 ms against 11 ms.
sys.setswitchinterval(0.0005)

PROBE_SECONDS = 1.0


class LateCaller:
    """Asks the transport for its client when the first call comes, so that no connection is made before a fork."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def call(self, service: str, request: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        return self._transport.caller().call(service, request, timeout=timeout)

    def close(self) -> None:
        self._transport.caller().close()


class BusReadiness:
    """Whether identity answers over the bus, without which nobody gets in. Asked at most once a second."""

    def __init__(self, caller: Caller, signer: Signer) -> None:
        self._caller, self._signer = caller, signer
        self._lock, self._until, self._answers = Lock(), 0.0, False

    def __call__(self) -> dict[str, bool]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._answers = self._ask()
                self._until = time.monotonic() + 1.0
            return {"identity": self._answers}

    def _ask(self) -> bool:
        context = Context(tenant="", actor="service:gateway", deadline=time.time() + PROBE_SECONDS)
        request = {
            "method": "identity.authenticate",
            "context": self._signer.sign(context),
            "params": {"token": "readiness"},
            "key": None,
            "route": "",
        }
        try:
            reply = self._caller.call("identity", request, timeout=PROBE_SECONDS)
        except (BusUnavailable, OutcomeUnknown):
            return False
        # A refusal is what an unknown token deserves, and it shows that identity works; a fault shows the opposite.
        return reply.get("error", {}).get("status", 200) < 500


def build() -> Any:
    """The app from `GUANXI_…` variables. Raises EnvError when the bus or the context key is not set."""
    env = Env()
    signer = Signer(env.str("GUANXI_CONTEXT_KEY"))
    caller = LateCaller(connect(env.str("GUANXI_BUS")))
    readiness = BusReadiness(caller, signer)
    return create_app(
        caller, signer, from_environment(), readiness=readiness, streams=env.bool("GUANXI_STREAMS", False)
    )


def __getattr__(name: str) -> Any:
    """`application` is made when gunicorn asks for it, so that importing this module needs no settings."""
    if name == "application":
        globals()["application"] = build()
        return globals()["application"]
    raise AttributeError(name)
