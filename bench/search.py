"""How well search finds, class by class, beside each ceiling: `make bench-search`, which writes bench/search.md.

The accounts go into the index of one tenant as events, in one process, and every question is asked of the service as
the gateway asks. ROWS (20000) accounts are taken from the four sets, SEED (2) draws the questions.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.load import quantiles
from bench.search_rows import Row, rows_of
from bench.search_set import DRAW, Question, ceiling, questions
from chassis.bus.wire import encode
from chassis.ids import derived_id, new_id
from chassis.testing import Databases, Suite, prepare_templates
from suite.servers.postgres import Postgres

JSON = dict[str, Any]
HERE = Path(__file__).parent
BATCH, SHOWN = 200, 20


def account_of(suite: Suite, row: Row) -> JSON:
    """The event of an account's creation, as the search service takes it."""
    one = derived_id(suite.tenant, f"{row.set}/{row.key}")
    fields = {"phone": row.phone, "email": row.email, "website": row.website, "city": row.city, "country": row.country}
    data = {"id": one, "name": row.name, "external_ids": {row.set: row.key}, "version": 1, "changed": []}
    return {
        "id": new_id(),
        "type": "customer.account.created",
        "subject": f"account/{one}",
        "time": "2026-01-01T00:00:00Z",
        "tenant": suite.tenant,
        "version": 1,
        "data": {**data, "previous": {}, **{name: value for name, value in fields.items() if value}},
    }


def fill(suite: Suite, rows: list[Row]) -> float:
    """Put all rows into the index; returns the records taken in a second."""
    batches = [
        [encode(account_of(suite, row)) for row in rows[start : start + BATCH]] for start in range(0, len(rows), BATCH)
    ]
    began = time.monotonic()
    for batch in batches:
        suite.runtime("search").events(batch)
    return len(rows) / (time.monotonic() - began)


def ask(suite: Suite, question: Question) -> tuple[float, float]:
    """The reciprocal rank of the first right answer among the first twenty, and the milliseconds of the answer."""
    right = {derived_id(suite.tenant, "/".join(key)) for key in question.right}
    began = time.monotonic()
    found = suite.request("search", "search.query", {"q": question.typed, "limit": SHOWN})["body"]["items"]
    taken = 1000 * (time.monotonic() - began)
    return next((1 / rank for rank, item in enumerate(found, 1) if item["id"] in right), 0.0), taken


def main() -> None:
    count, seed = int(os.environ.get("ROWS", "20000")), int(os.environ.get("SEED", "2"))
    rows = rows_of(rows=count)
    drawn = questions(rows, seed, each=int(os.environ.get("EACH", "250")))
    with tempfile.TemporaryDirectory(prefix="guanxi-bench-") as folder, Postgres(Path(folder) / "pg") as postgres:
        prepare_templates(postgres.url, ["search"])
        databases = Databases(postgres.url, f"bench_{os.getpid()}")
        try:
            suite = Suite(databases, ["search"])
            speed = fill(suite, rows)
            found: dict[str, list[tuple[float, float]]] = defaultdict(list)
            for question in drawn:
                found[question.kind].append(ask(suite, question))
        finally:
            databases.drop()
    text = report(len(rows), seed, speed, drawn, found)
    print(text)
    (HERE / "search.md").write_text(text)


def report(
    rows: int, seed: int, speed: float, drawn: list[Question], found: dict[str, list[tuple[float, float]]]
) -> str:
    lines = [
        "# Search: what is found",
        "",
        "Written by `make bench-search`. The mean reciprocal rank (MRR) of the first right answer among twenty, and",
        "the best that any engine could reach where others fit as well. PostgreSQL, service and questions in one",
        "process; the times are of that process on a machine that others used as well, without gateway and broker.",
        "",
        f"{rows:,} accounts, questions of seed {seed}, {os.cpu_count()} cores, load {os.getloadavg()[1]:.1f}.",
        f"Taken in from events at {speed:,.0f} records a second.",
        "",
        "| Class | questions | MRR | ceiling | p50 ms | p99 ms |",
        "|---|---|---|---|---|---|",
    ]
    for kind in DRAW:
        own = found.get(kind, [])
        if not own:
            continue
        best = [ceiling(len(one.right), one.rivals) for one in drawn if one.kind == kind]
        middle, slow = quantiles([taken for _, taken in own])
        lines.append(
            f"| {kind} | {len(own)} | {sum(rank for rank, _ in own) / len(own):.3f} | {sum(best) / len(best):.3f}"
            f" | {middle:.1f} | {slow:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
