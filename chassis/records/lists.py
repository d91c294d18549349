"""Lists: permission branches, filters, sorts and keyset pages over one kind of record.

A principal who sees only own or team records gets a UNION ALL of branches that each walk an index; an OR would make the
planner give the index up. Pages continue behind the last row's sort values, so that they stay right while rows change.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from marshmallow import ValidationError

from chassis.errors import bad_request
from chassis.permissions import hidden, mask, scope
from chassis.records.filters import Conditions
from contracts import fields as f
from contracts.scalars import CONTROL

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
LARGEST = 200


@dataclass(frozen=True, slots=True)
class Key:
    """One sort: column, direction, type, and whether it can be NULL (last when ascending, first when descending)."""

    name: str
    column: str
    descending: bool
    nullable: bool
    kind: type


def page(work: Work, store: Store[Any], query: JSON) -> JSON:
    """`{items, next, count?}` for the query of a list (its shape: `where`, `filter`, `sort`, `limit`, `after`, …)."""
    conditions = Conditions(store.stored, hidden(work.context, store.name))
    base, parameters = selection(work, conditions, query)
    branches = branches_of(work, store)
    limit = _limit(query.get("limit"))
    keys = _sort(conditions, query.get("sort"))
    after = _read_cursor(query["after"], keys) if query.get("after") else None
    rows = _rows(work, store, branches, base, parameters, keys, after, limit + 1) if branches else []
    more = len(rows) > limit
    rows = rows[:limit]
    width = len(store.stored.column_names())
    documents = [mask(work.context, store.name, store.stored.wire_of_row(row[:width])) for row in rows]
    answer: JSON = {"items": documents, "next": _cursor(rows[-1][width:]) if more else None}
    if query.get("count"):
        answer["count"] = _count(work, store, branches, base, parameters) if branches else 0
    return answer


def _limit(given: Any) -> int:
    limit = 50 if given is None else given
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LARGEST:
        raise bad_request("bad_parameter", f"A page has 1 to {LARGEST} records.", "limit")
    return limit


def selection(work: Work, conditions: Conditions, query: JSON) -> tuple[str, list[Any]]:
    """The SQL condition of `where`, `filter` and `deleted`, and its parameters."""
    parts, parameters = ["tenant_id = %s"], [work.tenant]
    deleted = query.get("deleted")
    if deleted == "only":
        parts.append("deleted_at IS NOT NULL")
    elif deleted != "include":
        parts.append("deleted_at IS NULL")
    for name, operator, value in query.get("where") or ():
        sql, values = conditions.pair(name, operator, value)
        parts.append(sql)
        parameters += values
    if query.get("filter"):
        sql, values = conditions.tree(query["filter"])
        parts.append(sql)
        parameters += values
    return " AND ".join(parts), parameters


def branches_of(work: Work, store: Store[Any]) -> list[tuple[str, list[Any]]]:
    """What the principal's read grant admits: conditions to be united, none when nothing may be read."""
    context = work.context
    granted = scope(context, store.name, "read")
    if granted == "all":
        return [("", [])]
    branches: list[tuple[str, list[Any]]] = []
    user = context.user_id
    if granted in ("own", "team") and user:
        branches.append((" AND owner_id = %s", [user]))
    if granted == "team":
        others, mine = (" AND owner_id IS DISTINCT FROM %s", [user]) if user else ("", [])
        branches += [(f" AND team_id = %s{others}", [team, *mine]) for team in dict.fromkeys(context.teams)]
    return branches


def _sort(conditions: Conditions, sort: str | None) -> list[Key]:
    """The keys of `sort=-created_at,name`. Ids are made in time order, so `created_at` sorts by the id."""
    keys = []
    for word in (sort or "-created_at").split(","):
        name, descending = word.removeprefix("-"), word.startswith("-")
        mapping = conditions.mapping(name)
        if name in ("created_at", "id"):
            keys.append(Key("id", "id", descending, False, str))
            break
        if not (mapping.field.sort or name == "updated_at"):
            raise bad_request("not_sortable", f"{name} cannot be sorted by.", "sort")
        kind = mapping.columns[0].type.python_type
        keys.append(Key(name, mapping.key, descending, not mapping.field.required, kind))
    if len(keys) > 4:
        raise bad_request("bad_parameter", "At most 4 sorts.", "sort")
    if keys[-1].column != "id":
        # The id follows the first sort's direction, so that one index serves both ways.
        keys.append(Key("id", "id", keys[0].descending, False, str))
    return keys


