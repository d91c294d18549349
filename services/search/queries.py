"""`search.query`: what was typed, answered from the index with what the principal may see."""

from __future__ import annotations

import time
from typing import Any

from chassis.context import Context
from chassis.errors import bad_request
from contracts.fields import instant, parse_uuid
from services.search.highlights import highlight, subtitle_of, title_of
from services.search.index import Asked, Found, Freshness, Hit, Index, index_of
from services.search.mapping import by_type, searchables
from services.search.phrases import Phrase, phrases
from services.search.visibility import Visible, visible

JSON = dict[str, Any]
MOST_HITS, MOST_VERSIONS, LONGEST_QUESTION = 100, 50, 200
PATIENCE, POLL, RESERVE = 5.0, 0.05, 0.5


def query(runtime: Any, context: Context, params: JSON) -> JSON:
    """`{q, types, limit, min_version}` → `{items, facets, freshness}`; `fuzzy`: only similar titles were found.

    `min_version` `{"account/<id>": n}` waits up to 5 s for these versions; what did not come, or may not be seen, is
    then named in `missing`, and the status is 202. Facets count what was found by type.
    """
    typed = params.get("q")
    if not isinstance(typed, str) or len(typed) > LONGEST_QUESTION:
        raise bad_request("bad_query", f"Must be text of at most {LONGEST_QUESTION} characters.", "q")
    limit = params.get("limit") or 20
    if not isinstance(limit, int) or not 1 <= limit <= MOST_HITS:
        raise bad_request("bad_limit", f"Must be between 1 and {MOST_HITS}.", "limit")
    index = index_of(runtime)
    missing = _wait(index, context, params.get("min_version") or {})
    freshness = index.freshness(context.tenant)
    seen = visible(context, _asked(params.get("types")))
    found, phrase, fuzzy = _find(index, context.tenant, typed, seen, limit)
    body: JSON = {
        "items": [_item(hit, phrase, seen) for hit in found.hits],
        "facets": {searchables()[record].type: count for record, count in sorted(found.counts.items())},
        "freshness": _freshness(freshness),
    }
    if fuzzy:
        body["fuzzy"] = True
    if found.degraded:
        body["degraded"] = True
    if missing:
        body["missing"] = missing
    return {"status": 202 if missing else 200, "body": body}


def _asked(types: Any) -> list[str]:
    """The names of the records that are asked for; none given means all."""
    if types is None:
        return list(searchables())
    known = by_type()
    if not isinstance(types, list) or not all(isinstance(one, str) and one in known for one in types):
        raise bad_request("unknown_type", f"Must be some of {', '.join(sorted(known))}.", "types")
    return [known[one].record for one in types]


def _find(index: Index, tenant: str, typed: str, seen: Visible, limit: int) -> tuple[Found, Phrase | None, bool]:
    """What answers the first reading that finds anything, or titles that are almost what was typed."""
    if seen.records:
        readings = phrases(typed)
        for phrase in readings:
            found = index.find(tenant, Asked(phrase, seen, limit))
            if found.hits:
                return found, phrase, False
        if readings:
            found = index.similar(tenant, Asked(readings[-1], seen, limit))
            if found.hits:
                return found, None, True
    return Found([], {}), None, False


def _item(hit: Hit, phrase: Phrase | None, seen: Visible) -> JSON:
    searchable = searchables()[hit.record]
    concealed = seen.hidden.get(hit.record, frozenset())
    data = {name: value for name, value in hit.data.items() if name not in concealed}
    return {
        "type": searchable.type,
        "id": hit.id,
        "title": title_of(searchable, data),
        "subtitle": subtitle_of(searchable, data),
        "highlight": highlight(searchable, data, phrase.terms if phrase else ()),
        "score": hit.score,
        "version": hit.version,
    }


def _freshness(freshness: Freshness) -> JSON:
    at = freshness.indexed_at
    return {
        "indexed_at": None if at is None else instant(at),
        "lag_seconds": freshness.lag_seconds,
        "position": freshness.position,
    }


def _wait(index: Index, context: Context, versions: JSON) -> list[str]:
    """Wait until the index holds these versions. Returns those that did not come in time."""
    wanted = _wanted(versions)
    if not wanted:
        return []
    seen = visible(context, searchables())
    end = time.monotonic() + min(PATIENCE, context.time_left() - RESERVE)
    while True:
        known = index.versions(context.tenant, list(wanted), seen)
        missing = [key for key, (_, version) in wanted.items() if known.get(key, -1) < version]
        if not missing or time.monotonic() >= end:
            return [wanted[key][0] for key in missing]
        time.sleep(POLL)


def _wanted(versions: JSON) -> dict[tuple[str, str], tuple[str, int]]:
    """(record, id) → what it was called in the question, and its version."""
    if not isinstance(versions, dict) or len(versions) > MOST_VERSIONS:
        raise bad_request("bad_version", f"Must name at most {MOST_VERSIONS} records.", "min_version")
    wanted = {}
    for name, version in versions.items():
        kind, _, record_id = name.partition("/")
        if kind not in by_type() or isinstance(version, bool) or not isinstance(version, int):
            raise bad_request("bad_version", "Must be such as account/<id>: 3.", "min_version")
        wanted[(by_type()[kind].record, parse_uuid(record_id))] = (name, version)
    return wanted
