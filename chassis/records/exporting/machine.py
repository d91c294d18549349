"""The lossless form: every field by its name, money as two columns, structures as JSON.

An empty cell is null. A text of nothing but blanks and quotation marks, the empty one too, has two more quotation marks
before it: so no two values look the same, and everything else stands as it is. `read` is the inverse; imports use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson

from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
_HOLLOW = re.compile(r'["\s]*')
STRUCTURES = (f.Texts, f.StringMap, f.Document, f.Parts, f.Embedded, f.Value)


class Shape:
    """Rows and documents of some fields of a record; without `fields` of all."""

    def __init__(self, store: Store[Any], fields: list[str] | None, concealed: frozenset[str]) -> None:
        declared = store.record.declared()
        self.title = store.record.collection
        self._fields = {name: declared[name] for name in fields or declared if name not in concealed}

    @property
    def header(self) -> list[str]:
        return [column for name, field in self._fields.items() for column in columns(name, field)]

    def rows(self, work: Work, documents: Iterable[JSON]) -> Iterator[list[Any]]:
        for document in documents:
            yield [cell for name, field in self._fields.items() for cell in cells(field, document.get(name))]

    def documents(self, work: Work, documents: Iterable[JSON]) -> Iterator[JSON]:
        for document in documents:
            yield {name: document.get(name) for name in self._fields}


def columns(name: str, field: f.Field) -> list[str]:
    """The headers of one field: `total.amount` and `total.currency`, otherwise its name."""
    return [f"{name}.amount", f"{name}.currency"] if isinstance(field, f.Money) else [name]


def cells(field: f.Field, value: Any) -> list[str | None]:
    """The texts of one value of the wire."""
    if isinstance(field, f.Money):
        return [None, None] if value is None else [value["amount"], value["currency"]]
    if value is None:
        return [None]
    if isinstance(field, f.Value):
        # A text that may stand for any value is told from a number only as JSON.
        return [orjson.dumps(value).decode()]
    if isinstance(value, str):
        return ['""' + value if _HOLLOW.fullmatch(value) else value]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [orjson.dumps(value).decode() if isinstance(value, (dict, list)) else str(value)]


def read(field: f.Field, texts: list[str]) -> Any:
    """The value of the wire that `cells` wrote; an empty text is an empty cell. Raises ValueError."""
    first = texts[0]
    if isinstance(field, f.Money):
        return {"amount": first, "currency": texts[1]} if first or texts[1] else None
    if not first:
        return None
    if isinstance(field, STRUCTURES):
        return orjson.loads(first)
    if isinstance(field, f.Boolean):
        return {"true": True, "false": False}[first]
    if isinstance(field, f.Integer):
        return int(first)
    return first if (hollow := hollow_text(first)) is None else hollow


def hollow_text(cell: str) -> str | None:
    """The text of a cell that holds one of blanks and quotation marks; None for any other cell."""
    return cell[2:] if cell.startswith('""') and _HOLLOW.fullmatch(cell) else None
