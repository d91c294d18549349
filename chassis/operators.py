"""What operators see and do where work is stuck: parked and dead events, sagas, and a journal of who did what and why.

The same functions serve the admin calls (one tenant, as its administrator) and the command line (all tenants).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
from marshmallow import ValidationError
from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis import saga, saga_log
from chassis.bus.wire import Undecodable, decode
from chassis.errors import bad_request, conflict, forbidden, invalid, not_found
from chassis.ids import new_id
from chassis.permissions import scope
from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
Run = Callable[[str, tuple[Any, ...]], Any]
MOST_AT_ONCE = 10_000
ZERO = "00000000-0000-0000-0000-000000000000"
"""The tenant of what belongs to no tenant, such as a message that nobody could read."""


def define(metadata: MetaData) -> None:
    table = Table(
        "operations",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("actor", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("subject", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("detail", JSONB, nullable=False),
    )
    Index("ix_operations_at", table.c.tenant_id, table.c.at, table.c.id)


def note(work: Work, action: str, subject: str, reason: str, detail: JSON) -> None:
    """Write an intervention down in the transaction of its effect."""
    work.later(
        "INSERT INTO operations (tenant_id, id, at, actor, action, subject, reason, detail)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (work.tenant, new_id(), work.now, work.context.actor, action, subject, reason, orjson.dumps(detail).decode()),
    )


def permit(work: Work, what: str, action: str = "read") -> None:
    """Only administrators, or whoever was granted `admin.inbox`, `admin.sagas` or `admin.operations` in full."""
    if scope(work.context, what, action) != "all":
        raise forbidden(action, what)


# --- the inbox

_INBOX = "seq, tenant_id, consumer, event_id, subject, type, state, attempts, due_at, error, received_at"
# The constant tells the planner that the small index of what is not done suffices.
_OPEN = "state <> 'done'"


def _chosen(params: JSON, states: list[str]) -> tuple[str, list[Any]]:
    """A condition over the inbox from `tenant`, `state`, `consumer`, `type` (`sales.order.*` too) and `entry`."""
    state = params.get("state")
    conditions, values = [_OPEN, "state = ANY(%s)"], [[state] if state in states else [] if state else states]
    for name, column in (("tenant", "tenant_id"), ("consumer", "consumer"), ("subject", "subject"), ("entry", "seq")):
        if params.get(name) is not None:
            conditions.append(f"{column} = %s")
            values.append(params[name])
    kind = params.get("type")
    if kind and kind.endswith(".*"):
        conditions.append("starts_with(type, %s)")
        values.append(kind[:-1])
    elif kind:
        conditions.append("type = %s")
        values.append(kind)
    return " AND ".join(conditions), values


def inbox(run: Run, service: str, params: JSON) -> JSON:
    """A page of what is parked, dead or discarded (by default what is parked or dead), oldest first."""
    limit = int(params.get("limit") or 50)
    states = ["parked", "dead", "discarded"] if params.get("state") else ["parked", "dead"]
    condition, values = _chosen(params, states)
    rows = run(
        f"SELECT {_INBOX} FROM inbox WHERE {condition} AND seq > %s ORDER BY seq LIMIT %s",
        (*values, _position(params), limit + 1),
    ).all()
    items = [_entry(service, row) for row in rows[:limit]]
    for item in items:
        item["error"] = _last_line(item["error"])
    return {"items": items, "next": str(rows[limit - 1].seq) if len(rows) > limit else None}


def inbox_entry(run: Run, service: str, params: JSON) -> JSON:
    """One of them with its whole error and the event itself. Raises 404."""
    condition, values = _chosen({"tenant": params.get("tenant")}, ["parked", "dead", "discarded"])
    row = run(f"SELECT {_INBOX}, body FROM inbox WHERE {condition} AND seq = %s", (*values, params["entry"])).first()
    if row is None:
        raise not_found("waiting event")
    return {**_entry(service, row), "event": _readable(row.body)}


def _entry(service: str, row: Any) -> JSON:
    return {
        "id": str(row.seq),
        "service": service,
        "tenant": str(row.tenant_id),
        "consumer": row.consumer,
        "event_id": str(row.event_id),
        "subject": row.subject,
        "type": row.type,
        "state": row.state,
        "attempts": row.attempts,
        "due_at": f.instant(row.due_at) if row.due_at and row.state == "parked" else None,
        "error": row.error,
        "received_at": f.instant(row.received_at),
    }


def _last_line(error: str | None) -> str | None:
    return error.strip().splitlines()[-1][:300] if error and error.strip() else error


def _readable(body: Any) -> JSON | None:
    if body is None:
        return None
    try:
        document: JSON = decode(bytes(body))
    except Undecodable:
        return None
    # A saga's message carries the signed identity of its sender, which is nobody's to see.
    return {name: value for name, value in document.items() if name != "context"}


_MOVED = (
    "WITH chosen AS MATERIALIZED (SELECT seq, state, attempts, error FROM inbox WHERE {condition} AND tenant_id = %s"
    "  ORDER BY seq LIMIT {most} FOR UPDATE),"
    " moved AS (UPDATE inbox SET {change} FROM chosen WHERE inbox.seq = chosen.seq AND inbox.tenant_id = %s"
    "  RETURNING inbox.seq, inbox.consumer, inbox.event_id, inbox.type, inbox.subject,"
    "  chosen.state AS was, chosen.attempts AS tried, right(chosen.error, 300) AS failure)"
    " INSERT INTO operations (tenant_id, id, at, actor, action, subject, reason, detail)"
    " SELECT %s::uuid, gen_random_uuid(), %s::timestamptz, %s, %s, consumer || ' ' || event_id, %s,"
    "  jsonb_build_object('id', seq::text,"
    "  'consumer', consumer, 'event_id', event_id, 'type', type, 'subject', subject, 'state', was, 'attempts', tried,"
    "  'error', failure) FROM moved"
)


def replay(work: Work, params: JSON, reason: str = "") -> int:
    """Let chosen events run again at once, with twelve attempts before them. Returns how many, at most 10,000."""
    change = "state = 'parked', attempts = 0, due_at = %s"
    return _move(work, "inbox.replay", params, ["parked", "dead", "discarded"], change, [work.now], reason)


def discard(work: Work, params: JSON, reason: str) -> int:
    """Give chosen events up, for the reason that is kept: they stay readable for thirty days. Returns how many."""
    if not reason.strip():
        raise invalid({"reason": "Say why."})
    return _move(work, "inbox.discard", params, ["parked", "dead"], "state = 'discarded', due_at = NULL", [], reason)


def _move(
    work: Work, action: str, params: JSON, states: list[str], change: str, changed: list[Any], reason: str
) -> int:
    condition, values = _chosen({**params, "tenant": None}, states)
    statement = _MOVED.format(condition=condition, most=MOST_AT_ONCE, change=change)
    told = (work.tenant, work.now, work.context.actor, action, reason)
    moved: int = work.sql(statement, (*values, work.tenant, *changed, work.tenant, *told)).rowcount
    return moved


def move_one(work: Work, what: str, entry: int, reason: str) -> JSON:
    """Replay or discard one event; returns it as it is then. Raises 404, and 409 where it has taken effect already."""
    moved = (replay if what == "replay" else discard)(work, {"entry": entry}, reason)
    found = inbox_entry(work.sql, work.service.name, {"entry": entry, "tenant": work.tenant})
    if not moved:
        raise conflict("wrong_state", f"The event is {found['state']}.")
    return found


def _position(params: JSON) -> int:
    after = str(params.get("after") or 0)
    if not after.isdigit() or len(after) > 18:
        raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after")
    return int(after)


# --- sagas


def sagas(run: Run, service: str, params: JSON) -> JSON:
    """A page of sagas: those under way, or of the given state or name; oldest first."""
    limit = int(params.get("limit") or 50)
    conditions, values = ["id > %s"], [_after_id(params)]
    for name, column in (("tenant", "tenant_id"), ("name", "name"), ("state", "state")):
        if params.get(name) is not None:
            conditions.append(f"{column} = %s")
            values.append(params[name])
    if not params.get("state"):
        conditions.append("ended_at IS NULL")
    rows = run(f"{saga_log.SELECT} WHERE {' AND '.join(conditions)} ORDER BY id LIMIT %s", (*values, limit + 1)).all()
    items = [saga_log.administered(service, row) for row in rows[:limit]]
    return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}


def saga_entry(run: Run, service: str, params: JSON) -> JSON:
    """One saga with every attempt. Raises 404."""
    mine = ("AND tenant_id = %s", (params["tenant"],)) if params.get("tenant") else ("", ())
    row = run(f"{saga_log.SELECT} WHERE id = %s {mine[0]}", (params["id"], *mine[1])).first()
    if row is None:
        raise not_found("saga")
    return saga_log.administered(service, row)


def move_saga(work: Work, what: str, saga_id: str, reason: str) -> JSON:
    """`push` asks the step under way again now; `compensate` turns a saga back that is not past its pivot."""
    if what == "compensate" and not reason.strip():
        raise invalid({"reason": "Say why."})
    before = saga_entry(work.sql, work.service.name, {"id": saga_id, "tenant": work.tenant})
    if what == "push":
        saga.push(work, work.service.sagas, saga_id)
    else:
        saga.compensate(work, work.service.sagas, saga_id, reason)
    detail = {name: before[name] for name in ("name", "record_id", "state", "deadline_at")}
    note(work, f"saga.{what}", saga_id, reason, detail)
    return saga_entry(work.sql, work.service.name, {"id": saga_id, "tenant": work.tenant})


def _after_id(params: JSON) -> str:
    try:
        return f.parse_uuid(params["after"]) if params.get("after") else ZERO
    except ValidationError:
        raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after") from None


# --- the journal


def operations(run: Run, service: str, params: JSON) -> JSON:
    """A page of interventions, latest first. `after` is the cursor of an earlier page."""
    limit = int(params.get("limit") or 50)
    conditions, values = ["true"], []
    for name, column in (("tenant", "tenant_id"), ("action", "action")):
        if params.get(name) is not None:
            conditions.append(f"{column} = %s")
            values.append(params[name])
    if params.get("after"):
        conditions.append("(at, id) < (SELECT at, id FROM operations AS o WHERE o.id = %s)")
        values.append(_after_id(params))
    rows = run(
        "SELECT tenant_id, id, at, actor, action, subject, reason, detail FROM operations"
        f" WHERE {' AND '.join(conditions)} ORDER BY at DESC, id DESC LIMIT %s",
        (*values, limit + 1),
    ).all()
    items = [
        {
            "id": str(row.id),
            "service": service,
            "tenant": str(row.tenant_id),
            "at": f.instant(row.at),
            "actor": row.actor,
            "action": row.action,
            "subject": row.subject,
            "reason": row.reason or None,
            "detail": row.detail,
        }
        for row in rows[:limit]
    ]
    return {"items": items, "next": items[-1]["id"] if len(rows) > limit else None}
