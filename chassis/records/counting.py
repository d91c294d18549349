"""Counting what a list has: exactly while it takes no more than its time, or roughly and at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from chassis.errors import Problem

if TYPE_CHECKING:
    from chassis.database import Work

SECONDS = 5.0
COUNTED = 1_000
"""Up to so many an estimate is counted, and so exact."""
_CANCELED = "57014"


def in_time(work: Work, statement: str, parameters: list[Any]) -> list[Any]:
    """The rows of a statement that may have to read a great deal; after its time it is given up with a 422."""
    limit = f"SELECT set_config('statement_timeout', '{int(SECONDS * 1000)}', true); "
    try:
        # Only a read is a transaction of its own, which the limit ends with.
        return list(work.sql((limit if work.scope.each else "") + statement, parameters))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) != _CANCELED:
            raise
        raise Problem(
            422, "too_much_to_read", "These are too many records to count or add up at once: narrow the filter."
        ) from error


def exact(work: Work, statement: str, parameters: list[Any]) -> int:
    [(found,)] = in_time(work, f"SELECT count(*) FROM ({statement}) AS found", parameters)
    return int(found)


def estimate(work: Work, statement: str, parameters: list[Any]) -> int:
    """Few records are counted; of many, what the planner's statistics say."""
    least = exact(work, f"SELECT 1 FROM ({statement}) AS few LIMIT {COUNTED + 1}", parameters)
    if least <= COUNTED:
        return least
    [(plan,)] = work.sql(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM ({statement}) AS found", parameters)
    return max(least, int(plan[0]["Plan"]["Plan Rows"]))
