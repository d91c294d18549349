"""The inbox: an event takes effect in the transaction that notes it, or is parked and tried again, or is dead.

The broker is never the retry engine. A parked event holds back later ones of the same subject for the same consumer.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    text,
)

from chassis.context import Context
from chassis.database import Work
from chassis.errors import Problem
from chassis.ids import made_at

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from chassis.database import Database

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
MAX_ATTEMPTS = 12
KEPT_DAYS = 30
LONGEST_WAIT = 600.0
SUSPICIOUS = 10
PROBES = 5
SPARED_WAIT = 6
"""While most attempts fail from outside, the next one comes after about half a minute: as after six attempts."""
LONGEST_SPARED = dt.timedelta(days=1)


def hour_of(identifier: str) -> str:
    """SQL for the hour since 1970 in which a UUIDv7 was made: it begins with its milliseconds (RFC 9562)."""
    return f"(('x' || left(replace({identifier}::text, '-', ''), 12))::bit(48)::bigint / 3600000)"


_PARKED = "SELECT 1 FROM inbox WHERE tenant_id = %s AND state = 'parked'"
_COLUMNS = "tenant_id, consumer, event_id, subject, type, state, attempts, due_at, error, body, received_at"


class NotYet(Exception):
    """A handler must see something else first: the event waits without being an error."""


def define(metadata: MetaData) -> None:
    inbox = Table(
        "inbox",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("consumer", Text, primary_key=True),
        Column("event_id", Uuid(as_uuid=False), primary_key=True),
        Column("seq", BigInteger, Identity(always=True), nullable=False),
        Column("subject", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("due_at", DateTime(timezone=True)),
        Column("error", Text),
        Column("body", LargeBinary),
        Column("received_at", DateTime(timezone=True), nullable=False),
    )
    Index("ix_inbox_waiting", inbox.c.due_at, inbox.c.seq, postgresql_where=text("state = 'parked'"))
    Index(
        "ix_inbox_subject",
        inbox.c.tenant_id,
        inbox.c.consumer,
        inbox.c.subject,
        inbox.c.seq,
        postgresql_where=text("state = 'parked'"),
    )
    # Counting and listing what is not done must not walk over the millions that are.
    Index("ix_inbox_open", inbox.c.state, inbox.c.seq, postgresql_where=text("state <> 'done'"))
    Table(
        "dead_letters",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("queue", Text, nullable=False),
        Column("raw", LargeBinary, nullable=False),
        Column("headers", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
        Column("discarded_at", DateTime(timezone=True)),
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one consumer: as whom, and what to do with it."""

    context: Context
    consumer: str
    event_id: str
    subject: str
    kind: str
    body: bytes
    handle: Callable[[Work], Any]


def accept_all(database: Database, deliveries: Sequence[Delivery]) -> None:
    """Note several events of one tenant and run their handlers in one transaction, each under its own context.

    Where one of them fails, or anything of the tenant is parked, each gets a transaction of its own instead.
    """
    oldest = database.clock.now() - dt.timedelta(days=KEPT_DAYS - 1)
    deliveries = [one for one in deliveries if made_at(one.event_id) > oldest or not _settled(database, one)]
    if len(deliveries) > 1:
        try:
            with database.work(deliveries[0].context) as work:
                fresh = _note(work, deliveries)
                for delivery in deliveries:
                    key = delivery.consumer, delivery.event_id
                    if key in fresh:
                        fresh.remove(key)
                        work.context = delivery.context
                        work.copies.clear()
                        delivery.handle(work)
                        work.flush()
            return
        except Exception as error:
            log.info("a batch of %d is taken one by one: %r", len(deliveries), error)
    for delivery in deliveries:
        accept(database, delivery)


def _settled(database: Database, delivery: Delivery) -> bool:
    """Whether an old event came in an hour that was sealed: it had its effect, even if its row is gone since.

    Without this an old event that is published again, for a subscriber that was restored, would take effect anew in
    all others.
    """
    with database.reading(delivery.context) as work:
        return bool(
            work.rows(
                f"SELECT 1 FROM sealed WHERE consumer = %s AND source = %s AND hour = {hour_of('%s')}",
                (delivery.consumer, delivery.kind.split(".", 1)[0], delivery.event_id),
            )
        )


