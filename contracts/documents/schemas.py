"""The JSON Schemas of records, parts, commands and queries.

A schema has two sides. A *request* says exactly what the loader accepts. A *reply* promises the type of a value,
whether it may be null and which choices there are, and nothing more: bounds may grow without breaking a reader.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from marshmallow import missing

from contracts import fields as f
from contracts.children import DECLARED
from contracts.records import Part, Record
from contracts.registry import Registry

JSON = dict[str, Any]

REF = "#/components/schemas/"
BOUNDS = (
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "uniqueItems",
    "maxProperties",
    "propertyNames",
)
ALWAYS_PRESENT = ("id", "version", "created_at", "created_by", "updated_at", "updated_by")

MONEY: JSON = {
    "type": "object",
    "description": "An exact decimal and an ISO 4217 code.",
    "required": ["amount", "currency"],
    "properties": {
        "amount": {"type": "string", "format": "decimal", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
}


class Schemas:
    """The component schemas of one registry, each made once and kept under its name in `components`.

    `ref` is where the document keeps them: `#/components/schemas/` in OpenAPI and AsyncAPI, `#/$defs/` in a lone file.
    """

    def __init__(self, registry: Registry, ref: str = REF) -> None:
        self.registry, self.ref = registry, ref
        self.components: dict[str, JSON] = {}
        self._names = component_names(registry)

    def reference(self, name: str, make: Callable[[], JSON]) -> JSON:
        """A `$ref` to a component, which is made when it is first asked for."""
        if name not in self.components:
            self.components[name] = {}  # holds the place, so that a schema may refer to itself
            self.components[name] = make()
        return {"$ref": self.ref + name}

    def name(self, part: type[Part]) -> str:
        return self._names[part]

    def record(self, record: type[Record]) -> JSON:
        """What is answered: every declared field unless `fields` or a mask leaves it out, null where it is empty."""
        return self.reference(self.name(record), lambda: self.record_reply(record))

    def record_reply(self, record: type[Record]) -> JSON:
        properties = {name: self._reply_property(name, field, record) for name, field in record.declared().items()}
        for name in expandable(record):
            properties[name] = {"type": ["object", "null"], "description": f"Only with `expand={name}`."}
        return described({"type": "object", "required": ["id", "version"], "properties": properties}, record)

    def create(self, record: type[Record]) -> JSON:
        return self.reference(f"{self.name(record)}Create", lambda: self._request(record))

    def patch(self, record: type[Record]) -> JSON:
        """A JSON merge patch (RFC 7396): what is left out stays, null empties a field that may be empty."""
        return self.reference(f"{self.name(record)}Patch", lambda: self._request(record, patch=True))

    def list_of(self, record: type[Record]) -> JSON:
        return self.reference(f"{self.name(record)}List", lambda: page(self.record(record), counted=True))

    def duplicates_of(self, record: type[Record]) -> JSON:
        return self.reference(f"{self.name(record)}Duplicates", lambda: _duplicates(self.record(record)))

    def request(self, part: type[Part]) -> JSON:
        return self.reference(f"{self.name(part)}Input", lambda: self._request(part))

    def reply(self, part: type[Part]) -> JSON:
        return self.reference(self.name(part), lambda: self._reply(part))

    def request_value(self, field: f.Field) -> JSON:
        """Exactly what the loader takes for one field, null left out."""
        if isinstance(field, f.Money):
            name = ("Signed" if field.signed else "") + (
                "MoneyInput" if field.places is None else f"PriceInput{field.places}"
            )
            return self.reference(name, field.json_schema)
        if isinstance(field, f.Currency):
            return self.reference("CurrencyInput", field.json_schema)
        if isinstance(field, f.Embedded):
            return self.request(field.part)
        schema = field.json_schema()
        if isinstance(field, f.Parts):
            schema["items"] = self.request(field.part)
        elif isinstance(field, f.Texts):
            schema["items"] = self.request_value(field.of)
        return schema

    def reply_value(self, field: f.Field) -> JSON:
        """What a reader may rely on for one field, null left out."""
        if isinstance(field, f.Money):
            return self.reference("Money", lambda: copy.deepcopy(MONEY))
        if isinstance(field, f.Currency):
            return {"type": "string", "pattern": "^[A-Z]{3}$"}
        if isinstance(field, f.Embedded):
            return self.reply(field.part)
        if isinstance(field, f.Parts):
            return {"type": "array", "items": self.reply(field.part)}
        if isinstance(field, f.Texts):
            return {"type": "array", "items": self.reply_value(field.of)}
        if isinstance(field, f.StringMap):
            return {"type": "object", "additionalProperties": {"type": "string"}}
        return {key: value for key, value in field.json_schema().items() if key not in BOUNDS}

    def _request(self, part: type[Part], *, patch: bool = False) -> JSON:
        properties: JSON = {}
        required = []
        for name, field in part.declared().items():
            if field.computed or (patch and field.once):
                continue
            value = self.request_value(field)
            if patch and isinstance(field, f.StringMap):
                value = {**value, "additionalProperties": nullable(value["additionalProperties"])}
            properties[name] = labelled(nullable(value) if field.allow_none else value, field)
            if field.required and not patch:
                required.append(name)
            elif not patch and field.default is not missing and not callable(field.default):
                properties[name]["default"] = field.to_wire(field.default)
        schema: JSON = {"type": "object", "additionalProperties": False, "properties": properties}
        if required:
            schema["required"] = required
        return described(schema, part)

    def _reply(self, part: type[Part]) -> JSON:
        properties = {name: self._reply_property(name, field) for name, field in part.declared().items()}
        return described({"type": "object", "required": list(properties), "properties": properties}, part)

    def _reply_property(self, name: str, field: f.Field, record: type[Record] | None = None) -> JSON:
        value = self.reply_value(field)
        filled = field.required or field.default is not missing or isinstance(field, f.State)
        if not filled and not (record is not None and name in ALWAYS_PRESENT):
            value = nullable(value)
        return labelled(value, field)


def component_names(registry: Registry) -> dict[type[Part], str]:
    """A name for every record and part that documents show: the class's own, led by its service where two share it."""
    shown: dict[type[Part], None] = {}

    def show(part: type[Part] | None) -> None:
        if part is not None and part not in shown:
            shown[part] = None
            for field in part.declared().values():
                if isinstance(field, (f.Parts, f.Embedded)):
                    show(field.part)

    for record in (*registry.records.values(), *registry.children.values(), *DECLARED.values()):
        show(record)
    for command in registry.commands.values():
        show(command.request)
    for query in registry.queries.values():
        show(query.reply)
    plain = [part.__name__ for part in shown]
    return {
        part: part.__name__
        if plain.count(part.__name__) == 1
        else part.__module__.rsplit(".", 1)[-1].title() + part.__name__
        for part in shown
    }


