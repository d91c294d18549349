"""The log of every saga: one row that says how far it is, for the next step, for operators and for whoever asks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from chassis.errors import not_found
from contracts.fields import instant

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.saga import Saga

JSON = dict[str, Any]


def define(metadata: MetaData) -> None:
    table = Table(
        "sagas",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("name", Text, nullable=False),
        Column("record_id", Uuid(as_uuid=False), nullable=False),
        Column("state", Text, nullable=False),
        Column("position", Integer, nullable=False),
        Column("steps", JSONB, nullable=False),
        Column("data", JSONB, nullable=False),
        Column("reason", Text, nullable=False),
        Column("detail", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("started_at", DateTime(timezone=True), nullable=False),
        Column("deadline_at", DateTime(timezone=True), nullable=False),
        Column("due_at", DateTime(timezone=True)),
        Column("ended_at", DateTime(timezone=True)),
    )
    Index("ix_sagas_record", table.c.tenant_id, table.c.record_id, table.c.started_at)
    Index("ix_sagas_due", table.c.due_at, postgresql_where=text("ended_at IS NULL"))
    Table(
        "asked",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("saga_id", Uuid(as_uuid=False), primary_key=True),
        Column("step", Integer, primary_key=True),
        Column("undone", Boolean, nullable=False),
    )


@dataclass(slots=True)
class Run:
    """One saga under way, as loaded and locked."""

    saga: Saga
    id: str
    record_id: str
    state: str
    position: int
    steps: list[JSON]
    data: JSON
    reason: str
    detail: str
    deadline_at: dt.datetime
    due_at: dt.datetime | None = None
    ended_at: dt.datetime | None = field(default=None)


SELECT = (
    "SELECT tenant_id, id, name, record_id, state, position, steps, data, reason, detail, actor, correlation_id,"
    " started_at, deadline_at, due_at, ended_at FROM sagas"
)
KEPT_TRIES = 50
"""Of each step the latest attempts are kept; `attempts` counts them all."""


def lock(work: Work, saga_id: str) -> Any:
    """The row of a saga, held until the transaction ends; None when there is none."""
    return work.sql(f"{SELECT} WHERE tenant_id = %s AND id = %s FOR UPDATE", (work.tenant, saga_id)).first()


def read(saga: Saga, row: Any) -> Run:
    return Run(
        saga,
        str(row.id),
        str(row.record_id),
        row.state,
        row.position,
        row.steps,
        row.data,
        row.reason,
        row.detail,
        row.deadline_at,
        row.due_at,
        row.ended_at,
    )


def save(work: Work, run: Run) -> None:
    work.later(
        "UPDATE sagas SET state = %s, position = %s, steps = %s, data = %s, reason = %s, detail = %s,"
        " deadline_at = %s, due_at = %s, ended_at = %s WHERE tenant_id = %s AND id = %s",
        (
            run.state,
            run.position,
            as_json(run.steps),
            as_json(run.data),
            run.reason,
            run.detail,
            run.deadline_at,
            run.due_at,
            run.ended_at,
            work.tenant,
            run.id,
        ),
    )


def as_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def describe(work: Work, record_id: str) -> JSON:
    """The latest saga of a record, as `GET /v1/{collection}/{id}/saga` answers it."""
    row = work.sql(
        f"{SELECT} WHERE tenant_id = %s AND record_id = %s ORDER BY started_at DESC, id DESC LIMIT 1",
        (work.tenant, record_id),
    ).first()
    if row is None:
        raise not_found("saga")
    return _shown(row)


def administered(service: str, row: Any) -> JSON:
    """A saga as an operator sees it: also whose it is, what it carries along, and when something is due."""
    return {
        **_shown(row),
        "service": service,
        "tenant": str(row.tenant_id),
        "record_id": str(row.record_id),
        "actor": row.actor,
        "correlation_id": row.correlation_id,
        "due_at": instant(row.due_at) if row.due_at else None,
        "data": row.data,
    }


def _shown(row: Any) -> JSON:
    shown = ("name", "state", "attempts", "started_at", "ended_at", "error")
    return {
        "id": str(row.id),
        "name": row.name,
        "state": row.state,
        "reason": row.reason or None,
        "detail": row.detail or None,
        "started_at": instant(row.started_at),
        "deadline_at": instant(row.deadline_at),
        "ended_at": instant(row.ended_at) if row.ended_at else None,
        "steps": [{name: step.get(name) for name in shown} | {"tries": step.get("tries", [])} for step in row.steps],
    }


def begin_try(step: JSON, now: dt.datetime, *, undo: bool = False) -> None:
    """A step is asked (or undone) once more; an earlier try without an answer is closed as such."""
    end_try(step, now, "No answer in time.")
    step["attempts"] += 1
    tries = step.setdefault("tries", [])
    tries.append({"started_at": instant(now), "ended_at": None, "undo": undo, "error": None})
    del tries[:-KEPT_TRIES]


def end_try(step: JSON, now: dt.datetime, error: str | None = None) -> None:
    """The try under way has its answer, or will get none."""
    tries = step.get("tries")
    if tries and tries[-1]["ended_at"] is None:
        tries[-1].update(ended_at=instant(now), error=error)
