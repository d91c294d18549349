"""Custom values of a record: checked against the tenant's definitions, and kept in a typed table beside their JSON.

`custom` is what is read; `custom_values` has one row for each value of an indexed field and serves filters and sorts,
since under row-level security no operator of jsonb may use an index.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from marshmallow import ValidationError
from sqlalchemy import Boolean, Column, Date, DateTime, Index, MetaData, Numeric, SmallInteger, Table, Text, Uuid, text

from chassis.definitions import CustomFields
from chassis.errors import from_validation
from chassis.records import references
from chassis.text import fold
from contracts import fields as f
from contracts.custom import PREFIX

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.keeping import Keeping
    from chassis.records.stored import Stored

JSON = dict[str, Any]
LONGEST_KEY = 400
# By type: the column of a value's row.
COLUMN_OF = {
    "text": "text",
    "choice": "text",
    "multi_choice": "text",
    "boolean": "flag",
    "number": "number",
    "money": "number",
    "date": "day",
    "instant": "moment",
    "reference": "ref",
}
VALUE_COLUMNS = tuple(sorted(set(COLUMN_OF.values())))
_COLUMNS = {
    "tenant_id": "uuid",
    "record": "text",
    "record_id": "uuid",
    "field": "text",
    "item": "smallint",
    "day": "date",
    "flag": "boolean",
    "moment": "timestamptz",
    "number": "numeric",
    "ref": "uuid",
    "text": 'text COLLATE "C"',
}
_INSERT = f"INSERT INTO custom_values ({', '.join(_COLUMNS)}) VALUES "
_ROW = "(" + ", ".join(["%s"] * len(_COLUMNS)) + ")"


def define(metadata: MetaData) -> None:
    table = Table(
        "custom_values",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("record_id", Uuid(as_uuid=False), primary_key=True),
        Column("field", Text, primary_key=True),
        Column("item", SmallInteger, primary_key=True),
        Column("day", Date),
        Column("flag", Boolean),
        Column("moment", DateTime(timezone=True)),
        Column("number", Numeric),
        Column("ref", Uuid(as_uuid=False)),
        Column("text", Text(collation="C")),
    )
    for column in VALUE_COLUMNS:
        Index(
            f"ix_custom_values_{column}",
            *(table.c[name] for name in ("tenant_id", "record", "field", column, "record_id")),
            postgresql_where=text(f"{column} IS NOT NULL"),
        )


# --- writing


def begin(work: Work, store: Keeping[Any], entity: Stored, *, asked: bool) -> None:
    """Give a new record its defaults; `asked`: a principal wrote the values, so they are checked and what is required
    is demanded."""
    given = {name: value for name, value in (entity.__dict__["custom"] or {}).items() if value is not None}
    known = _fields(work, store, set(given) if asked else set())
    if not given and not known.wires:
        entity.__dict__["custom"] = {}
        return
    if asked:
        given = _checked(work, store, known, given)
    for name in known.active:
        default = known.wires[name]["default"]
        if name not in given and default is not None:
            given[name] = default
    if asked:
        demanded = [name for name in known.active if known.wires[name]["required"]]
        missing = {PREFIX + name: ["Missing data for required field."] for name in demanded if name not in given}
        if missing:
            raise from_validation(ValidationError(missing))
    entity.__dict__["custom"] = given


def amend(work: Work, store: Keeping[Any], entity: Stored) -> None:
    """Check the custom values that a principal's edit changes. What was there before stays valid, whatever became of
    its definition."""
    assert entity.was is not None
    before: JSON = entity.was["custom"]
    after = {name: value for name, value in (entity.__dict__["custom"] or {}).items() if value is not None}
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    gone = before.keys() - after.keys()
    known = _fields(work, store, changed.keys() | gone)
    errors = {PREFIX + name: ["Unknown field."] for name in gone if name not in known.active}
    errors |= {
        PREFIX + name: ["Field may not be null."]
        for name in gone
        if name in known.active and known.wires[name]["required"]
    }
    if errors:
        raise from_validation(ValidationError(errors))
    entity.__dict__["custom"] = after | _checked(work, store, known, changed)


def index(work: Work, store: Keeping[Any], entities: Sequence[tuple[Stored, JSON]]) -> None:
    """Keep the rows for filters: each record with its custom values before (nothing for a new one)."""
    if not any(entity.__dict__["custom"] or before for entity, before in entities):
        return
    known = work.service.definitions.fields(work, store.record.collection)
    rows: list[Any] = []
    for entity, before in entities:
        now: JSON = entity.__dict__["custom"]
        changed = [
            name for name in now.keys() | before.keys() if now.get(name) != before.get(name) and known.kept(name)
        ]
        old = [name for name in changed if name in before]
        if old:
            work.later(
                "DELETE FROM custom_values WHERE tenant_id = %s AND record = %s AND record_id = %s AND field = ANY(%s)",
                (work.tenant, store.name, entity.id, old),
            )
        for name in changed:
            rows += _rows(work, store.name, entity.id, name, known.wires[name]["type"], now.get(name))
    _insert(work, rows)


def insert(work: Work, record: str, name: str, kind: str, values: Sequence[tuple[str, Any]]) -> None:
    """The rows of one field, for records that have none of it: each record's id with its value on the wire."""
    _insert(work, [row for record_id, value in values for row in _rows(work, record, record_id, name, kind, value)])


