"""Sorts and keyset cursors: pages continue behind the last row's values, so that they stay right while rows change."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import orjson
from marshmallow import ValidationError

from chassis.errors import bad_request
from chassis.records.filters import SQL, Conditions
from chassis.records.operands import SORTED, Operand
from contracts import fields as f
from contracts.scalars import CONTROL

MOST = 4


@dataclass(frozen=True, slots=True)
class Key:
    """One sort: the SQL of its value in the row `t`, and whether it can be NULL (last ascending, first descending)."""

    column: str
    descending: bool
    nullable: bool
    kind: type
    indexed: bool = True
    custom: tuple[str, list[Any]] | None = None
    """A custom field's column in `custom_values`, and the parameters that choose its rows: record and field."""

    @property
    def order(self) -> str:
        return "DESC" if self.descending else "ASC"


def keys_of(conditions: Conditions, sort: str | None) -> list[Key]:
    """The keys of `sort=-created_at,name`, ended by the id. Raises a 400 that names what cannot be sorted by."""
    keys: list[Key] = []
    words = list(dict.fromkeys((sort or "-created_at").split(",")))
    if len(words) > MOST:
        raise bad_request("bad_parameter", f"At most {MOST} sorts.", "sort")
    for word in words:
        name, descending = word.removeprefix("-"), word.startswith("-")
        operand = conditions.operand(name)
        if name == "id" or (name == "created_at" and name not in conditions.used):
            # Ids are made in time order, and every index ends with them.
            keys.append(Key("t.id", descending, False, str))
            return keys
        if operand.custom and operand.shown and isinstance(operand.field, SORTED):
            keys.append(_custom_key(conditions.store.name, operand, descending))
            continue
        if operand.around is not None or not isinstance(operand.field, SORTED):
            raise bad_request("not_sortable", f"{name} cannot be sorted by.", "sort")
        indexed = operand.field.sort or name in ("number", "created_at", "updated_at")
        keys.append(Key(operand.column, descending, operand.nullable, operand.kind, indexed))
    # The id follows the first sort's direction, so that one index serves both ways.
    keys.append(Key("t.id", keys[0].descending, False, str))
    return keys


def _custom_key(record: str, operand: Operand, descending: bool) -> Key:
    """`chassis.records.custom_lists` walks the index of its rows; beside other sorts the value is looked up."""
    inner = operand.name.partition(".")[2]
    value = (
        f"(SELECT c.{operand.custom} FROM custom_values AS c WHERE c.tenant_id = t.tenant_id"
        f" AND c.record = '{record}' AND c.field = '{inner}' AND c.record_id = t.id)"
    )
    return Key(value, descending, True, operand.kind, False, (str(operand.custom), [record, inner]))


def order_by(keys: Sequence[Key]) -> str:
    return ", ".join(f"{key.column} {key.order}" for key in keys)


def behind(keys: Sequence[Key], after: Sequence[Any]) -> list[SQL]:
    """The rows behind a cursor as one or two ranges of the first key, which follow one another in its order.

    An index walks a range from its beginning, but not an OR: so the rows without a value are a range of their own.
    """
    first, value = keys[0], after[0]
    absent = f"{first.column} IS NULL"
    if value is None:
        sql, values = _further(keys[1:], after[1:])
        ranges: list[SQL] = [(f"{absent} AND {sql}", values)]
        return [*ranges, (f"{first.column} IS NOT NULL", [])] if first.descending else ranges
    if len(keys) <= 2 and len({key.descending for key in keys}) == 1:
        # One row comparison is one index range; rows without a value are outside of it.
        columns = ", ".join(key.column for key in keys)
        ranges = [(f"({columns}) {'<' if first.descending else '>'} ({', '.join(['%s'] * len(keys))})", list(after))]
    else:
        sql, values = _further(keys, after)
        ranges = [(f"{first.column} {'<=' if first.descending else '>='} %s AND {sql}", [value, *values])]
    return [*ranges, (absent, [])] if first.nullable and not first.descending else ranges


def _further(keys: Sequence[Key], after: Sequence[Any]) -> SQL:
    """The rows behind these values in the order of these keys, NULLs included."""
    alternatives, parameters = [], []
    for index, key in enumerate(keys):
        parts: list[str] = []
        values: list[Any] = []
        for earlier, value in zip(keys[:index], after[:index], strict=True):
            parts.append(f"{earlier.column} IS NULL" if value is None else f"{earlier.column} = %s")
            values += [] if value is None else [value]
        value = after[index]
        if value is None:
            if not key.descending:
                continue
            parts.append(f"{key.column} IS NOT NULL")
        else:
            beyond = f"{key.column} {'<' if key.descending else '>'} %s"
            parts.append(f"({beyond} OR {key.column} IS NULL)" if key.nullable and not key.descending else beyond)
            values.append(value)
        alternatives.append("(" + " AND ".join(parts) + ")")
        parameters += values
    return f"({' OR '.join(alternatives)})", parameters


def cursor(values: Sequence[Any]) -> str:
    """The opaque text of a row's sort values."""
    plain = [
        {"d": f.plain(value)}
        if isinstance(value, Decimal)
        else {"t": f.instant(value)}
        if isinstance(value, dt.datetime)
        else {"c": value.isoformat()}
        if isinstance(value, dt.date)
        else value
        for value in values
    ]
    return base64.urlsafe_b64encode(orjson.dumps(plain)).rstrip(b"=").decode()


def read_cursor(text: str, keys: Sequence[Key]) -> list[Any]:
    """The sort values of a cursor, or a 400: it comes from outside."""
    try:
        raw = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(raw, list) or len(raw) != len(keys):
            raise ValueError("another list's cursor")
        values = [_read(value, key) for value, key in zip(raw, keys, strict=True)]
        f.parse_uuid(values[-1])
        return values
    except (ValueError, TypeError, ArithmeticError, LookupError, ValidationError):
        raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after") from None


_READERS: dict[str, Callable[[Any], Any]] = {"d": Decimal, "t": f.parse_instant, "c": dt.date.fromisoformat}


def _read(value: Any, key: Key) -> Any:
    """One value of a cursor: of the key's type, or ValueError."""
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        value = _READERS[kind](text)
    if value is None:
        if not key.nullable:
            raise ValueError("never empty")
        return None
    unfit = CONTROL.search(value) if isinstance(value, str) else isinstance(value, Decimal) and not value.is_finite()
    if type(value) is not key.kind or unfit:
        raise ValueError("not a sort value")
    return value
