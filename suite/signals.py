"""When a process is asked to end."""

from __future__ import annotations

import signal
import threading


class Signals:
    """Ctrl-C and termination, heard from the moment that this is made."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._heard.set())

    def wait(self) -> None:
        while not self._heard.is_set():
            self._heard.wait(0.5)
