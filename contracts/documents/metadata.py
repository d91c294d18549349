"""What a generic frontend needs to draw the lists and forms of a collection. A pure function of the declaration."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from marshmallow import missing

from contracts import fields as f
from contracts import search
from contracts.custom import PREFIX, SORTABLE, field_of
from contracts.documents.schemas import filterable, orderable, sortable
from contracts.records import Part, Record
from contracts.registry import Registry, registry

JSON = dict[str, Any]
EXPORT_FORMATS = ("csv", "xlsx", "jsonl")
MOST_COLUMNS = 7
CHILD_COLUMNS = {
    "note": ("text", "pinned", "author_id", "created_at", "edited_at"),
    "attachment": ("name", "description", "content_type", "size", "scan", "author_id", "created_at"),
}


def collection_metadata(
    record: type[Record],
    context_actions: Mapping[str, str],
    declared: Registry = registry,
    *,
    hidden: Collection[str] = (),
    read_only: Collection[str] = (),
    custom: Sequence[JSON] = (),
    numbering: JSON | None = None,
) -> JSON:
    """One collection: its fields, commands and queries, as one principal may use them.

    `custom` and `numbering` are the tenant's own definitions: custom fields and the numbering rule of this collection.

    What is not `indexed` filters and sorts within a row budget.
    `context_actions` says what the asking principal may do, `{"update": "own", "place": "all"}`: action to scope.
    """
    active = [one for one in custom if one["active"] and not {PREFIX + one["name"], "custom"} & set(hidden)]
    searching = _searching(record, hidden, active) if search.is_searched(record) else None
    counted = searching["facets"] if searching else []
    return {
        "name": record.record_name,
        "collection": record.collection,
        "service": record.service,
        "label": label(record.record_label),
        "operations": sorted(record.operations),
        "title": record.title_field,
        "subtitle": list(record.subtitle_fields),
        "columns": [name for name in _columns(record) if name not in hidden],
        "number": _number(record, numbering),
        "fields": [
            {**one, "facet": one["name"] in counted} for one in _fields(record, context_actions, hidden, read_only)
        ],
        "custom_fields": [
            {
                **custom_metadata(definition, f"{PREFIX}{definition['name']}" in read_only, context_actions),
                "facet": PREFIX + definition["name"] in counted,
            }
            for definition in sorted(active, key=lambda one: (one["position"], one["name"]))
        ],
        "commands": [
            {
                "name": command.verb,
                "label": label(command.label),
                "answers": command.answers,
                "errors": list(command.errors),
                "leads": dict(command.leads),
                "fields": _part_fields(command.request) if command.request else [],
            }
            for command in declared.commands_of(record)
        ],
        "search": searching,
        "queries": [query.path for query in declared.queries_of(record)],
        "import": _importable(record, hidden, read_only) if "import" in record.operations else None,
        "retention": _retention(record),
        "export": {"formats": list(EXPORT_FORMATS)} if "export" in record.operations else None,
        "access": dict(context_actions),
    }


def child_metadata(
    record: type[Record],
    kind: str,
    access: Mapping[str, str],
    declared: Registry = registry,
    *,
    hidden: Collection[str] = (),
    read_only: Collection[str] = (),
) -> JSON:
    """The notes or the attachments of a collection's records, as one principal may use them.

    `access` is what he may do with the record itself. Who may update it (create it, where nobody updates it) may write
    about it; `others` is what somebody else's are changed by.
    """
    child = declared.children[f"{record.service}.{kind}"]
    update = "create" if "update" not in record.operations and "create" in record.operations else "update"
    writes = access.get(update, "none")
    actions = {"read": access.get("read", "none"), "create": writes, "update": writes, "delete": writes}
    return {
        "name": child.record_name,
        "collection": child.collection,
        "path": f"/v1/{record.collection}/{{id}}/{child.collection}",
        "label": label(child.record_label),
        "operations": sorted(child.operations),
        "title": child.title_field,
        "columns": [name for name in CHILD_COLUMNS[kind] if name not in hidden],
        "fields": list(_fields(child, actions, hidden, read_only)),
        "export": {"formats": list(EXPORT_FORMATS)},
        "access": {**actions, "others": access.get("delete", "none")},
    }


def _fields(
    record: type[Record], access: Mapping[str, str], hidden: Collection[str], read_only: Collection[str]
) -> Iterator[JSON]:
    filters, sorts, orders = filterable(record), sortable(record), orderable(record)
    for name, field in record.declared().items():
        if name not in hidden:
            yield {
                **field_metadata(name, field),
                "writable": _writable(field, name in read_only, access),
                "filters": list(field.operators),
                "sort": name in orders,
                "indexed": {"filter": name in filters, "sort": name in sorts},
                "search": field.search,
                "pii": field.pii,
            }


def _searching(record: type[Record], hidden: Collection[str], custom: Sequence[JSON]) -> JSON:
    """How search names the record, and the parameters of `/v1/search` that count and narrow by its fields."""
    own = search.custom_narrowing({one["name"]: field_of(one) for one in custom})
    counted = [name for name in search.facets(record) if name not in hidden]
    narrowing = {name: field for name, field in search.narrowing(record).items() if name not in hidden} | own
    return {
        "type": record.singular,
        "facets": [*counted, *(name for name, field in own.items() if search.is_custom_facet(field))],
        "filters": [
            search.parameter(name, operator)
            for name, field in narrowing.items()
            for operator in search.operators([field])
        ],
    }


def custom_metadata(definition: JSON, guarded: bool, access: Mapping[str, str]) -> JSON:
    """A custom field, described like a declared one; its value stands in `custom` under `key`."""
    made = field_of(definition)
    described = field_metadata(PREFIX + definition["name"], made)
    described["type"] = {"multi_choice": "choices", "reference": "ref"}.get(definition["type"], definition["type"])
    if definition["default"] is not None:
        described["default"] = definition["default"]
    if definition["type"] in ("number", "money"):
        described |= {"least": definition["min"], "most": definition["max"]}
    return {
        **described,
        "key": definition["name"],
        "required": definition["required"],
        "writable": _writable(made, guarded, access),
        "filters": list(made.operators) if made.filter or not isinstance(made, f.Choices) else [],
        "sort": definition["type"] in SORTABLE,
        "indexed": {"filter": made.filter, "sort": made.sort},
        "search": made.search,
        "pii": False,
    }


def _writable(field: f.Field, guarded: bool, access: Mapping[str, str]) -> JSON:
    """When this principal may write the field: never, at creation, afterwards."""
    free = not field.computed and not guarded
    return {
        "create": free and access.get("create", "none") != "none",
        "update": free and not field.once and access.get("update", "none") != "none",
    }


def _columns(record: type[Record]) -> list[str]:
    """The columns of a list that nobody has chosen yet: who it is, what state it is in, what it is worth, when."""
    declared = record.declared()
    named = ["number", record.title_field, *record.subtitle_fields]
    kinds: tuple[type[f.Field], ...] = (f.State, f.Choice, f.Money, f.Date, f.Ref)
    named += [name for kind in kinds for name, field in declared.items() if isinstance(field, kind) and field.filter]
    chosen = [name for name in dict.fromkeys(named) if name in declared and name != "id"]
    return [*chosen[:MOST_COLUMNS], "updated_at"]


def _number(record: type[Record], rule: JSON | None) -> JSON | None:
    if not record.number_pattern:
        return None
    known = rule or {"pattern": record.number_pattern, "scope": "year", "gaps": "none"}
    return {name: known[name] for name in ("pattern", "scope", "gaps")}


def _retention(record: type[Record]) -> JSON | None:
    """How long deleted ones are kept where the tenant has no rule of its own: days, null for ever."""
    if "purge" not in record.operations:
        return None
    return {"days": record.retention, "by_law": record.kept_by_law}


def _importable(record: type[Record], hidden: Collection[str], read_only: Collection[str]) -> JSON:
    """The columns that an import fills; a header may be the name or either label."""
    columns = []
    for name, field in record.declared().items():
        if field.computed or name in hidden or name in read_only or isinstance(field, (f.Document, f.StringMap)):
            continue
        if isinstance(field, (f.Parts, f.Embedded)):
            columns += [f"{name}.{inner}" for inner, one in field.part.declared().items() if not one.computed]
        else:
            columns.append(name)
    return {"columns": columns, "modes": ["create", "update", "upsert"]}


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
    if isinstance(field, (f.Choice, f.Choices)):
        described["choices"] = [{"value": value, "label": label(words)} for value, words in field.choices.items()]
    if isinstance(field, f.State):
        described["first"] = field.first
        described["moves"] = {state: list(following) for state, following in field.moves.items()}
    if isinstance(field, f.Ref) and field.target:
        described["target"] = field.target
        described["target_collection"] = collection_of(field.target)
        described["lookup"] = _lookup(field.target)
        described["on_delete"] = {"policy": field.on_delete, "until": list(field.until)} if field.on_delete else None
        described["expand"] = name.removesuffix("_id") if name.endswith("_id") else None
    if isinstance(field, (f.Parts, f.Embedded)):
        described["fields"] = _part_fields(field.part)
    if isinstance(field, f.Texts):
        described["of"] = kind(field.of)
    return described


def _lookup(target: str) -> JSON | None:
    """How to find the record that is meant: by words in search where its title is searched, else by a filter."""
    record = registry.records.get(target)
    if record is None:
        return None
    title = record.declared()[record.title_field]
    return {
        "search": f"/v1/search?types={record.singular}&q=" if title.search else None,
        "filter": f"/v1/{record.collection}?{record.title_field}.contains=" if "contains" in title.operators else None,
        "title": record.title_field,
    }


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
