"""The embedded suite checks its data by itself, soon after it starts and then every day, in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

log = logging.getLogger("guanxi")
FIRST, EVERY = 300.0, 86_400.0
COMMAND = (sys.executable, "-m", "suite.cli", "check", "--repair", "--json")


class Watch:
    """Runs `guanxi check --repair` on a data folder. `checked_at` is 0 until the first result, then epoch seconds."""

    def __init__(self, folder: Path, *, first: float = FIRST, every: float = EVERY) -> None:
        self._folder, self._first, self._every = folder, first, every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="check")
        self.checked_at = 0.0
        self.violations: dict[str, int] = {}
        """By invariant how many violations the last check found."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(3)

    def _run(self) -> None:
        wait = self._first
        while not self._stopping.wait(wait):
            wait = self._every
            try:
                self._take(self._check())
            except (OSError, ValueError, KeyError) as error:
                log.warning("the data could not be checked: %s", error)

    def _check(self) -> str:
        """What the command says. It is asked again and again whether it has ended, so that stopping need not wait."""
        with tempfile.TemporaryFile() as said:
            environment = {**os.environ, "GUANXI_DATA": str(self._folder)}
            # The running suite's own settings count, not those of some installation that the environment names.
            environment.pop("GUANXI_DATABASE_URL", None)
            process = subprocess.Popen(COMMAND, stdout=said, stderr=subprocess.DEVNULL, env=environment)
            while process.poll() is None:
                if self._stopping.wait(0.2):
                    process.kill()
                    process.wait()
                    return ""
            said.seek(0)
            return said.read().decode()

    def _take(self, said: str) -> None:
        if not said:
            return
        document: dict[str, Any] = json.loads(said)
        if document["clean"] is None:
            log.warning("the data could not be checked: %s", document["error"])
            return
        found: dict[str, int] = {}
        for rule in document["rules"]:
            found[rule["invariant"]] = found.get(rule["invariant"], 0) + rule["faults"]
            if rule["faults"]:
                log.error("%s: %d times not so: %s", rule["invariant"], rule["faults"], rule["rule"])
        self.violations, self.checked_at = found, time.time()
