"""Every test, in two lanes side by side: `python -m tests.run [folder …]`.

Each folder runs in a pytest process of its own, because some patch their whole process. Those of one lane start servers
of their own and watch the clock, so they never run beside each other; when they are done, it helps the other lane with
the rest, which share a PostgreSQL server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from chassis.testing import prepare_templates
from suite.servers.postgres import Postgres

ROOT = Path(__file__).resolve().parent.parent
OWN_SERVERS = ("tests/integration", "tests/searching", "chassis/bus", "tests/docs", "suite/servers", "services/search")
LONGEST = ("tests/security", "suite/check")
"""They begin before the others of their lane, so that in the end neither lane waits for one of them."""
COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def folders() -> list[str]:
    """Every folder that holds tests, outermost first; a folder with tests in two places is one group."""
    found = {path.parent for path in ROOT.glob("*/**/test_*.py") if ".venv" not in path.parts}
    names = {str(path.relative_to(ROOT)).removesuffix("/tests") for path in found}
    return sorted(names)


class Lane:
    """Runs its folders one after the other, then what is left of the `shared` ones, and keeps what they print."""

    def __init__(self, names: list[str], shared: deque[str], server: str, printing: threading.Lock) -> None:
        self._names, self._shared, self._server, self._printing = names, shared, server, printing
        self.counts: dict[str, int] = {}
        self.failed: list[str] = []

    def run(self) -> None:
        for name in self._names:
            self._run(name, {})
        # The other lane may take the last one at the same moment.
        with suppress(IndexError):
            while True:
                self._run(self._shared.popleft(), {"GUANXI_TEST_SERVER": self._server})

    def _run(self, name: str, environment: dict[str, str]) -> None:
        began = time.monotonic()
        where = f"{name}/tests" if (ROOT / name / "tests").is_dir() else name
        done = subprocess.run(
            [sys.executable, "-m", "pytest", where, "-q"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with self._printing:
            print(f"== {where} ({time.monotonic() - began:.0f} s)\n{done.stdout}", flush=True)
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        for number, word in COUNTED.findall(last):
            self.counts[word.rstrip("s")] = self.counts.get(word.rstrip("s"), 0) + int(number)
        if done.returncode != 0:
            self.failed.append(where)


def main(chosen: list[str]) -> int:
    names = [name for name in folders() if not chosen or any(name.startswith(one) for one in chosen)]
    printing = threading.Lock()
    with tempfile.TemporaryDirectory(prefix="guanxi-tests-") as folder:
        server = Postgres(Path(folder), max_connections=300)
        try:
            prepare_templates(server.start())
            own = sorted((name for name in names if name in OWN_SERVERS), key=OWN_SERVERS.index)
            others = [name for name in names if name not in OWN_SERVERS]
            shared = deque(sorted(others, key=lambda name: name not in LONGEST))
            lanes = [Lane(each, shared, server.url, printing) for each in (own, [])]
            threads = [threading.Thread(target=lane.run) for lane in lanes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            server.stop()
            server.remove()
    failed = [name for lane in lanes for name in lane.failed]
    total = {word: sum(lane.counts.get(word, 0) for lane in lanes) for word in ("passed", "failed", "error", "skipped")}
    if failed:
        print(f"failed: {', '.join(failed)}")
    print(f"{total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped")
    return 1 if failed or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
