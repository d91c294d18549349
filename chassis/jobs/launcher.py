"""Starts jobs in processes of their own: a bounded number at once, fair between services and tenants."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2

from chassis.errors import Problem
from chassis.jobs import Job, leases, line
from chassis.runtime import Runtime

log = logging.getLogger("guanxi")
LOOK_SECONDS = 0.5
Command = Callable[[Job, str, int], Sequence[str]]


@dataclass
class Child:
    runtime: Runtime
    job: Job
    lease: str
    process: subprocess.Popen[bytes]
    line: socket.socket


class Launcher:
    """One thread that claims jobs of some services and watches over their processes.

    `command(job, lease, descriptor)` are the arguments of the process; `environment` tells it its settings. A tenant
    may hold all places but one, so that another's first job finds one.
    """

    def __init__(
        self, runtimes: Sequence[Runtime], command: Command, environment: dict[str, str], places: int = 2
    ) -> None:
        self._runtimes, self._command, self._environment = list(runtimes), command, environment
        self._places = places
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._forever, daemon=True, name="jobs")
        self.children: list[Child] = []

    def start(self) -> None:
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def stop(self, grace: float = 5) -> None:
        """End every process: its batch under way is rolled back, and the job waits for the next launcher."""
        self._stopping.set()
        self._thread.join(grace)
        for child in self.children:
            child.process.terminate()
        end = time.monotonic() + grace
        for child in self.children:
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            self._let_go(child, blame=False)

    def _forever(self) -> None:
        while not self._stopping.is_set():
            try:
                self._look()
            except (Problem, psycopg2.Error) as error:
                log.warning("no jobs are started for now: %s", str(error).strip())
            except Exception:
                log.exception("starting jobs failed")
            self._stopping.wait(LOOK_SECONDS)

    def _look(self) -> None:
        for child in [child for child in self.children if child.process.poll() is not None]:
            self.children.remove(child)
            code = child.process.returncode
            if code:
                log.warning("job %s: its process ended with %s", child.job.name, code)
            self._let_go(child)
        # Whose service was served last is asked last, so that no service holds up the others.
        for runtime in list(self._runtimes):
            if len(self.children) >= self._places or self._stopping.is_set():
                return
            claimed = leases.claim(runtime.database, runtime.name, but=self._sated())
            if claimed is not None:
                self._runtimes.remove(runtime)
                self._runtimes.append(runtime)
                self._launch(runtime, *claimed)

    def _sated(self) -> list[str]:
        """Tenants that hold as many places as one may."""
        tenants = [child.job.tenant for child in self.children]
        return [tenant for tenant in set(tenants) if tenants.count(tenant) >= max(1, self._places - 1)]

    def _launch(self, runtime: Runtime, job: Job, lease: str) -> None:
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                self._command(job, lease, theirs.fileno()),
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError:
            log.exception("job %s cannot be started", job.name)
            ours.close()
            leases.give_back(runtime.database, job, lease)
            return
        finally:
            theirs.close()
        self.children.append(Child(runtime, job, lease, process, ours))
        caller: Any = runtime.caller
        threading.Thread(target=line.serve, args=(ours, caller), daemon=True, name=f"line-{process.pid}").start()

    def _let_go(self, child: Child, *, blame: bool = True) -> None:
        child.line.close()
        leases.give_back(child.runtime.database, child.job, child.lease, blame=blame)
