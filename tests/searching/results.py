"""The committed table of the long runs: `results.md` beside this file, written by the tests themselves."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.searching.stack import LONG

PLACE = Path(__file__).with_name("results.md")
COLUMNS = (
    "What",
    "done meanwhile",
    "median, slowest write",
    "answers meanwhile",
    "failed or wrong",
    "whole again",
    "sweep",
    "Run",
)
HEAD = f"""# Search on real servers

Written by `make test-searching LONG=1`; each row by the run that its last column names. Somebody writes and somebody
searches all the while, for accounts that must be found exactly once. *failed or wrong* counts requests of both; *whole
again* is when Elasticsearch lacked nothing and answered, after it was back; *sweep* is what `guanxi search sweep` said
of databases, kept documents and Elasticsearch afterwards.

| {" | ".join(COLUMNS)} |
|{"---|" * len(COLUMNS)}
"""


def note(what: str, *cells: str) -> None:
    """Print a row, and keep it where the run is a long one, in the place of an older one."""
    print(f"\n{what}: {'; '.join(cells)}")
    if not LONG:
        return
    rows = {}
    if PLACE.exists():
        for line in PLACE.read_text().splitlines():
            if found := re.match(r"\| (?!What)([^|]+?) \|", line):
                rows[found[1]] = line
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    run = f"{commit.stdout.strip() or '–'}, {os.cpu_count()} cores"
    rows[what] = f"| {' | '.join((what, *cells, run))} |"
    PLACE.write_text(HEAD + "".join(f"{row}\n" for row in rows.values()))
