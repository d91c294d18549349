"""Reconcile: what each sender sent and each subscriber has, hour by hour; what is missing is published again.

For `guanxi check --repair`, and for an operator who restored one database from a backup. Count and hash come first:
hours that agree are sealed once they are over, and only of differing hours the rows themselves are read. Sealed hours
need no inbox rows any more (`Runtime.tidy`), and their count and hash remain for later comparisons.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Numeric, Table, Text, Uuid
from sqlalchemy.engine import Connection

from chassis.ids import made_at
from chassis.inbox import hour_of

Ask = Callable[..., Sequence[Any]]
"""`ask(service, statement, **parameters)`: rows of a service's database as its `checker`, who sees all tenants."""
Act = Callable[[str], AbstractContextManager[Connection]]
"""`act(service)`: a connection as its `ops` role."""
Hour = tuple[str, str, str, int]
"""Tenant, source, consumer and hour since 1970."""
Digest = dict[Hour, tuple[int, int]]

LATE = dt.timedelta(hours=1)
"""An hour is closed when it is over by this much: clocks of processes differ, transactions take their time."""
BATCH = 1_000
SUMS = "count(*) AS rows, sum(hashtextextended({id}::text, 0)::numeric) AS hash"


def define(metadata: MetaData) -> None:
    Table(
        "sealed",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("consumer", Text, primary_key=True),
        Column("source", Text, primary_key=True),
        Column("hour", BigInteger, primary_key=True, autoincrement=False),
        Column("rows", BigInteger, nullable=False),
        Column("hash", Numeric, nullable=False),
    )


@dataclass(frozen=True)
class Subscriber:
    """One reaction (`types` are its patterns), or a heavy reader, whose own table says which events it has.

    `held` selects `tenant_id`, `source` and `event_id`.
    """

    service: str
    consumer: str
    types: tuple[str, ...]
    held: str = ""


@dataclass
class Difference:
    """One hour of one source and subscriber: ids of events that the one sent and the other lacks, and conversely."""

    tenant: str
    source: str
    service: str
    consumer: str
    hour: int
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    """Events that the subscriber has and the source does not: the source was restored to before them."""
    says: str = ""

    @property
    def at(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.hour * 3600, dt.UTC)


@dataclass
class Report:
    hours: int = 0
    """How many hours of a tenant, source and subscriber were compared."""
    sealed: int = 0
    differences: list[Difference] = field(default_factory=list)
    waiting: int = 0
    """Events that a subscriber lacks because their sender has yet to publish them."""
    published: int = 0
    """Events that were put back among the unsent ones; the relays publish them within seconds."""


