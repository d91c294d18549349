"""Services at work in this process: their databases, their endpoints on the bus, and their relays."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Sequence
from functools import partial

from chassis import blobs, scanning
from chassis.bus.transport import Transport
from chassis.clock import SystemClock
from chassis.context import Signer
from chassis.database import Database, make_engine
from chassis.jobs import Job
from chassis.jobs.launcher import Launcher
from chassis.leader import Leader
from chassis.runtime import Runtime
from chassis.service import Service
from chassis.settings import Settings
from contracts.registry import registry

KINDS = ("rpc", "events", "relay", "jobs")


def definition_of(service: str) -> type[Service]:
    found: type[Service] = importlib.import_module(f"services.{service}.service").service
    return found


class Host:
    """Some services, and some kinds of their work, started and stopped together."""

    def __init__(
        self, settings: Settings, transport: Transport, services: Sequence[str], kinds: Sequence[str] = KINDS
    ) -> None:
        registry.load()
        self.settings, self.transport, self.kinds = settings, transport, set(kinds)
        signer, clock = Signer(settings.context_key), SystemClock()
        self.runtimes: dict[str, Runtime] = {}
        for service in services:
            database = Database(
                make_engine(
                    settings.database_url(service, "app"),
                    pool_size=settings.pool_size,
                    name=f"guanxi {service}",
                    prepared=settings.prepared,
                ),
                make_engine(
                    settings.database_url(service, "ops"),
                    pool_size=2,
                    name=f"guanxi {service} relay",
                    prepared=settings.prepared,
                ),
                clock,
                None,
            )
            self.runtimes[service] = Runtime(definition_of(service), database, signer, transport.caller(), clock)
            self.runtimes[service].settings = settings
            self.runtimes[service].scanner = scanning.connect(settings.scanner)
            self.runtimes[service].blobs = blobs.connect(settings.blobs or blobs.default_location())
        self._running: object | None = None
        self._leaders: list[Leader] = []
        self._launcher: Launcher | None = None

    def start(self) -> None:
        endpoints = [runtime.endpoint() for runtime in self.runtimes.values()]
        for endpoint in endpoints:
            endpoint.rpc_workers, endpoint.event_workers = self.settings.rpc_workers, self.settings.event_workers
        serving = self.kinds & {"rpc", "events"}
        if serving:
            self._running = self.transport.serve(endpoints, serving)
        if "relay" in self.kinds:
            for name, runtime in self.runtimes.items():
                if not self.settings.bus.startswith("inprocess:"):
                    # Outsiders are served over a broker only; without one they pull the feed.
                    runtime.publisher = self.transport.publisher()
                leader = Leader(
                    runtime,
                    self.transport.publisher(),
                    self.settings.database_url(name, "ops"),
                    partial(self.transport.retire, runtime.endpoint()),
                )
                leader.start()
                self._leaders.append(leader)
        if "jobs" in self.kinds:
            runtimes = [runtime for runtime in self.runtimes.values() if runtime.stores]
            self._launcher = Launcher(runtimes, job_command, self.settings.environment(), self.settings.job_places)
            self._launcher.start()

    def leading(self) -> dict[str, bool]:
        """By service, whether this process is the one that publishes its changes."""
        return {leader.name: leader.leading for leader in self._leaders}

    def ready(self) -> dict[str, bool]:
        """Each part by name: consumers registered, database reachable, connection to the bus up."""
        found: dict[str, bool] = {}
        if self._running is not None:
            found |= self._running.ready()  # type: ignore[attr-defined]
        for name, runtime in self.runtimes.items():
            found[f"{name}.database"] = _reachable(runtime)
        found["broker"] = self.transport.connected() and not self.transport.blocked()
        return found

    def helpers(self) -> dict[str, bool]:
        """Each part that is set up and can be done without, by name: whether it answers."""
        return {
            f"{name}.{part}": found
            for name, runtime in self.runtimes.items()
            for part, look in runtime.definition.uses.items()
            if (found := look(runtime)) is not None
        }

    def stop(self, grace: float = 20) -> None:
        """Take nothing new, finish what runs within `grace` seconds, then let go of everything."""
        for leader in self._leaders:
            leader.ask_to_stop()
        if self._launcher is not None:
            self._launcher.ask_to_stop()
        if self._running is not None:
            self._running.stop(grace)  # type: ignore[attr-defined]
        end = time.monotonic() + min(grace, 3)
        if self._launcher is not None:
            self._launcher.stop(min(grace, 2))
        for leader in self._leaders:
            leader.stop(max(0.0, end - time.monotonic()))
        for runtime in self.runtimes.values():
            runtime.database.close()


def job_command(job: Job, lease: str, descriptor: int) -> list[str]:
    """The arguments of the process that runs a job."""
    return [sys.executable, "-m", "suite.job", job.service, job.tenant, job.id, lease, str(descriptor)]


def _reachable(runtime: Runtime) -> bool:
    try:
        with runtime.database.operations() as connection:
            connection.exec_driver_sql("SELECT 1")
        return True
    except Exception:
        return False
