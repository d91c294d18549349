"""Jobs: long work of one service, in a process of its own, with progress, cancel, and no effect done twice.

A kind of job is a function: `@kind("import") def run(running)`; `start` queues one in the transaction of the request
that asks for it. The process that runs it holds a lease (`chassis.jobs.leases`). What a batch does and the cursor
behind it are one transaction that only the lease's holder can commit, so a killed job goes on where it stood.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from chassis.errors import bad_request, forbidden, not_found
from chassis.ids import new_id
from chassis.permissions import scope
from contracts.fields import instant
from contracts.registry import registry
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.jobs.running import Running

JSON = dict[str, Any]
Run = Callable[["Running"], JSON]
KEPT_DAYS = 30
FILES = ("result", "errors")
_KINDS: dict[str, Run] = {}


def define(metadata: MetaData) -> None:
    table = Table(
        "jobs",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("kind", Text, nullable=False),
        Column("record", Text, nullable=False),
        Column("params", JSONB, nullable=False),
        Column("asker", JSONB, nullable=False),
        Column("state", Text, nullable=False),
        Column("done", Integer, nullable=False),
        Column("total", Integer),
        Column("cursor", JSONB),
        Column("result", JSONB),
        Column("error", JSONB),
        Column("files", JSONB, nullable=False),
        Column("cancel", Boolean, nullable=False),
        Column("lease", Uuid(as_uuid=False)),
        Column("attempts", Integer, nullable=False),
        Column("due_at", DateTime(timezone=True), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("started_at", DateTime(timezone=True)),
        Column("heartbeat_at", DateTime(timezone=True)),
        Column("ended_at", DateTime(timezone=True)),
    )
    Index("ix_jobs_waiting", table.c.due_at, postgresql_where=text("state IN ('queued', 'running')"))
    Index("ix_jobs_ended", table.c.ended_at)


def kind(name: str) -> Callable[[Run], Run]:
    """Register what a kind of job does: `run(running)` answers the job's result, a JSON object.

    It is called again, with the cursor of its last checkpoint, when its process was killed.
    """

    def register(run: Run) -> Run:
        _KINDS[name] = run
        return run

    return register


def run_of(name: str) -> Run:
    return _KINDS[name]


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its kind sees it. `cursor` is what the last checkpoint stored, None before the first one."""

    id: str
    service: str
    tenant: str
    kind: str
    record: str
    params: JSON
    asker: JSON
    done: int
    total: int | None
    cursor: Any

    @property
    def name(self) -> str:
        """The id that clients know."""
        return name_of(self.service, self.id)


def name_of(service: str, job_id: str) -> str:
    """`sales-01993b…`: a job's id says which service owns it, since nothing else of the request would."""
    return f"{service}-{job_id}"


def start(work: Work, kind: str, record: str, params: JSON, total: int | None = None) -> JSON:
    """Queue a job in this transaction and answer its document. It acts as whoever acts here, with his later grants."""
    context = work.context
    job_id = new_id()
    asker = {
        "actor": context.actor,
        "user_id": context.user_id,
        "zone": context.zone,
        "correlation_id": context.correlation_id,
    }
    work.sql(
        "INSERT INTO jobs (tenant_id, id, kind, record, params, asker, state, done, total, files, cancel, attempts,"
        " due_at, created_at) VALUES (%s, %s, %s, %s, %s, %s, 'queued', 0, %s, '{}', false, 0, now(), %s)",
        (work.tenant, job_id, kind, record, as_json(params), as_json(asker), total, work.now),
    )
    return document(work, _row(work, job_id))


def accepted(job: JSON) -> JSON:
    """The 202 of a request that started a job."""
    return {"status": 202, "body": job, "location": f"/v1/jobs/{job['id']}"}


COLUMNS = (
    "id, kind, record, params, asker, state, done, total, cursor, result, error, files, cancel, created_at, started_at,"
    " ended_at"
)


def _row(work: Work, job_id: str, *, lock: bool = False) -> Any:
    row = work.sql(
        f"SELECT {COLUMNS} FROM jobs WHERE tenant_id = %s AND id = %s{' FOR NO KEY UPDATE' if lock else ''}",
        (work.tenant, job_id),
    ).first()
    if row is None:
        raise not_found("job")
    return row


