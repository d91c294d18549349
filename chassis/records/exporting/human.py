"""The readable form: labels in the reader's language, names instead of ids, numbers as numbers, local times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from chassis.records import reading
from contracts import fields as f
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
Names = dict[tuple[str, str], str]
# What says nothing to a reader, unless he asks for it.
LEFT_OUT = frozenset({"id", "version", "created_by", "updated_by", "deleted_at", "external_ids", "custom"})
WORDS = {"yes": ("yes", "是"), "no": ("no", "否"), "currency": ("currency", "币种")}
ACTORS = ("created_by", "updated_by")


class Shape:
    """Rows and documents of some fields of a record; without `fields` of those that a reader wants."""

    def __init__(
        self, store: Store[Any], fields: list[str] | None, concealed: frozenset[str], locale: str, zone: str
    ) -> None:
        declared = store.record.declared()
        self._language = 1 if locale.startswith("zh") else 0
        self._zone = ZoneInfo(zone)
        self.title = store.record.record_label[self._language]
        chosen = fields or [name for name in declared if name not in LEFT_OUT]
        self._fields = {name: declared[name] for name in chosen if name not in concealed}
        self.header = self._header()

    def _header(self) -> list[str]:
        found: list[str] = []
        for name, field in self._fields.items():
            label = self._say(field.label) if field.label else name
            # Two fields of one label would be one member of a JSON object.
            label = f"{label} ({name})" if label in found else label
            found.append(label)
            if isinstance(field, f.Money):
                found.append(f"{label} ({self._say(WORDS['currency'])})")
        return found

    def _say(self, words: tuple[str, str]) -> str:
        return words[self._language]

    def rows(self, work: Work, documents: list[JSON]) -> Iterator[list[Any]]:
        names = self._names(work, documents)
        for document in documents:
            row: list[Any] = []
            for name, field in self._fields.items():
                value = document.get(name)
                if isinstance(field, f.Money):
                    row += [None, None] if value is None else [Decimal(value["amount"]), value["currency"]]
                elif value is not None and name in ACTORS:
                    row.append(names.get(("identity.user", value.partition(":")[2]), value))
                else:
                    row.append(None if value is None else self._cell(field, value, names))
            yield row

    def documents(self, work: Work, documents: list[JSON]) -> Iterator[JSON]:
        for row in self.rows(work, documents):
            yield {label: _json(cell) for label, cell in zip(self.header, row, strict=True)}

    def _cell(self, field: f.Field, value: Any, names: Names) -> Any:
        if isinstance(field, f.Choice):
            return self._say(field.choices[value]) if value in field.choices else value
        if isinstance(field, f.Ref):
            return names.get((field.target, value), value)
        if isinstance(field, f.Boolean):
            return self._say(WORDS["yes" if value else "no"])
        if isinstance(field, f.Number):
            return Decimal(value)
        if isinstance(field, f.Date):
            return dt.date.fromisoformat(value)
        if isinstance(field, f.Instant):
            return f.parse_instant(value).astimezone(self._zone).replace(tzinfo=None, microsecond=0)
        if isinstance(field, f.Parts):
            return "; ".join(self._part(field.part, item, names) for item in value)
        if isinstance(field, f.Embedded):
            return self._part(field.part, value, names)
        if isinstance(field, f.Texts):
            return ", ".join(value)
        if isinstance(value, dict):
            return ", ".join(f"{key}: {item}" for key, item in value.items())
        return value

    def _part(self, part: Any, item: JSON, names: Names) -> str:
        shown = []
        for name, field in part.declared().items():
            value = item.get(name)
            if value is None or isinstance(field, f.Id):
                continue
            if isinstance(field, f.Money):
                shown.append(f"{value['amount']} {value['currency']}")
            else:
                shown.append(str(_json(self._cell(field, value, names))))
        return ", ".join(shown)

    def _names(self, work: Work, documents: Iterable[JSON]) -> Names:
        """The titles of what a page refers to, as far as the reader may see them: a query for each kind of record."""
        wanted: dict[str, set[str]] = {}
        for document in documents:
            for name, field in self._fields.items():
                value = document.get(name)
                if value is None:
                    continue
                if name in ACTORS and value.startswith("user:"):
                    wanted.setdefault("identity.user", set()).add(value.partition(":")[2])
                _collect(field, value, wanted)
        found: Names = {}
        for target, ids in wanted.items():
            title = registry.records[target].title_field
            for record_id, document in reading.by_id(work, target, ids).items():
                if document.get(title) or document.get("name"):
                    found[target, record_id] = str(document.get(title) or document["name"])
        return found


def _collect(field: f.Field, value: Any, wanted: dict[str, set[str]]) -> None:
    if isinstance(field, f.Ref):
        if field.target in registry.records:
            wanted.setdefault(field.target, set()).add(value)
    elif isinstance(field, (f.Parts, f.Embedded)):
        for item in value if isinstance(field, f.Parts) else [value]:
            for name, inner in field.part.declared().items():
                if item.get(name) is not None:
                    _collect(inner, item[name], wanted)


def _json(cell: Any) -> Any:
    if isinstance(cell, Decimal):
        return f.plain(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(" ", "minutes")
    return cell.isoformat() if isinstance(cell, dt.date) else cell
