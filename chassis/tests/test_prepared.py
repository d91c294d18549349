"""What is sent often is prepared, means what it meant before, and is given up when the server says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DataError, ProgrammingError

from chassis import prepared
from chassis.clock import SystemClock
from chassis.context import EVERYTHING, Context
from chassis.database import Database, make_engine
from chassis.ids import new_id
from chassis.prepared import AFTER_USES, PlansChanged

OFTEN = AFTER_USES + 3
LIST = "SELECT name, prepare_time IS NOT NULL, generic_plans FROM pg_prepared_statements"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


@pytest.fixture
def engine(suite: Any, databases: Any) -> Iterator[Engine]:
    """The owner's single connection to the database of customer."""
    made = make_engine(databases.url("customer", "owner"), pool_size=1)
    yield made
    with made.connect() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS tried CASCADE")
    made.dispose()


@pytest.fixture
def database(suite: Any, databases: Any) -> Iterator[Database]:
    """With one connection, so that it is known which one has sent what."""
    made = Database(
        make_engine(databases.url("customer", "app"), pool_size=1),
        make_engine(databases.url("customer", "ops"), pool_size=1),
        SystemClock(),
        None,
    )
    yield made
    made.close()


def context(tenant: str) -> Context:
    return Context(tenant=tenant, actor="user:somebody", grants=EVERYTHING, correlation_id=new_id())


