"""What may be asked of `search.query`, read strictly: the gateway has looked at it before, other callers have not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from chassis.context import Context
from chassis.errors import Problem, bad_request, forbidden
from chassis.permissions import hidden, scope
from chassis.text import fold
from contracts import search
from contracts.fields import parse_uuid
from services.search.cursors import digest_of
from services.search.index import Filter, Key
from services.search.mapping import FOLDED, by_type, searchables

JSON = dict[str, Any]
MOST_HITS, USUAL_HITS, MOST_VERSIONS, MOST_FACETS = 100, 20, 50, 10


@dataclass(frozen=True)
class Question:
    """One request: `records` that are asked for, `filters` by facets whose names are `narrowed_by`, versions to wait
    for by what they were called. `digest` tells this question from others, and its asker from others."""

    typed: str
    records: tuple[str, ...]
    limit: int
    filters: tuple[Filter, ...]
    narrowed_by: frozenset[str]
    facets: tuple[str, ...]
    after: Any
    explain: bool
    suggest: bool
    versions: Mapping[Key, tuple[str, int]]
    digest: str


def read(context: Context, params: JSON) -> Question:
    """The question in the parameters of a call. Raises Problem 400 that names what is wrong, 403 for `explain`."""
    typed = params.get("q") or ""
    if not isinstance(typed, str) or len(typed) > search.LONGEST_QUESTION:
        raise bad_request("bad_query", f"Must be text of at most {search.LONGEST_QUESTION} characters.", "q")
    limit = params.get("limit") or USUAL_HITS
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_HITS:
        raise bad_request("bad_limit", f"Must be between 1 and {MOST_HITS}.", "limit")
    types = params.get("types")
    records = _records(types)
    given = params.get("filters") or {}
    conditions = _conditions(context, records, types, given)
    explain = bool(params.get("explain"))
    if explain and scope(context, "admin.search", "read") != "all":
        raise forbidden("read", "admin.search")
    return Question(
        typed=typed,
        records=records,
        limit=limit,
        filters=tuple(_filter(one) for one in conditions),
        narrowed_by=frozenset(one.field for one in conditions),
        facets=_facets(context, records, params.get("facets") or []),
        after=params.get("after"),
        explain=explain,
        suggest=bool(params.get("suggest")),
        versions=_versions(params.get("min_version") or {}),
        digest=digest_of(context.tenant, context.actor, typed, sorted(records), sorted(given.items())),
    )


def _records(types: Any) -> tuple[str, ...]:
    """The names of the records that are asked for; none given means all."""
    if types is None:
        return tuple(searchables())
    known = by_type()
    if not isinstance(types, list) or not all(isinstance(one, str) and one in known for one in types):
        raise bad_request("unknown_type", f"Must be some of {', '.join(sorted(known))}.", "types")
    return tuple(dict.fromkeys(known[one].record for one in types))


def _conditions(
    context: Context, records: tuple[str, ...], types: list[str] | None, given: Any
) -> list[search.Condition]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise bad_request("bad_filter", "A condition is an object.", "filters")
    try:
        found = search.conditions(types, given)
    except search.UnknownFilter as error:
        raise _unknown(str(error)) from None
    except ValidationError as error:
        ((name, messages),) = error.messages_dict.items()
        raise bad(name, search.first(messages)) from None
    for name in given:
        if not _shown(context, records, search.filters()[name][0]):
            raise _unknown(name)
    return found


def bad(name: str, message: str) -> Problem:
    return bad_request("bad_parameter", f"{name}: {message}", name)


def _unknown(name: str) -> Problem:
    return bad_request("unknown_parameter", f"There is no parameter {name} here.", name)


def _facets(context: Context, records: tuple[str, ...], asked: Any) -> tuple[str, ...]:
    if not isinstance(asked, list) or len(asked) > MOST_FACETS:
        raise bad("facets", f"At most {MOST_FACETS} facets.")
    for name in asked:
        if not _shown(context, records, name):
            raise bad("facets", f"There is no {str(name)[:100]!r}.")
    return tuple(dict.fromkeys(asked))


def _shown(context: Context, records: Iterable[str], facet: Any) -> bool:
    """Whether some record that is asked for has this facet and does not hide it from the principal."""
    having = [record for record in records if searchables()[record].type in search.facet_fields().get(facet, ())]
    return any(facet not in hidden(context, record) for record in having)


def _filter(condition: search.Condition) -> Filter:
    """Texts are compared folded, everything else as it is."""
    fields = search.facet_fields()[condition.field].values()
    if any(search.is_text(field) for field in fields):
        return Filter(condition.field + FOLDED, tuple(fold(value) for value in condition.values))
    return Filter(condition.field, condition.values)


def _versions(versions: Any) -> dict[Key, tuple[str, int]]:
    if not isinstance(versions, dict) or len(versions) > MOST_VERSIONS:
        raise bad_request("bad_version", f"Must name at most {MOST_VERSIONS} records.", "min_version")
    wanted = {}
    for name, version in versions.items():
        kind, _, record_id = name.partition("/")
        if kind not in by_type() or isinstance(version, bool) or not isinstance(version, int):
            raise bad_request("bad_version", "Must be such as account/<id>: 3.", "min_version")
        wanted[(by_type()[kind].record, parse_uuid(record_id))] = (name, version)
    return wanted
