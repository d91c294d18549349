"""Write the next migration of a service from the difference between its models and a migrated database.

    .venv/bin/python -m chassis.revise SERVICE MESSAGE --server URL

The service `chassis` means the tables that every service's database has. For developers: the server is any PostgreSQL
where a scratch database may be made and dropped; `make migration` starts one for it. Read what it wrote.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from typing import Any

from alembic.autogenerate import api, produce_migrations
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine

from chassis import migrations, provisioning

TEMPLATE = '''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
{imports}
revision = "{revision}"
down_revision = {down}


def upgrade() -> None:
{upgrade}
'''


def revise(server: str, service: str, message: str) -> str:
    """Make the script; returns its file name, or an empty text where models and database agree."""
    versions = migrations.scripts(service) / "versions"
    versions.mkdir(parents=True, exist_ok=True)
    (versions / "__init__.py").touch()
    known = sorted(path.stem for path in versions.glob("[0-9]*.py"))
    _drop(server, service)  # one that was interrupted left its database behind
    provisioning.provision(server, [service], "scratch", "scratch")
    url = provisioning.service_url(server, service, "owner", "scratch", "scratch")
    try:
        history = service if known else migrations.COMMON
        if history != service or known:
            migrations.upgrade(url, history)
        metadata = migrations.metadata_for(service)
        engine = create_engine(url)
        with engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"include_object": migrations._include, "user_module_prefix": None}
            )
            script = produce_migrations(context, metadata)
            assert script.upgrade_ops is not None
            if script.upgrade_ops.is_empty():
                return ""
            created = [
                op.table_name for op in script.upgrade_ops.ops if hasattr(op, "columns") and hasattr(op, "table_name")
            ]
            body = "    " + api.render_python_code(script.upgrade_ops, migration_context=context).lstrip()
        engine.dispose()
    finally:
        _drop(server, service)
    body = re.sub(r"^\s*# ###.*$\n?", "", body, flags=re.MULTILINE)
    body, helpers = _rights(metadata, created, body, first=service == migrations.COMMON and not known)
    revision = f"{int(known[-1][:4]) + 1 if known else 1:04}"
    name = f"{revision}_{re.sub(r'[^a-z0-9]+', '_', message.lower()).strip('_')}.py"
    text = TEMPLATE.format(
        message=message[0].upper() + message[1:],
        imports=f"\nfrom chassis.migrations import {', '.join(helpers)}\n" if helpers else "",
        revision=revision,
        down=f'"{known[-1][:4]}"' if known else None,
        upgrade=body.rstrip(),
    )
    if "postgresql." not in body:
        text = text.replace("from sqlalchemy.dialects import postgresql\n", "")
    (versions / name).write_text(text)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(versions / name)], check=False)
    return name


def _rights(metadata: MetaData, created: list[str], body: str, *, first: bool) -> tuple[str, list[str]]:
    tables = metadata.tables
    lines, helpers = [], []
    if first:
        lines.append("    install_common(op)")
        helpers.append("install_common")
    for option in ("", ", insert_only=True", ", ops=True"):
        chosen = [table for table in created if _option(tables[table].info) == option]
        if chosen and not first:
            names = ", ".join(f'"{table}"' for table in chosen)
            lines.append(f"    protect(op, {names}{option})")
            if "protect" not in helpers:
                helpers.append("protect")
    for table in created:
        columns = ", ".join(f'"{column}"' for column in tables[table].info.get("updates", ()))
        if columns:
            lines.append(f'    allow_update(op, "{table}", {columns})')
            helpers = sorted({*helpers, "allow_update"})
    return body.rstrip() + "\n" + "\n".join(lines), helpers


def _option(info: Any) -> str:
    return ", ops=True" if info.get("ops") else ", insert_only=True" if info.get("insert_only") else ""


def _drop(server: str, service: str) -> None:
    database = provisioning.database_name(service, "scratch")
    engine = create_engine(provisioning.address_of(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        for role in provisioning.ROLES:
            connection.exec_driver_sql(f'DROP ROLE IF EXISTS "{database}_{role}"')
    engine.dispose()


def main(arguments: Any = None) -> None:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m chassis.revise", description="Write the next migration of a service."
    )
    parser.add_argument("service")
    parser.add_argument("message")
    parser.add_argument("--server", required=True, help="a superuser's address of a PostgreSQL server")
    chosen = parser.parse_args(arguments)
    name = revise(chosen.server, chosen.service, chosen.message)
    print(name or "Models and database agree: nothing to write.")


if __name__ == "__main__":
    main()
