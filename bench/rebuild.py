"""A rebuild of a large index under writes, with searches all the while: `make bench-rebuild` writes bench/rebuild.md.

ROWS (600000) accounts of the public sets are put into the event log and the index of one tenant. Then the index is
rebuilt, while WRITES (20) accounts are changed in a second and CHECKERS (2) ask QUESTIONS (20) each in a second for
accounts of which they know that they are there: each must be found, once. Everything runs in one process beside a
PostgreSQL and an Elasticsearch of its own; the end is a comparison of both.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.load import quantiles
from bench.search import account_of
from bench.search_rows import Row, rows_of
from bench.servers import OPERATED
from chassis.bus.wire import encode
from chassis.testing import Databases, Suite, prepare_templates
from services.search import equipment
from services.search.elastic_cluster import Cluster
from services.search.keeping import Keeper
from services.search.mapping import searchables
from services.search.rebuild import Rebuilder, ask, under_way
from services.search.sweep import ELASTICSEARCH, Sweeper, Task
from suite.servers import Elasticsearch
from suite.servers.postgres import Postgres

JSON = dict[str, Any]
HERE = Path(__file__).parent
ACCOUNT = "customer.account"
WATCHED = 200
LOADED = 4_000
"""Events at once while log and index are filled."""


@dataclass
class House:
    """One tenant's event log and index, and the leader of search, which runs in a thread."""

    suite: Suite
    elastic: Any
    stop: threading.Event = field(default_factory=threading.Event)

    def feed(self, events: list[JSON]) -> None:
        """Events as they come from the bus, first to the log."""
        bodies = [encode(one) for one in events]
        self.suite.runtime("eventlog").events(bodies)
        self.suite.runtime("search").events(bodies)

    def lead(self) -> None:
        runtime = self.suite.runtime("search")
        keeper, rebuilder = Keeper(runtime, self.elastic), Rebuilder()
        while not self.stop.is_set():
            equipment.show(runtime)
            keeper.tend()
            rebuilder.advance(runtime)
            self.stop.wait(0.05)


@dataclass
class Checker:
    """Asks for watched accounts by words that only they have; keeps what was wrong."""

    house: House
    marks: list[str]
    pause: float
    seconds: list[float] = field(default_factory=list)
    missing: int = 0
    double: int = 0
    by: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        for mark in itertools.cycle(self.marks):
            if self.house.stop.wait(self.pause):
                return
            began = time.monotonic()
            body = self.house.suite.request("search", "search.query", {"q": mark, "limit": 20})["body"]
            self.seconds.append(1000 * (time.monotonic() - began))
            hits = 0 if body.get("fuzzy") else len(body["items"])
            self.missing += hits == 0
            self.double += hits > 1
            backend = body["freshness"]["backend"]
            if hits != 1:
                print(f"answer {len(self.seconds)}: {hits} hits of {mark} by {backend}", flush=True)
            self.by[backend] = self.by.get(backend, 0) + 1


def write(house: House, rows: list[Row], rate: float, done: list[int]) -> None:
    """Change accounts by chance, so many in a second."""
    chance, versions = random.Random(7), dict[int, int]()
    while not house.stop.wait(1 / rate):
        at = chance.randrange(len(rows))
        versions[at] = versions.get(at, 1) + 1
        event = account_of(house.suite.tenant, replace(rows[at], city=f"City {versions[at]}"))
        event["type"], event["version"] = "customer.account.updated", versions[at]
        event["data"]["version"] = versions[at]
        house.feed([event])
        done[0] += 1


def differences(house: House) -> tuple[int, int]:
    """How many documents there are, and how many differ between PostgreSQL and Elasticsearch, as the sweep sees it."""
    sweeper, runtime = Sweeper(), house.suite.runtime("search")
    looked = found = 0
    for record in searchables():
        task = Task(house.suite.tenant, record, ELASTICSEARCH)
        found += sweeper.look(runtime, task)
    with house.suite.work("search") as work:
        looked = work.sql("SELECT count(*) FROM documents WHERE tenant_id = %s", (work.tenant,)).scalar_one()
    return looked, found


