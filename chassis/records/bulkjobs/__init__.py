"""Bulk jobs: a change of every record that a filter finds, seen before it is done, and undone for seven days.

Three jobs, one after the other, each asked for by itself. The preview stores exactly which records in which versions
are meant, and shows how many and some of them. The run changes those and no others: what has changed or gone in between
is reported and left alone. The undo puts back what the run changed, where nobody has changed it since.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis import jobs
from chassis.errors import conflict, forbidden, invalid, not_found
from chassis.permissions import scope
from chassis.records import lists
from chassis.records.store import Store

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
BATCH = 500
UNDO_DAYS = 7


def define(metadata: MetaData) -> None:
    """One row for each record of a preview, with its outcome once it has run; an undo has rows of its own."""
    Table(
        "job_items",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("job_id", Uuid(as_uuid=False), primary_key=True),
        Column("seq", Integer, primary_key=True),
        Column("record_id", Uuid(as_uuid=False), nullable=False),
        Column("version", Integer, nullable=False),
        Column("outcome", Text),
        Column("after", Integer),
        Column("problem", JSONB),
        ForeignKeyConstraint(
            ["tenant_id", "job_id"], ["jobs.tenant_id", "jobs.id"], name="fk_job_items_job", ondelete="CASCADE"
        ),
    )


def preview(work: Work, store: Store[Any], params: JSON) -> JSON:
    """Queue the preview of `{action, filter | all, patch | data}`. Without a filter, `all` says that it is meant."""
    action = params["action"]
    if action not in store.commands and not (action in ("update", "delete") and action in store.record.operations):
        raise invalid({"action": f"{store.record.collection} has no {action} in bulk."})
    if scope(work.context, store.name, "read") == "none" or scope(work.context, store.name, action) == "none":
        raise forbidden(action, store.record.collection)
    if bool(params.get("filter")) == bool(params.get("all")):
        raise invalid({"filter": "Give a filter, or all: true for every record."}, code="filter_required")
    lists.check(work, store, {"filter": params.get("filter")})
    wanted = {name: params.get(name) for name in ("action", "filter", "patch", "data")}
    return jobs.start(work, "bulk-preview", store.name, wanted)


def run(work: Work, job_id: str) -> JSON:
    """Queue the run of a preview that has succeeded. Each runs once."""
    row = _follow(work, job_id, "bulk-preview", "run")
    if row.state != "succeeded":
        raise conflict("not_previewed", f"This preview is {row.state}; only one that has succeeded can run.")
    params = {"preview": row.id, **{name: row.params[name] for name in ("action", "patch", "data")}}
    return _start(work, row, "run", jobs.start(work, "bulk-run", row.record, params, row.done))


def undo(work: Work, job_id: str) -> JSON:
    """Queue the undo of a run that has ended, within seven days. Each is undone once, and commands never."""
    row = _follow(work, job_id, "bulk-run", "undo")
    if row.params["action"] not in ("update", "delete"):
        raise conflict("not_undoable", f"What {row.params['action']} did cannot be undone by a job.")
    if row.ended_at is None:
        raise conflict("still_running", "This job has not ended.")
    if row.ended_at < work.now - dt.timedelta(days=UNDO_DAYS):
        raise conflict("undo_expired", f"A job can be undone for {UNDO_DAYS} days after its end.")
    params = {"preview": row.params["preview"], "action": row.params["action"]}
    return _start(work, row, "undo", jobs.start(work, "bulk-undo", row.record, params))


def _follow(work: Work, job_id: str, kind: str, what: str) -> Any:
    """The locked row of the job to go on from, which nobody has gone on from yet."""
    row = jobs.permitted(work, job_id, lock=True)
    if row.kind != kind:
        raise not_found(f"job to {what}")
    if row.params.get(what):
        raise conflict(f"already_{what}", f"Another job does this already: {row.params[what]}.", job=row.params[what])
    return row


def _start(work: Work, row: Any, what: str, job: JSON) -> JSON:
    work.sql(
        "UPDATE jobs SET params = params || %s::jsonb WHERE tenant_id = %s AND id = %s",
        (jobs.as_json({what: job["id"]}), work.tenant, row.id),
    )
    return job
