"""A progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar


class Progress:
    """Called with what is being done, how much of it is done and how much there is."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._bar = Bar(TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn())
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        if self._terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._terminal:
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=total)
            self._bar.update(self._tasks[what], completed=done, total=total)
        elif done == total and what not in self._tasks:
            self._tasks[what] = True
            print(f"  {what}: {total}", flush=True)