def _rows(
    work: Work,
    store: Store[Any],
    branches: list[tuple[str, list[Any]]],
    base: str,
    parameters: list[Any],
    keys: list[Key],
    after: list[Any] | None,
    limit: int,
) -> list[Any]:
    behind, behind_values = _behind(keys, after) if after else ("", [])
    order = ", ".join(f'"{key.column}" {"DESC" if key.descending else "ASC"}' for key in keys)
    columns = ", ".join(f'"{name}"' for name in store.stored.column_names())
    extra = ", ".join(f'"{key.column}" AS sort_{index}' for index, key in enumerate(keys))
    one = f'SELECT {columns}, {extra} FROM "{store.table}" WHERE {base}'
    statements, values = [], []
    for condition, own in branches:
        statements.append(f"({one}{condition}{behind} ORDER BY {order} LIMIT {limit})")
        values += [*parameters, *own, *behind_values]
    if len(statements) == 1:
        return work.rows(statements[0], values)
    sorts = ", ".join(f"sort_{index} {'DESC' if key.descending else 'ASC'}" for index, key in enumerate(keys))
    return list(
        work.rows(f"SELECT * FROM ({' UNION ALL '.join(statements)}) AS page ORDER BY {sorts} LIMIT {limit}", values)
    )


def _behind(keys: list[Key], after: list[Any]) -> tuple[str, list[Any]]:
    """The condition for rows behind the cursor, NULLs included."""
    present = None not in after and (keys[0].descending or not any(key.nullable for key in keys))
    if present and len({key.descending for key in keys}) == 1:
        # One row comparison is one index range. Descending, the NULLs that it leaves out lie before the cursor.
        columns = ", ".join(f'"{key.column}"' for key in keys)
        return f" AND ({columns}) {'<' if keys[0].descending else '>'} ({', '.join(['%s'] * len(keys))})", list(after)
    alternatives, parameters = [], []
    for index, key in enumerate(keys):
        parts: list[str] = []
        values: list[Any] = []
        for earlier, value in zip(keys[:index], after[:index], strict=True):
            parts.append(
                f'"{earlier.column}" IS NOT DISTINCT FROM %s' if value is not None else f'"{earlier.column}" IS NULL'
            )
            values += [value] if value is not None else []
        value = after[index]
        if value is None:
            if not key.descending:
                continue
            parts.append(f'"{key.column}" IS NOT NULL')
        else:
            beyond = f'"{key.column}" {"<" if key.descending else ">"} %s'
            parts.append(f'({beyond} OR "{key.column}" IS NULL)' if key.nullable and not key.descending else beyond)
            values.append(value)
        alternatives.append("(" + " AND ".join(parts) + ")")
        parameters += values
    return f" AND ({' OR '.join(alternatives)})", parameters


def _cursor(values: Any) -> str:
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


def _read_cursor(cursor: str, keys: list[Key]) -> list[Any]:
    try:
        raw = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(raw, list) or len(raw) != len(keys):
            raise ValueError("another list's cursor")
        values = [_read(value, key) for value, key in zip(raw, keys, strict=True)]
        f.parse_uuid(values[-1])
        return values
    except (ValueError, TypeError, ArithmeticError, LookupError, ValidationError):
        raise bad_request("bad_cursor", "This cursor does not belong to this list.", "after") from None


_READERS: dict[str, Callable[[Any], Any]] = {"d": Decimal, "t": f.parse_instant, "c": dt.date.fromisoformat}


def _read(value: Any, key: Key) -> Any:
    """One value of a cursor, which comes from outside: of the key's type, or ValueError."""
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


def _count(
    work: Work, store: Store[Any], branches: list[tuple[str, list[Any]]], base: str, parameters: list[Any]
) -> int:
    total = 0
    for condition, own in branches:
        total += work.sql(
            f'SELECT count(*) FROM "{store.table}" WHERE {base}{condition}', [*parameters, *own]
        ).scalar_one()
    return total
