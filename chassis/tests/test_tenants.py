"""Tenants never see each other: not through the pool, not through a table without protection, not through a key."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from chassis import migrations
from chassis.database import Database, make_engine
from chassis.ids import new_id

MIGRATED = sorted(
    folder.parent.parent.name
    for folder in migrations.SERVICES.glob("*/migrations/versions")
    if any(folder.glob("[0-9]*.py"))
)
# A login finds its tenant by this name, so it is unique in the whole installation.
ACROSS_TENANTS = {"uq_tenants_slug"}
# Keys that count rows of delivery; the tables hold rows of every tenant, or of none.
COUNTERS = {"pk_unsent", "pk_dead_letters", "alembic_version_pkc", "chassis_version_pkc"}


def _connect(databases: Any, suite_of: Any, service: str) -> Any:
    suite = suite_of(service)
    databases.open(service, suite.clock)
    return create_engine(databases.url(service, "owner")).connect()


def test_tenants_that_take_turns_on_two_connections_never_meet(suite_of: Any, databases: Any) -> None:
    suite = suite_of("customer")
    runtime, dice = suite.runtime("customer"), random.Random(7)
    database = Database(
        make_engine(databases.url("customer", "app"), pool_size=2), runtime.database.ops, suite.clock, runtime
    )
    accounts = runtime.stores["customer.account"]
    tenants = [new_id() for _ in range(300)]
    for tenant in tenants:
        with database.work(suite.context(tenant=tenant)) as work:
            accounts.add(work, accounts.make(name=tenant))
        _fail(database, suite.context(tenant=dice.choice(tenants)), accounts, dice.randrange(4))
    for tenant in dice.sample(tenants, len(tenants)):
        opened = database.reading if dice.random() < 0.5 else database.work
        with opened(suite.context(tenant=tenant)) as work:
            assert [row.name for row in work.sql("SELECT name FROM accounts")] == [tenant]
            assert [row.name for row in work.sql("SELECT name FROM accounts ORDER BY id")] == [tenant]
    database.app.dispose()


def _fail(database: Database, context: Any, accounts: Any, how: int) -> None:
    """Leave a transaction in one of the ways that a bug or a broken connection would."""

    def run() -> None:
        with database.work(context) as work:
            accounts.add(work, accounts.make(name="never"))
            if how == 0:
                raise RuntimeError
            if how == 1:
                work.sql("SELECT 1/0")
            if how == 2:
                with work.savepoint():
                    raise RuntimeError
            work.sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception) as caught:
        run()
    assert not isinstance(caught.value, AssertionError)


def test_without_a_tenant_there_are_no_rows_at_all(suite_of: Any) -> None:
    suite = suite_of("customer")
    suite.create("customer.account", {"name": "Alpha"})
    with suite.runtime("customer").database.app.connect() as connection, pytest.raises(DBAPIError):
        connection.exec_driver_sql("SELECT count(*) FROM accounts").scalar()


def test_a_row_for_another_tenant_is_refused_by_the_database(suite_of: Any) -> None:
    suite = suite_of("customer")
    with pytest.raises(DBAPIError, match="row-level security"), suite.work("customer") as work:
        work.sql("INSERT INTO counters (tenant_id, name, value) VALUES (%s, 'x', 1)", (new_id(),))


def test_the_setting_is_gone_when_the_transaction_is(suite_of: Any) -> None:
    suite = suite_of("customer")
    with suite.work("customer") as work:
        assert work.sql("SELECT current_setting('app.tenant')").scalar() == suite.tenant
    with suite.runtime("customer").database.app.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_setting('app.tenant', true)").scalar() in (None, "")


def test_a_savepoint_that_is_rolled_back_first_keeps_the_tenant(suite_of: Any) -> None:
    suite = suite_of("customer")
    with suite.work("customer") as work:
        with pytest.raises(RuntimeError), work.savepoint():
            raise RuntimeError
        assert work.sql("SELECT current_setting('app.tenant')").scalar() == suite.tenant


def test_what_is_no_tenant_never_reaches_the_database(suite_of: Any) -> None:
    suite = suite_of("customer")
    for tenant in ("", "x", "'; DROP TABLE accounts --"):
        request = {
            "method": "record.list",
            "context": suite.signer.sign(suite.context(tenant=tenant or None)),
            "params": {"record": "customer.account"},
        }
        reply = suite.bus.call("customer", request, timeout=5)
        assert ("ok" in reply) == (tenant == "")


@pytest.mark.parametrize("service", MIGRATED)
def test_every_table_has_forced_row_level_security(databases: Any, suite_of: Any, service: str) -> None:
    with _connect(databases, suite_of, service) as connection:
        assert migrations.tables_without_protection(connection) == []
        assert connection.exec_driver_sql("SELECT count(*) FROM pg_policies").scalar() > 10


def test_a_table_without_protection_would_be_noticed(databases: Any, suite_of: Any) -> None:
    with _connect(databases, suite_of, "customer") as connection:
        connection.exec_driver_sql("CREATE TABLE naked (tenant_id uuid)")
        connection.exec_driver_sql("ALTER TABLE accounts NO FORCE ROW LEVEL SECURITY")
        assert migrations.tables_without_protection(connection) == ["accounts", "naked"]
        connection.rollback()


@pytest.mark.parametrize("service", MIGRATED)
def test_the_service_owns_nothing_and_bypasses_nothing(databases: Any, suite_of: Any, service: str) -> None:
    with _connect(databases, suite_of, service) as connection:
        owners = connection.exec_driver_sql("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert [row[0] for row in owners] == [f"template_{service}_owner"]
        special = connection.exec_driver_sql(
            "SELECT rolname FROM pg_roles WHERE rolname LIKE %s AND (rolsuper OR rolbypassrls OR rolcreaterole)",
            (f"template_{service}_%",),
        )
        assert list(special) == []


@pytest.mark.parametrize("service", MIGRATED)
def test_every_unique_key_leads_with_the_tenant(databases: Any, suite_of: Any, service: str) -> None:
    with _connect(databases, suite_of, service) as connection:
        found = connection.exec_driver_sql(
            "SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
            " JOIN pg_class t ON t.oid = x.indrelid AND NOT t.relispartition"
            " JOIN pg_namespace n ON n.oid = i.relnamespace AND n.nspname = 'public'"
            " LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
            " WHERE x.indisunique"
        )
        others = {row.relname for row in found if row.attname != "tenant_id"}
        assert others - COUNTERS <= ACROSS_TENANTS


@pytest.mark.parametrize("service", MIGRATED)
def test_every_foreign_key_leads_with_the_tenant(databases: Any, suite_of: Any, service: str) -> None:
    # The check of a foreign key does not see row-level security.
    with _connect(databases, suite_of, service) as connection:
        found = connection.exec_driver_sql(
            "SELECT c.conname, a.attname FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE c.contype = 'f'"
        )
        assert [row.conname for row in found if row.attname != "tenant_id"] == []


@pytest.mark.parametrize("service", MIGRATED)
def test_the_migrations_make_what_the_models_declare(databases: Any, suite_of: Any, service: str) -> None:
    _connect(databases, suite_of, service).close()
    assert migrations.differences(databases.url(service, "owner"), service) == []


def test_migrating_again_changes_nothing_even_where_a_month_was_not_prepared(databases: Any, suite_of: Any) -> None:
    suite = suite_of("customer")
    suite.clock.forward(days=70)
    suite.create("customer.account", {"name": "Alpha"})
    suite.clock.forward(days=300)
    suite.create("customer.account", {"name": "Beta"})
    url = databases.url("customer", "owner")
    first = migrations.upgrade(url, "customer")
    with create_engine(url).connect() as connection:
        migrations.months_ahead(connection, 14)
        connection.rollback()
    assert migrations.upgrade(url, "customer") == first


def test_every_service_that_stores_anything_is_looked_at() -> None:
    stored = {Path(path).parent.name for path in migrations.SERVICES.glob("*/models.py")}
    assert {"identity", "customer", "sales", "inventory"} <= stored
    assert set(MIGRATED) <= stored
