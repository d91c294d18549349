"""`python -m tests.crash`: every crash point of every flow, by two workers; LONG=1 adds all pairs of the order flow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chassis.testing import prepare_templates
from suite.servers.postgres import Postgres
from tests.crash.enumeration import Examined, enumeration
from tests.crash.flows import FLOWS

WORKERS = 2


def work(server: str, number: int) -> None:
    """Examine every second moment and say what came out, a line for each stage."""
    with enumeration(server, f"crash_{number}") as worker:
        for flow in FLOWS:
            pairs = os.environ.get("LONG") == "1" and flow is FLOWS[0]
            for found in worker.examine(flow, lambda moment: moment % WORKERS == number, pairs=pairs):
                print(json.dumps(vars(found)), flush=True)
        print(json.dumps(worker.unexamined()), flush=True)


def main() -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guanxi-crash-") as folder:
        server = Postgres(Path(folder), max_connections=200)
        try:
            prepare_templates(server.start())
            # Into files: a pipe that nobody reads yet would stop its writer.
            outputs = [Path(folder, f"worker-{number}") for number in range(WORKERS)]
            workers = []
            for number, output in enumerate(outputs):
                command = [sys.executable, "-m", "tests.crash", server.url, str(number)]
                workers.append(subprocess.Popen(command, stdout=output.open("w")))
            codes = [worker.wait() for worker in workers]
            told = [[json.loads(line) for line in output.read_text().splitlines()] for output in outputs]
        finally:
            server.stop()
            server.remove()
    if any(codes):
        print("a worker ended before its end")
        return 1
    return report(told, time.monotonic() - began)


def report(told: list[list[Any]], seconds: float) -> int:
    """Print a line for each stage and what was wrong. Returns the exit code."""
    unexamined = told[0].pop()
    stages = [[Examined(**stage) for stage in worker if isinstance(stage, dict)] for worker in told]
    wrong: list[str] = []
    points = runs = 0
    for parts in zip(*stages, strict=True):
        same = all(part.steps == parts[0].steps for part in parts)
        wrong += [each for part in parts for each in part.wrong] + ([] if same else [f"{parts[0].flow}: steps differ"])
        points, runs = points + parts[0].moments, runs + sum(part.runs for part in parts)
        print(f"{parts[0].moments:5} points  {parts[0].flow}: {parts[0].stage}")
    print("\n".join(wrong))
    if unexamined:
        print(f"no flow has these handlers: {', '.join(unexamined)}")
    print(f"{points} crash points, {runs} kills, {len(wrong)} other ends, {seconds:.0f} s")
    return 1 if wrong or unexamined else 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
