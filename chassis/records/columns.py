"""How a declared field stands in a table: its columns, and the way of a value in and out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Numeric, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from chassis.text import fold
from contracts import fields as f
from contracts.values import Amount


@dataclass(frozen=True, slots=True)
class Mapping:
    """One field's columns. `into` gives their values in order; `out` takes as many from a row."""

    name: str
    field: f.Field
    columns: tuple[Column[Any], ...]
    into: Callable[[Any], tuple[Any, ...]]
    out: Callable[[tuple[Any, ...]], Any]
    key: str
    """The name of the column that filters and sorts use."""

    @property
    def key_column(self) -> Column[Any]:
        return next(column for column in self.columns if column.name == self.key)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _type(field: f.Field) -> TypeEngine[Any]:
    if isinstance(field, f.Ref):
        return Uuid(as_uuid=False)
    if isinstance(field, f.Integer):
        return BigInteger()
    if isinstance(field, f.Number):
        return Numeric()
    if isinstance(field, f.Date):
        return Date()
    if isinstance(field, f.Instant):
        return DateTime(timezone=True)
    if isinstance(field, f.Boolean):
        return Boolean()
    return Text()


def map_field(name: str, field: f.Field) -> Mapping:
    """The mapping of one declared field. Text that is filtered or sorted has a folded key column beside it."""
    if isinstance(field, f.Money):
        return Mapping(
            name,
            field,
            (Column(name, Numeric()), Column(f"{name}_currency", Text())),
            lambda value: (None, None) if value is None else (value.amount, value.currency),
            lambda row: None if row[0] is None else Amount(row[0], row[1]),
            name,
        )
    if isinstance(field, (f.Parts, f.Embedded)):
        return Mapping(
            name,
            field,
            (Column(name, JSONB()),),
            lambda value: (None if value is None else _json(field.to_wire(value)),),
            lambda row: None if row[0] is None else field.from_wire(row[0]),
            name,
        )
    if isinstance(field, (f.Texts, f.StringMap, f.Document)):
        return Mapping(
            name,
            field,
            (Column(name, JSONB()),),
            lambda value: (None if value is None else _json(value),),
            lambda row: row[0],
            name,
        )
    if isinstance(field, f.Text) and not isinstance(field, f.Currency) and (field.filter or field.sort):
        # Under row-level security only operators on plain, C-collated text may use an index.
        return Mapping(
            name,
            field,
            (Column(name, Text()), Column(f"{name}_key", Text(collation="C"))),
            lambda value: (None, None) if value is None else (value, fold(value)),
            lambda row: row[0],
            f"{name}_key",
        )
    return Mapping(name, field, (Column(name, _type(field)),), lambda value: (value,), lambda row: row[0], name)
