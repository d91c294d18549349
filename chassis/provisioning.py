"""Databases and roles of an installation: one database per service, four roles each, and what row-level security needs.

Roles of the database `guanxi_sales`: `guanxi_sales_owner` (migrations), `_app` (owns nothing), `_ops` (all tenants, but
only the tables of delivery, sagas, timers, jobs and credentials), `_checker` (reads everything).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Connection, make_url

ROLES = ("owner", "app", "ops", "checker")
# Under row-level security only leakproof functions may be index conditions. These compare values and tell nothing of
# them in errors; PostgreSQL leaves the mark to the superuser of the installation.
LEAKPROOF = (
    "numeric_eq(numeric, numeric)",
    "numeric_ne(numeric, numeric)",
    "numeric_gt(numeric, numeric)",
    "numeric_ge(numeric, numeric)",
    "numeric_lt(numeric, numeric)",
    "numeric_le(numeric, numeric)",
    "numeric_cmp(numeric, numeric)",
    "textlike(text, text)",
    "textnlike(text, text)",
    "arraycontains(anyarray, anyarray)",
    "jsonb_contains(jsonb, jsonb)",
    "jsonb_ne(jsonb, jsonb)",
    "arrayoverlap(anyarray, anyarray)",
    "ts_match_vq(tsvector, tsquery)",
)
LEAKPROOF_TRIGRAM = (
    "similarity_op(text, text)",
    "word_similarity_op(text, text)",
    "word_similarity_commutator_op(text, text)",
    "strict_word_similarity_op(text, text)",
)


def database_name(service: str, prefix: str = "guanxi") -> str:
    return f"{prefix}_{service}"


def password(secret: str, role: str) -> str:
    """The password of a role, derived from the installation's secret (HMAC-SHA-256)."""
    return hmac.new(secret.encode(), f"database:{role}".encode(), hashlib.sha256).hexdigest()


def address_of(server: str) -> URL:
    """The server's address for the driver that we use, whichever of PostgreSQL's drivers it names, or none."""
    return make_url(server).set(drivername="postgresql+psycopg2")


def service_url(server: str, service: str, role: str, secret: str, prefix: str = "guanxi") -> str:
    """The address of a service's database for one of its roles, on the server that `server` names."""
    database = database_name(service, prefix)
    user = f"{database}_{role}"
    url = address_of(server).set(username=user, password=password(secret, user), database=database)
    return url.render_as_string(hide_password=False)


def provision(superuser_url: str, services: Sequence[str], secret: str, prefix: str = "guanxi") -> None:
    """Create what is missing of databases and roles. Repeatable; needs a superuser (or CREATEDB and CREATEROLE)."""
    engine = create_engine(address_of(superuser_url), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            for service in services:
                _roles(connection, database_name(service, prefix), secret)
    finally:
        engine.dispose()
    for service in services:
        url = address_of(superuser_url).set(database=database_name(service, prefix))
        inside = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with inside.connect() as connection:
                _extensions(connection)
        finally:
            inside.dispose()


def _roles(connection: Connection, database: str, secret: str) -> None:
    known = {row[0] for row in connection.exec_driver_sql("SELECT rolname FROM pg_roles")}
    for role in ROLES:
        name = f"{database}_{role}"
        # The password is hexadecimal and the name made of letters and underscores, so neither can carry SQL.
        verb = "ALTER" if name in known else "CREATE"
        connection.exec_driver_sql(
            f'{verb} ROLE "{name}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE'
            f" PASSWORD '{password(secret, name)}'"
        )
    for role in ("app", "ops"):
        for setting in (
            "statement_timeout = '10s'",
            "lock_timeout = '3s'",
            "idle_in_transaction_session_timeout = '15s'",
        ):
            connection.exec_driver_sql(f'ALTER ROLE "{database}_{role}" SET {setting}')
    databases = {row[0] for row in connection.exec_driver_sql("SELECT datname FROM pg_database")}
    if database not in databases:
        connection.exec_driver_sql(
            f'CREATE DATABASE "{database}" OWNER "{database}_owner" TEMPLATE template0 ENCODING \'UTF8\''
        )
    connection.exec_driver_sql(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
    for role in ROLES:
        connection.exec_driver_sql(f'GRANT CONNECT ON DATABASE "{database}" TO "{database}_{role}"')


def _extensions(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    superuser = connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").scalar()
    if superuser:
        for function in (*LEAKPROOF, *LEAKPROOF_TRIGRAM):
            connection.exec_driver_sql(f"ALTER FUNCTION {function} LEAKPROOF")
