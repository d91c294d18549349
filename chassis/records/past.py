"""Lists as they were at an instant, read from the change rows, for who may read the records today.

What has not changed since is taken as it stands; of the rest the latest change row before the instant is. Both become
rows of the columns that the table has, on which filters, sorts and cursors are those of any list. There is no index
over the past, so all that a principal may read and that was there by then must fit into the row budget.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError

from chassis.errors import Problem, bad_request
from chassis.records import counting, custom
from chassis.records.filters import SQL, Conditions, Selection, joined
from chassis.records.lists import BUDGET, branches_of, limit_of, ranges_behind, united
from chassis.records.sorting import Key, cursor, keys_of, order_by, read_cursor
from contracts import fields as f
from contracts.custom import PREFIX

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]


def instant_of(text: str) -> dt.datetime:
    try:
        return f.parse_instant(text)
    except ValidationError as error:
        raise bad_request("bad_parameter", error.messages[0], "as_of") from None


def page(work: Work, store: Store[Any], query: JSON) -> JSON:
    """`{items, next, count?}` as `lists.page` answers, of the records as they were at `query["as_of"]`.

    Raises 400 `not_as_of` for what is not the record's own field, 422 `row_budget`."""
    moment = instant_of(query["as_of"])
    conditions = Conditions(work, store)
    chosen = conditions.select(query)
    keys = keys_of(conditions, query.get("sort"))
    _refuse_others(conditions.used, query.get("sort"))
    limit = limit_of(query.get("limit"))
    after = read_cursor(query["after"], keys) if query.get("after") else None
    branches = branches_of(work, store)
    customs = any(name.startswith(PREFIX) for name in _named(conditions.used, query.get("sort")))
    source = _as_they_were(work, store, branches, moment, customs) if branches else None
    if source is None:
        return {"items": [], "next": None, **({"count": 0} if query.get("count") else {})}
    rows = _rows(work, store, source, chosen, keys, after, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    width = len(store.stored.column_names())
    answer: JSON = {
        "items": [store.shown(work, store.stored.wire_of_row(row[:width])) for row in rows],
        "next": cursor(rows[-1][width : width + len(keys)]) if more else None,
    }
    if query.get("count"):
        sql, values = _met(chosen)
        statement = f"{source.first}SELECT 1 FROM {source.rows} WHERE {sql}"
        answer["count"] = counting.exact(work, statement, [*source.values, *values])
    return answer


def _named(used: set[str], sort: str | None) -> Iterator[str]:
    yield from sorted(used)
    yield from (word.removeprefix("-") for word in (sort or "").split(","))


def _refuse_others(used: set[str], sort: str | None) -> None:
    """Another record's fields have a past of their own, which is not looked up."""
    for name in _named(used, sort):
        if "." in name and not name.startswith(PREFIX):
            raise bad_request("not_as_of", "Fields of other records cannot be used together with as_of.", name)


@dataclass(frozen=True, slots=True)
class Source:
    """SQL of the rows `t` at a moment, what has to stand before its statement, and the parameters of both."""

    first: str
    rows: str
    values: list[Any]


def _as_they_were(
    work: Work, store: Store[Any], branches: list[SQL], moment: dt.datetime, customs: bool
) -> Source | None:
    """What the principal may read today, as it was; with `customs` their custom values too. None: nothing was there."""
    known: list[SQL] = [("t.tenant_id = %s", [work.tenant]), ("t.created_at <= %s", [moment])]
    known += [store.within] if store.within is not None else []
    statement, parameters = united(store, "t.id, t.updated_at", branches, known)
    found = work.rows(f"SELECT id, updated_at FROM ({statement}) AS t LIMIT {BUDGET + 1}", parameters)
    if len(found) > BUDGET:
        raise Problem(
            422,
            "row_budget",
            f"Of the past at most {BUDGET} records can be looked at, and you may read more of these.",
        )
    if not found:
        return None
    same = [row[0] for row in found if row[1] <= moment]
    changed = _at(work, store, [row[0] for row in found if row[1] > moment], moment)
    first, values = custom.as_they_were(work, store, same, changed) if customs else ("", [])
    names = ", ".join(f'"{name}"' for name in store.stored.column_names())
    return Source(
        first,
        f'(SELECT tenant_id, {names} FROM "{store.table}" WHERE tenant_id = %s AND id = ANY(%s::uuid[])'
        f" UNION ALL SELECT %s::uuid, {names} FROM {store.stored.recordset_sql()}) AS t",
        [*values, work.tenant, same, work.tenant, store.stored.rows_json(changed)],
    )


def _at(work: Work, store: Store[Any], ids: list[str], moment: dt.datetime) -> list[Any]:
    """The records as their latest change by then left them."""
    if not ids:
        return []
    rows = work.sql(
        "SELECT DISTINCT ON (record_id) snapshot, private FROM changes"
        " WHERE tenant_id = %s AND record_id = ANY(%s::uuid[]) AND at <= %s ORDER BY record_id, version DESC",
        (work.tenant, ids, moment),
    )
    made = []
    for row in rows:
        was = store.record.from_wire({**row.snapshot, **row.private.get("snapshot", {})})
        made.append(store.stored(**{mapping.name: getattr(was, mapping.name) for mapping in store.stored.mappings}))
    return made


def _met(chosen: Selection) -> SQL:
    return joined([*chosen.indexed, *chosen.others])


def _rows(
    work: Work,
    store: Store[Any],
    source: Source,
    chosen: Selection,
    keys: list[Key],
    after: list[Any] | None,
    limit: int,
) -> list[Any]:
    shown = ", ".join(f't."{name}"' for name in store.stored.column_names())
    shown += "".join(f", {key.column} AS sort_{index}" for index, key in enumerate(keys))
    wanted, values = _met(chosen)
    if after is not None:
        behind, more = ranges_behind(keys, after)
        wanted, values = f"{wanted} AND {behind}", [*values, *more]
    return work.rows(
        f"{source.first}SELECT {shown} FROM {source.rows} WHERE {wanted} ORDER BY {order_by(keys)} LIMIT {limit}",
        [*source.values, *values],
    )
