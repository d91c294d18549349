"""Migrations of one service: Alembic without command line, and the helpers that its scripts call.

Each migration runs in its own transaction under a lock and with short timeouts, so that it never queues the service
behind it. Every table with tenants gets row-level security, forced, by `protect`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import MetaData, create_engine
from sqlalchemy.engine import Connection

from chassis import blobs, changes, idempotency, inbox, jobs, numbering, operators, reconcile, saga_log, timers
from chassis.records import (
    bulkjobs,
    children,
    custom,
    deleting,
    duplicates,
    erasing,
    external,
    holding,
    metadata_of,
    references,
    survivors,
)
from chassis.records.importing import outcomes as import_outcomes
from chassis.records.importing import saved as import_mappings
from chassis.records.stored import NAMING

SERVICES = Path(__file__).resolve().parent.parent / "services"
# The chassis' own tables have a history of their own, `chassis/schema`, which runs before each service's.
COMMON = "chassis"
VERSION_TABLES = {COMMON: "chassis_version"}


def define_common(metadata: MetaData) -> None:
    """The chassis' own tables, the same in every service's database."""
    if "changes" not in metadata.tables:
        for room in (
            changes, inbox, idempotency, saga_log, timers, numbering, external, references, custom, jobs,
            bulkjobs, blobs, operators, reconcile, survivors, duplicates, children, holding, deleting, erasing,
        ):  # fmt: skip
            room.define(metadata)
        for importing in (import_outcomes, import_mappings):
            importing.define(metadata)


def common_tables() -> MetaData:
    metadata = MetaData(naming_convention=NAMING)
    define_common(metadata)
    return metadata


def metadata_for(service: str) -> MetaData:
    """All tables of a service: importing its models fills the metadata."""
    import importlib

    if service == COMMON:
        return common_tables()
    importlib.import_module(f"services.{service}.models")
    metadata = metadata_of(service)
    define_common(metadata)
    return metadata


def scripts(service: str) -> Path:
    """The folder of a service's migrations, or of the chassis' own."""
    return Path(__file__).resolve().parent / "schema" if service == COMMON else SERVICES / service / "migrations"


def config(service: str, connection: Connection | None = None) -> Config:
    made = Config()
    made.set_main_option("script_location", str(scripts(service)))
    made.attributes["connection"] = connection
    made.attributes["service"] = service
    return made


def upgrade(url: str, service: str) -> str:
    """Bring a service's database to the newest schema, as its owner. Returns the revision. Two at once wait in line."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT pg_advisory_lock(hashtext('guanxi migrations'))")
            connection.commit()
            for history in dict.fromkeys((COMMON, service)):
                command.upgrade(config(history, connection), "head")
            context = MigrationContext.configure(connection)
            revision = context.get_current_revision() or ""
            connection.commit()
            months_ahead(connection)
            connection.commit()
            return revision
    finally:
        engine.dispose()


def run_environment(context: Any) -> None:
    """What every service's `env.py` does."""
    service = context.config.attributes["service"]
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata_for(service),
        version_table=VERSION_TABLES.get(service, "alembic_version"),
        transaction_per_migration=True,
        include_object=_include,
    )
    with context.begin_transaction():
        connection.exec_driver_sql("SET LOCAL lock_timeout = '4s'")
        connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")
        context.run_migrations()


def fingerprint() -> str:
    """A digest of every migration and of what provisioning does: equal digests need no migrating."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parent
    for path in [
        *sorted(SERVICES.glob("*/migrations/versions/*.py")),
        *sorted(here.glob("schema/versions/*.py")),
        here / "provisioning.py",
        here / "migrations.py",
    ]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _include(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    # The months' partitions are made by `months_ahead`, not declared; their indexes and keys belong to them.
    if kind != "table" or name is None:
        return True
    return not name.startswith(("changes_", "events_")) and name not in VERSION_TABLES.values()


def differences(url: str, service: str) -> list[Any]:
    """What the migrated database lacks of the models, or has beyond them."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": _include})
            return list(compare_metadata(context, metadata_for(service)))
    finally:
        engine.dispose()


# --- helpers for migration scripts


