"""When a process is asked to end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading

SUPERVISOR = "GUANXI_SUPERVISOR"
"""The variable by which a supervisor tells its children its process id."""
PR_SET_PDEATHSIG = 1


class Signals:
    """Ctrl-C and termination, heard from the moment that this is made."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._heard.set())

    def wait(self) -> None:
        while not self._heard.is_set():
            self._heard.wait(0.5)


def end_with_supervisor() -> None:
    """Let the kernel send this process SIGTERM when the supervisor that started it is gone, however that ended.

    Without one this does nothing; where there is no such service of the kernel (not Linux), neither. It outlives an
    `exec`, so gunicorn ends with its supervisor, too.
    """
    supervisor = os.environ.get("GUANXI_SUPERVISOR", "")
    if not supervisor.isdigit() or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    # It may have died before the kernel was asked, and then nobody sends anything.
    if os.getppid() != int(supervisor):
        os.kill(os.getpid(), signal.SIGTERM)
