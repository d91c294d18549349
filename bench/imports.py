"""How fast files become records, and in how much memory: `make bench-import`, which writes bench/imports.md.

Each case runs in a process of its own, as a job does: simple records of growing number, to see that memory stays flat,
and the whole of Online Retail, whose counts and sums are compared with the file's own.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil

from bench.servers import OPERATED
from chassis.testing import Databases, Suite, prepare_templates
from suite import online_retail
from suite.servers.postgres import Postgres
from tests.integration.retail import Direct, expected_of

JSON = dict[str, Any]
HERE = Path(__file__).parent
RETAIL = Path(os.environ.get("GUANXI_SHARED_DATA", HERE.parents[1] / "shared" / "data")) / "online-retail"
SIMPLE = (10_000, 100_000, 540_000)


def measured(databases: Databases, rows: int, work: Callable[[], Any]) -> JSON:
    """Wall and processor seconds, rows a second of each, and the peak of memory of this process."""
    server = _server(databases)
    before, started, cpu = _seconds(server), time.monotonic(), time.process_time()
    work()
    wall, own = time.monotonic() - started, time.process_time() - cpu
    return {
        "rows": rows,
        "wall": wall,
        "cpu": own,
        "server": _seconds(server) - before,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _server(databases: Databases) -> psutil.Process:
    from sqlalchemy import create_engine

    engine = create_engine(databases.server)
    with engine.connect() as connection:
        backend = psutil.Process(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        found = backend.parent()
    engine.dispose()
    assert found is not None
    return found


def _seconds(server: psutil.Process) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in server.children())


def simple(databases: Databases, rows: int) -> JSON:
    suite = Suite(databases, ["customer"])
    # The peak of memory is that of the whole process, so the file is never in it.
    with tempfile.TemporaryFile() as file:
        file.write(b"name,industry,phone,email,city,country,external:old\n")
        for number in range(rows):
            file.write(
                f"Company {number},Steel,+49 30 {number},info{number}@example.com,Bonn,Germany,{number}\n".encode()
            )
        file.seek(0)
        blob = suite.blobs.of("customer", suite.tenant).put(file)
    params = {"record": "customer.account", "blob": blob.key, "format": "csv"}
    job = suite.call("customer", "record.import", params)["id"].partition("-")[2]
    figures = measured(databases, rows, lambda: suite.run_jobs("customer"))
    assert suite.call("customer", "job.get", {"id": job})["result"]["created"] == rows
    return figures


def retail(databases: Databases, file: Path) -> JSON:
    suite = Suite(databases, ["customer", "inventory", "sales"])
    lines = sum(1 for _ in online_retail.rows_of(file))
    figures = measured(databases, lines, lambda: online_retail.run(Direct(suite), file, lambda *_: None))
    expected, found = expected_of(file, None), {}
    for collection, table in (("orders", "orders"), ("credit-notes", "credit_notes")):
        with suite.work("sales") as work:
            rows = work.sql(
                f"SELECT external_ids->>'online-retail', jsonb_array_length(lines), net FROM {table}"
                " WHERE tenant_id = %s",
                (work.tenant,),
            ).all()
        assert {key: [count, net] for key, count, net in rows} == expected[collection]
        found[collection] = (len(rows), sum(count for _, count, _ in rows), sum((net for *_, net in rows), Decimal(0)))
    return {**figures, "found": {name: [*counts, str(net)] for name, (*counts, net) in found.items()}}


def child(case: str, server: str) -> None:
    databases = Databases(server, f"bench_{os.getpid()}")
    try:
        figures = (
            retail(databases, RETAIL / "online_retail.csv.gz") if case == "retail" else simple(databases, int(case))
        )
        print(json.dumps(figures))
    finally:
        databases.drop()


def main() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="guanxi-bench-") as folder,
        Postgres(Path(folder) / "pg", settings=OPERATED) as postgres,
    ):
        prepare_templates(postgres.url, ["customer", "inventory", "sales"])
        cases = [*map(str, SIMPLE), *(["retail"] if RETAIL.exists() else [])]
        results = {case: _run(case, postgres.url) for case in cases}
    (HERE / "imports.md").write_text(report(results))


def _run(case: str, server: str) -> JSON:
    done = subprocess.run(
        [sys.executable, "-m", "bench.imports", case, server], stdout=subprocess.PIPE, check=True, text=True
    )
    print(case, done.stdout.strip(), flush=True)
    figures: JSON = json.loads(done.stdout.splitlines()[-1])
    return figures


def report(results: dict[str, JSON]) -> str:
    lines = [
        "# Imports",
        "",
        "Written by `make bench-import`. Each case is one process that imports one file (Online Retail: four), events",
        "written too. *rows/CPU s* counts the processor time of that process, *server CPU s* is PostgreSQL's own;",
        "the wall clock says how busy the machine was.",
        "",
        f"{os.cpu_count()} cores, load {os.getloadavg()[1]:.1f} during the run.",
        "",
        "| File | rows | wall s | rows/s | CPU s | rows/CPU s | server CPU s | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, one in results.items():
        name = "Online Retail" if case == "retail" else "accounts"
        lines.append(
            f"| {name} | {one['rows']:,} | {one['wall']:.1f} | {one['rows'] / one['wall']:,.0f} | {one['cpu']:.1f}"
            f" | {one['rows'] / one['cpu']:,.0f} | {one['server']:.1f} | {one['memory']} |"
        )
    if "retail" in results:
        lines += ["", "Online Retail, equal to an independent computation document by document:", ""]
        for name, (documents, count, net) in results["retail"]["found"].items():
            lines.append(f"- {name}: {documents:,} documents with {count:,} lines, net {Decimal(net):,} GBP")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(sys.argv[1], sys.argv[2])
    else:
        main()
