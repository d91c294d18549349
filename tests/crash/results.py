"""The committed figures of the enumeration: `results.md` beside this file, written by the runs themselves."""

from __future__ import annotations

import platform
import re
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

PLACE = Path(__file__).with_name("results.md")
HEAD = """# Crash points

Written by `make test-crash`; each row by its latest run. A *crash point* is a moment between two steps of a flow; a
*pair* is such a moment and one of the recovery behind it, in the flow of an order that is placed, confirmed, shipped,
paid and completed (`LONG=1`). Two kills in the same turn of a service that leave the same behind (before one statement
of a transaction and before the next, say) and recover by the same steps have the same pairs, so *different* ones are
fewer than *pairs*. A part of them (`PART=2/5`) has nothing in common with the other parts. *kills* are runs with at
least one SIGKILL; *other ends* are those that did not end in the state of the undisturbed run.

| Played | crash points | pairs | different | played | kills | other ends | Run |
|---|--:|--:|--:|--:|--:|--:|---|
"""


@dataclass(frozen=True)
class Figures:
    """What one run came to."""

    points: int
    pairs: int
    different: int
    played: int
    kills: int
    other_ends: int
    seconds: float


def write(figures: Figures, part: tuple[int, int]) -> None:
    """Put the row of this run in the place of an older one of the same kind."""
    rows = {}
    if PLACE.exists():
        for line in PLACE.read_text().splitlines():
            if found := re.match(r"\| ((?:single points|all pairs|pairs).*?) \|", line):
                rows[found[1]] = line
    name = "single points"
    if figures.pairs:
        name = "all pairs" if part[1] == 1 else f"pairs, part {part[0]} of {part[1]}"
    numbers = (figures.points, figures.pairs, figures.different, figures.played, figures.kills, figures.other_ends)
    said = " | ".join(f"{number:,}" for number in numbers)
    rows[name] = f"| {name} | {said} | {_commit()}, {figures.seconds:.0f} s |"
    table = "".join(line + "\n" for _, line in sorted(rows.items(), reverse=True))
    PLACE.write_text(f"{HEAD}{table}\nThe last run was on {_versions()}.\n")


def _commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


def _versions() -> str:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("psycopg2-binary", "sqlalchemy"))
    return f"Python {platform.python_version()}, {libraries}"
