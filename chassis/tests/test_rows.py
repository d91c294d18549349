"""What a statement answered has its columns as attributes, and its errors are those of every other statement."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError

from chassis.ids import new_id


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def test_rows_are_found_by_name_by_place_and_in_order(suite: Any) -> None:
    with suite.work("customer") as work:
        found = work.sql("SELECT n AS number, n * 2, n * 3 FROM generate_series(1, %s) AS n ORDER BY n", (3,))
        assert found.rowcount == 3
        assert [(row.number, row[1], row[2]) for row in found] == [(1, 2, 3), (2, 4, 6), (3, 6, 9)]
        assert found.all() == list(found)
        assert (found.first().number, found.scalar(), found.scalars()) == (1, 1, [1, 2, 3])
        with pytest.raises(LookupError):
            found.one()


def test_no_rows_are_none_and_a_write_says_how_many_it_touched(suite: Any) -> None:
    key = new_id()
    with suite.work("customer") as work:
        none = work.sql("SELECT 1 WHERE %s = 'other'", ("one",))
        assert (none.first(), none.scalar(), none.all(), none.rowcount) == (None, None, [], 0)
        with pytest.raises(LookupError):
            none.scalar_one()
        written = work.sql(
            "INSERT INTO timers (tenant_id, name, key, due_at) SELECT %s, 'tried', %s || n, %s"
            " FROM generate_series(1, 4) AS n",
            (work.tenant, key, work.now),
        )
        assert (written.rowcount, written.all()) == (4, [])
        gone = work.sql("DELETE FROM timers WHERE name = 'tried' AND key LIKE %s", (f"{key}%",))
        assert gone.rowcount == 4


def test_a_refusal_names_its_constraint_and_no_values(suite: Any) -> None:
    def twice() -> None:
        with suite.work("customer") as work:
            for _ in range(2):
                work.sql(
                    "INSERT INTO timers (tenant_id, name, key, due_at) VALUES (%s, 'tried', %s, %s)",
                    (work.tenant, "a secret", work.now),
                )

    with pytest.raises(IntegrityError) as refusal:
        twice()
    assert refusal.value.orig.diag.constraint_name == "pk_timers"
    assert "a secret" not in refusal.value.statement


def test_a_connection_that_is_lost_in_a_statement_is_not_used_again(suite: Any) -> None:
    def ended() -> None:
        with suite.work("customer") as work:
            work.sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception, match="unavailable") as refusal:
        ended()
    assert isinstance(refusal.value.__cause__, DBAPIError)
    assert refusal.value.__cause__.connection_invalidated
    with suite.work("customer") as work:
        assert work.sql("SELECT 1").scalar_one() == 1
