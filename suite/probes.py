"""Liveness, readiness and metrics of a service process, on a port of its own (`GUANXI_PROBE_PORT`; 0: none)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from chassis import relay
from chassis.bus.http import HttpServer
from suite.host import Host


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
            body = json.dumps(found).encode()
        elif path == "/metrics":
            status, kind, body = "200 OK", CONTENT_TYPE_LATEST, self._metrics()
        start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    def _metrics(self) -> bytes:
        registry = CollectorRegistry()
        waiting = Gauge(
            "guanxi_unsent", "Changes and messages that the relay has not published", ["service"], registry=registry
        )
        age = Gauge("guanxi_unsent_age_seconds", "Age of the oldest of them", ["service"], registry=registry)
        parked = Gauge("guanxi_inbox", "Events that are parked or dead", ["service", "state"], registry=registry)
        sagas = Gauge("guanxi_sagas_overdue", "Sagas past their deadline", ["service"], registry=registry)
        jobs = Gauge("guanxi_jobs", "Jobs by state, kept for thirty days", ["service", "state"], registry=registry)
        for name, runtime in self._host.runtimes.items():
            count, seconds = relay.backlog(runtime.database)
            waiting.labels(name).set(count)
            age.labels(name).set(seconds)
            with runtime.database.operations() as connection:
                for row in connection.exec_driver_sql(
                    "SELECT state, count(*) FROM inbox WHERE state IN ('parked', 'dead') GROUP BY state"
                ):
                    parked.labels(name, row[0]).set(row[1])
                for row in connection.exec_driver_sql("SELECT state, count(*) FROM jobs GROUP BY state"):
                    jobs.labels(name, row[0]).set(row[1])
                late = connection.exec_driver_sql(
                    "SELECT count(*) FROM sagas WHERE ended_at IS NULL AND deadline_at < now()"
                ).scalar()
                sagas.labels(name).set(late)
        blocked = Gauge("guanxi_broker_blocked", "1 while the broker refuses messages (an alarm)", registry=registry)
        blocked.set(self._host.transport.blocked())
        Gauge("guanxi_broker_connected", "1 while every connection to the broker is up", registry=registry).set(
            self._host.transport.connected()
        )
        leads = Gauge("guanxi_relay_leads", "1 where this process publishes", ["service"], registry=registry)
        for name, leading in self._host.leading().items():
            leads.labels(name).set(leading)
        return generate_latest(registry)
