"""What somebody opened, edited and looked for lately. It is his alone, bounded, and goes with him.

Records that he edited come from the events that he caused, records that he opened from his client. A search counts as
finished when the client says so, or when a hit of it was opened: never by each letter that was typed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from chassis.context import Context
from chassis.database import Work
from chassis.errors import invalid
from chassis.text import fold
from contracts import search
from contracts.erasing import ERASED
from contracts.fields import instant, parse_instant, parse_uuid
from services.search.index import Key
from services.search.mapping import by_type, searchables

JSON = dict[str, Any]
MOST_RECORDS, MOST_SEARCHES = 100, 50
MOST_AT_ONCE = 5
"""A request that changed more records of one batch of events than this was no edit by hand, but a bulk change or a
job. A straggler of it that comes alone is taken for one; that costs a place among a hundred, until something newer."""
HIGHEST, LEAST = 24, 4
USER = "identity.user"
KEPT = ("recent_records", "recent_searches")

# Whoever writes somebody's rows waits here for others that do, instead of for single rows in a circle.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(one::text, 7)) FROM unnest(%s::uuid[]) AS one"
# An event of a user may come after the one that deleted him, or that says that he was erased.
GONE = f"(deleted OR data->>'name' = '{ERASED}')"
NOTE = (
    "INSERT INTO recent_records (tenant_id, user_id, record, id, at)"
    " SELECT %s, new.* FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::timestamptz[])"
    "  AS new (user_id, record, id, at)"
    " WHERE NOT EXISTS (SELECT FROM documents WHERE tenant_id = %s AND record = 'identity.user'"
    f"  AND documents.id = new.user_id AND {GONE})"
    " ON CONFLICT (tenant_id, user_id, record, id) DO UPDATE SET at = greatest(recent_records.at, excluded.at)"
)
BOUND = (
    "DELETE FROM recent_records AS old USING (SELECT user_id, record, id,"
    "  row_number() OVER (PARTITION BY user_id ORDER BY at DESC, record, id) AS place"
    "  FROM recent_records WHERE tenant_id = %s AND user_id = ANY(%s::uuid[])) AS ranked"
    f" WHERE old.tenant_id = %s AND place > {MOST_RECORDS} AND old.user_id = ranked.user_id"
    " AND old.record = ranked.record AND old.id = ranked.id"
)
REMEMBER = (
    "INSERT INTO recent_searches (tenant_id, user_id, key, question, at) SELECT %s, %s, %s, %s, %s"
    " WHERE NOT EXISTS (SELECT FROM documents"
    f"  WHERE tenant_id = %s AND record = 'identity.user' AND id = %s AND {GONE})"
    " ON CONFLICT (tenant_id, user_id, key) DO UPDATE SET question = excluded.question, at = excluded.at"
)
FORGET_OLDER = (
    "DELETE FROM recent_searches WHERE tenant_id = %s AND user_id = %s AND key NOT IN (SELECT key FROM recent_searches"
    f" WHERE tenant_id = %s AND user_id = %s ORDER BY at DESC, key LIMIT {MOST_SEARCHES})"
)
LATELY = (
    "SELECT record, id FROM recent_records WHERE tenant_id = %s AND user_id = %s"
    f" ORDER BY at DESC, record, id LIMIT {MOST_RECORDS}"
)


def lifted(work: Work) -> dict[Key, int]:
    """The points of what the principal opened or edited lately: 24 for the newest record, one less for each before."""
    if work.context.user_id is None:
        return {}
    rows = work.rows(LATELY, (work.tenant, work.context.user_id))
    return {(record, record_id): max(LEAST, HIGHEST - place) for place, (record, record_id) in enumerate(rows)}


# --- what the client tells


def opened(runtime: Any, context: Context, params: JSON) -> JSON:
    """`{type, id, q?, types?, filters?}`: a record was opened; with `q`, from the answer of that search, which thereby
    was finished. Whether there is such a record is not looked up, and so not told."""
    kind = by_type().get(str(params.get("type")))
    if kind is None:
        raise invalid({"type": "There is no such kind of record."})
    record_id, question = parse_uuid(params.get("id")), _question(params)
    if context.user_id is not None:
        with runtime.database.work(context) as work:
            work.later(LOCK, ([context.user_id],))
            _note(work, {(context.user_id, kind.record, record_id): work.now})
            if question.get("q"):
                _remember(work, question)
    return {"status": 204, "body": None}


def finished(runtime: Any, context: Context, params: JSON) -> JSON:
    """`{q, types?, filters?}`: somebody has finished typing, and looks at the answer."""
    question = _question(params)
    if not question.get("q"):
        raise invalid({"q": "Must not be empty."})
    if context.user_id is not None:
        with runtime.database.work(context) as work:
            work.later(LOCK, ([context.user_id],))
            _remember(work, question)
    return {"status": 204, "body": None}


def listing(runtime: Any, context: Context, params: JSON) -> JSON:
    """`{items: [{q, types, filters, at}]}`: the searches that the principal finished, newest first."""
    with runtime.database.reading(context) as work:
        rows = work.sql(
            "SELECT question, at FROM recent_searches WHERE tenant_id = %s AND user_id = %s ORDER BY at DESC, key",
            (work.tenant, context.user_id),
        ).all()
    return {"status": 200, "body": {"items": [{**row.question, "at": instant(row.at)} for row in rows]}}


def clear(runtime: Any, context: Context, params: JSON) -> JSON:
    """Forget everything that is kept here of the principal: searches, and what was opened and edited."""
    if context.user_id is not None:
        with runtime.database.work(context) as work:
            work.later(LOCK, ([context.user_id],))
            _forget(work, [context.user_id])
    return {"status": 204, "body": None}


def forget(work: Work, user: str) -> int:
    """Let go of what a user looked for and opened, who is no more. Returns how many searches and records that was."""
    work.sql(LOCK, ([user],))
    return sum(
        work.sql(f"DELETE FROM {table} WHERE tenant_id = %s AND user_id = %s", (work.tenant, user)).rowcount
        for table in KEPT
    )


def _question(params: JSON) -> JSON:
    given = {name: params[name] for name in ("q", "types", "filters") if params.get(name) is not None}
    errors = search.check(given)
    if errors:
        raise invalid(errors)
    return {
        "q": " ".join(given.get("q", "").split()),
        "types": given.get("types"),
        "filters": given.get("filters") or {},
    }


def _remember(work: Work, question: JSON) -> None:
    user, tenant = work.context.user_id, work.tenant
    same = [fold(question["q"]), sorted(question["types"] or ()), sorted(question["filters"].items())]
    key = hashlib.blake2b(orjson.dumps(same), digest_size=16).hexdigest()
    work.later(REMEMBER, (tenant, user, key, orjson.dumps(question).decode(), work.now, tenant, user))
    work.later(FORGET_OLDER, (tenant, user, tenant, user))


# --- what events tell


def take_in(runtime: Any, tenant: str, events: Iterable[JSON]) -> None:
    """Note who edited what, and forget users that were deleted, whatever the order in which events come."""
    events = list(events)
    edited, gone = _edits(events), [_id(event) for event in events if event["type"] == f"{USER}.deleted"]
    if not edited and not gone:
        return
    with runtime.database.work(runtime.principal(tenant, "event:search")) as work:
        work.later(LOCK, (sorted({user for user, _, _ in edited} | set(gone)),))
        if edited:
            _note(work, edited)
        if gone:
            _forget(work, gone)


def _edits(events: list[JSON]) -> dict[tuple[str, str, str], dt.datetime]:
    """(user, record, id) → when, of the newest edits of each user; those of one request that changed many left out."""
    by_hand = [event for event in events if str(event.get("actor")).startswith("user:")]
    distinct = {(event.get("correlationid"), event["subject"]) for event in by_hand}
    sizes = Counter(request for request, _ in distinct)
    found: dict[tuple[str, str, str], dt.datetime] = {}
    for event in by_hand:
        record = event["type"].rsplit(".", 1)[0]
        if record in searchables() and sizes[event.get("correlationid")] <= MOST_AT_ONCE:
            key = event["actor"].removeprefix("user:"), record, _id(event)
            at = parse_instant(event["time"])
            found[key] = max(at, found.get(key, at))
    return found


def _id(event: JSON) -> str:
    return str(event["subject"]).split("/", 1)[1]


def _note(work: Work, touched: dict[tuple[str, str, str], dt.datetime]) -> None:
    users, records, ids = (list(column) for column in zip(*touched, strict=True))
    work.later(NOTE, (work.tenant, users, records, ids, list(touched.values()), work.tenant))
    work.later(BOUND, (work.tenant, sorted(set(users)), work.tenant))


def _forget(work: Work, users: list[str]) -> None:
    for table in KEPT:
        work.later(f"DELETE FROM {table} WHERE tenant_id = %s AND user_id = ANY(%s::uuid[])", (work.tenant, users))
