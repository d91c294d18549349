"""The feed: events after a position, as far as the reader's grants reach, without what is hidden from him."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from chassis.context import Context
from chassis.database import Work
from chassis.errors import bad_request
from chassis.permissions import hidden, scope, without
from contracts.registry import registry

JSON = dict[str, Any]
MOST = 500
MOST_TYPES = 50
LAST = 2**62
WINDOW = 100_000
"""How many positions one call looks through at most when grants depend on owner or team."""
_TYPE = re.compile(r"([a-z]+)\.(?:\*|([a-z]+(?:-[a-z]+)*)\.(?:\*|[a-z]+(?:-[a-z]+)*))", re.ASCII)
COLUMNS = "e.position, e.record, e.record_id, e.version, e.envelope, e.private"


def understood(kind: str) -> bool:
    """Whether an event type is of the form `sales.order.placed`, `sales.order.*` or `sales.*`, of a known record."""
    match = _TYPE.fullmatch(kind) if isinstance(kind, str) and len(kind) <= 120 else None
    if match is None:
        return False
    service, record = match.groups()
    if record is None:
        return any(one.service == service for one in registry.records.values())
    return registry.named(f"{service}.{record}") is not None


def logged_as(record: str, about_type: str) -> str:
    """What an event is found and permitted by: its record, or for a note or attachment `sales.order/note`.

    Those have no grants of their own but those of their record, whose owner and team are in the event.
    """
    service, kind = record.split(".", 1)
    return f"{service}.{about_type}/{kind}" if record in registry.children else record


def _logs_of(name: str) -> set[str]:
    """What the events of a kind are logged as."""
    if name not in registry.children:
        return {name}
    service = name.split(".", 1)[0]
    return {logged_as(name, one.singular) for one in registry.records.values() if one.service == service}


@dataclass(frozen=True, slots=True)
class Selection:
    """What a reader wants and may see: records with the scope of his grant, some of them only in certain types."""

    scopes: dict[str, str]
    partly: dict[str, set[str]]
    everything: bool

    @classmethod
    def of(cls, context: Context, types: list[str]) -> Selection:
        known = {**registry.records, **registry.children}
        named: set[str] = set() if types else set(known)
        partly: dict[str, set[str]] = {}
        for kind in types:
            record, verb = kind.rsplit(".", 1)
            if "." in record:
                if verb == "*":
                    named.add(record)
            else:
                named |= {name for name, one in known.items() if one.service == record}
        whole = {log for name in named for log in _logs_of(name)}
        for kind in types:
            record, verb = kind.rsplit(".", 1)
            if "." in record and verb != "*" and record not in named:
                for log in _logs_of(record):
                    partly.setdefault(log, set()).add(kind)
        scopes = {
            log: granted
            for log in whole | set(partly)
            if (granted := scope(context, log.partition("/")[0], "read")) != "none"
        }
        widest = scope(context, "*", "read") == "all"
        return cls(
            scopes, partly, not types and widest and len(scopes) == len(whole) and set(scopes.values()) == {"all"}
        )

    @property
    def limited(self) -> bool:
        """Whether some of it depends on owner or team."""
        return any(granted != "all" for granted in self.scopes.values())


def page(work: Work, after: int, types: list[str], limit: int) -> tuple[list[JSON], int]:
    """Up to `limit` CloudEvents with `position` behind `after`, and the position to go on from.

    The latter moves on over what is hidden, so an empty page is the end only when it stands still.
    """
    context = work.context
    # Read first: every position up to it is committed, and later ones are left for the next page.
    head = work.sql("SELECT position FROM feed_positions WHERE tenant_id = %s", (work.tenant,)).scalar() or 0
    selection = Selection.of(context, types)
    if head <= after or not selection.scopes:
        return [], max(head, after)
    until = min(head, after + WINDOW) if selection.limited else head
    rows = work.sql(*_select(context, selection, after, until, limit)).all()
    items = [as_event(context, row) for row in rows]
    return items, items[-1]["position"] if len(items) == limit else until


def _select(context: Context, selection: Selection, after: int, until: int, limit: int) -> tuple[str, JSON]:
    values: JSON = {"tenant": context.tenant, "after": after, "until": until, "limit": limit}
    between = "e.tenant_id = %(tenant)s AND e.position > %(after)s AND e.position <= %(until)s"
    if selection.everything:
        return f"SELECT {COLUMNS} FROM events e WHERE {between} ORDER BY e.position LIMIT %(limit)s", values
    values |= {
        "records": list(selection.scopes),
        "scopes": list(selection.scopes.values()),
        "partly": list(selection.partly),
        "types": [kind for kinds in selection.partly.values() for kind in kinds],
        "user": context.user_id,
        "teams": list(context.teams),
    }
    # One ordered range of the index for each record: a filter on rare events must not walk the whole log.
    return (
        f"SELECT {COLUMNS} FROM unnest(%(records)s::text[], %(scopes)s::text[]) AS wanted (record, scope)"
        f" CROSS JOIN LATERAL (SELECT * FROM events e WHERE {between} AND e.record = wanted.record"
        "  AND (wanted.record <> ALL(%(partly)s::text[]) OR e.type = ANY(%(types)s::text[]))"
        "  AND (wanted.scope = 'all' OR e.owner_id = %(user)s::uuid"
        "   OR (wanted.scope = 'team' AND e.team_id = ANY(%(teams)s::uuid[])))"
        "  ORDER BY e.position LIMIT %(limit)s) AS e"
        " ORDER BY e.position LIMIT %(limit)s",
        values,
    )


def as_event(context: Context, row: Any) -> JSON:
    """The CloudEvent of a row with its position, personal fields included, hidden ones left out."""
    gone = hidden(context, row.envelope["type"].rsplit(".", 1)[0])
    data = {**row.envelope["data"], **row.private["data"]}
    data = without(gone, data)
    if "previous" in data:
        before = {**data["previous"], **row.private["previous"]}
        data["previous"] = without(gone, before)
    if "changed" in data:
        data["changed"] = [name for name in data["changed"] if name not in gone]
    return {**row.envelope, "data": data, "position": row.position}


def whole(params: JSON, name: str, default: int, least: int, most: int) -> int:
    """A parameter that is a whole number, as a number or its digits. Raises 400."""
    value = params.get(name)
    if value is None:
        return default
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise bad_request("bad_parameter", f"Must be a whole number from {least} to {most}.", name)
    return value


def feed(runtime: Any, context: Context, params: JSON) -> JSON:
    """`eventlog.feed {after, types, limit}` → `{items, next}`."""
    after, limit = whole(params, "after", 0, 0, LAST), whole(params, "limit", 100, 1, MOST)
    types = params.get("types") or []
    if not isinstance(types, list) or len(types) > MOST_TYPES or not all(understood(kind) for kind in types):
        raise bad_request(
            "bad_parameter", "Must be event types such as sales.order.placed, sales.order.* or sales.*.", "types"
        )
    with runtime.database.reading(context) as work:
        items, position = page(work, after, types, limit)
    return {"status": 200, "body": {"items": items, "next": position}}
