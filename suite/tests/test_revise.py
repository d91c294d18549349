"""`make migration`, which needs no server and no environment of its caller."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def revise(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "GUANXI_"))}
    environment["PATH"] = "/usr/bin:/bin"
    words = (sys.executable, "-m", "suite.revise", *words)
    return subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_migration_is_compared_on_a_server_that_is_started_for_it_and_nothing_new_is_not_written() -> None:
    done = revise("service", "nothing new")
    assert (done.returncode, done.stdout) == (0, "Models and database agree: nothing to write.\n"), done.stderr


def test_what_is_asked_wrongly_is_named() -> None:
    assert "SERVICE" in revise("sails", "sails").stderr
    done = revise("sales", " ")
    assert (done.returncode, done.stderr) == (1, "Error: MESSAGE: say in a few words what the migration changes.\n")
