"""How well search finds, class by class, beside each ceiling: `make bench-search`, which writes bench/search.md.

The accounts go into the index of one tenant as events, in one process, and every question is asked of the service as
the gateway asks. ROWS (20000; `all` are 612,000) accounts are taken from the four sets, SEED (2) draws EACH (250)
questions of a class, and BACKEND (`postgres,elasticsearch`) says which kinds of index answer.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.load import quantiles
from bench.search_rows import Row, rows_of
from bench.search_set import DRAW, GOALS, Question, ceiling, questions
from bench.servers import OPERATED
from chassis.bus.wire import encode
from chassis.ids import derived_id, new_id
from chassis.testing import Databases, Suite, prepare_templates
from services.search import equipment
from services.search.elastic_cluster import Cluster
from services.search.following import BEHIND_SECONDS
from services.search.keeping import Keeper
from services.search.postgres import PostgresIndex
from suite.servers.elasticsearch import Elasticsearch
from suite.servers.postgres import Postgres

JSON = dict[str, Any]
HERE = Path(__file__).parent
BATCH, SHOWN = 4_000, 20
BACKENDS = ("postgres", "elasticsearch")
Measured = dict[str, list[tuple[float, float]]]
"""By class the reciprocal rank and the milliseconds of every question."""


def account_of(tenant: str, row: Row) -> JSON:
    """The event of an account's creation, as the search service takes it."""
    one = derived_id(tenant, f"{row.set}/{row.key}")
    fields = {"phone": row.phone, "email": row.email, "website": row.website, "city": row.city, "country": row.country}
    data = {"id": one, "name": row.name, "external_ids": {row.set: row.key}, "version": 1, "changed": []}
    return {
        "id": new_id(),
        "type": "customer.account.created",
        "subject": f"account/{one}",
        "time": "2026-01-01T00:00:00Z",
        "tenant": tenant,
        "version": 1,
        "data": {**data, "previous": {}, **{name: value for name, value in fields.items() if value}},
    }


def fill(suite: Suite, rows: Sequence[Row]) -> float:
    """Put all rows into the index, which shows them as often as the leader has it do; returns the records a second."""
    runtime = suite.runtime("search")
    began = shown = time.monotonic()
    for start in range(0, len(rows), BATCH):
        runtime.events([encode(account_of(suite.tenant, row)) for row in rows[start : start + BATCH]])
        if time.monotonic() - shown >= BEHIND_SECONDS:
            equipment.show(runtime)
            shown = time.monotonic()
    equipment.show(runtime)
    return len(rows) / (time.monotonic() - began)


def ask(suite: Suite, question: Question) -> tuple[float, float]:
    """The reciprocal rank of the first right answer among the first twenty, and the milliseconds of the answer."""
    right = {derived_id(suite.tenant, "/".join(key)) for key in question.right}
    began = time.monotonic()
    body = suite.request("search", "search.query", {"q": question.typed, "limit": SHOWN})["body"]
    taken = 1000 * (time.monotonic() - began)
    if body["freshness"]["degraded"]:
        raise RuntimeError("Elasticsearch left this question to PostgreSQL")
    return next((1 / rank for rank, item in enumerate(body["items"], 1) if item["id"] in right), 0.0), taken


def measure(suite: Suite, drawn: Sequence[Question]) -> Measured:
    found: Measured = defaultdict(list)
    for question in drawn:
        rank, taken = ask(suite, question)
        found[question.kind].append((rank, taken))
        if rank < 0.3 and "MISSES" in os.environ:
            print(f"{question.kind}\t{rank:.2f}\t{question.typed}", file=sys.stderr)
    return found


def reached(measured: Measured) -> dict[str, float]:
    """The mean reciprocal rank of every class."""
    return {kind: sum(rank for rank, _ in own) / len(own) for kind, own in measured.items()}


@contextmanager
def suite_of(backends: Sequence[str]) -> Iterator[Suite]:
    """A tenant in real servers that go with it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="guanxi-bench-")))
        postgres = stack.enter_context(Postgres(folder / "pg", settings=OPERATED))
        prepare_templates(postgres.url, ["search"])
        databases = Databases(postgres.url, f"bench_{os.getpid()}")
        stack.callback(databases.drop)
        suite = Suite(databases, ["search"])
        if "elasticsearch" in backends:
            node = Elasticsearch(folder / "elasticsearch", say=lambda _: None)
            stack.callback(node.remove)
            node.start()
            runtime = suite.runtime("search")
            Keeper(runtime, equipment.use(runtime, Cluster(node.url, "bench", patience=60))).make_missing(seen=0)
        yield suite


def main() -> None:
    said = os.environ.get("ROWS") or "20000"
    count, seed = None if said == "all" else int(said), int(os.environ.get("SEED") or "2")
    backends = (os.environ.get("BACKEND") or ",".join(BACKENDS)).split(",")
    if not set(backends) <= set(BACKENDS):
        raise SystemExit(f"BACKEND is one of {', '.join(BACKENDS)}, or both")
    rows = rows_of(rows=count)
    drawn = questions(rows, seed, each=int(os.environ.get("EACH") or "250"))
    measured = {}
    with suite_of(backends) as suite:
        speed = fill(suite, rows)
        if "elasticsearch" in backends:
            measured["elasticsearch"] = measure(suite, drawn)
        if "postgres" in backends:
            with patch("services.search.queries.index_of", PostgresIndex):
                measured["postgres"] = measure(suite, drawn)
    text = report(len(rows), seed, speed, drawn, {name: measured[name] for name in BACKENDS if name in measured})
    print(text)
    (HERE / "search.md").write_text(text)


def report(rows: int, seed: int, speed: float, drawn: list[Question], measured: dict[str, Measured]) -> str:
    into = "PostgreSQL and Elasticsearch at once" if "elasticsearch" in measured else "PostgreSQL"
    columns = " | ".join(f"{name} MRR | p50 ms | p99 ms" for name in measured)
    lines = [
        "# Search: what is found",
        "",
        "Written by `make bench-search`. The mean reciprocal rank (MRR) of the first right answer among twenty, and",
        "the best that any engine could reach where others fit as well. Service, questions and servers share one",
        "machine that others used as well; the times are of the service's own process, without gateway and broker.",
        "",
        f"{rows:,} accounts, {len(drawn):,} questions of seed {seed}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[1]:.1f}.",
        f"Taken in from events at {speed:,.0f} records a second, into {into}.",
        "",
        f"| Class | questions | goal | ceiling | {columns} |",
        f"|---|---|---|---|{'---|---|---|' * len(measured)}",
    ]
    for kind in DRAW:
        best = [ceiling(len(one.right), one.rivals) for one in drawn if one.kind == kind]
        if not best:
            continue
        cells = [kind, str(len(best)), f"{GOALS[kind]:.2f}", f"{sum(best) / len(best):.3f}"]
        for own in measured.values():
            middle, slow = quantiles([taken for _, taken in own[kind]])
            cells += [f"{reached(own)[kind]:.3f}", f"{middle:.1f}", f"{slow:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