def main() -> None:
    count, rate = int(os.environ.get("ROWS", "600000")), float(os.environ.get("WRITES", "20"))
    rows = rows_of(rows=count)
    marks = ["zq" + "".join("bcdfghjklm"[int(digit)] for digit in f"{number:04}") for number in range(WATCHED)]
    watched = [Row("watched", mark, f"Watched {mark} Ltd") for mark in marks]
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with Postgres(folder / "pg", settings=OPERATED) as postgres, Elasticsearch(folder / "es", heap="1g") as node:
            prepare_templates(postgres.url, ["eventlog", "search"])
            databases = Databases(postgres.url, f"bench_{os.getpid()}")
            try:
                suite = Suite(databases, ["eventlog", "search"])
                elastic = equipment.use(suite.runtime("search"), Cluster(node.url, "bench", patience=10))
                Keeper(suite.runtime("search"), elastic).make_missing(seen=0)
                text = measure(House(suite, elastic), rows, watched, marks, rate)
            finally:
                databases.drop()
    print(text)
    (HERE / "rebuild.md").write_text(text)


def measure(house: House, rows: list[Row], watched: list[Row], marks: list[str], rate: float) -> str:
    began = time.monotonic()
    everything = [*rows, *watched]
    for start in range(0, len(everything), LOADED):
        house.feed([account_of(house.suite.tenant, row) for row in everything[start : start + LOADED]])
    loaded = time.monotonic() - began
    # Nobody may expect to find what no answer's position covers yet.
    equipment.show(house.suite.runtime("search"))
    pause = 1 / float(os.environ.get("QUESTIONS", "20"))
    checkers = [Checker(house, marks[at::2], pause) for at in range(int(os.environ.get("CHECKERS", "2")))]
    written = [0]
    threads = [threading.Thread(target=one) for one in (house.lead, *(checker.run for checker in checkers))]
    threads.append(threading.Thread(target=write, args=(house, rows, rate, written)))
    began = time.monotonic()
    ask(house.suite.runtime("search"))
    for thread in threads:
        thread.start()
    while under_way(house.suite.runtime("search")):
        time.sleep(0.5)
    rebuilt = time.monotonic() - began
    # The old indices are deleted meanwhile, which must be noticed as little.
    time.sleep(15)
    house.stop.set()
    for thread in threads:
        thread.join()
    looked, differing = differences(house)
    middle, slow = quantiles([taken for one in checkers for taken in one.seconds])
    answers = sum(len(one.seconds) for one in checkers)
    by = {backend: sum(one.by.get(backend, 0) for one in checkers) for backend in ("elasticsearch", "postgresql")}
    return "\n".join(
        [
            "# A rebuild under load",
            "",
            "Written by `make bench-rebuild`: search, event log and questions in one process beside PostgreSQL and",
            "Elasticsearch. All documents are made anew from the event log, into PostgreSQL and into new indices.",
            "",
            f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}.",
            "",
            "| What | |",
            "|---|---|",
            f"| documents | {looked:,} |",
            f"| put into log and index | {loaded:,.0f} s, {len(everything) / loaded:,.0f} in a second |",
            f"| rebuilt | {rebuilt:,.0f} s, {len(everything) / rebuilt:,.0f} in a second |",
            f"| changes meanwhile | {written[0]:,} |",
            f"| answers meanwhile | {answers:,} |",
            *(f"| of them by {backend} | {own:,} |" for backend, own in by.items()),
            f"| of them without the hit | {sum(one.missing for one in checkers)} |",
            f"| of them with a double hit | {sum(one.double for one in checkers)} |",
            f"| p50, p99 | {middle:.1f} ms, {slow:.1f} ms |",
            f"| differences afterwards | {differing} |",
            "",
        ]
    )


if __name__ == "__main__":
    main()
