"""Rows become documents: the plain JSON of one record each, what is wrong with it, and what is still to be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from chassis.records.exporting.machine import hollow_text
from chassis.records.importing.mapping import Column, Plan
from chassis.records.importing.tables import Row
from chassis.records.importing.targets import names_of, target_of
from chassis.records.importing.values import Bad
from chassis.text import fold
from contracts import fields as f
from contracts.values import is_uuid

JSON = dict[str, Any]


@dataclass(slots=True)
class Wanted:
    """A reference whose id is still to be found: it goes into `into[name]`."""

    into: JSON
    name: str
    target: str
    by: str | None
    text: str
    where: str
    line: int


@dataclass(slots=True)
class Document:
    """One record of the file. `key` is the text of the field to match by; `errors` are (field, message, line).

    `values` is the data as a new record takes it, where that was read already.
    """

    line: int
    rows: list[Row]
    data: JSON = field(default_factory=dict)
    key: str | None = None
    wanted: list[Wanted] = field(default_factory=list)
    errors: list[tuple[str, str, int]] = field(default_factory=list)
    values: JSON | None = None

    def refuse(self, where: str, message: str, line: int | None = None) -> None:
        self.errors.append((where, message, line or self.line))


class Reader:
    """Reads rows by a plan. `zone` and formats are in the plan's columns already."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        declared = plan.record.declared()
        self._currency = "currency" in declared and isinstance(declared["currency"], f.Currency)
        self._head = [column for column in plan.columns if not column.target.part]
        self._parts = [column for column in plan.columns if column.target.part]
        self._constant_head = [(column, text) for column, text in plan.constants if not column.target.part]
        self._constant_parts = [(column, text) for column, text in plan.constants if column.target.part]
        self._names = names_of(plan.record)
        self._most = {name: one.at_most for name, one in declared.items() if isinstance(one, f.Parts)}

    def documents(self, rows: Iterable[Row]) -> Iterator[Document]:
        """Consecutive rows with the same key are one document; so are those behind it that leave the key empty."""
        if self.plan.key is None:
            for row in rows:
                yield self._whole(self._first(row))
            return
        at = self.plan.key.index
        assert at is not None
        current: Document | None = None
        key = ""
        for row in rows:
            if row.error is not None:
                # Nobody knows where an unreadable row belongs, so it ends what stands before it.
                if current is not None:
                    yield self._whole(current)
                current = None
                yield self._first(row)
                continue
            if current is not None and row.cells[at] in (key, ""):
                current.rows.append(row)
                self._line(current, row)
                continue
            if current is not None:
                yield self._whole(current)
            current, key = self._first(row), row.cells[at]
            self._line(current, row)
        if current is not None:
            yield self._whole(current)

    def _first(self, row: Row) -> Document:
        document = Document(row.line, [row])
        if row.error is not None:
            document.refuse("", row.error[0])
            return document
        if isinstance(row.cells, dict):
            self._object(document, row.cells)
        else:
            for column in self._head:
                assert column.index is not None
                self._cell(document, document.data, column, row.cells[column.index], row.line, "")
        for column, text in self._constant_head:
            if column.target.top not in document.data or column.target.inner is not None:
                self._cell(document, document.data, column, text, row.line, "")
        return document

    def _line(self, document: Document, row: Row) -> None:
        """The part that a row of a document with several rows holds, if any of its cells is filled."""
        found: dict[str, JSON] = {}
        for column in self._parts:
            assert column.index is not None
            text = row.cells[column.index]
            if text:
                top = column.target.top
                lines = document.data.setdefault(top, [])
                if top not in found:
                    if len(lines) > self._most[top]:
                        document.refuse(top, f"Must have at most {self._most[top]} entries.")
                        return
                    found[top] = {}
                    lines.append(found[top])
                self._cell(document, found[top], column, text, row.line, f"{top}.{len(lines) - 1}.")
        for column, text in self._constant_parts:
            if column.target.top in found:
                self._cell(document, found[column.target.top], column, text, row.line, "")

    def _cell(self, document: Document, into: JSON, column: Column, text: str, line: int, where: str) -> None:
        target = column.target
        stripped = text.strip()
        if isinstance(target.field, f.Text) and (hollow := hollow_text(text)) is not None and target.role == "value":
            (_inside(into, target.top) if target.inner and not target.part else into)[target.inner or target.top] = (
                hollow
            )
            return
        if not stripped:
            # A draft has no number yet, which is nothing to be emptied.
            if target.path in ("id", "number"):
                return
            if self.plan.clear and column.index is not None and target.role in ("value", "amount") and not target.part:
                if target.inner is None:
                    into.setdefault(target.top, None)
                else:
                    _inside(into, target.top)[target.inner] = None
            return
        if target.role == "external":
            _inside(into, "external_ids")[target.inner or ""] = stripped
            if target is self.plan.match or target == self.plan.match:
                document.key = stripped
            return
        if target == self.plan.match:
            document.key = stripped
        if target.path in ("id", "number"):
            return
        name = target.inner or target.top
        if target.inner is not None and not target.part:
            into = _inside(into, target.top)
        if target.reference is not None:
            document.wanted.append(Wanted(into, name, target.reference.target, column.by, stripped, where + name, line))
            return
        try:
            value = column.convert(text if isinstance(target.field, f.Text) else stripped)
        except (Bad, ValueError) as error:
            document.refuse(where + (name if target.part or target.inner is None else target.path), str(error), line)
            return
        if target.role == "currency":
            _inside(into, name)["currency"] = value
        elif isinstance(target.field, f.Money) and isinstance(value, dict):
            _inside(into, name).update(value)
        else:
            into[name] = self._clean(target.field, value)

    def _object(self, document: Document, given: JSON) -> None:
        """A JSON line holds values as the API takes them; references may be named instead of numbered."""
        columns, formats = self._json_columns()
        for member, value in given.items():
            if member in columns and columns[member] is None:
                continue
            target = target_of(self.plan.record, columns.get(member) or member) or self._names.targets.get(fold(member))
            if target is None:
                if member.startswith("#") or fold(member) in self._names.written:
                    continue
                document.refuse(member, "Unknown field.")
                continue
            if target == self.plan.match and isinstance(value, str):
                document.key = value
            if target.path in ("id", "number"):
                continue
            if target.role == "external" or target.inner is not None:
                _inside(document.data, target.top)[target.inner or ""] = value
                continue
            if isinstance(value, str) and target.path in formats and target.reference is None:
                try:
                    value = formats[target.path].convert(value.strip())
                except (Bad, ValueError) as error:
                    document.refuse(member, str(error))
                    continue
            document.data[target.top] = self._clean(target.field, value)
            self._named(document, target.field, document.data, target.top, "", formats)
        match = self.plan.match
        if match is not None and match.role == "external":
            known = document.data.get("external_ids")
            found = known.get(match.inner) if isinstance(known, dict) else None
            document.key = found if isinstance(found, str) else None

    def _json_columns(self) -> tuple[JSON, dict[str, Column]]:
        return self.plan.renamed, self.plan.formatted

    def _named(
        self, document: Document, one: f.Field, into: JSON, name: str, where: str, formats: dict[str, Column]
    ) -> None:
        value = into[name]
        if isinstance(one, f.Parts) and isinstance(value, list):
            for index, part in enumerate(value):
                for inner, below in one.part.declared().items():
                    if isinstance(part, dict) and inner in part:
                        self._named(document, below, part, inner, f"{name}.{index}.", formats)
        elif isinstance(one, f.Ref) and not isinstance(one, f.Id) and isinstance(value, str) and not is_uuid(value):
            path = ".".join(word for word in (where + name).split(".") if not word.isdigit())
            by = formats[path].by if path in formats else None
            document.wanted.append(Wanted(into, name, one.target, by, value, where + name, document.line))

    def _clean(self, one: f.Field, value: Any) -> Any:
        """Without what the suite computes itself, so that what was exported can come back."""
        if isinstance(one, f.Parts) and isinstance(value, list):
            return [self._without_computed(one, part) for part in value]
        if isinstance(one, f.Embedded):
            return self._without_computed(one, value)
        return value

    def _without_computed(self, one: f.Parts | f.Embedded, part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        declared = one.part.declared()
        return {
            name: value
            for name, value in part.items()
            # A null empties what the record has there now; in a list, which is replaced as a whole, it says nothing.
            if not (name in declared and (declared[name].computed or (value is None and isinstance(one, f.Parts))))
        }

    def _whole(self, document: Document) -> Document:
        """Amounts without a currency have the record's own."""
        currency = document.data.get("currency") if self._currency else None
        if currency and self.plan.columns:
            for column in self.plan.columns:
                target = column.target
                if isinstance(target.field, f.Money):
                    holders = document.data.get(target.top) if target.part else [document.data]
                    for holder in holders or ():
                        money = holder.get((target.inner or target.top) if target.part else target.top)
                        if isinstance(money, dict) and "currency" not in money:
                            money["currency"] = currency
        return document


def _inside(into: JSON, name: str) -> JSON:
    inner = into.get(name)
    if not isinstance(inner, dict):
        inner = into[name] = {}
    return inner
