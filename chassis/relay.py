"""The relay publishes what `unsent` names and deletes what was confirmed. One leader per service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.bus.ports import Outcome, Outgoing, Publisher
from chassis.bus.wire import encode
from chassis.changes import COLUMNS, COMMANDS_EXCHANGE, envelope
from chassis.database import Scope

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from chassis.database import Database

WINDOW = 256
PER_TENANT = 64


def publish_once(database: Database, service: str, publisher: Publisher, *, window: int = WINDOW) -> tuple[int, int]:
    """Publish one window, a fair share of each tenant. Returns how many were confirmed and how many were not."""
    with database.operations() as connection:
        rows = list(
            connection.exec_driver_sql(
                "SELECT seq, tenant_id, record_id, version, at, message_id, service, body FROM ("
                "  SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY seq) AS turn FROM"
                "   (SELECT * FROM unsent ORDER BY seq LIMIT 4096) AS oldest) AS queued"
                " ORDER BY turn / %s, seq LIMIT %s",
                (PER_TENANT, window),
            )
        )
        if not rows:
            return 0, 0
        bodies = _events(connection, service, rows)
    batch, sequences = [], []
    for row in rows:
        if row.body is not None:
            batch.append(Outgoing(COMMANDS_EXCHANGE, row.service, str(row.message_id), bytes(row.body)))
        elif row.seq in bodies:
            batch.append(bodies[row.seq])
        else:
            continue
        sequences.append(row.seq)
    outcomes = publisher.publish(batch)
    confirmed = [seq for seq, outcome in zip(sequences, outcomes, strict=True) if outcome is Outcome.CONFIRMED]
    if confirmed:
        with database.operations() as connection:
            connection.exec_driver_sql("DELETE FROM unsent WHERE seq = ANY(%s)", (confirmed,))
    return len(confirmed), len(sequences) - len(confirmed)


def _events(connection: Connection, service: str, rows: list) -> dict[int, Outgoing]:  # type: ignore[type-arg]
    """The events of the change rows, tenant by tenant: the `ops` role sees changes only under a tenant's setting."""
    events: dict[int, Outgoing] = {}
    by_tenant: dict[str, dict[tuple[str, int], int]] = {}
    for row in rows:
        if row.record_id is not None:
            by_tenant.setdefault(str(row.tenant_id), {})[(str(row.record_id), row.version)] = row.seq
    names = ", ".join(f"c.{name.strip()}" for name in COLUMNS.split(","))
    for tenant, wanted in by_tenant.items():
        found = connection.execution_options(scope=Scope(tenant, each=True)).exec_driver_sql(
            f"SELECT {names} FROM unsent AS u"
            " JOIN changes AS c ON c.tenant_id = u.tenant_id AND c.record_id = u.record_id AND c.version = u.version"
            " AND c.at = u.at WHERE u.tenant_id = %s AND u.seq = ANY(%s)",
            (tenant, list(wanted.values())),
        )
        for change in found:
            seq = wanted[(str(change.record_id), change.version)]
            events[seq] = Outgoing(f"{service}.events", change.type, str(change.id), encode(envelope(change)))
    return events


def backlog(database: Database) -> tuple[int, float]:
    """How many rows wait, and for how many seconds the oldest has."""
    with database.operations() as connection:
        row = connection.exec_driver_sql(
            "SELECT count(*) AS waiting,"
            " coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0) AS age FROM unsent"
        ).one()
        return row.waiting, float(row.age)
