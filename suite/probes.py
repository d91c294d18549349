"""Liveness, readiness and metrics of a service process, on a port of its own (`GUANXI_PROBE_PORT`; 0: none)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from chassis.bus.http import HttpServer
from suite.host import Host
from suite.measurements import measure


class Probes:
    """`/livez` asks nobody; `/readyz` names each dependency; `/metrics` tells how far behind the relay is."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self._server = HttpServer(self._application, "0.0.0.0", port) if port else None

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()

    def _application(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        status, kind, body = "404 Not Found", "application/json", b"{}"
        if path == "/livez":
            status, body = "200 OK", b'{"alive": true}'
        elif path == "/readyz":
            found = self._host.ready()
            status = "200 OK" if all(found.values()) else "503 Service Unavailable"
            # Without these the process works on, so they are told of and decide nothing.
            body = json.dumps(found | self._host.helpers()).encode()
        elif path == "/metrics":
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, measure(self._host)
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]
