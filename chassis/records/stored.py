"""A declared record as a table and as an object: `class Order(Stored, record=contracts.sales.Order)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import orjson
from sqlalchemy import Column, DefaultClause, ForeignKeyConstraint, Index, MetaData, Table, Uuid, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

from chassis.errors import conflict
from chassis.records.columns import Mapping, map_field
from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_1_name)s",
    "pk": "pk_%(table_name)s",
}
_metadata: dict[str, MetaData] = {}
DATED = ("created_at", "updated_at")
CHANGING = ("version", "updated_at", "updated_by")
REQUIRED = ("version", "created_at", "created_by", "updated_at", "updated_by", "external_ids", "custom")


def metadata_of(service: str) -> MetaData:
    """The tables of one service's database."""
    if service not in _metadata:
        _metadata[service] = MetaData(naming_convention=NAMING)
    return _metadata[service]


def table_name(record: type[Record]) -> str:
    return record.collection.replace("-", "_")


class Stored:
    """A record's row as an object: one attribute for each declared field.

    `__table_args__` adds constraints and indexes. `insert_only` takes the right to update and delete from the service
    itself; `ops` lets the operations role see all tenants' rows.
    """

    record: ClassVar[type[Record]]
    table: ClassVar[Table]
    mappings: ClassVar[tuple[Mapping, ...]]
    by_name: ClassVar[dict[str, Mapping]]
    wires: ClassVar[tuple[tuple[str, Callable[[Any], Any] | None], ...]]
    """How an object becomes wire: field and conversion (None: its value is plain JSON already)."""
    plan: ClassVar[tuple[tuple[str, int, int, Callable[[Any], Any] | None], ...]]
    """How a row becomes wire: field, first column, width, conversion (None: as it comes from the driver)."""
    insert_only: ClassVar[bool] = False
    repointable: ClassVar[tuple[str, ...]] = ()
    """References of an insert-only record that a merge may lead elsewhere."""
    settable: ClassVar[tuple[str, ...]] = ()
    """Columns of an insert-only record that its commands write; nothing else of it ever changes."""
    ops: ClassVar[bool] = False
    common: ClassVar[bool] = False
    """Its table is one of the chassis' own, which `chassis.records.children` puts into every service's metadata."""
    __table_args__: ClassVar[tuple[SchemaItem, ...]] = ()

    def __init_subclass__(cls, *, record: type[Record], **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.record = record
        cls.mappings = tuple(map_field(name, field) for name, field in record.declared().items())
        cls.by_name = {mapping.name: mapping for mapping in cls.mappings}
        columns: list[SchemaItem] = [Column("tenant_id", Uuid(as_uuid=False), primary_key=True)]
        for mapping in cls.mappings:
            for column in mapping.columns:
                if column.name == "id":
                    column.primary_key = True
                if column.name == "tags":
                    # Views are written by SQL of their service's own, which need not know of tags.
                    column.server_default = DefaultClause(text("'[]'::jsonb"))
                column.nullable = not (column.name in REQUIRED or column.name == "id" or mapping.field.required)
                columns.append(column)
        cls.plan = _plan(cls.mappings)
        cls.wires = tuple(
            (one.name, None if type(one.field).to_wire is f.Field.to_wire else one.field.to_wire)
            for one in cls.mappings
        )
        name = table_name(record)
        cls.table = Table(
            name,
            MetaData(naming_convention=NAMING) if cls.common else metadata_of(record.service),
            *columns,
            *_indexes(cls, name),
            *(() if cls.common else _references(cls)),
            *cls.__table_args__,
            info={
                "insert_only": cls.insert_only,
                "ops": cls.ops,
                "updates": (*changing, *CHANGING) if (changing := (*cls.repointable, *cls.settable)) else (),
            },
        )

    def __init__(self, **values: Any) -> None:
        self.was: dict[str, Any] | None = None
        """The wire form when it was loaded; None while it is new."""
        if not values.keys() <= self.by_name.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(values.keys() - self.by_name.keys())}")
        self.__dict__.update(dict.fromkeys(self.by_name))
        self.__dict__.update(values)

    # What every record has; the rest are attributes by the declaration.
    id: str
    version: int
    owner_id: str | None
    team_id: str | None

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not set: the declared fields are set in __init__, so this is a programming error.
        raise AttributeError(f"{type(self).__name__} has no field {name}")

    @classmethod
    def from_row(cls, row: Any) -> Stored:
        """The object of a row that selects `columns_sql()` in order."""
        loaded = cls.__new__(cls)
        at = 0
        for mapping in cls.mappings:
            width = len(mapping.columns)
            loaded.__dict__[mapping.name] = mapping.out(row[at : at + width])
            at += width
        loaded.was = loaded.wire()
        return loaded

    @classmethod
    def wire_of_row(cls, row: Any) -> dict[str, Any]:
        """The wire form of a row without making an object: what lists and single reads answer."""
        document: dict[str, Any] = {}
        for name, at, width, convert in cls.plan:
            value = row[at]
            if value is not None and convert is not None:
                value = convert(row[at : at + width])
            document[name] = value
        return document

    @classmethod
    def column_names(cls) -> list[str]:
        return [column.name for mapping in cls.mappings for column in mapping.columns]

    @classmethod
    def insert_sql(cls) -> str:
        """The statement that inserts rows: its parameters are the tenant and `rows_json` of them."""
        names = ", ".join(f'"{name}"' for name in cls.column_names())
        return (
            f'INSERT INTO "{cls.table.name}" (tenant_id, {names}) SELECT %s::uuid, {names} FROM {cls.recordset_sql()}'
        )

    @classmethod
    def recordset_sql(cls) -> str:
        """Rows by the names and types of the table's columns; the parameter is `rows_json` of them."""
        columns = [column for mapping in cls.mappings for column in mapping.columns]
        typed = ", ".join(f'"{column.name}" {_type_name(column)}' for column in columns)
        return f"json_to_recordset(%s::json) AS r({typed})"

    @classmethod
    def rows_json(cls, entities: Sequence[Stored]) -> str:
        """Rows by the names of their columns, as one JSON text: many cost half of what placeholders would."""
        places = [
            # SQLAlchemy's names are a subclass of text, which orjson does not take for keys.
            (mapping.name, mapping.into, [str(one.name) for one in mapping.columns], _is_json(mapping))
            for mapping in cls.mappings
        ]
        rows = []
        for entity in entities:
            row: dict[str, Any] = {}
            for name, into, columns, is_json in places:
                value = entity.__dict__[name]
                if value is None:
                    continue
                if is_json:
                    row[columns[0]] = orjson.Fragment(into(value)[0])
                elif len(columns) == 1:
                    # What has one column that is not JSON stands in it as it is.
                    row[columns[0]] = value
                else:
                    row.update(zip(columns, into(value), strict=True))
            rows.append(row)
        return orjson.dumps(rows, default=_plain).decode()

    def wire(self) -> dict[str, Any]:
        """The record's plain JSON."""
        values = self.__dict__
        return {
            name: value if (value := values[name]) is None or convert is None else convert(value)
            for name, convert in self.wires
        }

    def move(self, state: str, code: str = "wrong_state", field: str = "status") -> None:
        """Move the state machine, or refuse with 409 and `code`."""
        declared = self.record.declared()[field]
        assert isinstance(declared, f.State)
        current = getattr(self, field)
        if state not in declared.moves[current]:
            detail = f"This {self.record.singular} is {current} and cannot become {state}."
            raise conflict(code, detail, field=field, state=current)
        setattr(self, field, state)

    def can_move(self, state: str, field: str = "status") -> bool:
        declared = self.record.declared()[field]
        assert isinstance(declared, f.State)
        return state in declared.moves[getattr(self, field)]


