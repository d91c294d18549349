"""`Idempotency-Key`: the answer of a write is kept with it, in its transaction, for seven days.

Only answers of success are kept; a refusal is evaluated anew. A twin that is still running is 409, found by a try-lock.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, Uuid

from chassis.errors import Problem

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
KEPT_DAYS = 7
TWICE = "pk_idempotency"
"""The key's constraint, by which a second transaction for it fails."""
GENERATED_KEPT_MINUTES = 60
"""Long past every deadline, after which no redelivered request runs any more."""


def define(metadata: MetaData) -> None:
    table = Table(
        "idempotency",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("principal", Text, primary_key=True),
        Column("route", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("body_hash", Text, nullable=False),
        # Text, because JSONB would give the members of a replayed answer back in another order.
        Column("answer", Text, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
    )
    Index("ix_idempotency_at", table.c.at)


def _hash(params: JSON) -> str:
    return hashlib.sha256(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)).hexdigest()


def recall(work: Work, route: str, key: str, params: JSON) -> JSON | None:
    """The kept answer of the same request, marked as replayed. Raises 409 while a twin runs, 422 for another body."""
    scope = (work.tenant, work.context.actor, route, key)
    number = int.from_bytes(hashlib.sha256("\x1f".join(scope).encode()).digest()[:8], "big", signed=True)
    row = work.sql(
        "SELECT pg_try_advisory_xact_lock(%s) AS mine,"
        " (SELECT to_jsonb(i) FROM idempotency AS i"
        "  WHERE tenant_id = %s AND principal = %s AND route = %s AND key = %s) AS kept",
        (number, *scope),
    ).one()
    if row.kept is not None:
        if row.kept["body_hash"] != _hash(params):
            raise Problem(422, "idempotency_mismatch", "This Idempotency-Key was used with another request.")
        return {**orjson.loads(row.kept["answer"]), "replayed": True}
    if not row.mine:
        raise Problem(409, "in_flight", "A request with this Idempotency-Key is still running.", retry_after=1)
    # The twin may have committed between the statement's snapshot and its lock.
    again = work.sql(
        "SELECT body_hash, answer FROM idempotency WHERE tenant_id = %s AND principal = %s AND route = %s AND key = %s",
        scope,
    ).first()
    if again is not None:
        if again.body_hash != _hash(params):
            raise Problem(422, "idempotency_mismatch", "This Idempotency-Key was used with another request.")
        return {**orjson.loads(again.answer), "replayed": True}
    return None


def keep(work: Work, route: str, key: str, params: JSON, answer: JSON, *, later: bool = False) -> None:
    """Keep an answer of success; `later` saves the round trip, so that a twin shows only at the commit (`TWICE`)."""
    write = work.later if later else work.sql
    if not later:
        work.flush()
    write(
        "INSERT INTO idempotency (tenant_id, principal, route, key, body_hash, answer, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (work.tenant, work.context.actor, route, key, _hash(params), orjson.dumps(answer).decode(), work.now),
    )
