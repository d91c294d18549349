"""Which column fills which field, decided before any row is read: by name and label, or as the mapping says.

A mapping is `{"columns": {"Header": "field"}, "formats": {"field": "DD/MM/YYYY"}, "constants": {"field": "text"}}`; a
column mapped to null is left out. `empty` is `keep` (an empty cell leaves the field as it is) or `clear`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from chassis.errors import invalid
from chassis.records.importing.targets import Target, names_of, target_of
from chassis.records.importing.values import Convert, convert_of
from chassis.text import fold
from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

JSON = dict[str, Any]
MEMBERS = ("columns", "formats", "constants", "empty")


@dataclass
class Column:
    """A column that is taken: where it stands (None: a constant), its header, its place, and how its cells are read."""

    index: int | None
    header: str
    target: Target
    convert: Convert
    by: str | None = None
    """How a reference is looked up: `id`, `external:<system>`, a field; None: by id, number or name."""


@dataclass
class Plan:
    """What every row is read by. `constants` are cells that the file does not have, by their target."""

    record: type[Record]
    columns: list[Column]
    constants: list[tuple[Column, str]]
    match: Target | None
    key: Column | None
    """The column that tells where one document with several rows ends and the next begins."""
    clear: bool = False
    unmatched: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    renamed: dict[str, str | None] = field(default_factory=dict)
    """Members of JSON Lines by what the mapping calls them."""
    formatted: dict[str, Column] = field(default_factory=dict)
    """How the mapping wants texts of JSON Lines read, by path."""

    def report(self) -> JSON:
        return {
            "columns": {column.header: column.target.path for column in self.columns},
            "unmatched_columns": self.unmatched,
            "ignored_columns": self.ignored,
        }


def check_shape(mapping: Any) -> JSON:
    """A mapping of the right shape, or 422: what does not depend on the file is refused with the request.

    A member that is null says nothing, so it is left out.
    """
    if mapping is None:
        return {}
    if not isinstance(mapping, dict):
        raise invalid({"mapping": "Must be an object."})
    kept: JSON = {name: value for name, value in mapping.items() if value is not None}
    errors: dict[str, str] = {f"mapping.{name}": "Unknown member." for name in kept if name not in MEMBERS}
    for name in ("columns", "formats", "constants"):
        part = kept.get(name, {})
        if not isinstance(part, dict) or len(part) > 500:
            errors[f"mapping.{name}"] = "Must be an object."
            continue
        for key, value in part.items():
            if not isinstance(value, str) and not (name == "columns" and value is None):
                errors[f"mapping.{name}.{key}"] = "Must be text."
    if kept.get("empty", "keep") not in ("keep", "clear"):
        errors["mapping.empty"] = "Must be keep or clear."
    if errors:
        raise invalid(errors)
    return kept


def check_fields(record: type[Record], mapping: JSON, match: str | None) -> None:
    """422 for a mapping that names fields the record does not have."""
    errors = {}
    for header, path in (mapping.get("columns") or {}).items():
        if path and target_of(record, path) is None:
            errors[f"mapping.columns.{header}"] = f"{path} is not a field that can be imported."
    for name in ("formats", "constants"):
        for path in mapping.get(name) or {}:
            target = target_of(record, path)
            if target is None:
                errors[f"mapping.{name}.{path}"] = "Not a field that can be imported."
            elif name == "formats" and not _readable(target, mapping["formats"][path]):
                errors[f"mapping.formats.{path}"] = "Not a format of this kind of field."
    if match and not matchable(record, match):
        errors["match"] = f"{match} is not a field by which {record.collection} can be found."
    if errors:
        raise invalid(errors)


def matchable(record: type[Record], match: str) -> Target | None:
    """The target of a match: the id, an external id, or a field that lists can filter by."""
    target = target_of(record, match)
    if target is None or target.part or (target.inner and target.role != "external"):
        return None
    one = target.field
    if match == "id" or target.role == "external" or (one.filter and isinstance(one, (f.Text, f.Integer))):
        return target
    return None


def plan(
    record: type[Record],
    headers: list[str] | None,
    mapping: JSON,
    *,
    match: str | None,
    mode: str,
    zone: str,
    custom: Mapping[str, f.Field] = MappingProxyType({}),
) -> Plan:
    """Match the columns of a file, or raise 422 that names what is wrong or missing. JSON Lines name their fields.

    `custom` are the tenant's own fields: they go by `custom.<name>` and by their labels, and read cells as they say.
    """
    check_fields(record, mapping, match)
    formats, given = mapping.get("formats") or {}, mapping.get("columns") or {}
    errors: dict[str, str] = {}

    def column(index: int | None, header: str, target: Target) -> Column:
        if target.role == "custom" and (target.inner or "") in custom:
            target = replace(target, field=custom[target.inner or ""])
        style, by = formats.get(target.path), None
        if target.reference is not None:
            style, by = None, style
        return Column(index, header, target, convert_of(target.field, style, zone), by)

    columns: list[Column] = []
    unmatched, ignored, shared = [], [], list[tuple[int, str]]()
    formatted: dict[str, Column] = {}
    names = names_of(record)
    own = {fold(label): f"custom.{name}" for name, one in custom.items() for label in (name, *(one.label or ()))}
    for header in given:
        if headers is not None and header not in headers:
            errors[f"mapping.columns.{header}"] = "The file has no such column."
    for index, header in enumerate(headers or ()):
        if header in given:
            path = given[header]
            target = target_of(record, path) if path else None
        else:
            target = target_of(record, header) or names.targets.get(fold(header))
            if target is None and fold(header) in own and fold(header) not in names.written:
                target = target_of(record, own[fold(header)])
        if target is not None:
            columns.append(column(index, header, target))
        elif header in given or header.startswith("#"):
            ignored.append(header)
        elif fold(header) in names.written:
            shared.append((index, header))
        else:
            unmatched.append(header or f"#{index + 1}")
    present = {one.target.path for one in columns}
    for index, header in shared:
        target = names.beneath.get(fold(header))
        if target is None or target.path in present or target.top in present:
            ignored.append(header)
        else:
            columns.append(column(index, header, target))
    if headers is None:
        formatted = {path: column(None, path, found) for path in formats if (found := target_of(record, path))}
    constants = []
    for path, text in (mapping.get("constants") or {}).items():
        target = target_of(record, path)
        assert target is not None
        constants.append((column(None, path, target), text))
    for path in _twice([*columns, *(one for one, _ in constants)]):
        errors[path] = "Two columns are matched to this field."
    made = Plan(
        record=record,
        columns=columns,
        constants=constants,
        match=matchable(record, match) if match else None,
        key=None,
        clear=mapping.get("empty") == "clear",
        unmatched=unmatched,
        ignored=ignored,
        renamed=given,
        formatted=formatted,
    )
    if headers is not None:
        errors |= _missing(made, mode)
    if errors:
        raise invalid(errors, "The columns of the file do not fit.", code="columns_do_not_fit")
    return made


def _twice(columns: list[Column]) -> list[str]:
    paths = [column.target.path for column in columns]
    return sorted({path for path in paths if paths.count(path) > 1})


def _missing(made: Plan, mode: str) -> dict[str, str]:
    """What no row can do without: required fields of new records, the column to match by, the key of documents."""
    errors = {}
    present = {(column.target.top, column.target.inner) for column in made.columns}
    present |= {(column.target.top, column.target.inner) for column, _ in made.constants}
    tops = {top for top, _ in present}
    if made.match is not None and not any(column.target.path == made.match.path for column in made.columns):
        errors["match"] = f"The file has no column for {made.match.path}."
    if mode != "update":
        for name, declared in made.record.declared().items():
            if declared.required and not declared.computed and name not in tops:
                errors[name] = "Required, and no column of the file is matched to it."
    parts = sorted({column.target.top for column in made.columns if column.target.part})
    for name in parts:
        whole = made.record.declared()[name]
        assert isinstance(whole, f.Parts)
        for inner, below in whole.part.declared().items():
            if below.required and not below.computed and (name, inner) not in present:
                errors[f"{name}.{inner}"] = "Required, and no column of the file is matched to it."
    if parts:
        made.key = _key(made)
        if made.key is None:
            errors[parts[0]] = "A column must tell which rows belong together: an external id, or the one to match by."
    return errors


def _key(made: Plan) -> Column | None:
    whole = [column for column in made.columns if not column.target.part]
    for wanted in (
        lambda c: made.match is not None and c.target.path == made.match.path,
        lambda c: c.target.role == "external",
        lambda c: c.target.path in ("id", "number"),
    ):
        for column in whole:
            if wanted(column):
                return column
    return None


def _readable(target: Target, style: str) -> bool:
    if target.reference is not None:
        return _resolvable(target.reference, style)
    try:
        convert_of(target.field, style, "UTC")
    except ValueError:
        return False
    return True


def _resolvable(reference: f.Ref, by: str) -> bool:
    other = registry.records.get(reference.target)
    return by == "id" or (other is not None and matchable(other, by) is not None)
