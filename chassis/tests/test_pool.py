"""A database connection that dies takes nothing with it: its place in the pool is free for the next one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from chassis.database import make_engine


def test_connections_that_die_within_a_transaction_give_their_places_back(suite_of: Any, databases: Any) -> None:
    suite_of("customer").runtime("customer")
    engine = make_engine(databases.url("customer", "app"), pool_size=2)
    killer = make_engine(databases.url("customer", "app"), pool_size=1)
    try:
        with killer.connect() as end:
            # More often than there are places, and none of them announced: the next use finds out.
            for _ in range(5):
                with engine.connect() as connection:
                    connection.exec_driver_sql("BEGIN")
                    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
                    assert end.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (pid,)).scalar()
        with engine.connect() as first, engine.connect() as second:
            assert first.exec_driver_sql("SELECT 1").scalar() == second.exec_driver_sql("SELECT 1").scalar() == 1
    finally:
        engine.dispose()
        killer.dispose()


def test_a_statement_on_a_dead_connection_fails_and_the_next_one_gets_another(suite_of: Any, databases: Any) -> None:
    suite_of("customer").runtime("customer")
    engine = make_engine(databases.url("customer", "app"), pool_size=1)
    killer = make_engine(databases.url("customer", "app"), pool_size=1)
    try:
        with engine.connect() as connection, killer.connect() as end:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            assert end.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (pid,)).scalar()
            with pytest.raises(DBAPIError):
                connection.exec_driver_sql("SELECT 1")
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    finally:
        engine.dispose()
        killer.dispose()