def permitted(work: Work, job_id: str, *, lock: bool = False) -> Any:
    """The row of a job that the principal asked for, or may see as an administrator; 404 otherwise."""
    row = _row(work, job_id, lock=lock)
    context, asker = work.context, row.asker
    own = asker["user_id"] == context.user_id if context.user_id else asker["actor"] == context.actor
    if not own and scope(context, "admin.jobs", "read") != "all":
        raise not_found("job")
    return row


def document(work: Work, row: Any) -> JSON:
    """A job as `GET /v1/jobs/{id}` answers it."""
    name = name_of(work.service.name, row.id)
    urls = {f"{which}_url": f"/v1/jobs/{name}/{which}" if which in row.files else None for which in FILES}
    result = row.result
    if result is not None and urls["errors_url"]:
        result = {**result, "errors_url": urls["errors_url"]}
    record = registry.records.get(row.record)
    return {
        "id": name,
        "kind": row.kind,
        "collection": record.collection if record else None,
        "state": row.state,
        "cancel_requested": row.cancel,
        "done": row.done,
        "total": row.total,
        "result": result,
        **urls,
        "error": row.error,
        "created_at": instant(row.created_at),
        "started_at": instant(row.started_at) if row.started_at else None,
        "ended_at": instant(row.ended_at) if row.ended_at else None,
    }


def get(work: Work, job_id: str) -> JSON:
    return document(work, permitted(work, job_id))


def cancel(work: Work, job_id: str) -> JSON:
    """Ask a job to stop: at once when it still waits, otherwise after its batch. One that has ended stays as it is."""
    permitted(work, job_id)
    work.sql(
        "UPDATE jobs SET cancel = true, state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END,"
        " ended_at = CASE state WHEN 'queued' THEN now() END"
        " WHERE tenant_id = %s AND id = %s AND state IN ('queued', 'running')",
        (work.tenant, job_id),
    )
    return document(work, _row(work, job_id))


def file(work: Work, job_id: str, which: str) -> JSON:
    """Where a job's file lies: `{key, name, type, size}`."""
    row = permitted(work, job_id)
    if which not in row.files:
        raise not_found("file")
    found: JSON = row.files[which]
    return found


def listing(work: Work, params: JSON, *, everybody: bool = False) -> JSON:
    """Jobs, the latest first: one's own of one record, or (for administrators) all of this service."""
    conditions, values = ["tenant_id = %s"], [work.tenant]
    if everybody:
        if scope(work.context, "admin.jobs", "read") != "all":
            raise forbidden("read", "admin.jobs")
    elif work.context.user_id:
        conditions.append("asker->>'user_id' = %s")
        values.append(work.context.user_id)
    else:
        conditions.append("asker->>'actor' = %s")
        values.append(work.context.actor)
    for name in ("record", "state"):
        if params.get(name):
            conditions.append(f"{name} = %s")
            values.append(params[name])
    after, limit = params.get("after"), int(params.get("limit") or 50)
    if after:
        if not is_uuid(after):
            raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after")
        conditions.append("id < %s::uuid")
        values.append(after)
    rows = work.sql(
        f"SELECT {COLUMNS} FROM jobs WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT {limit + 1}", values
    ).all()
    items = [document(work, row) for row in rows[:limit]]
    return {"items": items, "next": rows[limit - 1].id if len(rows) > limit else None}


def forget(connection: Any, now: dt.datetime) -> None:
    """Let go of jobs that ended thirty days ago; their files go with the next sweep of the blobs."""
    connection.exec_driver_sql("DELETE FROM jobs WHERE ended_at < %s", (now - dt.timedelta(days=KEPT_DAYS),))


def let_go(work: Work, records: Sequence[str]) -> int:
    """Let go of everything that ended jobs of these records have of their content: files, rows, samples, where an
    import's file lies. Returns of how many jobs."""
    rows = work.sql(
        "UPDATE jobs SET files = '{}', cursor = NULL, error = NULL, params = params - 'blob',"
        " result = result - 'sample'"
        " WHERE tenant_id = %s AND record = ANY(%s) AND ended_at IS NOT NULL"
        " AND (files <> '{}' OR result ? 'sample' OR params ? 'blob') RETURNING id",
        (work.tenant, list(records)),
    ).all()
    ids = [row.id for row in rows]
    work.later("DELETE FROM import_rows WHERE tenant_id = %s AND job_id = ANY(%s::uuid[])", (work.tenant, ids))
    work.later(
        "DELETE FROM blob_holds WHERE tenant_id = %s AND holder = ANY(%s)", (work.tenant, [f"job:{one}" for one in ids])
    )
    return len(ids)


def as_json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value).decode()
