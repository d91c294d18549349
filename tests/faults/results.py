"""The committed table of the fault runs: `results.md` beside this file, written by the runs themselves."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.run import Report

PLACE = Path(__file__).with_name("results.md")
HEAD = """# Fault runs

Written by `make test-faults`; each row by the run that its seed names. The load arrives at a fixed rate whatever is
broken. *attempts* are writes with a key of their own; *acknowledged* were answered with success before the fault was
over; *ok* have exactly one effect; *lost* were acknowledged and have none; *duplicated* have more than one; *recovered*
had an unknown outcome and turned out to have happened, once, when the same key was repeated; *unexpected* is everything
else: an effect without an acknowledgement, an answer after more than 10 s, an answer that no fault excuses. *recovery*
is the slowest return to answering after a broken part was back (a killed process: after its successor said that it
lives; starting an interpreter takes the seconds that the machine has for it). *measured* is what the fault's own
schedule found out, in seconds where it is a time; *unaffected* counts requests that needed only living parts.
`guanxi check` was clean after every row without a remark.

"""
COLUMNS = "attempts acknowledged ok lost duplicated recovered unexpected recovery"
HEAD += f"""| Fault | | Variant | {COLUMNS.replace(" ", " | ")} | measured | Run |
|---|---|---|{"--:|" * len(COLUMNS.split())}---|---|
"""


def write(report: Report, *, commit: str, rate: float, long: bool, servers: str) -> None:
    """Put the row of this report in the place of an older one of the same fault and variant."""
    rows = {}
    if PLACE.exists():
        for line in PLACE.read_text().splitlines():
            if found := re.match(r"\| (F\d+|campaign) \| .*? \| (short|long) \|", line):
                rows[found[1], found[2]] = line
    variant = "long" if long else "short"
    rows[report.fault.name, variant] = _row(report, commit, rate, variant)
    ordered = sorted(rows.items(), key=lambda item: (int(re.sub(r"\D", "", item[0][0]) or 99), item[0][1]))
    table = "".join(line + "\n" for _, line in ordered)
    PLACE.write_text(f"{HEAD}{table}\nThe last run was on {servers}, {_libraries()}.\n")


def _row(report: Report, commit: str, rate: float, variant: str) -> str:
    counts = report.counts
    numbers = " | ".join(
        str(number)
        for number in (
            counts.attempts,
            counts.acknowledged,
            counts.ok,
            counts.lost,
            counts.duplicated,
            counts.recovered,
            counts.unexpected,
        )
    )
    recovery = f"{max(report.recovery):.1f} s" if report.recovery else "–"
    remark = "" if report.clean else f", **remarks: {len(report.surprises)}**"
    run = f"{commit}, seed {report.seed}, {rate:g}/s, {report.seconds:.0f} s{remark}"
    measured = ", ".join(f"{name} {_plainly(value)}" for name, value in report.figures.items()) or "–"
    return f"| {report.fault.name} | {report.fault.says} | {variant} | {numbers} | {recovery} | {measured} | {run} |"


def _plainly(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _libraries() -> str:
    names = ("nameko", "amqp", "eventlet", "psycopg2-binary")
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