def _rows(work: Work, record: str, record_id: str, name: str, kind: str, value: Any) -> list[tuple[Any, ...]]:
    return [
        (
            work.tenant,
            record,
            record_id,
            name,
            item,
            *(key if column == COLUMN_OF[kind] else None for column in VALUE_COLUMNS),
        )
        for item, key in enumerate(keys_of(kind, value))
    ]


def _insert(work: Work, rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        work.later(_INSERT + ", ".join([_ROW] * len(rows)), [value for one in rows for value in one])


def forget(work: Work, record: str, record_ids: Sequence[str]) -> None:
    """The records are gone for good: so are their rows."""
    work.later(
        "DELETE FROM custom_values WHERE tenant_id = %s AND record = %s AND record_id = ANY(%s::uuid[])",
        (work.tenant, record, list(record_ids)),
    )


def keys_of(kind: str, value: Any) -> list[Any]:
    """What a value on the wire is compared by, as the driver takes it: nothing for none, several for a list."""
    if value is None:
        return []
    if kind == "multi_choice":
        return list(value)
    if kind == "text":
        return [text_key(value)]
    if kind in ("number", "money"):
        return [Decimal(value if kind == "number" else value["amount"])]
    if kind == "date":
        return [dt.date.fromisoformat(value)]
    return [f.parse_instant(value) if kind == "instant" else value]


def text_key(value: str) -> str:
    """What texts are compared by. An entry of an index has its limit, and folding can make a text longer."""
    return fold(value)[:LONGEST_KEY]


def _fields(work: Work, store: Keeping[Any], names: set[str]) -> CustomFields:
    found: CustomFields = work.service.definitions.fields_with(work, store.record.collection, names)
    return found


def _checked(work: Work, store: Keeping[Any], known: CustomFields, given: JSON) -> JSON:
    """The given values as the definitions take them, or 422 that names each field at fault."""
    errors: dict[str, Any] = {}
    values: JSON = {}
    for name, value in given.items():
        field = known.active.get(name)
        if field is None:
            errors[PREFIX + name] = ["Unknown field."]
            continue
        try:
            values[name] = field.to_wire(field.deserialize(value))
        except ValidationError as error:
            errors[PREFIX + name] = error.messages
            continue
        if isinstance(field, f.Ref) and not references.exists(work, field.target, values[name]):
            errors[PREFIX + name] = ["There is no such record."]
    if errors:
        raise from_validation(ValidationError(errors))
    return values


# --- reading


def as_they_were(
    work: Work, store: Keeping[Any], same: Sequence[str], others: Sequence[Stored]
) -> tuple[str, list[Any]]:
    """SQL that puts the rows of another time before the table, for what follows it: those of the `same` records as they
    stand, those of `others` made of the values that these have."""
    known = work.service.definitions.fields(work, store.record.collection)
    kept = [name for name in known.active if known.kept(name)]
    rows = [
        dict(zip(_COLUMNS, row, strict=True))
        for entity in others
        for name in kept
        for row in _rows(
            work, store.name, entity.id, name, known.wires[name]["type"], entity.__dict__["custom"].get(name)
        )
    ]
    named = ", ".join(_COLUMNS)
    typed = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    return (
        f"WITH custom_values AS (SELECT {named} FROM custom_values WHERE tenant_id = %s AND record = %s"
        f" AND record_id = ANY(%s::uuid[])"
        f" UNION ALL SELECT {named} FROM jsonb_to_recordset(%s::jsonb) AS c ({typed})) ",
        [work.tenant, store.name, list(same), orjson.dumps(rows, default=str).decode()],
    )


def shown(work: Work, store: Keeping[Any], document: JSON) -> JSON:
    """The record without the values of fields that are not active."""
    values = document.get("custom")
    if not values:
        return document
    active = work.service.definitions.fields(work, store.record.collection).active
    if values.keys() <= active.keys():
        return document
    return {**document, "custom": {name: value for name, value in values.items() if name in active}}
