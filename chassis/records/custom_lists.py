"""Filters, sorts and groups by custom fields.

A filter is a semi-join with `custom_values`; a list sorted by a custom field alone walks its index, and the records
without a value through a walk of their own. Groups read the JSON, since they look at every row anyway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.records.filters import SQL, Selection, joined
from chassis.records.sorting import Key

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store


def walk(
    work: Work,
    store: Store[Any],
    branches: list[SQL],
    chosen: Selection,
    keys: list[Key],
    after: list[Any] | None,
    limit: int,
) -> list[Any]:
    """A page in the order of one custom field, whose values and absent values follow one another (NULLs last when
    ascending, first when descending): the second walk is made only where the first one does not fill the page."""
    key = keys[0]
    assert key.custom is not None
    column, parameters = key.custom
    steps = [_present, _absent]
    rows: list[Any] = []
    for step in reversed(steps) if key.descending else steps:
        sql = step(key, column, parameters, after)
        if sql is not None and len(rows) < limit:
            rows += _read(work, store, branches, chosen, key, sql, limit - len(rows))
    return rows


Step = tuple[str, list[Any], SQL, str]
"""What stands behind FROM with its parameters, a condition, and the sort's value."""


def _present(key: Key, column: str, parameters: list[Any], after: list[Any] | None) -> Step | None:
    behind: SQL = (f"k.{column} IS NOT NULL", [])
    if after is not None:
        if after[0] is not None:
            behind = (f"(k.{column}, k.record_id) {'<' if key.descending else '>'} (%s, %s)", after)
        elif not key.descending:
            return None
    join = (
        "JOIN custom_values AS k ON k.tenant_id = t.tenant_id AND k.record = %s AND k.field = %s AND k.record_id = t.id"
    )
    return join, parameters, behind, f"k.{column}"


def _absent(key: Key, column: str, parameters: list[Any], after: list[Any] | None) -> Step | None:
    without = (
        "NOT EXISTS (SELECT 1 FROM custom_values AS k WHERE k.tenant_id = t.tenant_id AND k.record = %s"
        " AND k.field = %s AND k.record_id = t.id)"
    )
    if after is not None:
        if after[0] is None:
            return "", [], (f"{without} AND t.id {'<' if key.descending else '>'} %s", [*parameters, after[1]]), ""
        if key.descending:
            return None
    return "", [], (without, list(parameters)), ""


def _read(
    work: Work, store: Store[Any], branches: list[SQL], chosen: Selection, key: Key, step: Step, limit: int
) -> list[Any]:
    join, joining, condition, value = step
    columns = ", ".join(f't."{name}"' for name in store.stored.column_names())
    shown = f"{columns}, {value or 'NULL'} AS sort_0, t.id AS sort_1"
    order = f"{value}, k.record_id" if value else "t.id"
    if key.descending:
        order = order.replace(",", " DESC,") + " DESC"
    where, values = joined([*chosen.indexed, condition])
    statements, parameters = [], []
    for branch, own in branches:
        statements.append(
            f'(SELECT {shown} FROM "{store.table}" AS t {join} WHERE {where} AND {branch} ORDER BY {order}'
            f" LIMIT {limit})"
        )
        parameters += [*joining, *values, *own]
    statement = " UNION ALL ".join(statements)
    if len(statements) > 1:
        outer = f"sort_0 {key.order}, sort_1 {key.order}" if value else f"sort_1 {key.order}"
        statement = f"SELECT * FROM ({statement}) AS page ORDER BY {outer} LIMIT {limit}"
    return list(work.rows(statement, parameters))