def nullable(schema: JSON) -> JSON:
    """The same schema with null added."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if "type" not in schema:
        return schema
    wider = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        wider["enum"] = [*schema["enum"], None]
    return wider


def labelled(schema: JSON, field: f.Field) -> JSON:
    """With the English label as title and the help as description."""
    result = dict(schema)
    if field.label:
        result["title"] = field.label[0]
    if field.help:
        result["description"] = field.help[0]
    of = field.of if isinstance(field, f.Texts) else field
    if isinstance(of, f.Ref) and of.on_delete:
        result["x-on-delete"] = of.on_delete
        if of.until:
            result["x-on-delete-until"] = list(of.until)
    return result


def described(schema: JSON, part: type[Part]) -> JSON:
    text = " ".join((part.__dict__.get("__doc__") or "").split())
    return {**schema, "description": text} if text else schema


def page(item: JSON, *, counted: bool = False) -> JSON:
    """A page of a list: `next` goes into `after` of the following request and is null on the last page."""
    properties: JSON = {"items": {"type": "array", "items": item}, "next": {"type": ["string", "null"]}}
    if counted:
        properties["count"] = {
            "type": ["integer", "null"],
            "description": "Only with `count=exact` or `count=estimate`.",
        }
    return {"type": "object", "required": ["items", "next"], "properties": properties}


def _duplicates(record: JSON) -> JSON:
    share: JSON = {"type": "number", "minimum": 0, "maximum": 1}
    reason: JSON = {
        "field": {"type": "string"},
        "reason": {"type": "string", "enum": ["same", "alike"]},
        "mine": {"description": "The value of the record that was asked about."},
        "theirs": {"description": "The candidate's value."},
        "weight": {**share, "description": "This field's part of the score."},
    }
    reasons = {"type": "array", "items": {"type": "object", "required": list(reason), "properties": reason}}
    item: JSON = {"record": record, "score": share, "reasons": reasons}
    skipped: JSON = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Keys that were not looked up, as too many records have them.",
    }
    items = {"type": "array", "items": {"type": "object", "required": list(item), "properties": item}}
    return {"type": "object", "required": ["items", "skipped"], "properties": {"items": items, "skipped": skipped}}


def expandable(record: type[Record]) -> list[str]:
    """Names for `expand`: `account` for `account_id`."""
    return [
        name.removesuffix("_id")
        for name, field in record.declared().items()
        if isinstance(field, f.Ref) and field.target and name.endswith("_id")
    ]


# What every record can be filtered and sorted by without declaring it; `number` counts where a record has one.
STANDARD = ("id", "number", "created_at", "updated_at")
SORTED = (f.Text, f.Number, f.Integer, f.Money, f.Date, f.Instant, f.Boolean, f.Choice)


def filterable(record: type[Record]) -> dict[str, f.Field]:
    """Fields that lists filter by an index."""
    return {name: field for name, field in comparable(record).items() if field.filter or field.sort or name in STANDARD}


def comparable(record: type[Record]) -> dict[str, f.Field]:
    """Fields that lists filter by: those without an index within a row budget."""
    return {name: field for name, field in record.declared().items() if field.operators}


def sortable(record: type[Record]) -> list[str]:
    """Fields that lists sort by an index."""
    return [name for name, field in record.declared().items() if field.sort or name in STANDARD]


def orderable(record: type[Record]) -> list[str]:
    """Fields that lists sort by: those without an index within a row budget."""
    return [name for name, field in record.declared().items() if isinstance(field, SORTED) or name == "id"]
