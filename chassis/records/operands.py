"""What a name in a filter, a sort or a group stands for: a field of the record, or of one that it refers to.

`account.city` looks through `account_id`. Within the service that is the other record itself; across services it is the
minimal copy that events keep here. Either way only records that the principal may read count, without what is hidden
from him: nobody learns by filtering what he could not read.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chassis.errors import Problem, bad_request
from chassis.permissions import hidden, scope
from chassis.records.custom import COLUMN_OF
from chassis.records.folding import folded
from chassis.records.stored import table_name
from contracts import fields as f
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.columns import Mapping
    from chassis.records.store import Store
    from contracts.records import Record

STANDARD = ("id", "number", "created_at", "updated_at")
SORTED = (f.Text, f.Number, f.Integer, f.Money, f.Date, f.Instant, f.Boolean, f.Choice)
_CASTS: tuple[tuple[type[f.Field], str], ...] = (
    (f.Ref, "::uuid"),
    (f.Integer, "::bigint"),
    (f.Number, "::numeric"),
    (f.Money, "::numeric"),
    (f.Date, "::date"),
    (f.Instant, "::timestamptz"),
    (f.Boolean, "::boolean"),
)


# What a cursor holds of each column of `custom_values`.
KINDS: dict[str, type] = {
    "day": dt.date,
    "flag": bool,
    "moment": dt.datetime,
    "number": Decimal,
    "ref": str,
    "text": str,
}


@dataclass(frozen=True, slots=True)
class Operand:
    """`column` is the SQL of the value that is compared and sorted by, in terms of the row `t`.

    `indexed`: an index serves it, so that it needs no row budget. `folded`: it is text that was folded, and so must be
    what it is compared with. `around` is the SQL that a comparison stands in, `("EXISTS (… AND ", parameters)`, where
    the value is another record's.
    """

    name: str
    field: f.Field
    column: str
    indexed: bool
    folded: bool = False
    nullable: bool = True
    kind: type = str
    shown: str = ""
    """The SQL of the value as it is shown; for groups."""
    around: tuple[str, tuple[Any, ...]] | None = None
    custom: str | None = None
    """The column of `custom_values` behind a custom field, where no row means no value."""
    currency: str = ""
    """The SQL of a shown amount's currency."""
    otherwise: Operand | None = None
    """What `ne` and `empty` ask instead, where the column has no row for what is empty."""


def operand_of(work: Work, store: Store[Any], name: Any) -> Operand:
    """The operand of a name, or a 400 that names it. What is hidden from the principal is unknown here."""
    if not isinstance(name, str):
        raise _unknown(store.record, name)
    first, dot, rest = name.partition(".")
    concealed = hidden(work.context, store.name)
    if dot and first == "custom":
        return _custom(work, store, name, rest)
    if dot:
        reference = store.record.declared().get(f"{first}_id")
        if not isinstance(reference, f.Ref) or not reference.target or f"{first}_id" in concealed:
            raise _unknown(store.record, name)
        return _beyond(work, store, name, reference.target, rest, reference.filter)
    mapping = store.stored.by_name.get(name)
    if mapping is None or name in concealed:
        raise _unknown(store.record, name)
    return _of_mapping(mapping, name, "t")


def _custom(work: Work, store: Store[Any], name: str, inner: str) -> Operand:
    """A custom field: a semi-join with its rows where it is indexed, its JSON elsewhere and in groups."""
    known = work.service.definitions.fields(work, store.record.collection)
    if inner not in known.active:
        work.service.definitions.forget(work.tenant)
        known = work.service.definitions.fields(work, store.record.collection)
    field = known.active.get(inner)
    if field is None or {"custom", name} & hidden(work.context, store.name):
        raise _unknown(store.record, name)
    # The name is one of the tenant's definitions, so it is made of letters, digits and underscores.
    value = f"t.custom -> '{inner}'"
    json = f"{value} ->> 'amount'" if isinstance(field, f.Money) else f"t.custom ->> '{inner}'"
    shown = f"({json}){_cast(field)}"
    currency = f"{value} ->> 'currency'" if isinstance(field, f.Money) else ""
    text, several = _is_folded(field), isinstance(field, f.Choices)
    column = COLUMN_OF[known.wires[inner]["type"]]
    if not known.indexed(inner):
        if several:
            raise _refused(name)
        compared = folded(shown) if text else shown
        return Operand(name, field, compared, False, text, kind=KINDS[column], shown=shown, currency=currency)
    rows = (
        "EXISTS (SELECT 1 FROM custom_values AS c WHERE c.tenant_id = t.tenant_id AND c.record = %s AND c.field = %s"
        " AND c.record_id = t.id AND "
    )
    return Operand(
        name,
        f.Choice(field.choices) if isinstance(field, f.Choices) else field,
        f"c.{column}",
        True,
        text,
        kind=KINDS[column],
        shown="" if several else shown,
        around=(rows, (store.name, inner)),
        custom=column,
        currency=currency,
    )


