"""`python -m tests.faults.run [F1 F3 …]`: the chosen faults, or all, one after the other on one
stack; those that need several brokers on one of their own.

`SEED` makes the same choices again, `RATE` is the number of arrivals in a second, `LONG=1` the long variant. Writes a
row for each fault into `results.md` (not in CI, where the tree must stay as it is) and each history into `HISTORY`, a
folder. Exit code 1 when anything was lost, duplicated or unexpected.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.servers import rabbitmq
from tests.faults import cluster, hostile, results, schedules
from tests.faults.history import MOST_SHOWN, Counts
from tests.faults.load import Load, Tenant, open_tenants
from tests.faults.schedules import COOL, WARM, Run
from tests.faults.stack import Stack
from tests.integration.support import until

JSON = dict[str, Any]
QUIET = 90.0
"""Seconds within which everything under way has come to its end."""


@dataclass(frozen=True)
class Fault:
    """A schedule; the first line of its docstring is its name in the plan and what it does."""

    schedule: Callable[[Run], None]
    clustered: bool = False
    """Whether it needs several brokers, and so a stack of its own."""

    @property
    def name(self) -> str:
        return (self.schedule.__doc__ or "").partition(":")[0]

    @property
    def says(self) -> str:
        return (self.schedule.__doc__ or "").partition(":")[2].strip()


FAULTS = {
    fault.name: fault
    for fault in (
        *map(
            Fault,
            (
                schedules.kill_services,
                schedules.kill_parts,
                schedules.restart_broker,
                schedules.kill_broker,
                schedules.raise_alarms,
                schedules.hang_broker,
                schedules.break_links,
                schedules.restart_database,
                schedules.storm_locks,
                schedules.stall_consumers,
                hostile.poison,
                hostile.repeat_events,
                hostile.kill_import,
                hostile.starve,
                hostile.campaign,
            ),
        ),
        Fault(cluster.lose_nodes, clustered=True),
    )
}


@dataclass
class Report:
    """What one fault came to."""

    fault: Fault
    seed: int
    counts: Counts
    surprises: list[str]
    recovery: list[float]
    events: int
    figures: JSON
    seconds: float

    @property
    def clean(self) -> bool:
        return not self.surprises


def run_fault(stack: Stack, tenants: list[Tenant], fault: Fault, *, seed: int, rate: float, long: bool) -> Report:
    """One fault under load, with everything that is looked at afterwards."""
    began = time.monotonic()
    before = Counter(stack.unexplained_exits())
    load = Load(stack, tenants, rate, f"{fault.name}-{seed}")
    run = Run(stack, load, tenants, long)
    load.start()
    try:
        run.wait(WARM)
        fault.schedule(run)
        run.wait(COOL)
    except Exception as error:
        load.history.surprise(f"the schedule failed: {error!r}")
    finally:
        load.stop()
    load.resolve()
    try:
        until(lambda: not stack.unsettled() and not stack.queued(), QUIET, every=0.5, what="everything has ended")
    except AssertionError:
        load.history.surprise(f"not quiet within {QUIET:g} s: {stack.unsettled()} {stack.queued()}")
    counts = load.history.judge(stack.effects({one.effect for one in load.history.operations}))
    for name, times in (stack.unexplained_exits() - before).items():
        load.history.surprise(f"{name} ended {times} times although nobody killed it")
    checked = json.loads(stack.command("check", "--json", expect=(0, 1, 2)))
    if checked["clean"] is None:
        load.history.surprise(f"not checked: {checked['error']}")
    for rule in checked.get("rules", []):
        if rule["state"] == "violated":
            load.history.surprise(f"check {rule['invariant']}: {rule['rule']}: {rule['first'][:2]}")
    if folder := os.environ.get("HISTORY"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        load.history.write(Path(folder) / f"{fault.name}-{seed}.jsonl")
    ((events,),) = stack.rows("eventlog", "SELECT count(*) FROM events")
    surprises = load.history.surprises
    return Report(fault, seed, counts, surprises, run.recovery, events, run.figures, time.monotonic() - began)


def show(report: Report) -> None:
    counts = report.counts
    recovery = f"{max(report.recovery):.1f} s" if report.recovery else "-"
    state = "ok" if report.clean else "FAILED"
    print(
        f"{report.fault.name:4} {state:6} {report.seconds:5.0f} s  attempts {counts.attempts}"
        f" acknowledged {counts.acknowledged} ok {counts.ok} lost {counts.lost} duplicated {counts.duplicated}"
        f" recovered {counts.recovered} unexpected {counts.unexpected}  slowest recovery {recovery}"
        f"  {report.figures or ''}",
        flush=True,
    )
    for line, times in Counter(report.surprises).most_common(4 * MOST_SHOWN):
        print(f"     {line}" + (f" ({times} times)" if times > 1 else ""), flush=True)


def commit() -> str:
    return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()


def run_faults(names: list[str], *, clustered: bool, seed: int, rate: float, long: bool) -> list[Report]:
    """These faults one after the other on one stack."""
    reports = []
    with (
        tempfile.TemporaryDirectory(prefix="guanxi-faults-") as folder,
        Stack(Path(folder), clustered=clustered) as stack,
    ):
        tenants = open_tenants(stack)
        for name in names:
            reports.append(run_fault(stack, tenants, FAULTS[name], seed=seed, rate=rate, long=long))
            show(reports[-1])
            if os.environ.get("CI") != "true":
                results.write(reports[-1], commit=commit(), rate=rate, long=long, servers=stack.servers())
        if not all(report.clean for report in reports):
            keep = Path(os.environ.get("HISTORY") or tempfile.gettempdir()) / "faults-processes.log"
            keep.write_bytes((Path(folder) / "processes.log").read_bytes())
            print(f"what the processes said is in {keep}")
    return reports


def main(chosen: list[str]) -> int:
    unknown = [name for name in chosen if name not in FAULTS]
    if unknown:
        sys.exit(f"there is no {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    if not rabbitmq.available():
        sys.exit("RabbitMQ is not installed, so no fault can be caused")
    seed = int(os.environ.get("SEED") or random.randrange(10**6))
    rate, long = float(os.environ.get("RATE") or 5), os.environ.get("LONG") == "1"
    reports = []
    for clustered in (False, True):
        names = [name for name in chosen or FAULTS if FAULTS[name].clustered == clustered]
        if names:
            reports += run_faults(names, clustered=clustered, seed=seed, rate=rate, long=long)
    return 0 if all(report.clean for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
