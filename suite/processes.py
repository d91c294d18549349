"""The suite as separate processes on this machine: each supervised, restarted with back-off, its output prefixed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO

from suite.signals import SUPERVISOR

Say = Callable[[str], None]
SHORTEST, LONGEST = 0.5, 15.0


@dataclass
class Child:
    """One process of the suite: its name and its arguments to `guanxi`."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    wait: float = SHORTEST
    restart_at: float = 0.0
    started_at: float = 0.0


class Supervisor:
    """Keeps children running until it is asked to stop: one that ends is started again, alone and ever more slowly.

    Children end with the thread that started them, also when this process is killed: that is how the kernel counts.
    """

    def __init__(self, children: Sequence[Child], say: Say) -> None:
        self._children, self._say = list(children), say
        self._stopping = threading.Event()

    def start(self) -> None:
        for child in self._children:
            self._launch(child)

    def pids(self) -> dict[str, int]:
        return {
            child.name: child.process.pid for child in self._children if child.process and child.process.poll() is None
        }

    def ask_to_stop(self) -> None:
        """Let `run` return. Safe in a signal handler, which may interrupt a restart that is under way."""
        self._stopping.set()

    def run(self) -> None:
        """Watch until `ask_to_stop` is called from a signal handler or another thread."""
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(0.1)

    def look(self) -> None:
        """Start again what has ended and whose time has come."""
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.restart_at:
                    self._launch(child)
                continue
            code = child.process.poll()
            if code is not None:
                child.wait = SHORTEST if now - child.started_at > 30 else min(child.wait * 2, LONGEST)
                child.process, child.restart_at = None, now + child.wait
                self._say(f"{child.name} ended with {code}; it starts again in {child.wait:.1f} s")

    def stop(self, grace: float = 25.0) -> None:
        """Ask all to end, gateways first so that nothing new comes in; kill what has not ended in time."""
        self._stopping.set()
        running = [child.process for child in self._children if child.process is not None]
        for child in sorted(self._children, key=lambda one: one.name.startswith("gateway"), reverse=True):
            if child.process is not None:
                child.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + grace
        for process in running:
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _launch(self, child: Child) -> None:
        # A session of its own keeps the terminal's Ctrl-C from the children: this process ends them in order.
        child.process = subprocess.Popen(
            [sys.executable, "-m", "suite.cli", *child.arguments],
            env={**os.environ, **child.environment, "PYTHONUNBUFFERED": "1", SUPERVISOR: str(os.getpid())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        child.started_at = time.monotonic()
        assert child.process.stdout is not None
        threading.Thread(target=self._prefix, args=(child.name, child.process.stdout), daemon=True).start()

    def _prefix(self, name: str, lines: IO[str]) -> None:
        for line in lines:
            self._say(f"{name:<12} {line.rstrip()}")


def children(services: Sequence[str], port: int) -> list[Child]:
    """One process per service, the gateway and its streams."""
    found = [Child(service, ("serve", service)) for service in services]
    found.append(
        Child("gateway", ("gateway", "--port", str(port)), {"GUANXI_STREAMS_URL": f"http://127.0.0.1:{port + 1}"})
    )
    found.append(Child("gateway-streams", ("gateway", "--streams", "--port", str(port + 1)), {"GUANXI_STREAMS": "1"}))
    return found
