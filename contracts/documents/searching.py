"""Search in the OpenAPI document: the question with its filters, the answer, and what its user did lately."""

from __future__ import annotations

from typing import Any

from contracts import fields as f
from contracts import search
from contracts.documents.answers import READING, answer, json, problems, ref
from contracts.documents.components import INSTANT, MAP, MAYBE, MAYBE_INSTANT, TEXT, UUID, WHOLE
from contracts.documents.parameters import AFTER, operand, shared

JSON = dict[str, Any]
MOST_FACETS = 10
CUSTOM = (
    "A tenant's custom fields narrow as the declared ones do, where their definition says that they are filtered by or "
    "searched: `custom.colour=red`, `custom.colour.in=`, `custom.due.gte=`, `custom.due.within=`; `facets` counts by "
    "`custom.colour`. Metadata names them: `facet` of each custom field, `search.filters` of the collection."
)
FLAG: JSON = {"type": "boolean", "default": False}
QUESTION: JSON = {"type": "string", "maxLength": search.LONGEST_QUESTION, "pattern": f.TEXT_PATTERN}
VERSION: JSON = {
    "type": "string",
    "pattern": "^[a-z-]+/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[1-9][0-9]{0,8}$",
}


def _object(required: JSON, optional: JSON | None = None, **more: Any) -> JSON:
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties, **more}


def _list_of(item: JSON) -> JSON:
    return {"type": "array", "items": item}


_HIT = _object(
    {"type": TEXT, "id": TEXT, "title": MAYBE, "subtitle": MAYBE, "score": {"type": "number"}, "version": WHOLE},
    {
        "highlight": {**MAYBE, "description": "HTML: everything is escaped, what matched stands in `<em>`."},
        "reasons": {
            **_list_of(_object({"what": TEXT, "points": WHOLE})),
            "description": "With `explain`: they add up to the score.",
        },
    },
)
_FRESHNESS = _object(
    {
        "indexed_at": {**MAYBE_INSTANT, "description": "When the newest event happened that the index has."},
        "lag_seconds": {"type": ["number", "null"], "description": "How far the index is behind."},
    },
    {
        "position": {"type": ["integer", "null"], "description": "Every event of the feed up to this one is indexed."},
        "backend": {**TEXT, "description": "`elasticsearch` or `postgresql`: what answered."},
        "degraded": {"type": "boolean", "description": "The usual index is away, another one answered."},
    },
)
_QUESTION_MEMBERS: JSON = {
    "q": {**QUESTION, "minLength": 1},
    "types": {"type": "array", "items": TEXT, "minItems": 1, "maxItems": search.MOST_TYPES},
    "filters": {
        "type": "object",
        "additionalProperties": TEXT,
        "maxProperties": search.MOST_FILTERS,
        "description": 'As in the query string: `{"status.in": "placed,confirmed"}`.',
    },
}
COMPONENTS: JSON = {
    "SearchResult": _object(
        {"items": _list_of(_HIT), "facets": MAP, "freshness": _FRESHNESS},
        {
            "next": {**MAYBE, "description": "Goes into `after`, with the same question; null on the last page."},
            "exact": {"type": "boolean", "description": "Whether the counts are complete; else there are more."},
            "by_field": {
                "type": "object",
                "additionalProperties": _list_of(_object({"value": TEXT, "count": WHOLE})),
                "description": "Of each of `facets`, the values of what was found, the most frequent first.",
            },
            "fuzzy": {"type": "boolean", "description": "Nothing fits exactly; these are similar."},
            "did_you_mean": {**TEXT, "description": "A corrected question that finds something, or more."},
            "missing": {**_list_of(TEXT), "description": "Of `min_version`: what the index has not seen yet."},
            "explained": {
                **_object({"backend": TEXT, "reading": {"type": ["object", "null"]}}),
                "description": "With `explain`: how the question was read.",
            },
        },
    ),
    "RecentSearches": _object(
        {
            "items": _list_of(
                _object({"q": TEXT, "types": {"type": ["array", "null"], "items": TEXT}, "filters": MAP, "at": INSTANT})
            )
        }
    ),
    "FinishedSearch": _object(
        {"q": _QUESTION_MEMBERS["q"]},
        {name: _QUESTION_MEMBERS[name] for name in ("types", "filters")},
        additionalProperties=False,
    ),
    "OpenedRecord": _object(
        {"type": {"type": "string", "description": "As a hit says it: `account`."}, "id": UUID},
        _QUESTION_MEMBERS,
        additionalProperties=False,
    ),
}


