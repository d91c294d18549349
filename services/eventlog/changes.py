"""Synchronisation: which records of a collection changed since a position, each in its latest version."""

from __future__ import annotations

from typing import Any

from chassis.context import Context
from chassis.database import Work
from chassis.errors import forbidden, not_found
from chassis.permissions import scope
from contracts.registry import registry
from services.eventlog.feed import COLUMNS, LAST, WINDOW, as_event, whole

JSON = dict[str, Any]
MOST = 200


def changes(runtime: Any, context: Context, params: JSON) -> JSON:
    """`record.changes {record, after, limit}` → `{items: [{id, version, deleted, position, record}], next}`.

    `record` is null for a deleted one. `next` is never null: what is asked with it later is what changed meanwhile.
    """
    declared = registry.records.get(str(params.get("record")))
    if declared is None or "changes" not in declared.operations:
        raise not_found("collection")
    if scope(context, declared.record_name, "read") == "none":
        raise forbidden("read", declared.collection)
    after, limit = whole(params, "after", 0, 0, LAST), whole(params, "limit", 50, 1, MOST)
    with runtime.database.reading(context) as work:
        items, position = _page(work, declared.record_name, after, limit)
    return {"status": 200, "body": {"items": items, "next": str(position)}}


def _page(work: Work, record: str, after: int, limit: int) -> tuple[list[JSON], int]:
    context = work.context
    head = work.sql("SELECT position FROM feed_positions WHERE tenant_id = %s", (work.tenant,)).scalar() or 0
    granted = scope(context, record, "read")
    until = head if granted == "all" else min(head, after + WINDOW)
    # A newer version stands elsewhere in the log, at most up to `head`: before, and then the reader has it, or behind,
    # and then he will come to it. Either way each record is answered once, and never goes back.
    rows = work.sql(
        f"SELECT {COLUMNS} FROM events e WHERE e.tenant_id = %(tenant)s AND e.record = %(record)s"
        " AND e.position > %(after)s AND e.position <= %(until)s"
        " AND (%(scope)s = 'all' OR e.owner_id = %(user)s::uuid"
        "  OR (%(scope)s = 'team' AND e.team_id = ANY(%(teams)s::uuid[])))"
        " AND NOT EXISTS (SELECT 1 FROM events n WHERE n.tenant_id = e.tenant_id AND n.record_id = e.record_id"
        "  AND n.version > e.version AND n.position <= %(head)s)"
        " ORDER BY e.position LIMIT %(limit)s",
        {
            "tenant": work.tenant,
            "record": record,
            "after": after,
            "until": until,
            "head": head,
            "scope": granted,
            "user": context.user_id,
            "teams": list(context.teams),
            "limit": limit,
        },
    ).all()
    items = [_item(context, row) for row in rows]
    return items, items[-1]["position"] if len(items) == limit else max(after, until)


def _item(context: Context, row: Any) -> JSON:
    deleted = row.envelope["data"].get("deleted_at") is not None
    data = as_event(context, row)["data"]
    document = {name: value for name, value in data.items() if name not in ("changed", "previous")}
    return {
        "id": row.record_id,
        "version": row.version,
        "deleted": deleted,
        "position": row.position,
        "record": None if deleted else document,
    }
