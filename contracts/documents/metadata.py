"""What a generic frontend needs to draw the lists and forms of a collection. A pure function of the declaration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import missing

from contracts import fields as f
from contracts.documents.schemas import filterable, orderable, sortable
from contracts.records import Part, Record
from contracts.registry import Registry, registry

JSON = dict[str, Any]


def collection_metadata(
    record: type[Record], context_actions: Mapping[str, str], declared: Registry = registry
) -> JSON:
    """One collection: its fields, commands and queries.

    What is not `indexed` filters and sorts within a row budget.
    `context_actions` says what the asking principal may do, `{"update": "own", "place": "all"}`: action to scope.
    """
    filters, sorts, orders = filterable(record), sortable(record), orderable(record)
    fields = []
    for name, field in record.declared().items():
        fields.append(
            {
                **field_metadata(name, field),
                "filters": list(field.operators),
                "sort": name in orders,
                "indexed": {"filter": name in filters, "sort": name in sorts},
                "search": field.search,
                "pii": field.pii,
            }
        )
    return {
        "name": record.record_name,
        "collection": record.collection,
        "service": record.service,
        "label": label(record.record_label),
        "operations": sorted(record.operations),
        "title": record.title_field,
        "subtitle": list(record.subtitle_fields),
        "fields": fields,
        "commands": [
            {
                "name": command.verb,
                "label": label(command.label),
                "answers": command.answers,
                "errors": list(command.errors),
                "fields": _part_fields(command.request) if command.request else [],
            }
            for command in declared.commands_of(record)
        ],
        "queries": [query.path for query in declared.queries_of(record)],
        "access": dict(context_actions),
    }


def field_metadata(name: str, field: f.Field) -> JSON:
    """What a form needs to know of one field, whether it stands in a record, a part or a command."""
    described: JSON = {
        "name": name,
        "type": kind(field),
        "label": label(field.label) if field.label else None,
        "help": label(field.help) if field.help else None,
        "required": field.required,
        "computed": field.computed,
        "once": field.once,
        **_bounds(field),
    }
    if field.default is not missing:
        described["default"] = field.default() if callable(field.default) else field.to_wire(field.default)
    if isinstance(field, f.Choice):
        described["choices"] = [{"value": value, "label": label(words)} for value, words in field.choices.items()]
    if isinstance(field, f.State):
        described["first"] = field.first
        described["moves"] = {state: list(following) for state, following in field.moves.items()}
    if isinstance(field, f.Ref) and field.target:
        described["target"] = field.target
        described["target_collection"] = collection_of(field.target)
    if isinstance(field, (f.Parts, f.Embedded)):
        described["fields"] = _part_fields(field.part)
    if isinstance(field, f.Texts):
        described["of"] = kind(field.of)
    return described


def kind(field: f.Field) -> str:
    """The word for a kind of field: `text`, `email`, `money`, `ref`, `parts`, …"""
    return type(field).__name__.lower()


def label(words: f.Label) -> JSON:
    return {"en": words[0], "zh": words[1]}


def collection_of(target: str) -> str | None:
    record = registry.records.get(target)
    return record.collection if record else None


def _part_fields(part: type[Part]) -> list[JSON]:
    return [field_metadata(name, field) for name, field in part.declared().items()]


def _bounds(field: f.Field) -> JSON:
    if isinstance(field, f.Text):
        return {"max": field.max, "min": field.min, **({"pattern": field.pattern} if field.pattern else {})}
    if isinstance(field, f.Integer):
        return {"least": field.least, "most": field.most}
    if isinstance(field, f.Number):
        return {"least": field.least, "most": field.most, "above": field.above, "places": field.places}
    if isinstance(field, f.Money):
        return {"places": field.places, "signed": field.signed}
    if isinstance(field, f.Texts):
        return {"most": field.most}
    if isinstance(field, f.Parts):
        return {"at_least": field.at_least, "at_most": field.at_most}
    return {}
