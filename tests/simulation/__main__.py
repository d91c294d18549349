"""`python -m tests.simulation`: seeds by two workers until one ends badly; SEEDS says how many, SEED plays one aloud.

START (0) is the first seed, so that another night plays others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from chassis.testing import prepare_templates
from suite.servers.postgres import Postgres
from tests.simulation.simulator import Simulator

WORKERS = 2
TOLD_EVERY = 50


def work(server: str, number: int, start: int, seeds: int) -> int:
    """Play every second seed, and say how it goes, a line of JSON at a time. Ends at the first bad end."""
    simulator = Simulator(server, f"simulation_{number}")
    try:
        for count, seed in enumerate(range(start + number, start + seeds, WORKERS), 1):
            if wrong := simulator.run(seed).wrong:
                print(json.dumps({"seed": seed, "wrong": wrong}), flush=True)
                return 1
            if count % TOLD_EVERY == 0:
                print(json.dumps({"done": count}), flush=True)
    finally:
        simulator.close()
    return 0


def play(server: str, seed: int) -> int:
    """One seed, line by line."""
    simulator = Simulator(server, "simulation")
    try:
        outcome = simulator.run(seed)
    finally:
        simulator.close()
    print("\n".join(outcome.trace))
    print(f"seed {seed}: {outcome.wrong or 'the books are right'}")
    return 1 if outcome.wrong else 0


class Workers:
    """The workers of a run and what they say."""

    def __init__(self, server: str, start: int, seeds: int) -> None:
        self.done = [0] * WORKERS
        self.bad: list[dict[str, Any]] = []
        self._began, self._seeds = time.monotonic(), seeds
        self._workers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.simulation", *map(str, (server, number, start, seeds))],
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(WORKERS)
        ]

    def run(self) -> int:
        readers = [threading.Thread(target=self._read, args=(number,)) for number in range(WORKERS)]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        codes = [worker.wait() for worker in self._workers]
        for each in self.bad:
            print(f"seed {each['seed']}: {each['wrong']}\nplay it alone: make simulate SEED={each['seed']}")
        if self.bad or any(codes):
            return 1
        print(f"{self._seeds} seeds, all books right, {time.monotonic() - self._began:.0f} s")
        return 0

    def _read(self, number: int) -> None:
        for line in self._workers[number].stdout or ():
            said = json.loads(line)
            if "wrong" in said:
                self.bad.append(said)
                for worker in self._workers:
                    worker.terminate()
            else:
                self.done[number] = said["done"]
                rate = sum(self.done) / (time.monotonic() - self._began)
                print(f"{sum(self.done)} of {self._seeds} seeds, {rate:.1f} a second", flush=True)


def main() -> int:
    seed, start, seeds = os.environ.get("SEED"), int(os.environ.get("START", 0)), int(os.environ.get("SEEDS", 2000))
    with tempfile.TemporaryDirectory(prefix="guanxi-simulation-") as folder:
        server = Postgres(Path(folder), max_connections=200)
        try:
            prepare_templates(server.start())
            return play(server.url, int(seed)) if seed else Workers(server.url, start, seeds).run()
        finally:
            server.stop()
            server.remove()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit(work(arguments[0], *map(int, arguments[1:])) if arguments else main())