def use(engine: Engine, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of one statement on a connection that comes from the pool and goes back to it."""
    with engine.connect() as connection:
        result = connection.exec_driver_sql(statement, parameters)
        found = [tuple(row) for row in result] if result.returns_rows else []
    return [tuple(bytes(one) if isinstance(one, memoryview) else one for one in row) for row in found]


def names(engine: Engine | Connection) -> list[str]:
    """What the connection has prepared, by the server's own word."""
    if isinstance(engine, Connection):
        return [row[0] for row in engine.exec_driver_sql(LIST)]
    with engine.connect() as connection:
        return names(connection)


def table(engine: Engine, columns: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS tried; CREATE TABLE tried ({columns})")


def test_what_a_connection_sends_often_is_prepared_and_planned_once(engine: Engine) -> None:
    table(engine, "id int PRIMARY KEY")
    for turn in range(AFTER_USES + 10):
        assert use(engine, "SELECT %s::int + count(*) FROM tried", (turn,)) == [(turn,)]
        assert len(names(engine)) == (turn + 1 >= AFTER_USES)
    with engine.connect() as connection:
        assert [row.generic_plans > 0 for row in connection.exec_driver_sql(LIST)] == [True]


VALUES = [
    ("%s::text", ["tea", "", "it's 100 % \\ 'so'", "茶 😀", "a\nb", None]),
    ("%s::text COLLATE \"C\" || 'x'", ["tea", None]),
    ("%s::uuid", ["018f0000-0000-7000-8000-000000000001", None]),
    ("%s::jsonb", ['{"a": [1, "\\u00e9", null]}', None]),
    ("%s", [True, False]),
    ("%s", [0, 7, -7, 2**31 - 1, -(2**31), 2**31, -(2**63), 2**63 - 1, 2**63]),
    ("%s / 2", [7, -7, 2**31]),
    ("pg_typeof(%s)::text", [7, 2**31, 2**70, True, Decimal("1.5"), dt.date(2026, 2, 28), b"x", 1.5, ["a"], [1]]),
    ("%s", [Decimal("12.340"), Decimal("-0.000001"), Decimal("1E+3"), Decimal("NaN")]),
    ("%s", [1.5, -0.25, 1e300]),
    ("%s", [dt.date(2026, 2, 28), dt.datetime(2026, 2, 28, 23, 59, 59, 999999, dt.UTC), dt.datetime(2026, 2, 28)]),
    ("%s", [b"\x00\xff'", b""]),
    ("%s::text[]", [["a", "it's", '"', "{}", "", None], [], [None]]),
    ("%s::uuid[]", [["018f0000-0000-7000-8000-000000000001"], []]),
    ("%s::bigint[]", [[1, -2], [2**40], [1, 2**40], []]),
    ("%s::numeric[]", [[Decimal("1.5"), Decimal(2)], [Decimal(2)]]),
    ("2 = ANY(%s)", [[1, 2], [3]]),
    ('\'{"a": {"0": 1}, "7": 2}\'::jsonb -> %s', ["a", "7", 7]),
]


@pytest.mark.parametrize(("expression", "values"), VALUES)
def test_a_value_means_the_same_in_a_prepared_statement(engine: Engine, expression: str, values: list[Any]) -> None:
    for value in values:
        statement = f"SELECT {expression}, pg_typeof({expression})::text"
        first = use(engine, statement, (value, value))
        for _ in range(OFTEN):
            again = use(engine, statement, (value, value))
            # NaN equals nothing, itself included.
            assert repr(again) == repr(first)


def test_a_name_that_occurs_twice_may_mean_two_types(engine: Engine) -> None:
    one = "018f0000-0000-7000-8000-000000000001"
    for _ in range(OFTEN):
        found = use(engine, "SELECT %(id)s::uuid, %(id)s::text, 100 %% %(of)s, '%%'", {"of": 7, "id": one})
        assert found == [(one, one, 2, "%")]
    for _ in range(OFTEN):
        # The same names in another order.
        assert use(engine, "SELECT %(id)s::uuid, %(id)s::text, 100 %% %(of)s, '%%'", {"id": one, "of": 7}) == found
    assert len(names(engine)) == 2


def test_what_the_server_cannot_prepare_is_sent_as_before(engine: Engine) -> None:
    table(engine, "id int")
    for turn in range(OFTEN):
        # A literal without a type is a text here, a parameter is nothing; and two statements are not one.
        assert use(engine, "SELECT jsonb_build_array(%s)", ("tea",)) == [(["tea"],)]
        use(engine, "INSERT INTO tried SELECT %s; SELECT 1", (turn,))
    assert names(engine) == []
    assert use(engine, "SELECT count(*) FROM tried WHERE id >= %s", (0,)) == [(OFTEN,)]


def test_nothing_is_prepared_within_a_transaction_and_a_failed_one_spoils_nothing(database: Database) -> None:
    tenant = new_id()

    def fail() -> None:
        with database.work(context(tenant)) as work:
            for _ in range(OFTEN):
                before = work.sql("SELECT count(*) FROM pg_prepared_statements").scalar()
                assert work.sql("SELECT %s::int + 1", (1,)).scalar() == 2
                assert work.sql("SELECT count(*) FROM pg_prepared_statements").scalar() == before
            work.sql("SELECT 1 / %s", (0,))

    for _ in range(OFTEN):
        with pytest.raises(DataError, match="division by zero"):
            fail()
        with database.work(context(tenant)) as work:
            assert work.sql("SELECT %s::int + 1", (3,)).scalar() == 4
    assert len(names(database.app)) == 2


def write(database: Database, whose: str, tenant: str, key: str) -> None:
    with database.work(context(whose)) as work:
        work.later(
            "INSERT INTO timers (tenant_id, name, key, due_at) VALUES (%s, %s, %s, %s)",
            (tenant, "tried", key, work.now),
        )


def test_a_prepared_statement_sees_its_transactions_tenant_only(suite: Any, database: Database) -> None:
    tenants = [new_id() for _ in range(3)]
    for turn in range(3 * OFTEN):
        tenant = tenants[turn % 3]
        write(database, tenant, tenant, f"{turn}")
        with database.work(context(tenant)) as work:
            seen = {row.tenant_id for row in work.sql("SELECT tenant_id FROM timers WHERE name = %s", ("tried",))}
            assert seen == {tenant}
        with pytest.raises(ProgrammingError, match="row-level security"):
            write(database, tenant, tenants[turn % 3 - 1], f"not {turn}")
    assert len(names(database.app)) == 2


def test_statements_of_lists_are_planned_for_their_values(suite: Any, database: Database) -> None:
    tenant = new_id()
    walk = "SELECT key FROM timers WHERE tenant_id = %s AND key > %s ORDER BY key LIMIT 5"
    for _ in range(OFTEN):
        with database.work(context(tenant)) as work:
            work.sql(walk, (tenant, "")).all()
        with database.reading(context(tenant)) as work:
            work.rows("SELECT key FROM timers WHERE tenant_id = %s", (tenant,))
            work.sql("SELECT key FROM timers WHERE tenant_id = %s", (tenant,)).all()
    assert names(database.app) == []


def test_a_changed_table_is_planned_anew(engine: Engine) -> None:
    table(engine, "id int PRIMARY KEY, name text")
    for _ in range(OFTEN):
        assert use(engine, "SELECT id, name FROM tried WHERE id = %s", (1,)) == []
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "ALTER TABLE tried ADD COLUMN more text DEFAULT 'x', DROP CONSTRAINT tried_pkey;"
            " INSERT INTO tried VALUES (1, 'tea')"
        )
    assert use(engine, "SELECT id, name FROM tried WHERE id = %s", (1,)) == [(1, "tea")]
    assert len(names(engine)) == 1


def test_a_result_of_another_type_fails_once_without_effect_and_works_when_repeated(engine: Engine) -> None:
    table(engine, "id int PRIMARY KEY, name text")
    change = "INSERT INTO tried VALUES (%s, %s) RETURNING id"
    for turn in range(OFTEN):
        use(engine, change, (turn, "tea"))
    with engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE tried ALTER COLUMN id TYPE bigint")
    with pytest.raises(PlansChanged) as refusal:
        use(engine, change, (100, "tea"))
    assert (refusal.value.status, refusal.value.retry_after) == (503, 1)
    assert use(engine, "SELECT count(*) FROM tried WHERE id = %s", (100,)) == [(0,)]
    for turn in range(100, 100 + OFTEN):
        assert use(engine, change, (turn, "tea")) == [(turn,)]
    assert len(names(engine)) == 1


def test_who_asks_during_a_migration_does_not_notice_it(suite: Any, engine: Engine) -> None:
    one = suite.create("customer.account", {"name": "Tea House"})
    try:
        for turn in range(OFTEN):
            suite.update("customer.account", one["id"], {"name": f"Tea House {turn}"})
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE accounts ALTER COLUMN name TYPE varchar(500)")
        changed = suite.update("customer.account", one["id"], {"name": "Tea Palace"})
        assert (changed["name"], changed["version"]) == ("Tea Palace", OFTEN + 2)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql("ALTER TABLE accounts ALTER COLUMN name TYPE text")


def test_behind_a_server_that_forgets_nothing_is_prepared_any_more(engine: Engine) -> None:
    for _ in range(OFTEN):
        use(engine, "SELECT %s::int", (1,))
    with engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
    with pytest.raises(PlansChanged):
        use(engine, "SELECT %s::int", (1,))
    for _ in range(OFTEN):
        assert use(engine, "SELECT %s::int", (1,)) == [(1,)]
    assert names(engine) == []


def test_where_it_is_switched_off_nothing_is_prepared(suite: Any, databases: Any) -> None:
    engine = make_engine(databases.url("customer", "app"), pool_size=1, prepared=False)
    try:
        for _ in range(OFTEN):
            use(engine, "SELECT %s::int", (1,))
        assert names(engine) == []
    finally:
        engine.dispose()


def test_what_was_not_used_for_longest_makes_room(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepared, "KEPT", 3)
    for one in range(5):
        for _ in range(OFTEN):
            use(engine, f"SELECT %s::int + {one}", (1,))
            use(engine, "SELECT %s::int * 2", (1,))
    assert len(names(engine)) == 3
    with engine.connect() as connection:
        kept = [row[0] for row in connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements")]
    assert sum("* 2" in text for text in kept) == 1
    assert sum("+ 4" in text for text in kept) == 1


def test_a_plan_for_three_rows_is_not_what_thousands_are_read_with(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared, "PLANS_LAST_SECONDS", -1.0)
    table(engine, "id int PRIMARY KEY, name text")
    with engine.connect() as connection:
        # Nobody else may look at the table meanwhile, or the plan would be given up for that.
        connection.exec_driver_sql("ALTER TABLE tried SET (autovacuum_enabled = false)")
        connection.exec_driver_sql("INSERT INTO tried SELECT n, 'tea' FROM generate_series(1, 3) n; ANALYZE tried")
        connection.exec_driver_sql("SET plan_cache_mode = force_generic_plan")
    for _ in range(OFTEN):
        use(engine, "SELECT name FROM tried WHERE id = %s", (1,))
    (name,) = names(engine)
    assert "Seq Scan" in use(engine, f"EXPLAIN EXECUTE {name} (1)", ())[0][0]
    use(engine, "INSERT INTO tried SELECT n, 'tea' FROM generate_series(4, 50000) n", ())
    assert "Index Scan" in use(engine, f"EXPLAIN EXECUTE {name} (1)", ())[0][0]