def _note(work: Work, deliveries: Sequence[Delivery]) -> set[tuple[str, str]]:
    """Enter the deliveries; returns the new ones by consumer and event. Raises NotYet when anything is parked."""
    rows = work.sql(
        f"INSERT INTO inbox ({_COLUMNS})"
        " SELECT %s, consumer, event_id, subject, type, 'done', 0, NULL, NULL, NULL, %s"
        " FROM unnest(%s::text[], %s::uuid[], %s::text[], %s::text[]) AS new (consumer, event_id, subject, type)"
        f" WHERE NOT EXISTS ({_PARKED}) ON CONFLICT DO NOTHING RETURNING consumer, event_id",
        (
            work.tenant,
            work.now,
            [delivery.consumer for delivery in deliveries],
            [delivery.event_id for delivery in deliveries],
            [delivery.subject for delivery in deliveries],
            [delivery.kind for delivery in deliveries],
            work.tenant,
        ),
    )
    fresh = {(row.consumer, row.event_id) for row in rows}
    if not fresh and work.sql(_PARKED, (work.tenant,)).first() is not None:
        raise NotYet("events of this tenant are parked")
    return fresh


def accept(database: Database, delivery: Delivery) -> None:
    """Note the event and run its handler in one transaction. A repeat does nothing; a failure is parked.

    Raises only when not even parking was possible (database down), so that the bus keeps the message.
    """
    try:
        with database.work(delivery.context) as work:
            state = work.sql(
                f"INSERT INTO inbox ({_COLUMNS})"
                " SELECT %(tenant)s, %(consumer)s, %(id)s, %(subject)s, %(type)s,"
                "  CASE WHEN held THEN 'parked' ELSE 'done' END, 0, CASE WHEN held THEN %(now)s END, NULL,"
                "  CASE WHEN held THEN %(body)s::bytea END, %(now)s"
                " FROM (SELECT EXISTS (SELECT 1 FROM inbox WHERE tenant_id = %(tenant)s AND consumer = %(consumer)s"
                "  AND subject = %(subject)s AND state = 'parked') AS held) AS waiting"
                " ON CONFLICT DO NOTHING RETURNING state",
                {
                    "tenant": work.tenant,
                    "consumer": delivery.consumer,
                    "id": delivery.event_id,
                    "subject": delivery.subject,
                    "type": delivery.kind,
                    "now": work.now,
                    "body": delivery.body,
                },
            ).scalar()
            if state == "done":
                delivery.handle(work)
    except Exception as error:
        _park(database, delivery, error)


def _park(database: Database, delivery: Delivery, error: Exception) -> None:
    with database.work(delivery.context) as work:
        work.sql(
            f"INSERT INTO inbox ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, 'parked', 1, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (
                work.tenant,
                delivery.consumer,
                delivery.event_id,
                delivery.subject,
                delivery.kind,
                _due(work.now, 1),
                describe(error),
                delivery.body,
                work.now,
            ),
        )


def _due(now: dt.datetime, attempts: int) -> dt.datetime:
    """When to try again: 2ⁿ⁻¹ seconds, at most ten minutes, with a quarter of jitter."""
    wait = min(2.0**attempts / 2, LONGEST_WAIT)
    return now + dt.timedelta(seconds=wait * random.uniform(0.75, 1.25))


def describe(error: BaseException) -> str:
    """One error as an operator reads it: its last lines, at most 4,000 characters."""
    if isinstance(error, NotYet):
        return f"waits: {error}"
    return "".join(traceback.format_exception(error))[-4000:].replace("\x00", "")


def due(database: Database, limit: int = 100) -> list[Any]:
    """Parked events whose time has come and that no earlier one of their subject holds back."""
    with database.operations() as connection:
        return list(
            connection.exec_driver_sql(
                "SELECT tenant_id, consumer, event_id, body FROM inbox AS i WHERE state = 'parked' AND due_at <= %s"
                " AND NOT EXISTS (SELECT 1 FROM inbox AS earlier WHERE earlier.tenant_id = i.tenant_id"
                "  AND earlier.consumer = i.consumer AND earlier.subject = i.subject AND earlier.state = 'parked'"
                "  AND earlier.seq < i.seq)"
                " ORDER BY due_at, seq LIMIT %s",
                (database.clock.now(), limit),
            )
        )