def _type_name(column: Column[Any]) -> str:
    # With its collation: a column that meets rows of the table in a UNION must have the table's.
    return column.type.compile(postgresql.dialect())  # type: ignore[no-untyped-call]


def _is_json(mapping: Mapping) -> bool:
    return isinstance(mapping.columns[0].type, JSONB)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no column's value")


def _plan(mappings: tuple[Mapping, ...]) -> tuple[tuple[str, int, int, Callable[[Any], Any] | None], ...]:
    plan, at = [], 0
    for mapping in mappings:
        width = len(mapping.columns)
        field = mapping.field
        as_it_comes = _is_json(mapping) or type(field).to_wire is f.Field.to_wire
        plan.append((mapping.name, at, width, None if as_it_comes else _conversion(mapping)))
        at += width
    return tuple(plan)


def _conversion(mapping: Mapping) -> Callable[[Any], Any]:
    to_wire, out = mapping.field.to_wire, mapping.out
    return lambda part: to_wire(out(part))


def _indexes(cls: type[Stored], name: str) -> list[Index]:
    """One index for each declared filter or sort, led by the tenant and ended by the id, so that pages are ranges.

    Sorts have one more by owner and one by team: who sees only those pages through them, and through no others.
    """
    indexes = []
    for mapping in cls.mappings:
        if isinstance(mapping.field, f.Texts) and mapping.field.filter:
            # Nothing is written here for what has none, which is most.
            indexes.append(
                Index(
                    f"ix_{name}_{mapping.name}",
                    mapping.key,
                    postgresql_using="gin",
                    postgresql_ops={mapping.key: "jsonb_path_ops"},
                    postgresql_where=text(f"{mapping.key} <> '[]'::jsonb"),
                )
            )
        elif mapping.field.filter or mapping.field.sort or mapping.name in DATED:
            indexes.append(Index(f"ix_{name}_{mapping.name}", "tenant_id", mapping.key, "id"))
        if mapping.field.sort:
            for whose in ("owner_id", "team_id"):
                indexes.append(
                    Index(
                        f"ix_{name}_{whose.removesuffix('_id')}_{mapping.name}",
                        "tenant_id",
                        whose,
                        mapping.key,
                        "id",
                        postgresql_where=text(f"{whose} IS NOT NULL"),
                    )
                )
    if cls.record.number_pattern:
        indexes.append(Index(f"uq_{name}_number", "tenant_id", "number_key", unique=True))
    return indexes


def _references(cls: type[Stored]) -> list[ForeignKeyConstraint]:
    """References within the service are foreign keys; they lead with the tenant, because the check of a foreign key
    does not see row-level security."""
    found = []
    for mapping in cls.mappings:
        field = mapping.field
        # Owner and team are references of every record; only in identity would they be within the service.
        if (
            isinstance(field, f.Ref)
            and field.target in registry.records
            and mapping.name not in ("owner_id", "team_id")
            # What is only kept may outlive its record.
            and field.on_delete in ("restrict", "cascade")
            and not field.until
        ):
            target = registry.records[field.target]
            if target.service == cls.record.service:
                other = table_name(target)
                found.append(
                    ForeignKeyConstraint(
                        ["tenant_id", mapping.name],
                        [f"{other}.tenant_id", f"{other}.id"],
                        name=f"fk_{table_name(cls.record)}_{mapping.name}",
                    )
                )
    return found
