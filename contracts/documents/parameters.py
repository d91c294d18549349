"""The parameters of the HTTP surface: paging, selection, headers, and a filter for each field and operator."""

from __future__ import annotations

from typing import Any

from contracts import fields as f
from contracts.documents.schemas import Schemas, comparable, expandable, filterable, orderable, sortable
from contracts.merging import MOST_TWINS, USUAL_TWINS
from contracts.records import Record

JSON = dict[str, Any]

# A value in a list of values has no comma, since commas part them.
ITEM_PATTERN = r"^[^,\x00-\x20\x7f]([^,\x00-\x1f\x7f]*[^,\x00-\x20\x7f])?$"
KEY_PATTERN = r"^[^/\x00-\x20\x7f\ufffd]([^/\x00-\x1f\x7f\ufffd]*[^/\x00-\x20\x7f\ufffd])?$"
DECIMAL_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?$"
MOST_IN = 200
MOST_SORTS = 4

MOST_HAS = 20
APART = ("in", "has", "empty", "contains", "starts", "within")
"""Operators that take something else than one value of the field."""

AFTER: JSON = {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": "^[A-Za-z0-9_=-]+$"}

TWINS: JSON = {
    "name": "limit",
    "in": "query",
    "description": "How many candidates at most.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_TWINS, "default": USUAL_TWINS},
}
SHARED: dict[str, JSON] = {
    "Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
    "Child": {
        "name": "child",
        "in": "path",
        "required": True,
        "description": "The id of the note or attachment.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "System": {
        "name": "system",
        "in": "path",
        "required": True,
        "description": "The other system's name in `external_ids`.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
    },
    "Key": {
        "name": "key",
        "in": "path",
        "required": True,
        "description": "The record's key in the other system.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": KEY_PATTERN},
    },
    "Limit": {
        "name": "limit",
        "in": "query",
        "description": "How many items a page has at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
    },
    "After": {
        "name": "after",
        "in": "query",
        "description": "The `next` of the page before, with the same filters and sort.",
        "schema": AFTER,
    },
    "Count": {
        "name": "count",
        "in": "query",
        "description": "Also count what the filters match.",
        "schema": {"type": "string", "enum": ["exact", "estimate"]},
    },
    "Deleted": {
        "name": "deleted",
        "in": "query",
        "description": "Deleted records alone, or among the others.",
        "schema": {"type": "string", "enum": ["only", "include"]},
    },
    "AsOf": {
        "name": "as_of",
        "in": "query",
        "description": "As it was at this moment, for who may read it today.",
        "schema": f.Instant().json_schema(),
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Chosen by the client, once for each thing to be done: repeating the request does nothing new.",
        "schema": {"type": "string", "pattern": "^[!#-~]{1,255}$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of the version that the client has seen; a clash is answered with 412.",
        "schema": {"type": "string", "pattern": r'^((W/)?"[0-9]{1,18}"|[0-9]{1,18}|\*)$'},
    },
}


def shared(*names: str) -> list[JSON]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def selection(record: type[Record]) -> list[JSON]:
    """`fields` and `expand`."""
    found = [_listed("fields", list(record.declared()), "Only these fields; `id` and `version` always come with them.")]
    if names := expandable(record):
        description = "Also the records that these references name; `custom.<name>` for those of custom fields."
        found.append(_listed("expand", names, description))
    return found


def sort_schema(record: type[Record]) -> JSON:
    """One to four different fields, parted by commas; a leading `-` means descending. `x-sortable` have an index."""
    way = f"-?({'|'.join(orderable(record))})"
    return {"type": "string", "pattern": f"^{way}(,{way}){{0,{MOST_SORTS - 1}}}$", "x-sortable": sortable(record)}


def sort(record: type[Record]) -> JSON:
    description = (
        f"One to {MOST_SORTS} different fields, parted by commas; `-` before one sorts it in descending order. "
        "Those that are not in `x-sortable` have no index: their lists are refused with 422 beyond the row budget."
    )
    return {
        "name": "sort",
        "in": "query",
        "description": description,
        "schema": sort_schema(record),
        "example": "-created_at",
    }


def filters(record: type[Record]) -> list[JSON]:
    """`status=open` for equality, `<field>.<operator>=…` for every other operator that the field has."""
    found = []
    for name, field in filterable(record).items():
        for operator in field.operators:
            parameter: JSON = {
                "name": name if operator == "eq" else f"{name}.{operator}",
                "in": "query",
                "schema": operand(field, operator),
            }
            if operator in ("in", "has"):
                parameter |= {"style": "form", "explode": False}
            if operator == "eq" and field.label:
                parameter["description"] = field.label[0]
            found.append(parameter)
    return found


def operand(field: f.Field, operator: str) -> JSON:
    """What a field is compared with: its own kind of value, a list of them, a phrase, days, or true and false."""
    if operator == "empty":
        return {"type": "boolean"}
    if operator in ("contains", "starts"):
        return {"$ref": "#/components/schemas/Phrase"}
    if operator == "within":
        return {"$ref": "#/components/schemas/Period"}
    if isinstance(field, f.Texts):
        items = {"type": "string", "minLength": 1, "maxLength": 100, "pattern": ITEM_PATTERN}
        return {"type": "array", "items": items, "minItems": 1, "maxItems": MOST_HAS}
    value = _value(field)
    if operator != "in":
        return value
    if isinstance(field, f.Text) and not field.pattern and not isinstance(field, f.Currency):
        value = {"type": "string", "maxLength": field.max, "pattern": ITEM_PATTERN}
    return {"type": "array", "items": value, "minItems": 1, "maxItems": MOST_IN}


def _value(field: f.Field) -> JSON:
    if isinstance(field, f.Money):
        return {"type": "string", "format": "decimal", "pattern": DECIMAL_PATTERN}
    if isinstance(field, f.Currency):
        return {"$ref": "#/components/schemas/CurrencyInput"}
    return field.json_schema()


def _listed(name: str, values: list[str], description: str) -> JSON:
    return {
        "name": name,
        "in": "query",
        "description": description,
        "style": "form",
        "explode": False,
        "schema": {"type": "array", "items": {"type": "string", "enum": values}, "minItems": 1, "maxItems": MOST_IN},
    }


def filter_tree(record: type[Record], schemas: Schemas) -> JSON:
    """The filter of `POST /v1/{collection}/search` and `aggregate`: `and`, `or`, `not` over comparisons.

    `{"and": [{"field": "status", "op": "eq", "value": "open"}, {"field": "total", "op": "gte", "value": "1000"}]}`
    """
    name = f"{schemas.name(record)}Filter"

    def make() -> JSON:
        again = {"$ref": schemas.ref + name}
        several = {"type": "array", "items": again, "minItems": 1, "maxItems": 100}
        branches = [_only({"and": several}), _only({"or": several}), _only({"not": again})]
        for (_, operators), (schema, names) in _comparisons(record).items():
            branches.append(_comparison(operators, schema, names))
        text = "A tree of `and`, `or` and `not` over comparisons of one field each, or of one behind a reference."
        return {"anyOf": branches, "description": text}

    return schemas.reference(name, make)


def _comparison(operators: tuple[str, ...], schema: JSON, names: list[str]) -> JSON:
    """Without `op` a comparison is `eq`, and `empty` without a value asks for empty ones."""
    branch = _only(
        {"field": {"type": "string", "enum": names}, "op": {"type": "string", "enum": list(operators)}, "value": schema}
    )
    if "eq" in operators:
        branch["required"].remove("op")
    if operators == ("empty",):
        branch["required"].remove("value")
    return branch


def _only(properties: JSON) -> JSON:
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


def _comparisons(record: type[Record]) -> dict[tuple[str, tuple[str, ...]], tuple[JSON, list[str]]]:
    """Fields that are compared with the same kind of value by the same operators, together."""
    groups: dict[tuple[str, tuple[str, ...]], tuple[JSON, list[str]]] = {}
    for name, field in comparable(record).items():
        plain = tuple(operator for operator in field.operators if operator not in APART)
        for operators in (plain, ("contains", "starts"), ("in",), ("has",), ("within",), ("empty",)):
            if operators and set(operators) <= set(field.operators):
                schema = operand(field, operators[0])
                groups.setdefault((repr(schema), operators), (schema, []))[1].append(name)
    return groups
