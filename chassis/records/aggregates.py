"""Counts and sums of a list by groups: `{filter, group_by, measures, order, limit}`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chassis import zones
from chassis.errors import bad_request
from chassis.records import counting
from chassis.records.filters import Conditions
from chassis.records.lists import branches_of, united
from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
_ADDED = (f.Number, f.Money, f.Integer)
_ORDERED = (*_ADDED, f.Date, f.Instant, f.Text, f.Choice)
MEASURED: dict[str, tuple[type[f.Field], ...]] = {
    "count": (*_ORDERED, f.Boolean, f.Ref),
    "sum": _ADDED,
    "avg": _ADDED,
    "min": _ORDERED,
    "max": _ORDERED,
}
BUCKETS = ("day", "week", "month", "quarter", "year")
MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Column:
    """A group or a measure: its name in the answer and in `order`, and its SQL."""

    name: str
    sql: str
    values: tuple[Any, ...] = ()


def run(work: Work, store: Store[Any], params: JSON) -> JSON:
    """`{items: [{group: {…}, measures: {…}}], more}`, by default ordered by group; `more`: there are groups beyond.

    Sums and averages of money are grouped by currency as well: different currencies are never added.
    """
    conditions = Conditions(work, store)
    chosen = conditions.select(params)
    groups: list[Column] = []
    for name in dict.fromkeys(params.get("group_by") or []):
        groups.append(_group(work, conditions, name))
    measures: list[Column] = []
    for measure in params.get("measures") or [{"fn": "count"}]:
        made, field = _measure(conditions, measure)
        if made not in measures:
            measures.append(made)
        if isinstance(field, f.Money):
            name = measure["field"]
            currency = Column(f"{name}.currency", conditions.operand(name).currency or f't."{name}_currency"')
            if currency not in groups:
                groups.append(currency)
    limit = _limit(params.get("limit"))
    order = _order(params.get("order"), groups, measures)
    branches = branches_of(work, store)
    if not branches:
        return {"items": [], "more": False}
    # A principal's branches never overlap, so their rows can be counted side by side.
    inner, values = united(store, "t.*", branches, [*chosen.indexed, *chosen.others])
    columns = [*groups, *measures]
    by = f" GROUP BY {', '.join(str(index + 1) for index in range(len(groups)))}" if groups else ""
    statement = f"SELECT {', '.join(one.sql for one in columns)} FROM ({inner}) AS t{by}{order} LIMIT {limit + 1}"
    rows = counting.in_time(work, statement, [*(value for one in columns for value in one.values), *values])
    items = [
        {
            "group": {one.name: _plain(value) for one, value in zip(groups, row, strict=False)},
            "measures": {one.name: _plain(value) for one, value in zip(measures, row[len(groups) :], strict=True)},
        }
        for row in rows[:limit]
    ]
    return {"items": items, "more": len(rows) > limit}


def _limit(given: Any) -> int:
    limit = MOST_GROUPS if given is None else given
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_GROUPS:
        raise bad_request("bad_parameter", f"An answer has 1 to {MOST_GROUPS} groups.", "limit")
    return limit


def _order(words: Any, groups: list[Column], measures: list[Column]) -> str:
    """By the named groups and measures, `-` for descending; then by group, so that the answer is always the same."""
    places = {one.name: index + 1 for index, one in enumerate([*groups, *measures])}
    sorts: dict[int, str] = {}
    for word in words or []:
        name, way = str(word).removeprefix("-"), "DESC NULLS LAST" if str(word).startswith("-") else "ASC"
        if name not in places:
            raise bad_request(
                "bad_parameter", f"{name} is neither a group nor a measure: {', '.join(places)}.", "order"
            )
        sorts.setdefault(places[name], way)
    for index in range(len(groups)):
        sorts.setdefault(index + 1, "ASC")
    return f" ORDER BY {', '.join(f'{place} {way}' for place, way in sorts.items())}" if sorts else ""


def _group(work: Work, conditions: Conditions, word: Any) -> Column:
    name, _, bucket = str(word).partition(":")
    operand = conditions.operand(name)
    if not operand.shown or isinstance(operand.field, (f.Texts, f.Money)):
        raise bad_request("bad_parameter", f"{word} cannot be grouped by.", "group_by")
    if not bucket:
        return Column(word, operand.shown)
    if bucket not in BUCKETS or not isinstance(operand.field, (f.Date, f.Instant)):
        raise bad_request(
            "bad_parameter", f"{word}: buckets are {', '.join(BUCKETS)} of dates and instants.", "group_by"
        )
    if isinstance(operand.field, f.Date):
        return Column(word, f"date_trunc('{bucket}', {operand.shown}::timestamp)::date")
    # An instant falls on a day of the tenant's zone; weeks begin on Monday.
    zone = zones.zone(work.context.zone).key
    return Column(word, f"date_trunc('{bucket}', {operand.shown} AT TIME ZONE %s)::date", (zone,))


def _measure(conditions: Conditions, measure: Any) -> tuple[Column, f.Field | None]:
    if not isinstance(measure, dict) or measure.get("fn") not in list(MEASURED) or set(measure) - {"fn", "field"}:
        raise bad_request(
            "bad_parameter", f"A measure is {{fn, field?}} with fn one of {', '.join(MEASURED)}.", "measures"
        )
    function = measure["fn"]
    if function == "count" and "field" not in measure:
        return Column("count", "count(*)"), None
    name = measure.get("field")
    operand = conditions.operand(name)
    if not operand.shown or not isinstance(operand.field, MEASURED[function]):
        raise bad_request("bad_parameter", f"{function} of {name} cannot be computed.", "measures")
    inner = operand.shown + ("::numeric" if function == "avg" else "")
    return Column(f"{function}_{name}", f"{function}({inner})"), None if function == "count" else operand.field


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f.plain(value)
    if hasattr(value, "astimezone"):
        return f.instant(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
