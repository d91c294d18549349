"""What may be asked of `search.query`, read strictly: the gateway has looked at it before, other callers have not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from chassis import zones
from chassis.context import Context
from chassis.errors import Problem, bad_request, forbidden
from chassis.permissions import hidden, scope
from chassis.text import fold
from contracts import search
from contracts.custom import PREFIX
from contracts.fields import instant, parse_uuid
from contracts.periods import period
from contracts.registry import registry
from services.search.cursors import digest_of
from services.search.index import Filter, Key
from services.search.mapping import ENDINGS, by_type, ordered, searchables

JSON = dict[str, Any]
MOST_HITS, USUAL_HITS, MOST_VERSIONS, MOST_FACETS = 100, 20, 50, 10
BEHIND = " "
"""Behind a bound that is to be in, or out of, what lies below it, or above."""


@dataclass(frozen=True)
class Question:
    """One request: `records` that are asked for, `filters` by fields whose names are `narrowed_by`, versions to wait
    for by what they were called. `custom` are the custom fields that the asker may narrow by, by type; `texts` are the
    facets that count alike however they are spelled. `digest` tells this question from others, and its asker."""

    typed: str
    records: tuple[str, ...]
    limit: int
    filters: tuple[Filter, ...]
    narrowed_by: frozenset[str]
    custom: search.Custom
    facets: tuple[str, ...]
    texts: frozenset[str]
    after: Any
    explain: bool
    suggest: bool
    versions: Mapping[Key, tuple[str, int]]
    digest: str


def read(runtime: Any, context: Context, params: JSON) -> Question:
    """The question in the parameters of a call. Raises Problem 400 that names what is wrong, 403 for `explain`."""
    typed = params.get("q") or ""
    if not isinstance(typed, str) or len(typed) > search.LONGEST_QUESTION:
        raise bad_request("bad_query", f"Must be text of at most {search.LONGEST_QUESTION} characters.", "q")
    limit = params.get("limit") or USUAL_HITS
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_HITS:
        raise bad_request("bad_limit", f"Must be between 1 and {MOST_HITS}.", "limit")
    types = params.get("types")
    records = _records(types)
    given, counted = params.get("filters") or {}, params.get("facets") or []
    custom = _custom(runtime, context, records, [*given, *counted])
    conditions = _conditions(context, records, types, given, custom)
    explain = bool(params.get("explain"))
    if explain and scope(context, "admin.search", "read") != "all":
        raise forbidden("read", "admin.search")
    facets = _facets(context, records, counted, custom)
    return Question(
        typed=typed,
        records=records,
        limit=limit,
        filters=tuple(_filter(one, context.zone, runtime.clock.now()) for one in conditions),
        narrowed_by=frozenset(one.field for one in conditions),
        custom=custom,
        facets=facets,
        texts=frozenset(name for name in facets if any(map(search.is_text, _having(name, custom).values()))),
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


def _custom(runtime: Any, context: Context, records: tuple[str, ...], names: Iterable[Any]) -> search.Custom:
    """The custom fields by which these records are narrowed, without hidden ones; read only where one is named."""
    if not any(isinstance(name, str) and name.startswith(PREFIX) for name in names):
        return {}
    found = {}
    with runtime.database.reading(context) as work:
        for record in records:
            fields = runtime.definitions.fields(work, registry.records[record].collection).active
            gone = hidden(context, record)
            own = {} if "custom" in gone else search.custom_narrowing(fields)
            found[searchables()[record].type] = {name: field for name, field in own.items() if name not in gone}
    return found


def _having(name: str, custom: search.Custom) -> Mapping[str, Any]:
    """The fields that have this name, by type."""
    if name.startswith(PREFIX):
        return {kind: fields[name] for kind, fields in custom.items() if name in fields}
    return search.narrowing_fields().get(name, {})


def _conditions(
    context: Context, records: tuple[str, ...], types: list[str] | None, given: Any, custom: search.Custom
) -> list[search.Condition]:
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise bad_request("bad_filter", "A condition is an object.", "filters")
    try:
        found = search.conditions(types, given, custom)
    except search.UnknownFilter as error:
        raise _unknown(str(error)) from None
    except ValidationError as error:
        ((name, messages),) = error.messages_dict.items()
        raise bad(name, search.first(messages)) from None
    for name in given:
        field, _ = search.filters().get(name) or search.custom_filter(name)
        if not _shown(context, records, field, custom):
            raise _unknown(name)
    return found


def bad(name: str, message: str) -> Problem:
    return bad_request("bad_parameter", f"{name}: {message}", name)


def _unknown(name: str) -> Problem:
    return bad_request("unknown_parameter", f"There is no parameter {name} here.", name)


def _facets(context: Context, records: tuple[str, ...], asked: Any, custom: search.Custom) -> tuple[str, ...]:
    if not isinstance(asked, list) or len(asked) > MOST_FACETS:
        raise bad("facets", f"At most {MOST_FACETS} facets.")
    for name in asked:
        known = isinstance(name, str) and (
            name in search.facet_fields() or any(map(search.is_custom_facet, _having(name, custom).values()))
        )
        if not known or not _shown(context, records, name, custom):
            raise bad("facets", f"There is no {str(name)[:100]!r}.")
    return tuple(dict.fromkeys(asked))


def _shown(context: Context, records: Iterable[str], name: str, custom: search.Custom) -> bool:
    """Whether some record that is asked for has this field and does not hide it from the principal."""
    having = [record for record in records if searchables()[record].type in _having(name, custom)]
    return any(name not in hidden(context, record) for record in having)


def _filter(condition: search.Condition, zone: str, now: dt.datetime) -> Filter:
    """Texts are compared folded, numbers by their order, everything else as it is."""
    name = condition.field + ENDINGS.get(condition.kind, "")
    if condition.operator == "within":
        return Filter(name, (), *_days(condition, zone, now))
    values = condition.values
    if condition.kind == "text":
        values = tuple(fold(value) for value in values)
    if condition.kind == "number":
        values = tuple(ordered(Decimal(value)) for value in values)
    if condition.operator not in search.RANGES:
        return Filter(name, values)
    # Of two texts of one length the greater one is greater than whatever begins with the other.
    bound = values[0] + BEHIND if condition.operator in ("gt", "lte") else values[0]
    return Filter(name, (), *((bound, None) if condition.operator in ("gt", "gte") else (None, bound)))


def _days(condition: search.Condition, zone: str, now: dt.datetime) -> tuple[str, str]:
    """Days of the asker's zone, the last one whole."""
    name = search.parameter(condition.field, condition.operator)
    try:
        first, last = period(condition.values[0], zones.today(now, zone))
        if condition.kind == "date":
            return first.isoformat(), last.isoformat() + BEHIND
        return instant(zones.begins(first, zone)), instant(zones.begins(last + zones.DAY, zone))
    except OverflowError:
        raise bad(name, "Not days of the calendar.") from None


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
