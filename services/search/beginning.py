"""What is shown before anything is typed: what the principal opened or edited lately, then what is his, newest first.

It is a glance and no list: at most 100 records that he touched and 200 that he owns are looked at, whatever the
filters. It comes from the documents of the service's own database on either backend, in one statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chassis.context import Context
from services.search.index import Filter, Found, Hit, Key
from services.search.recents import MOST_RECORDS
from services.search.statements import Question
from services.search.visibility import Visible

MOST_OWN = 200
COLUMNS = "d.record, d.id, d.version, d.data, d.facets, d.owner_id, d.changed_at"


def glance(
    runtime: Any,
    context: Context,
    seen: Visible,
    limit: int,
    filters: Sequence[Filter],
    facets: Sequence[str],
    lifted: Mapping[Key, int],
) -> Found:
    """The records, with the points that they were lifted by as their score."""
    if not seen.records or seen.user_id is None:
        return Found([], {})
    question = Question(context.tenant)
    readable = question.readable("d", seen)
    statement = (
        f"(SELECT {COLUMNS}, r.at FROM (SELECT record, id, at FROM recent_records WHERE tenant_id = %(tenant)s"
        f"  AND user_id = %(me)s ORDER BY at DESC LIMIT {MOST_RECORDS}) AS r"
        "  CROSS JOIN LATERAL (SELECT * FROM documents WHERE tenant_id = %(tenant)s AND documents.record = r.record"
        "   AND documents.id = r.id LIMIT 1) AS d"
        f" WHERE NOT d.deleted AND {readable} ORDER BY r.at DESC)"
        f" UNION ALL (SELECT {COLUMNS}, NULL FROM documents AS d WHERE d.tenant_id = %(tenant)s"
        f"  AND d.owner_id = %(me)s AND NOT d.deleted AND {readable} ORDER BY d.changed_at DESC LIMIT {MOST_OWN})"
    )
    with runtime.database.reading(context) as work:
        rows = work.sql(statement, question.parameters).all()
    known: dict[Key, Any] = {}
    for row in rows:
        known.setdefault((row.record, row.id), row)
    fitting = [row for row in known.values() if _fits(row, filters)]
    counts: dict[str, int] = {}
    values: dict[str, dict[str, int]] = {field: {} for field in facets}
    for row in fitting:
        counts[row.record] = counts.get(row.record, 0) + 1
        for field in facets:
            if field not in seen.hidden.get(row.record, ()):
                for value in row.facets.get(field, ()):
                    values[field][value] = values[field].get(value, 0) + 1
    hits = [_hit(row, lifted.get((row.record, row.id), 0)) for row in fitting[:limit]]
    return Found(hits, counts, values, exact=len(rows) < MOST_OWN)


def _fits(row: Any, filters: Sequence[Filter]) -> bool:
    return all(any(_holds(one, value) for value in row.facets.get(one.field, ())) for one in filters)


def _holds(one: Filter, value: str) -> bool:
    if not one.bounded:
        return value in one.values
    return (one.low is None or one.low <= value) and (one.high is None or value < one.high)


def _hit(row: Any, points: int) -> Hit:
    reasons = (("lifted", points),) if points else ()
    return Hit(row.record, row.id, row.version, row.data, points, row.owner_id, row.changed_at, reasons)
