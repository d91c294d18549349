"""Who runs a job: a lease that is claimed, kept alive by a heartbeat, and given back. Times are the database's own.

The tables are small here, and every statement is a transaction of the `ops` role, which sees all tenants.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.jobs import Job, as_json

if TYPE_CHECKING:
    from chassis.database import Database, Work

JSON = dict[str, Any]
LEASE_SECONDS = 20
HEARTBEAT_SECONDS = 4.0
MOST_ATTEMPTS = 5
STALE = f"state = 'running' AND heartbeat_at < clock_timestamp() - interval '{LEASE_SECONDS} seconds'"


class LeaseLost(Exception):
    """Another process runs this job by now; this one must stop and can commit nothing."""


def claim(database: Database, service: str, *, but: Collection[str] = ()) -> tuple[Job, str] | None:
    """Take the next job that waits or whose process is gone, and its new lease. None: there is none.

    Of the tenants (those of `but` left out) the one with the fewest running jobs is next, then the one whose last start
    is the longest ago, so that a hundred jobs of one do not hold up the first of another.
    """
    lease = new_id()
    with database.operations() as connection:
        row = connection.exec_driver_sql(
            "WITH waiting AS (SELECT DISTINCT tenant_id FROM jobs WHERE tenant_id <> ALL(%(but)s::uuid[])"
            f"   AND ((state = 'queued' AND due_at <= clock_timestamp()) OR ({STALE}))),"
            " turns AS (SELECT w.tenant_id, count(*) FILTER (WHERE j.state = 'running') AS running,"
            "   max(j.started_at) AS last FROM waiting AS w JOIN jobs AS j USING (tenant_id) GROUP BY w.tenant_id),"
            " chosen AS (SELECT j.tenant_id, j.id FROM jobs AS j JOIN turns AS t USING (tenant_id)"
            f"   WHERE (j.state = 'queued' AND j.due_at <= clock_timestamp()) OR ({STALE})"
            "   ORDER BY t.running, t.last NULLS FIRST, j.created_at LIMIT 1 FOR UPDATE OF j SKIP LOCKED)"
            " UPDATE jobs AS j SET state = 'running', lease = %(lease)s, attempts = attempts + 1,"
            "   heartbeat_at = clock_timestamp(), started_at = coalesce(started_at, clock_timestamp())"
            " FROM chosen AS c WHERE j.tenant_id = c.tenant_id AND j.id = c.id"
            " RETURNING j.tenant_id, j.id, kind, record, params, asker, done, total, cursor",
            {"but": list(but), "lease": lease},
        ).first()
    return None if row is None else (_job(service, row), lease)


def read(database: Database, service: str, tenant: str, job_id: str, lease: str) -> Job:
    """The job that this lease holds. Raises LeaseLost."""
    with database.operations() as connection:
        row = connection.exec_driver_sql(
            "SELECT tenant_id, id, kind, record, params, asker, done, total, cursor FROM jobs"
            " WHERE tenant_id = %s AND id = %s AND lease = %s AND state = 'running'",
            (tenant, job_id, lease),
        ).first()
    if row is None:
        raise LeaseLost
    return _job(service, row)


def _job(service: str, row: Any) -> Job:
    return Job(
        row.id,
        service,
        row.tenant_id,
        row.kind,
        row.record,
        row.params,
        row.asker,
        row.done,
        row.total,
        row.cursor,
    )


def fence(work: Work, job_id: str, lease: str) -> None:
    """Make this transaction fail unless the lease still holds, and keep it from being taken until it ends.

    The weakest row lock stands against the claim's FOR UPDATE, but neither against heartbeats nor against cancelling.
    """
    held = work.sql(
        "SELECT 1 FROM jobs WHERE tenant_id = %s AND id = %s AND lease = %s FOR KEY SHARE", (work.tenant, job_id, lease)
    ).first()
    if held is None:
        raise LeaseLost


def progress(work: Work, job_id: str, lease: str, cursor: Any, done: int, total: int | None) -> bool:
    """Store how far the job is, in the transaction of what was done. Whether somebody asked it to stop."""
    row = work.sql(
        "UPDATE jobs SET cursor = %s, done = %s, total = coalesce(%s, total), attempts = 0,"
        " heartbeat_at = clock_timestamp() WHERE tenant_id = %s AND id = %s AND lease = %s RETURNING cancel",
        (as_json(cursor), done, total, work.tenant, job_id, lease),
    ).first()
    if row is None:
        raise LeaseLost
    return bool(row.cancel)


def tell(database: Database, job: Job, lease: str, done: int, total: int | None) -> bool:
    """Show progress that a successor could not build on: attempts go on counting. Whether somebody asked to stop."""
    with database.operations() as connection:
        row = connection.exec_driver_sql(
            "UPDATE jobs SET done = %s, total = coalesce(%s, total), heartbeat_at = clock_timestamp()"
            " WHERE tenant_id = %s AND id = %s AND lease = %s RETURNING cancel",
            (done, total, job.tenant, job.id, lease),
        ).first()
    if row is None:
        raise LeaseLost
    return bool(row.cancel)


def beat(database: Database, job: Job, lease: str) -> bool:
    """Say that the process lives. Whether somebody asked the job to stop. Raises LeaseLost."""
    with database.operations() as connection:
        row = connection.exec_driver_sql(
            "UPDATE jobs SET heartbeat_at = clock_timestamp() WHERE tenant_id = %s AND id = %s AND lease = %s"
            " RETURNING cancel",
            (job.tenant, job.id, lease),
        ).first()
    if row is None:
        raise LeaseLost
    return bool(row.cancel)


def end(
    database: Database, job: Job, lease: str, state: str, *, result: JSON | None = None, error: JSON | None = None
) -> None:
    with database.operations() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET state = %s, result = %s, error = %s, ended_at = clock_timestamp(), lease = NULL,"
            " total = CASE %s WHEN 'succeeded' THEN coalesce(total, done) ELSE total END"
            " WHERE tenant_id = %s AND id = %s AND lease = %s",
            (state, as_json(result), as_json(error), state, job.tenant, job.id, lease),
        )


def give_back(database: Database, job: Job, lease: str, *, blame: bool = True) -> None:
    """Queue a job again whose process ended. With `blame`, after ever longer pauses; the fifth time without progress
    in between fails it. Nothing happens when the lease was given up already."""
    problem = Problem(500, "internal", "Something went wrong on our side; the job was tried several times.")
    with database.operations() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET lease = NULL, attempts = CASE WHEN %(blame)s THEN attempts ELSE 0 END,"
            " state = CASE WHEN cancel THEN 'cancelled' WHEN %(blame)s AND attempts >= %(most)s THEN 'failed'"
            "   ELSE 'queued' END,"
            " error = CASE WHEN %(blame)s AND attempts >= %(most)s AND NOT cancel THEN %(error)s::jsonb END,"
            " ended_at = CASE WHEN cancel OR (%(blame)s AND attempts >= %(most)s) THEN clock_timestamp() END,"
            " due_at = clock_timestamp() + CASE WHEN %(blame)s THEN interval '1 second' * (2 ^ attempts - 2)"
            "   ELSE interval '0' END"
            " WHERE tenant_id = %(tenant)s AND id = %(id)s AND lease = %(lease)s",
            {
                "blame": blame,
                "most": MOST_ATTEMPTS,
                "error": as_json(problem.document()),
                "tenant": job.tenant,
                "id": job.id,
                "lease": lease,
            },
        )
