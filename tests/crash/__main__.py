"""`python -m tests.crash`: every crash point of every flow, by two workers. LONG=1: all pairs of the order flow.

All pairs take long, so PART=2/5 plays the second fifth of them, spread over the whole flow; the five parts together
are all. Writes what was played into `results.md`, not in CI, where the tree must stay as it is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from chassis.testing import prepare_templates
from suite.servers.postgres import Postgres
from tests.crash import results
from tests.crash.enumeration import Examined, enumeration
from tests.crash.flows import FLOWS

LONG = os.environ.get("LONG") == "1"
WORKERS = 2
BLOCK = 16
"""Moments in a row that one worker takes: what one kill leaves behind, the next one often leaves as well."""


def work(server: str, number: int) -> None:
    """Examine every second block of moments and say what came out, a line for each stage."""
    part, parts = chosen_part()

    def mine(first: int, second: int) -> bool:
        return (first + second) % parts == part - 1

    flows, pairs = (FLOWS[:1], mine) if LONG else (FLOWS, None)
    with enumeration(server, f"crash_{number}") as worker:
        for flow in flows:
            for found in worker.examine(flow, lambda moment: moment // BLOCK % WORKERS == number, pairs=pairs):
                print(json.dumps(vars(found)), flush=True)
        print(json.dumps([] if LONG else worker.unexamined()), flush=True)


def chosen_part() -> tuple[int, int]:
    """Which part of the pairs, of how many. Exits where PART makes no sense."""
    said = os.environ.get("PART") or "1/1"
    found = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", said)
    if not found or int(found[1]) > int(found[2]):
        sys.exit(f"PART is a number of a part and how many there are, such as 2/5, not {said}")
    return int(found[1]), int(found[2])


def main() -> int:
    part = chosen_part()
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
    return report(told, part, time.monotonic() - began)


def report(told: list[list[Any]], part: tuple[int, int], seconds: float) -> int:
    """Print a line for each stage and what was wrong, and write the figures. Returns the exit code."""
    unexamined = told[0].pop()
    stages = [[Examined(**stage) for stage in worker if isinstance(stage, dict)] for worker in told]
    wrong: list[str] = []
    points = runs = pairs = different = played = 0
    for parts in zip(*stages, strict=True):
        same = all(each.steps == parts[0].steps for each in parts)
        wrong += [words for each in parts for words in each.wrong]
        wrong += [] if same else [f"{parts[0].flow}: steps differ"]
        points, runs = points + parts[0].moments, runs + sum(each.runs for each in parts)
        pairs, played = pairs + sum(each.pairs for each in parts), played + sum(each.played for each in parts)
        different += sum(each.different for each in parts)
        print(f"{parts[0].moments:5} points  {parts[0].flow}: {parts[0].stage}")
    print("\n".join(wrong))
    if unexamined:
        print(f"no flow has these handlers: {', '.join(unexamined)}")
    if pairs:
        print(f"{pairs:,} pairs of the order flow, {different:,} of them different; {played:,} of these were played")
    print(f"{points} crash points, {runs} kills, {len(wrong)} other ends, {seconds:.0f} s")
    if os.environ.get("CI") != "true":
        results.write(results.Figures(points, pairs, different, played, runs, len(wrong), seconds), part)
    return 1 if wrong or unexamined else 0


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
