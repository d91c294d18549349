"""Type-ahead over all public names, and how fast they are taken in: `make bench-typeahead` writes bench/typeahead.md.

ROWS (all) accounts go into the index of one tenant as events; then eight users type five keys a second each for SECONDS
(60), through the gateway and to the service's code alone. BACKEND (`postgres,elasticsearch`) says which kinds of index
answer, FOLDER where data stay between runs. With LOAD=import the accounts come by import jobs through the gateway, and
all services run.
"""

from __future__ import annotations

import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psutil

from bench.keystrokes import SHORT, Send, Typed, type_ahead
from bench.search import account_of
from bench.search_rows import Row, rows_of
from bench.searching import Searching, raw_index
from chassis.bus.wire import encode
from chassis.ids import new_id
from services.search import behind, equipment, keeping
from services.search.elastic_cluster import Away
from services.search.service import Search

HERE = Path(__file__).parent
BATCH = Search.batch_size
LOAD = os.environ.get("LOAD") or "events"
LOADED = {"events": "events", "import": "import jobs of the API"}
BACKENDS = ("postgres", "elasticsearch")
PATIENCE = 1_800.0
FRESH = 20_000
"""Records that are taken into both kinds of index at once, for the figure of indexing with Elasticsearch."""


def main() -> None:
    said = os.environ.get("ROWS") or "all"
    rows = rows_of(rows=None if said == "all" else int(said))
    # Else the collector looks through all rows now and then, half a second in which nobody can type.
    gc.freeze()
    seconds = float(os.environ.get("SECONDS") or "60")
    backends = [one for one in (os.environ.get("BACKEND") or ",".join(BACKENDS)).split(",") if one]
    taken: list[str] = []
    typed: list[str] = []
    with ExitStack() as stack:
        kept = os.environ.get("FOLDER")
        folder = Path(kept or stack.enter_context(tempfile.TemporaryDirectory(prefix="guanxi-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        for backend in backends:
            with Searching(folder, elasticsearch=backend == "elasticsearch", whole=LOAD == "import") as searching:
                fill = fill_postgres if backend == "postgres" else fill_elasticsearch
                taken += fill(searching, rows)
                typed += measure(searching, backend, rows, seconds)
        if not kept:
            searching.postgres.remove()
            searching.rabbit.remove()
            if searching.node:
                searching.node.remove()
    text = report(searching.imported or len(rows), seconds, taken, typed)
    print(text)
    (HERE / "typeahead.md").write_text(text)


def measure(searching: Searching, backend: str, rows: Sequence[Row], seconds: float) -> list[str]:
    lines = []
    searching.until_ready(searching.through_gateway)
    ways: dict[str, Callable[[], Send]] = {
        f"{backend}, through the gateway": searching.through_gateway,
        f"{backend}, the service's code alone": searching.directly,
    }
    if backend == "elasticsearch":
        ways["raw Elasticsearch, the same keys"] = searching.raw("raw")
    for number, (name, connect) in enumerate(ways.items()):
        # The first questions after a start load what later ones find loaded, and let a JVM compile what answers.
        type_ahead(rows, min(10.0 if number else 180.0, 3 * seconds), connect, seed=2)
        before = spent(searching)
        typed = type_ahead(rows, seconds, connect)
        lines.append(row_of(name, typed, spent(searching) - before))
        slowest = sorted(typed.taken, key=lambda one: -one[1])[:8]
        print(lines[-1], "slowest:", [(text, round(ms)) for _, ms, text in slowest], flush=True)
    return lines


def row_of(name: str, typed: Typed, cpu: float) -> str:
    count = max(1, len(typed.taken))
    figures = [typed.at(0.5), typed.at(0.95), typed.at(0.99), typed.at(0.95, SHORT), 1000 * cpu / count]
    return f"| {name} | {count:,} | {typed.errors} | {' | '.join(f'{one:.1f}' for one in figures)} |"


def spent(searching: Searching) -> float:
    """Processor seconds of everything that answers, and of this process, which asks."""
    total = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    servers = [searching.postgres.pid, searching.rabbit.pid, searching.node.pid if searching.node else None]
    for pid in (*servers, *searching.supervisor.pids().values()):
        if pid is not None:
            total += sum(_cpu(one) for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)))
    return total


def _cpu(process: psutil.Process) -> float:
    try:
        times: Any = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def fill_postgres(searching: Searching, rows: Sequence[Row]) -> list[str]:
    """Put the accounts into the index as events, unless they are there."""
    if LOAD == "import":
        return [imported(searching, rows)] if searching.imported is None else []
    if searching.held() >= len(rows):
        return []
    return [taken_in(searching, searching.tenant, rows, "PostgreSQL")]


def taken_in(searching: Searching, tenant: str, rows: Sequence[Row], name: str) -> str:
    batches = ([encode(account_of(tenant, row)) for row in rows[at : at + BATCH]] for at in range(0, len(rows), BATCH))
    before, began, shown = spent(searching), time.monotonic(), 0
    for number, batch in enumerate(batches):
        searching.runtime.events(batch)
        if (number + 1) * BATCH - shown >= 50_000:
            shown = (number + 1) * BATCH
            print(f"{shown:,} after {time.monotonic() - began:.0f} s", flush=True)
    return rate_of(f"{name}: {len(rows):,} accounts", len(rows), began, before, searching)


def imported(searching: Searching, rows: Sequence[Row]) -> str:
    """By import jobs through the gateway, until the last account is in the index; every service hears of them."""
    searching.until_ready(searching.through_gateway)
    before, began = spent(searching), time.monotonic()
    sets = dict.fromkeys(row.set for row in rows)
    made = sum(searching.bring([row for row in rows if row.set == name]) for name in sets)
    while searching.held() < made:
        time.sleep(1)
    searching.keep_imported(made)
    name = f"import through the API into all services and the index: {made:,} accounts"
    return rate_of(name, made, began, before, searching)


def rate_of(name: str, count: int, began: float, before: float, searching: Searching) -> str:
    wall, cpu = time.monotonic() - began, spent(searching) - before
    line = f"| {name} | {wall:.0f} | {count / wall:,.0f} | {cpu:.0f} | {count / cpu:,.0f} |"
    print(line, flush=True)
    return line


def fill_elasticsearch(searching: Searching, rows: Sequence[Row]) -> list[str]:
    """Fill Elasticsearch from PostgreSQL, as the leader does where it is new, and a plain index for comparison."""
    index, node = equipment.elastic_of(searching.runtime), searching.node
    assert index is not None and node is not None
    lines = []
    if "raw" not in node.ask("GET", "/_aliases"):
        before, began = spent(searching), time.monotonic()
        if LOAD == "import":
            # The service that runs has its leader, who does it.
            until(lambda: not index.generations.missing() and not lacking(searching))
        else:
            keeping.Keeper(searching.runtime, index).make_missing(seen=0)
        while lacking(searching):
            # A server whose disk or processor others use may miss a time limit; the leader goes on as well.
            with suppress(Away):
                keeping.drain(searching.runtime, index, 60)
        count = searching.imported or len(rows)
        name = f"Elasticsearch, filled from PostgreSQL: {count:,} documents"
        lines.append(rate_of(name, count, began, before, searching))
        if LOAD == "events":
            # Where customer runs as well, its sweep would take accounts away that came as events alone.
            fresh = rows[:: max(1, len(rows) // FRESH)]
            lines.append(taken_in(searching, new_id(), fresh, "Elasticsearch and PostgreSQL"))
        names = [row.name for row in rows]
        before, began = spent(searching), time.monotonic()
        raw_index(node, "raw", names)
        lines.append(rate_of(f"raw Elasticsearch: {len(names):,} names", len(names), began, before, searching))
    index.generations.refresh([f"{index.cluster.prefix}-*"])
    until(lambda: not node.ask("GET", "/_stats/merge")["_all"]["primaries"]["merges"]["current"])
    return lines


def until(done: Callable[[], bool]) -> None:
    """Wait for what servers and services do by themselves, which is looked at every second. Raises TimeoutError."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done in {PATIENCE:.0f} s")
        time.sleep(1)


def lacking(searching: Searching) -> bool:
    with searching.runtime.database.operations() as connection:
        return bool(behind.tenants(connection))


def report(rows: int, seconds: float, taken: Sequence[str], typed: Sequence[str]) -> str:
    lines = [
        "# Type-ahead, and taking in",
        "",
        "Written by `make bench-typeahead`. Eight users type five keys a second each, names of four public sets in",
        "equal shares, Chinese ones partly by their sound, some with a slip. Each key is sent when it is due, whether",
        "or not those before it were answered, and its time counts from then. Broker, servers, gateway, service and",
        "users share one machine. *CPU ms* are of all of them together, for one question.",
        "",
        f"{rows:,} accounts in one tenant, put there by {LOADED[LOAD]}, {seconds:.0f} s each, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[1]:.1f}.",
        "",
        "| Answered by | questions | errors | p50 ms | p95 ms | p99 ms | p95 of 1 to 3 letters | CPU ms |",
        "|---|---|---|---|---|---|---|---|",
        *typed,
    ]
    if taken:
        lines += [
            "",
            "Taken in:",
            "",
            "| Into | s | records/s | CPU s | records/CPU s |",
            "|---|---|---|---|---|",
            *taken,
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
