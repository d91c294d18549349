"""`python -m tests.faults.outbox [ROWS]`: what a million events leave of the table `unsent`, once they are all sent.

Writers insert as fast as the relay publishes (to a broker that confirms everything), so the table is never long. Prints
and, for a million rows or more, writes `outbox.md`: the sizes of table and index, and how long the relay looks for work
when there is none. A table that grew with everything that ever went through would show it here.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chassis import migrations, provisioning, relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.clock import SystemClock
from chassis.database import Database, make_engine
from suite.servers import Postgres

PLACE = Path(__file__).with_name("outbox.md")
SERVICE, SECRET = "customer", "outbox" * 6
BATCH, BACKLOG = 500, 5_000


class Confirming:
    """A broker that takes everything at once."""

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        return [Outcome.CONFIRMED] * len(batch)

    def close(self) -> None:
        pass


def measure(url: str, rows: int) -> dict[str, Any]:
    """Sizes in kilobytes and the time of one look in milliseconds, before, at the fullest, and after."""
    provisioning.provision(url, [SERVICE], SECRET)
    address = {role: provisioning.service_url(url, SERVICE, role, SECRET) for role in ("owner", "app", "ops")}
    migrations.upgrade(address["owner"], SERVICE)
    database = Database(make_engine(address["app"]), make_engine(address["ops"]), SystemClock(), None)
    owner = make_engine(address["owner"])

    def size() -> int:
        with owner.connect() as connection:
            return int(connection.exec_driver_sql("SELECT pg_total_relation_size('unsent')").scalar() or 0) // 1024

    def look() -> float:
        began = time.perf_counter()
        relay.publish_once(database, SERVICE, Confirming())
        return 1000 * (time.perf_counter() - began)

    written, sent, largest = 0, 0, 0
    found: dict[str, Any] = {"rows": rows, "before": size()}
    statement = (
        "INSERT INTO unsent (tenant_id, message_id, service, body)"
        " SELECT gen_random_uuid(), gen_random_uuid(), 'sales', convert_to(repeat('x', 400), 'UTF8')"
        " FROM generate_series(1, %s)"
    )

    def write() -> None:
        nonlocal written
        while written < rows:
            if written - sent > BACKLOG:
                time.sleep(0.005)
                continue
            with database.operations() as connection:
                connection.exec_driver_sql(statement, (BATCH,))
            written += BATCH

    began = time.monotonic()
    writer = threading.Thread(target=write)
    writer.start()
    looked = 0.0
    while sent < rows:
        sent += relay.publish_once(database, SERVICE, Confirming())[0]
        if time.monotonic() - looked > 1:
            looked, largest = time.monotonic(), max(largest, size())
    writer.join()
    found |= {"seconds": round(time.monotonic() - began), "largest": largest, "after": size()}
    found["look"] = round(sorted(look() for _ in range(20))[10], 2)
    found["left"] = relay.backlog(database)[0]
    database.close()
    owner.dispose()
    return found


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory(prefix="guanxi-outbox-") as folder:
        server = Postgres(Path(folder) / "postgres")
        try:
            found = measure(server.start(), rows)
        finally:
            server.remove()
    text = (
        f"{found['rows']:,} rows went through `unsent` in {found['seconds']} s, at most about {BACKLOG:,} at a time."
        f" Table and index took {found['before']:,} kB before, {found['largest']:,} kB at most and"
        f" {found['after']:,} kB afterwards, with {found['left']} rows left; the relay's look for work then took"
        f" {found['look']} ms (median of 20)."
    )
    print(text)
    if rows >= 1_000_000:
        PLACE.write_text(
            f"# What a million events leave behind\n\nBy `python -m tests.faults.outbox {rows}`.\n\n{text}\n"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
