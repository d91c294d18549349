"""The request of `POST /v1/{collection}/aggregate`: what may be counted, summed and grouped by."""

from __future__ import annotations

from typing import Any

from contracts import fields as f
from contracts.documents import parameters as p
from contracts.documents.schemas import Schemas, comparable, nullable
from contracts.records import Record

JSON = dict[str, Any]

SIMPLE = (f.Integer, f.Number, f.Money)
ORDERED = (*SIMPLE, f.Date, f.Instant)
GROUPED = (f.Text, f.Choice, f.Boolean, f.Ref, f.Date, f.Instant)
BUCKETS = ("day", "week", "month", "quarter", "year")
MOST_GROUPS = 1_000
ORDER = "Groups and measures by their names in the answer, `-` for descending: `-sum_total`, `status`."


def request(record: type[Record], schemas: Schemas) -> JSON:
    """The JSON Schema of the request's body."""
    declared = record.declared()
    groups = [name for name, field in comparable(record).items() if isinstance(field, GROUPED)]
    dates = [name for name in groups if isinstance(declared[name], (f.Date, f.Instant))]
    by = [*groups, *(f"{name}:{bucket}" for name in dates for bucket in BUCKETS)]
    properties: JSON = {
        "filter": nullable(p.filter_tree(record, schemas)),
        "measures": {
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": {"anyOf": [_measure(["count"]), *_field_measures(declared)]},
        },
        "group_by": nullable({"type": "array", "maxItems": 5, "items": {"type": "string", "enum": by}}),
        "order": nullable({"type": "array", "maxItems": 5, "items": {"type": "string"}, "description": ORDER}),
        "limit": nullable({"type": "integer", "minimum": 1, "maximum": MOST_GROUPS, "default": MOST_GROUPS}),
    }
    return {"type": "object", "required": ["measures"], "additionalProperties": False, "properties": properties}


def _field_measures(declared: dict[str, f.Field]) -> list[JSON]:
    numbers = [name for name, field in declared.items() if isinstance(field, SIMPLE) and name != "version"]
    ordered = [name for name, field in declared.items() if isinstance(field, ORDERED) and name != "version"]
    found = []
    if numbers:
        found.append(_measure(["sum", "avg"], numbers))
    if ordered:
        found.append(_measure(["min", "max"], ordered))
    return found


def _measure(functions: list[str], names: list[str] | None = None) -> JSON:
    properties: JSON = {"fn": {"type": "string", "enum": functions}}
    if names:
        properties["field"] = {"type": "string", "enum": names}
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}
