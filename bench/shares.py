"""Where the time goes: processor milliseconds of each part of the stack for one unit of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench.stack import Stack


class Shares:
    """`with shares.of("create"):` measures; `found` holds milliseconds by part, divided by what `units` was set to."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.found: dict[str, dict[str, float]] = {}
        self.units = 0.0

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        before = self._spent()
        yield
        after = self._spent()
        self.found[name] = {
            part: 1000 * (after[part] - before[part]) / max(self.units, 1.0)
            for part in sorted(after, key=lambda part: before[part] - after[part])
        }

    def _spent(self) -> Counter[str]:
        spent: Counter[str] = Counter()
        for child, pid in self._stack.supervisor.pids().items():
            self._add(spent, "gateway" if child.startswith("gateway") else child, pid)
        self._add(spent, "RabbitMQ", self._stack.rabbit.pid)
        self._add(spent, "PostgreSQL", self._stack.postgres.pid)
        return spent

    @staticmethod
    def _add(spent: Counter[str], part: str, pid: int | None) -> None:
        """A process with everything below it. One that ends meanwhile takes its time along: none should."""
        if pid is None:
            return
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            try:
                times = one.cpu_times()
            except psutil.NoSuchProcess:
                continue
            spent[part] += times.user + times.system
