"""Counts and sums of a list by groups: `{filter, group_by, measures}`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chassis.errors import bad_request
from chassis.permissions import hidden
from chassis.records.filters import Conditions
from chassis.records.lists import branches_of, selection
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


def run(work: Work, store: Store[Any], params: JSON) -> JSON:
    """`{items: [{group: {…}, measures: {…}}]}`, at most 1,000 groups, ordered by group.

    Sums and averages of money are grouped by currency as well: different currencies are never added.
    """
    conditions = Conditions(store.stored, hidden(work.context, store.name))
    where, parameters = selection(work, conditions, params)
    groups: list[tuple[str, str]] = []
    for name in params.get("group_by") or []:
        groups.append((name, _group(conditions, name)))
    measures: list[tuple[str, str, Any]] = []
    for measure in params.get("measures") or [{"fn": "count"}]:
        label, sql, field = _measure(conditions, measure)
        measures.append((label, sql, field))
        if isinstance(field, f.Money):
            currency = f'"{measure["field"]}_currency"'
            if (f"{measure['field']}.currency", currency) not in groups:
                groups.append((f"{measure['field']}.currency", currency))
    branches = branches_of(work, store)
    if not branches:
        return {"items": []}
    # A principal's branches never overlap, so their rows can be counted side by side.
    rows_sql = " UNION ALL ".join(
        f'SELECT * FROM "{store.table}" WHERE {where}{condition}' for condition, _ in branches
    )
    values = [value for _, own in branches for value in (*parameters, *own)]
    columns = [sql for _, sql in groups] + [sql for _, sql, _ in measures]
    positions = ", ".join(str(index + 1) for index in range(len(groups)))
    by = f" GROUP BY {positions} ORDER BY {positions}" if groups else ""
    rows = work.sql(f"SELECT {', '.join(columns)} FROM ({rows_sql}) AS chosen{by} LIMIT {MOST_GROUPS}", values).all()
    items = []
    for row in rows:
        items.append(
            {
                "group": {name: _plain(value) for (name, _), value in zip(groups, row, strict=False)},
                "measures": {
                    label: _plain(value) for (label, _, _), value in zip(measures, row[len(groups) :], strict=True)
                },
            }
        )
    return {"items": items}


def _group(conditions: Conditions, word: Any) -> str:
    name, _, bucket = str(word).partition(":")
    mapping = conditions.mapping(name)
    if bucket:
        if bucket not in BUCKETS or not isinstance(mapping.field, (f.Date, f.Instant)):
            raise bad_request(
                "bad_parameter", f"{word}: buckets are {', '.join(BUCKETS)} of dates and instants.", "group_by"
            )
        # Days begin at midnight UTC, whatever the server's own zone is.
        zone = " AT TIME ZONE 'UTC'" if isinstance(mapping.field, f.Instant) else ""
        return f"date_trunc('{bucket}', \"{name}\"{zone})::date"
    return f'"{name}"'


def _measure(conditions: Conditions, measure: Any) -> tuple[str, str, Any]:
    if not isinstance(measure, dict) or measure.get("fn") not in list(MEASURED) or set(measure) - {"fn", "field"}:
        raise bad_request(
            "bad_parameter", f"A measure is {{fn, field?}} with fn one of {', '.join(MEASURED)}.", "measures"
        )
    function = measure["fn"]
    if function == "count" and "field" not in measure:
        return "count", "count(*)", None
    name = measure.get("field")
    mapping = conditions.by_name.get(name) if isinstance(name, str) else None
    if mapping is None or not isinstance(mapping.field, MEASURED[function]):
        raise bad_request("bad_parameter", f"{function} of {name} cannot be computed.", "measures")
    inner = f'"{name}"' if function != "avg" else f'"{name}"::numeric'
    return f"{function}_{name}", f"{function}({inner})", mapping.field if function != "count" else None


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f.plain(value)
    if hasattr(value, "astimezone"):
        return f.instant(value)
    return value.isoformat() if hasattr(value, "isoformat") else value