def retry(
    database: Database,
    context: Context,
    consumer: str,
    event_id: str,
    handle: Callable[[Work], None],
    *,
    sparing: bool = False,
) -> Exception | None:
    """Run a parked event again; returns what it failed with. After twelve attempts it is dead: kept, shown, and no
    longer in anybody's way. `sparing`: a failure of the world does not count as an attempt (see `Weather`).
    """
    try:
        with database.work(context) as work:
            row = work.sql(
                "UPDATE inbox SET state = 'done', body = NULL, error = NULL, due_at = NULL, attempts = attempts + 1"
                " WHERE tenant_id = %s AND consumer = %s AND event_id = %s AND state = 'parked' RETURNING attempts",
                (work.tenant, consumer, event_id),
            ).first()
            if row is not None:
                handle(work)
        return None
    except Exception as error:
        with database.work(context) as work:
            row = work.sql(
                "SELECT attempts, received_at FROM inbox"
                " WHERE tenant_id = %s AND consumer = %s AND event_id = %s AND state = 'parked' FOR UPDATE",
                (work.tenant, consumer, event_id),
            ).first()
            if row is not None:
                spared = sparing and is_of_the_world(error) and work.now - row.received_at < LONGEST_SPARED
                attempts = row.attempts + (0 if spared else 1)
                state = "dead" if attempts >= MAX_ATTEMPTS else "parked"
                due_at = _due(work.now, SPARED_WAIT if spared else attempts)
                work.sql(
                    "UPDATE inbox SET state = %s, attempts = %s, due_at = %s, error = %s"
                    " WHERE tenant_id = %s AND consumer = %s AND event_id = %s",
                    (state, attempts, due_at, describe(error), work.tenant, consumer, event_id),
                )
        return error


def is_of_the_world(error: BaseException) -> bool:
    """Whether the failure says nothing about the event: something did not answer, or has not come yet."""
    return isinstance(error, NotYet) or (isinstance(error, Problem) and error.status in (503, 504))


class Weather:
    """How the latest attempts of a service went. When most fail for the same reason from outside, trying goes on with
    a few at a time and without using up anybody's twelve attempts: whatever is down, or behind, may be so for hours.
    """

    def __init__(self) -> None:
        self._latest: deque[tuple[str, bool]] = deque(maxlen=100)

    def saw(self, event_id: str, error: Exception | None) -> None:
        self._latest.append((event_id, error is not None and is_of_the_world(error)))

    @property
    def foul(self) -> bool:
        """More than half of the last hundred attempts, and ten different events, failed from outside."""
        failed = [event_id for event_id, bad in self._latest if bad]
        return len(failed) * 2 > len(self._latest) and len(set(failed)) >= SUSPICIOUS


def bury(database: Database, queue: str, raw: bytes, headers: JSON, reason: str) -> None:
    """Keep what could not even be read, byte by byte."""
    with database.operations() as connection:
        connection.exec_driver_sql(
            "INSERT INTO dead_letters (queue, raw, headers, reason) VALUES (%s, %s, %s, %s)",
            (queue, raw, str(headers), reason),
        )


def tidy(connection: Connection, now: dt.datetime) -> None:
    """Let go of rows that were done thirty days ago; of events only those of sealed hours (`chassis.reconcile`).

    The seal says that they came, so they are not taken for missing, nor taken in again.
    """
    connection.exec_driver_sql(
        "DELETE FROM inbox WHERE state IN ('done', 'discarded') AND received_at < %s"
        " AND (consumer IN ('asks', 'replies') OR EXISTS (SELECT 1 FROM sealed AS s"
        "  WHERE s.tenant_id = inbox.tenant_id AND s.consumer = inbox.consumer"
        f"  AND s.source = split_part(inbox.type, '.', 1) AND s.hour = {hour_of('inbox.event_id')}))",
        (now - dt.timedelta(days=KEPT_DAYS),),
    )