def install_common(op: Operations) -> None:
    """Triggers and rights of the chassis' tables, after they were created."""
    op.execute("CREATE TABLE changes_default PARTITION OF changes DEFAULT")
    op.execute(
        "CREATE FUNCTION announce_unsent() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('unsent', ''); RETURN NULL; END $$"
    )
    # Every row is inserted and deleted within a second. By the usual rule vacuum would come when the relay already
    # walks over a hundred thousand dead rows.
    op.execute(
        "ALTER TABLE unsent SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,"
        " autovacuum_vacuum_cost_delay = 0, autovacuum_vacuum_insert_scale_factor = 0)"
    )
    op.execute("CREATE TRIGGER announce AFTER INSERT ON unsent FOR EACH STATEMENT EXECUTE FUNCTION announce_unsent()")
    protect(op, "changes", "operations", insert_only=True)
    protect(op, "unsent", "inbox", "sagas", "timers", "idempotency", "jobs", "blob_holds", "sealed", ops=True)
    protect(
        op,
        "counters",
        "external_ids",
        "copies",
        "asked",
        "custom_values",
        "import_rows",
        "import_mappings",
        "job_items",
    )
    protect(op, "merged_records", "repointed", "merges", "duplicate_keys")
    database = op.get_bind().engine.url.database
    op.execute(f'GRANT SELECT ON changes TO "{database}_ops"')
    # The command line reads the journal of all tenants, and writes down what it does with unreadable messages.
    op.execute(f'CREATE POLICY ops ON operations TO "{database}_ops" USING (true) WITH CHECK (true)')
    op.execute(f'GRANT SELECT, INSERT ON operations TO "{database}_ops"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letters TO "{database}_ops"')
    op.execute(f'GRANT SELECT ON dead_letters TO "{database}_checker"')


def protect(op: Operations, *tables: str, ops: bool = False, insert_only: bool = False) -> None:
    """Row-level security by tenant, forced, and the rights of the roles.

    `ops` lets the operations role work for all tenants, `insert_only` takes UPDATE and DELETE from the service itself.
    """
    database = op.get_bind().engine.url.database
    for table in tables:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(
            f"CREATE POLICY tenant ON \"{table}\" USING (tenant_id = current_setting('app.tenant')::uuid)"
            " WITH CHECK (tenant_id = current_setting('app.tenant')::uuid)"
        )
        op.execute(f'CREATE POLICY checker ON "{table}" FOR SELECT TO "{database}_checker" USING (true)')
        rights = "SELECT, INSERT" if insert_only else "SELECT, INSERT, UPDATE, DELETE"
        op.execute(f'GRANT {rights} ON "{table}" TO "{database}_app"')
        op.execute(f'GRANT SELECT ON "{table}" TO "{database}_checker"')
        if ops:
            op.execute(f'CREATE POLICY ops ON "{table}" TO "{database}_ops" USING (true) WITH CHECK (true)')
            op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO "{database}_ops"')


def allow_update(op: Operations, table: str, *columns: str) -> None:
    """Let the service change these columns of an insert-only table: what a merge leads elsewhere, and nothing else."""
    database = op.get_bind().engine.url.database
    named = ", ".join(f'"{column}"' for column in columns)
    op.execute(f'GRANT UPDATE ({named}) ON "{table}" TO "{database}_app"')


def months_ahead(connection: Connection, months: int = 3) -> None:
    """Make the partitions of the change rows for this month and the next ones, where they are missing."""
    first = dt.date.today().replace(day=1)
    for _ in range(months):
        following = (first + dt.timedelta(days=32)).replace(day=1)
        # Rows of a month that nobody prepared lie in the default partition, which then keeps that month.
        strayed = connection.exec_driver_sql(
            "SELECT EXISTS (SELECT 1 FROM changes_default WHERE at >= %s AND at < %s)", (first, following)
        ).scalar_one()
        if not strayed:
            connection.exec_driver_sql(
                f"CREATE TABLE IF NOT EXISTS changes_{first:%Y%m} PARTITION OF changes"
                f" FOR VALUES FROM ('{first}') TO ('{following}')"
            )
        first = following


def tables_without_protection(
    connection: Connection, allowed: Iterable[str] = ("dead_letters", "alembic_version", "chassis_version")
) -> list[str]:
    """Tables that hold rows of tenants without forced row-level security: must be empty."""
    rows = connection.exec_driver_sql(
        "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity)"
    )
    return sorted(row[0] for row in rows if row[0] not in set(allowed))
