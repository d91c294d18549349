"""What other services ask of the log when they follow it themselves: heads, the tail without data, newest events."""

from __future__ import annotations

from typing import Any

from chassis.context import Context
from chassis.errors import forbidden
from services.eventlog.feed import COLUMNS, LAST, as_event, whole

JSON = dict[str, Any]
MOST_TAIL, MOST_LATEST = 2_000, 200


def heads(runtime: Any, context: Context, params: JSON) -> JSON:
    """`eventlog.heads` → `{tenant: position}` of these `tenants`, for services that follow the feed for somebody."""
    _service(context)
    with runtime.database.operations() as connection:
        rows = connection.exec_driver_sql(
            "SELECT tenant_id, position FROM feed_positions WHERE tenant_id = ANY(%s::uuid[])", (params["tenants"],)
        )
        return {"status": 200, "body": {row.tenant_id: row.position for row in rows}}


def tail(runtime: Any, context: Context, params: JSON) -> JSON:
    """`eventlog.tail {after}` → `{rows: [[position, record, id, version, time]], head}`: up to 2,000 events behind a
    position, without their data; `time` in seconds since 1970."""
    _service(context)
    after = whole(params, "after", 0, 0, LAST)
    with runtime.database.reading(context) as work:
        # Read first: every position up to it is committed.
        head = work.sql("SELECT position FROM feed_positions WHERE tenant_id = %s", (work.tenant,)).scalar() or 0
        rows = work.sql(
            "SELECT position, record, record_id, version, extract(epoch FROM time)::float8 AS time FROM events"
            " WHERE tenant_id = %s AND position > %s AND position <= %s ORDER BY position LIMIT %s",
            (work.tenant, after, head, MOST_TAIL),
        ).all()
    found = [[row.position, row.record, row.record_id, row.version, row.time] for row in rows]
    return {"status": 200, "body": {"rows": found, "head": head}}


def latest(runtime: Any, context: Context, params: JSON) -> JSON:
    """`eventlog.latest {ids}` → `{items}`: the newest event of each of up to 200 records, with its position."""
    _service(context)
    ids = list(params["ids"])[:MOST_LATEST]
    with runtime.database.reading(context) as work:
        rows = work.sql(
            f"SELECT {COLUMNS} FROM unnest(%s::uuid[]) AS wanted (id) CROSS JOIN LATERAL (SELECT * FROM events"
            " WHERE tenant_id = %s AND record_id = wanted.id ORDER BY version DESC LIMIT 1) AS e",
            (ids, work.tenant),
        ).all()
    return {"status": 200, "body": {"items": [as_event(context, row) for row in rows]}}


def _service(context: Context) -> None:
    if not context.actor.startswith("service:"):
        raise forbidden("read", "the whole log")
