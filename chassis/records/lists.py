"""Lists: permission branches, filters, sorts and keyset pages over one kind of record, in one statement.

A principal who sees only own or team records gets a UNION ALL of branches that each walk an index; an OR would make the
planner give the index up. Filters and sorts that no index serves look at no more rows than their budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chassis.errors import Problem, bad_request
from chassis.records import counting, custom_lists
from chassis.records.filters import SQL, Conditions, Selection, joined
from chassis.records.sorting import Key, behind, cursor, keys_of, order_by, read_cursor

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
LARGEST = 200
BUDGET = 10_000
"""How many rows a page looks at where a filter or sort has no index."""
UNBOUNDED = 1_000_000_000
"""For jobs, which nobody waits for."""
_AT = '"row number"'


def check(work: Work, store: Store[Any], query: JSON) -> None:
    """Raise what the query of a list would be refused for, whatever it finds."""
    conditions = Conditions(work, store)
    conditions.select(query)
    keys_of(conditions, query.get("sort"))


def page(work: Work, store: Store[Any], query: JSON, *, budget: int | None = None) -> JSON:
    """`{items, next, count?}` for the query of a list (its shape: `where`, `filter`, `sort`, `limit`, `after`, …).

    `budget` is how many rows the page may look at without an index, by default as many as nobody has to wait for.
    """
    conditions = Conditions(work, store)
    chosen = conditions.select(query)
    keys = keys_of(conditions, query.get("sort"))
    limit = limit_of(query.get("limit"))
    after = read_cursor(query["after"], keys) if query.get("after") else None
    branches = branches_of(work, store)
    budget = BUDGET if budget is None else budget
    rows = _rows(work, store, branches, chosen, keys, after, limit + 1, budget) if branches else []
    more = len(rows) > limit
    rows = rows[:limit]
    width = len(store.stored.column_names())
    documents = [store.shown(work, store.stored.wire_of_row(row[:width])) for row in rows]
    answer: JSON = {"items": documents, "next": cursor(rows[-1][width : width + len(keys)]) if more else None}
    if query.get("count"):
        whole = after is None and not more
        answer["count"] = len(rows) if whole else count(work, store, branches, chosen, query["count"])
    return answer


def limit_of(given: Any) -> int:
    limit = 50 if given is None else given
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LARGEST:
        raise bad_request("bad_parameter", f"A page has 1 to {LARGEST} records.", "limit")
    return limit


def branches_of(work: Work, store: Store[Any]) -> list[SQL]:
    """What the principal's read grant admits of the rows `t`: conditions whose rows never overlap.

    They are to be united; none when nothing may be read.
    """
    context = work.context
    granted = store.granted(work)
    if granted == "all":
        return [("TRUE", [])]
    branches: list[SQL] = []
    user = context.user_id
    if granted in ("own", "team") and user:
        branches.append(("t.owner_id = %s", [user]))
    if granted == "team":
        others, mine = (" AND t.owner_id IS DISTINCT FROM %s", [user]) if user else ("", [])
        branches += [(f"t.team_id = %s{others}", [team, *mine]) for team in dict.fromkeys(context.teams)]
    return branches


def united(store: Store[Any], what: str, branches: Sequence[SQL], conditions: list[SQL], tail: str = "") -> SQL:
    """`SELECT what` of the rows in any of the branches that meet all conditions; `tail` orders and limits each."""
    where, parameters = joined(conditions)
    statements, values = [], []
    for condition, own in branches:
        narrowed = where if condition == "TRUE" else f"{where} AND {condition}"
        statements.append(f'(SELECT {what} FROM "{store.table}" AS t WHERE {narrowed}{tail})')
        values += [*parameters, *own]
    return " UNION ALL ".join(statements), values


def count(work: Work, store: Store[Any], branches: list[SQL], chosen: Selection, how: str) -> int:
    """How many records a list has in all, exactly or as the planner estimates it."""
    if not branches:
        return 0
    conditions = [*chosen.indexed, *chosen.others]
    statement, values = united(store, "1", branches, conditions)
    if how == "estimate":
        return counting.estimate(work, statement, values)
    return counting.exact(work, statement, values)


def _rows(
    work: Work,
    store: Store[Any],
    branches: list[SQL],
    chosen: Selection,
    keys: list[Key],
    after: list[Any] | None,
    limit: int,
    budget: int,
) -> list[Any]:
    columns = ", ".join(f't."{name}"' for name in store.stored.column_names())
    shown = columns + "".join(f", {key.column} AS sort_{index}" for index, key in enumerate(keys))
    sorted_by_index = all(key.indexed for key in keys)
    if keys[0].custom and len(keys) == 2 and keys[1].descending == keys[0].descending and not chosen.others:
        return custom_lists.walk(work, store, branches, chosen, keys, after, limit)
    if chosen.others or not sorted_by_index:
        return _within_budget(work, store, branches, chosen, keys, after, limit, budget, shown, sorted_by_index)
    rows: list[Any] = []
    # The rows without a value are a range of their own, which only the page that comes to its end has to ask for.
    for walks in _walks(branches, keys, after):
        statement, values = united(store, shown, walks, chosen.indexed, f" ORDER BY {order_by(keys)} LIMIT {limit}")
        if len(walks) > 1:
            sorts = ", ".join(f"sort_{index} {key.order}" for index, key in enumerate(keys))
            statement = f"SELECT * FROM ({statement}) AS page ORDER BY {sorts} LIMIT {limit}"
        rows += work.rows(statement, values)
        if len(rows) >= limit:
            break
    return rows[:limit]


def _walks(branches: list[SQL], keys: list[Key], after: list[Any] | None) -> list[list[SQL]]:
    """The branches from the cursor on, for each of the ranges that follow one another."""
    if after is None:
        return [branches]
    return [
        [(f"{condition} AND {sql}", [*own, *values]) for condition, own in branches]
        for sql, values in behind(keys, after)
    ]


def _within_budget(
    work: Work,
    store: Store[Any],
    branches: list[SQL],
    chosen: Selection,
    keys: list[Key],
    after: list[Any] | None,
    limit: int,
    budget: int,
    shown: str,
    sorted_by_index: bool,
) -> list[Any]:
    """A page of which every row comes from the first rows that indexes give; one row too many tells that they are up.

    In the order of an index the rows are looked at from the cursor on until the page is full. Without such an order all
    rows that indexes leave must fit into the budget.
    """
    order = order_by(keys)
    over = f"t.{_AT} > {budget}"
    if sorted_by_index:
        tail = f" ORDER BY {order} LIMIT {budget + 1}"
        walks = [one for walks in _walks(branches, keys, after) for one in walks]
        inner, values = united(store, "t.*", walks, chosen.indexed, tail)
        if len(walks) > 1:
            inner = f"SELECT t.* FROM ({inner}) AS t{tail}"
        wanted, parameters = joined(chosen.others)
        numbered = f"row_number() OVER (ORDER BY {order})"
        first = order
    else:
        inner, values = united(store, "t.*", branches, chosen.indexed, f" LIMIT {budget + 1}")
        if len(branches) > 1:
            inner = f"SELECT t.* FROM ({inner}) AS t LIMIT {budget + 1}"
        ranges = [ranges_behind(keys, after)] if after else []
        wanted, parameters = joined([*chosen.others, *ranges])
        numbered = "row_number() OVER ()"
        first = f"({over}) DESC, {order}"
    rows = work.rows(
        f"SELECT {shown}, t.{_AT} FROM (SELECT t.*, {numbered} AS {_AT} FROM ({inner}) AS t) AS t"
        f" WHERE ({over} OR ({wanted or 'TRUE'})) ORDER BY {first} LIMIT {limit}",
        [*values, *parameters],
    )
    # Only a page that was full before the budget ended tells nothing wrong; its last row is not shown anyway.
    if any(row[-1] > budget for row in rows[: limit - 1]):
        raise Problem(
            422,
            "row_budget",
            f"Without an index this list would look at more than {budget} records: narrow it by a field that has one.",
        )
    return rows


def ranges_behind(keys: list[Key], after: list[Any]) -> SQL:
    """The rows behind a cursor, where no index walks them."""
    ranges = behind(keys, after)
    return f"({' OR '.join(sql for sql, _ in ranges)})", [value for _, values in ranges for value in values]
