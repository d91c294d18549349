"""`python -m tests.faults.outbox [ROWS]`: what a million events leave of the table `unsent`, once they are all sent.

Writers insert as fast as the relay publishes (to a broker that confirms everything), so the table is never long.
Prints and, for a million rows or more, writes `outbox.md`: the size of the table with its index along the way, and how
long the relay's look for work takes. Exit code 1 where the table goes on growing with what has gone through it.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from chassis import migrations, provisioning, relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.clock import SystemClock
from chassis.database import Database, make_engine
from suite.servers import Postgres

PLACE = Path(__file__).with_name("outbox.md")
SERVICE, SECRET = "customer", "outbox" * 6
BATCH, BACKLOG = 500, 5_000
SAMPLES, TOLERANCE = 20, 1.25


class Confirming:
    """A broker that takes everything at once."""

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        return [Outcome.CONFIRMED] * len(batch)

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Sample:
    """The table when so many rows had gone through it: kilobytes with its index, vacuums so far, and milliseconds of
    the relay's look for the oldest rows."""

    sent: int
    kilobytes: int
    vacuums: int
    look: float


class Outbox:
    """A service's outbox with nothing around it."""

    def __init__(self, url: str) -> None:
        provisioning.provision(url, [SERVICE], SECRET)
        address = {role: provisioning.service_url(url, SERVICE, role, SECRET) for role in ("owner", "app", "ops")}
        migrations.upgrade(address["owner"], SERVICE)
        self.database = Database(make_engine(address["app"]), make_engine(address["ops"]), SystemClock(), None)
        self._owner = make_engine(address["owner"])
        self._written = self._sent = 0

    def close(self) -> None:
        self.database.close()
        self._owner.dispose()

    def run(self, rows: int) -> list[Sample]:
        """Let so many rows through; a sample before, at each twentieth, and when all is vacuumed."""
        samples = [self.sample()]
        writer = threading.Thread(target=self._write, args=(rows,))
        writer.start()
        while self._sent < rows:
            self._sent += self._publish()
            if self._sent >= len(samples) * rows // SAMPLES:
                samples.append(self.sample())
        writer.join()
        return samples

    def sample(self) -> Sample:
        began = time.perf_counter()
        with self.database.operations() as connection:
            connection.exec_driver_sql("SELECT seq FROM unsent ORDER BY seq LIMIT 4096").all()
        look = 1000 * (time.perf_counter() - began)
        with self._owner.connect() as connection:
            kilobytes, vacuums = connection.exec_driver_sql(
                "SELECT pg_total_relation_size('unsent') / 1024, autovacuum_count"
                " FROM pg_stat_user_tables WHERE relname = 'unsent'"
            ).one()
        return Sample(self._sent, int(kilobytes), int(vacuums), look)

    def _publish(self) -> int:
        return relay.publish_once(self.database, SERVICE, Confirming())[0]

    def _write(self, rows: int) -> None:
        statement = (
            "INSERT INTO unsent (tenant_id, message_id, service, body)"
            " SELECT gen_random_uuid(), gen_random_uuid(), 'sales', convert_to(repeat('x', 400), 'UTF8')"
            " FROM generate_series(1, %s)"
        )
        while self._written < rows:
            if self._written - self._sent > BACKLOG:
                time.sleep(0.005)
                continue
            with self.database.operations() as connection:
                connection.exec_driver_sql(statement, (BATCH,))
            self._written += BATCH


def level(samples: Sequence[Sample]) -> bool:
    """Whether the table has stopped growing: it is not larger in the second half of the rows than in the first."""
    half = len(samples) // 2
    largest = [max(sample.kilobytes for sample in part) for part in (samples[:half], samples[half:])]
    return largest[1] <= TOLERANCE * largest[0]


def main(rows: int) -> int:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="guanxi-outbox-") as folder:
        server = Postgres(Path(folder) / "postgres")
        try:
            outbox = Outbox(server.start())
            samples = outbox.run(rows)
            seconds = time.monotonic() - began
            outbox.close()
        finally:
            server.remove()
    plateau = level(samples)
    verdict = "stays" if plateau else "does not stay"
    text = (
        f"{rows:,} rows went through `unsent` in {seconds:.0f} s, at most about {BACKLOG:,} at a time, each with a body"
        f" of 400 bytes. The table with its index {verdict} at one level: its size follows from how much is deleted"
        " between two vacuums, not from how much ever went through.\n\n"
        "| rows sent | table and index, kB | vacuums so far | look for the oldest rows, ms |\n|--:|--:|--:|--:|\n"
        + "".join(f"| {one.sent:,} | {one.kilobytes:,} | {one.vacuums} | {one.look:.1f} |\n" for one in samples)
    )
    print(text)
    if rows >= 1_000_000:
        PLACE.write_text(
            f"# What a million events leave behind\n\nBy `python -m tests.faults.outbox {rows}`.\n\n{text}"
        )
    return 0 if plateau else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