def _unknown(record: type[Record], name: Any) -> Problem:
    return bad_request("unknown_parameter", f"{name} is not a field of {record.collection}.", str(name))


def _refused(name: str, why: str = "") -> Problem:
    return bad_request("not_filterable", f"{name} cannot be used in filters or sorts.{why}", name)


def _of_mapping(mapping: Mapping, name: str, row: str) -> Operand:
    field = mapping.field
    if not field.operators:
        raise _refused(name)
    shown = f'{row}."{mapping.name}"'
    declared = field.filter or field.sort or mapping.name in STANDARD
    key = mapping.key_column
    column = f'{row}."{mapping.key}"'
    text = mapping.key != mapping.name
    if not declared and _is_folded(field):
        column, text = folded(column), True
    return Operand(name, field, column, declared, text, bool(key.nullable), key.type.python_type, shown)


def _cast(field: f.Field) -> str:
    """What makes a value of the field of its text in JSON."""
    return next((cast for kind, cast in _CASTS if isinstance(field, kind)), "")


def _is_folded(field: f.Field) -> bool:
    return isinstance(field, f.Text) and not isinstance(field, f.Currency)


def _beyond(work: Work, store: Store[Any], name: str, beyond: str, inner: str, indexed: bool) -> Operand:
    target = registry.records.get(beyond)
    field = target.declared().get(inner) if target else None
    if field is None or inner in hidden(work.context, beyond):
        raise bad_request("unknown_parameter", f"{name} is not a field of a {beyond}.", name)
    other = work.service.stores.get(beyond)
    if other is None:
        return _copied(work, store, name, beyond, inner, field, indexed)
    there = _of_mapping(other.stored.by_name[inner], name, "r")
    readable, values = _readable(work, beyond, "r.owner_id", "r.team_id")
    sql = (
        f'EXISTS (SELECT 1 FROM "{table_name(other.record)}" AS r WHERE r.tenant_id = t.tenant_id'
        f" AND r.id = {_referring(name)} AND r.deleted_at IS NULL{readable} AND "
    )
    return replace(there, indexed=there.indexed and indexed, shown="", around=(sql, tuple(values)))


def _copied(
    work: Work, store: Store[Any], name: str, beyond: str, inner: str, field: f.Field, indexed: bool
) -> Operand:
    """A field of the minimal copy. Texts, choices and references have keys with an index; of other fields only the
    referring rows that others leave are looked at."""
    kept = (*work.service.copies.get(beyond, ()), "owner_id", "team_id")
    if inner not in kept or not field.operators or isinstance(field, f.Texts):
        word = name.split(".", 1)[0]
        some = ", ".join(f"{word}.{one}" for one in kept)
        raise _refused(name, f" Of a {beyond} the {store.record.service} service knows {some}.")
    text = _is_folded(field)
    column = f"(r.data -> '{inner}' ->> 'amount')" if isinstance(field, f.Money) else f"(r.data ->> '{inner}')"
    column = folded(column) if text else column + _cast(field)
    readable, values = _readable(work, beyond, "(r.data ->> 'owner_id')::uuid", "(r.data ->> 'team_id')::uuid")
    sql = (
        f"EXISTS (SELECT 1 FROM copies AS r WHERE r.tenant_id = t.tenant_id AND r.record = '{beyond}'"
        f" AND r.id = {_referring(name)} AND NOT r.deleted{readable} AND "
    )
    plain = Operand(name, field, column, False, text, around=(sql, tuple(values)))
    if not isinstance(field, f.Text | f.Choice | f.Ref):
        return plain
    keyed = (
        "EXISTS (SELECT 1 FROM copy_keys AS k JOIN copies AS r"
        " ON r.tenant_id = k.tenant_id AND r.record = k.record AND r.id = k.id"
        f" WHERE k.tenant_id = t.tenant_id AND k.record = '{beyond}' AND k.field = '{inner}'"
        f" AND k.id = {_referring(name)} AND NOT r.deleted{readable} AND "
    )
    return Operand(name, field, "k.key", indexed, True, around=(keyed, tuple(values)), otherwise=plain)


def _referring(name: str) -> str:
    return f't."{name.split(".", 1)[0]}_id"'


def _readable(work: Work, record: str, owner: str, team: str) -> tuple[str, list[Any]]:
    context = work.context
    granted = scope(context, record, "read")
    if granted == "all":
        return "", []
    parts: list[str] = []
    values: list[Any] = []
    if granted in ("own", "team") and context.user_id:
        parts.append(f"{owner} = %s")
        values.append(context.user_id)
    if granted == "team" and context.teams:
        parts.append(f"{team} = ANY(%s::uuid[])")
        values.append(list(context.teams))
    return (f" AND ({' OR '.join(parts)})", values) if parts else (" AND FALSE", [])
