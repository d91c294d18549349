"""Tenants by the hundred: one is furnished by hand, the others are copies of its rows.

Row-level security keeps them apart, so a fresh tenant is as good as a fresh set of databases and a hundred times
cheaper. Every id stays the same in a copy; only the tenant is another.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from chassis.testing import Databases

# What a clock has to wait for: tables with rows that are due at a time and end in their own.
_WAITING = {
    "unsent": ("true", "NULL::timestamptz"),
    "inbox": ("state = 'parked'", "due_at"),
    "sagas": ("ended_at IS NULL", "due_at"),
    "delivery_queue": ("true", "due_at"),
}


class Tenants:
    """Copies and reads the rows of one tenant in every database, as the superuser. Copies lack the tables `without`."""

    def __init__(self, databases: Databases, services: Iterable[str], *, without: Collection[str] = ()) -> None:
        self._connections: dict[str, Any] = {}
        for service in services:
            address = make_url(databases.server).set(drivername="postgresql", database=f"{databases.name}_{service}")
            connection = psycopg2.connect(address.render_as_string(hide_password=False))
            connection.autocommit = True
            with connection.cursor() as cursor:
                # Foreign keys and the relay's trigger have nothing to say about copied rows.
                cursor.execute("SET session_replication_role = replica")
                _prepare(cursor, without)
            self._connections[service] = connection

    def copy(self, template: str, tenant: str) -> None:
        for connection in self._connections.values():
            with connection.cursor() as cursor:
                cursor.execute("SELECT proof_copy(%s, %s)", (template, tenant))

    def shelve(self, tenant: str) -> None:
        """Keep the alarms of a tenant that will be copied: `clear` takes everybody's, so that only one run has any."""
        for connection in self._connections.values():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO proof_timers SELECT * FROM timers WHERE tenant_id = %s", (tenant,))

    def clear(self) -> None:
        """Take away what services would come upon of other tenants: alarms, and whatever a failed run has left."""
        for connection in self._connections.values():
            with connection.cursor() as cursor:
                cursor.execute("SELECT proof_clear()")

    def rows(self, tenant: str) -> list[tuple[str, str]]:
        """Every row of the tenant as (`service.table`, JSON), numbered columns left out, and all dead letters."""
        found: list[tuple[str, str]] = []
        for service, connection in self._connections.items():
            with connection.cursor() as cursor:
                cursor.execute("SELECT name, content FROM proof_rows(%s)", (tenant,))
                found += [(f"{service}.{name}", content) for name, content in cursor.fetchall()]
        return found

    def waiting(self, tenant: str, now: dt.datetime) -> tuple[int, dt.datetime | None]:
        """How much of the tenant is not at its end, and when after now the next of it is due."""
        count, first = 0, None
        for connection in self._connections.values():
            with connection.cursor() as cursor:
                cursor.execute("SELECT waiting, due FROM proof_waiting(%s, %s)", (tenant, now))
                waiting, due = cursor.fetchone()
            count += waiting
            first = min(filter(None, (first, due)), default=None)
        return count, first

    def query(self, service: str, statement: str, parameters: Any = ()) -> list[Any]:
        with self._connections[service].cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall())

    def abandoned(self, pids: list[int]) -> list[int]:
        """End those of these backends that are in the middle of something, as they end when their client dies."""
        connection = next(iter(self._connections.values()))
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid, pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE pid = ANY(%s) AND state <> 'idle'",
                (pids,),
            )
            return [pid for pid, _ in cursor.fetchall()]

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()


def _prepare(cursor: Any, without: Collection[str]) -> None:
    cursor.execute(
        "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attidentity = ''),"
        " array_agg(a.attname::text) FILTER (WHERE a.attidentity <> '')"
        " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        "  AND a.attgenerated = ''"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " GROUP BY c.oid, c.relname HAVING bool_or(a.attname = 'tenant_id') ORDER BY c.relname"
    )
    tables = cursor.fetchall()
    copies, reads, waits, clears = [], [], [], ["DELETE FROM timers;"]
    for table, columns, numbered in tables:
        others = ", ".join(f'"{column}"' for column in columns if column != "tenant_id")
        source = "proof_timers" if table == "timers" else f'"{table}"'
        if table not in without:
            copies.append(
                f'INSERT INTO "{table}" (tenant_id, {others}) SELECT fresh, {others} FROM {source}'
                " WHERE tenant_id = old;"
            )
        content = f"to_jsonb(t) - '{{{','.join(numbered or [])}}}'::text[]"
        reads.append(f"SELECT '{table}', ({content})::text FROM \"{table}\" AS t WHERE tenant_id = whose")
        if table in _WAITING:
            condition, due = _WAITING[table]
            waits.append(f"SELECT {due} AS due FROM {table} WHERE tenant_id = whose AND {condition}")
            clears.append(f"DELETE FROM {table} WHERE {condition};")
    reads.append("SELECT 'dead_letters', reason FROM dead_letters")
    cursor.execute(
        "CREATE TABLE proof_timers (LIKE timers);"
        f"CREATE FUNCTION proof_clear() RETURNS void LANGUAGE plpgsql AS $$ BEGIN {' '.join(clears)} END $$;"
        "CREATE FUNCTION proof_copy(old uuid, fresh uuid) RETURNS void LANGUAGE plpgsql AS"
        f" $$ BEGIN {' '.join(copies)} END $$;"
        "CREATE FUNCTION proof_rows(whose uuid) RETURNS TABLE (name text, content text) LANGUAGE plpgsql AS"
        f" $$ BEGIN {' '.join(f'RETURN QUERY {read};' for read in reads)} END $$;"
        "CREATE FUNCTION proof_waiting(whose uuid, now timestamptz) RETURNS TABLE (waiting bigint, due timestamptz)"
        " LANGUAGE sql AS"
        f" $$ SELECT count(*), min(w.due) FILTER (WHERE w.due > now) FROM ({' UNION ALL '.join(waits)}) AS w $$"
    )