def paths() -> dict[str, JSON]:
    """`/v1/search` and what lies below it."""
    told: JSON = {"204": {"description": "It is kept."}}
    cleared: JSON = {"204": {"description": "Nothing is kept any more."}}
    body = (*READING, 413, 415, 422)
    return {
        "/v1/search": {
            "get": _route(
                "search.query",
                "Find anything; without `q`, what is recent and one's own",
                {
                    **answer(200, "What was found.", ref("SearchResult")),
                    **answer(202, "What was found, without what `missing` names.", ref("SearchResult")),
                },
                (*READING, 422),
                description=CUSTOM,
                parameters=[*_words(), *_filters()],
            )
        },
        "/v1/search/recent": {
            "get": _route(
                "search.recent",
                "The searches that one finished lately",
                answer(200, "Newest first, at most 50.", ref("RecentSearches")),
                READING,
            ),
            "post": _route(
                "search.finished",
                "A search was finished, and is remembered",
                told,
                body,
                requestBody=json(ref("FinishedSearch")),
                parameters=shared("IdempotencyKey"),
            ),
            "delete": _route(
                "search.clear",
                "Forget what one searched, opened and edited lately",
                cleared,
                READING,
                parameters=shared("IdempotencyKey"),
            ),
        },
        "/v1/search/opened": {
            "post": _route(
                "search.opened",
                "A record was opened: it comes first among its like",
                told,
                body,
                requestBody=json(ref("OpenedRecord")),
                parameters=shared("IdempotencyKey"),
            )
        },
    }


def _route(name: str, summary: str, answers: JSON, errors: tuple[int, ...], **more: Any) -> JSON:
    return {
        "operationId": name,
        "tags": ["search"],
        "summary": summary,
        "responses": {**answers, **problems(*errors)},
        **more,
    }


def _words() -> list[JSON]:
    limit = {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    return [
        _query("q", QUESTION, "What to look for."),
        _listed("types", {"type": "string", "enum": sorted(search.kinds())}, "Only these kinds of records."),
        _query("limit", limit, "How many results at most."),
        _query("after", AFTER, "The `next` of the page before, with the same question."),
        _listed(
            "facets", {"type": "string", "enum": sorted(search.facet_fields())}, "Count by these, too.", MOST_FACETS
        ),
        _query("explain", FLAG, "For administrators: why each hit is where it is."),
        _query("suggest", FLAG, "Correct the question also where little was found."),
        _listed("min_version", VERSION, "`account/<id>:<version>`: wait until the index has seen it."),
    ]


def _filters() -> list[JSON]:
    """`status=placed`, `status.in=…`, `ordered_on.gte=…`: of the types that have the field, what has such a value."""
    found = []
    for name, (narrowing, operator) in search.filters().items():
        fields = [field for field in search.narrowing_fields()[narrowing].values() if operator in field.operators]
        schema = _united([operand(field, operator) for field in fields])
        label = fields[0].label
        parameter = _query(name, schema, label[0] if label else "")
        found.append({**parameter, "style": "form", "explode": False} if operator in search.MOST_VALUES else parameter)
    return found


def _united(schemas: list[JSON]) -> JSON:
    """What one of these takes; fields of one name differ in their choices, or in how long they may be."""
    first = schemas[0]
    if "items" in first:
        return {**first, "items": _united([schema["items"] for schema in schemas])}
    if all("enum" in schema for schema in schemas):
        return {**first, "enum": sorted({choice for schema in schemas for choice in schema["enum"]})}
    if all("maxLength" in schema for schema in schemas):
        return max(schemas, key=lambda schema: int(schema["maxLength"]))
    return first


def _listed(name: str, item: JSON, description: str, most: int = 50) -> JSON:
    schema = {"type": "array", "items": item, "minItems": 1, "maxItems": most}
    return {**_query(name, schema, description), "style": "form", "explode": False}


def _query(name: str, schema: JSON, description: str) -> JSON:
    return {"name": name, "in": "query", "description": description, "schema": schema}