def reconcile(
    ask: Ask,
    act: Act | None,
    services: Iterable[str],
    subscribers: Iterable[Subscriber],
    wants: Callable[[str, str], bool],
    now: dt.datetime,
) -> Report:
    """Compare all senders with all subscribers. `wants(pattern, type)` says whether a pattern means an event type.

    With `act` closed hours that agree are sealed, and missing events are published again: every subscriber drops those
    that it has. Without, nothing is written.
    """
    report = Report()
    sent = {service: _sent(ask, service) for service in services}
    again: dict[str, set[str]] = {}
    for one in subscribers:
        expected = _expected(sent, one, wants)
        held = _held(ask, one)
        sealed = _sealed(ask, one)
        report.hours += len(expected.keys() | held.keys() | sealed.keys())
        closed = int((now - LATE).timestamp() // 3600)
        equal = []
        for hour in sorted(expected.keys() | held.keys() | sealed.keys()):
            theirs = sealed.get(hour) or held.get(hour, (0, 0))
            if expected.get(hour, (0, 0)) != theirs:
                if hour in sealed and held.get(hour) != theirs:
                    # The inbox rows are gone, so that only the count can tell.
                    rows = expected.get(hour, (0, 0))[0]
                    says = f"{theirs[0]} events were sealed, {one.service} cannot say which; the source has {rows}"
                    report.differences.append(
                        Difference(hour[0], hour[1], one.service, one.consumer, hour[3], says=says)
                    )
                    continue
                found, waiting = _rows(ask, one, hour, wants)
                report.waiting += waiting
                if found.missing or found.unknown:
                    report.differences.append(found)
                    again.setdefault(hour[1], set()).update(found.missing)
            elif hour not in sealed and hour[3] < closed:
                equal.append((hour, theirs))
        if act is not None:
            report.sealed += _seal(act, one, equal)
    if act is not None:
        for source, events in sorted(again.items()):
            report.published += _publish(ask, act, source, sorted(events))
    return report


def _sent(ask: Ask, service: str) -> list[Any]:
    """Count and hash of a sender's changes, by tenant, event type and hour: one walk for all its subscribers."""
    hour, sums = hour_of("id"), SUMS.format(id="id")
    return list(ask(service, f"SELECT tenant_id, type, {hour} AS hour, {sums} FROM changes GROUP BY 1, 2, 3"))


def _expected(sent: dict[str, list[Any]], one: Subscriber, wants: Callable[[str, str], bool]) -> Digest:
    found: Digest = {}
    for source, rows in sent.items():
        for row in rows:
            if any(wants(pattern, row.type) for pattern in one.types):
                hour = (str(row.tenant_id), source, one.consumer, row.hour)
                count, total = found.get(hour, (0, 0))
                # Hashes are added, so that sums of sums are sums, and two equal events do not vanish.
                found[hour] = count + row.rows, total + int(row.hash)
    return found


def _inbox(one: Subscriber) -> str:
    return one.held or (
        f"SELECT tenant_id, split_part(type, '.', 1) AS source, event_id FROM inbox WHERE consumer = '{one.consumer}'"
    )


def _held(ask: Ask, one: Subscriber) -> Digest:
    rows = ask(
        one.service,
        f"SELECT tenant_id, source, {hour_of('event_id')} AS hour, {SUMS.format(id='event_id')}"
        f" FROM ({_inbox(one)}) AS held GROUP BY 1, 2, 3",
    )
    return {(str(row.tenant_id), row.source, one.consumer, row.hour): (row.rows, int(row.hash)) for row in rows}


def _sealed(ask: Ask, one: Subscriber) -> Digest:
    """What was sealed. Of these hours the inbox rows may be gone."""
    rows = ask(
        one.service,
        f"SELECT tenant_id, source, hour, rows, hash FROM sealed WHERE consumer = '{one.consumer}'",
    )
    return {(str(row.tenant_id), row.source, one.consumer, row.hour): (row.rows, int(row.hash)) for row in rows}


def _rows(ask: Ask, one: Subscriber, hour: Hour, wants: Callable[[str, str], bool]) -> tuple[Difference, int]:
    """The events of one differing hour, row by row; what still waits to be sent is not missing, but counted."""
    tenant, source, _, number = hour
    sent = ask(
        source,
        "SELECT c.tenant_id, c.id, c.type, u.seq IS NOT NULL AS waits FROM changes AS c LEFT JOIN unsent AS u"
        " ON u.tenant_id = c.tenant_id AND u.record_id = c.record_id AND u.version = c.version AND u.at = c.at"
        f" WHERE c.tenant_id = %(tenant)s AND {hour_of('c.id')} = %(hour)s",
        tenant=tenant,
        hour=number,
    )
    held = ask(
        one.service,
        f"SELECT tenant_id, event_id FROM ({_inbox(one)}) AS held WHERE tenant_id = %(tenant)s"
        f" AND source = %(source)s AND {hour_of('event_id')} = %(hour)s",
        tenant=tenant,
        source=source,
        hour=number,
    )
    wanted = {str(row.id): row.waits for row in sent if any(wants(pattern, row.type) for pattern in one.types)}
    there = {str(row.event_id) for row in held}
    lacking = {event: waits for event, waits in wanted.items() if event not in there}
    missing = sorted(event for event, waits in lacking.items() if not waits)
    unknown = sorted(there - wanted.keys())
    return Difference(tenant, source, one.service, one.consumer, number, missing, unknown), sum(lacking.values())


def _seal(act: Act, one: Subscriber, equal: list[tuple[Hour, tuple[int, int]]]) -> int:
    for start in range(0, len(equal), BATCH):
        part = equal[start : start + BATCH]
        with act(one.service) as connection:
            connection.exec_driver_sql(
                "INSERT INTO sealed (tenant_id, consumer, source, hour, rows, hash)"
                " SELECT tenant, %s, source, hour, rows, hash"
                " FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::numeric[])"
                " AS new (tenant, source, hour, rows, hash) ON CONFLICT DO NOTHING",
                (
                    one.consumer,
                    [hour[0] for hour, _ in part],
                    [hour[1] for hour, _ in part],
                    [hour[3] for hour, _ in part],
                    [rows for _, (rows, _) in part],
                    [total for _, (_, total) in part],
                ),
            )
    return len(equal)


def _publish(ask: Ask, act: Act, source: str, events: list[str]) -> int:
    published = 0
    for start in range(0, len(events), BATCH):
        rows = ask(
            source,
            "SELECT tenant_id, record_id, version, at FROM changes WHERE id = ANY(%(ids)s::uuid[])"
            " AND at >= %(oldest)s ORDER BY at, id",
            ids=events[start : start + BATCH],
            # Partitions of older months need not be looked at.
            oldest=made_at(events[start]) - LATE,
        )
        published += _unsend(act, source, rows)
    return published


def publish_latest(ask: Ask, act: Act, source: str, records: Sequence[tuple[str, str]]) -> int:
    """Publish the latest change of each record (tenant, id) again, for a reader that keeps the latest version only."""
    published = 0
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        rows = ask(
            source,
            "SELECT DISTINCT ON (c.tenant_id, c.record_id) c.tenant_id, c.record_id, c.version, c.at FROM changes AS c"
            " JOIN unnest(%(tenants)s::uuid[], %(ids)s::uuid[]) AS w (tenant, record)"
            " ON c.tenant_id = w.tenant AND c.record_id = w.record"
            " ORDER BY c.tenant_id, c.record_id, c.version DESC",
            tenants=[tenant for tenant, _ in part],
            ids=[record for _, record in part],
        )
        published += _unsend(act, source, rows)
    return published


def _unsend(act: Act, source: str, rows: Sequence[Any]) -> int:
    """Put changes back among the unsent ones, where they are not there already. Returns how many."""
    with act(source) as connection:
        return connection.exec_driver_sql(
            "INSERT INTO unsent (tenant_id, record_id, version, at)"
            " SELECT tenant, record, new.version, new.at"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::timestamptz[])"
            "  WITH ORDINALITY AS new (tenant, record, version, at, place)"
            " WHERE NOT EXISTS (SELECT 1 FROM unsent AS u WHERE u.tenant_id = tenant AND u.record_id = record"
            "  AND u.version = new.version) ORDER BY place",
            (
                [str(row.tenant_id) for row in rows],
                [str(row.record_id) for row in rows],
                [row.version for row in rows],
                [row.at for row in rows],
            ),
        ).rowcount
