"""What a request costs, counted and not timed: SQL statements, commits, and rows for the relay."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import psycopg2.extensions
from sqlalchemy import event

from chassis.bus.wire import decode, encode
from chassis.clock import SystemClock
from chassis.context import EVERYTHING, Context, Signer
from chassis.database import Database, make_engine
from chassis.ids import new_id
from chassis.runtime import Runtime

JSON = dict[str, Any]


class Counted:
    """Services of the stack's databases in this process, with their statements counted."""

    def __init__(self, stack: Any, services: tuple[str, ...]) -> None:
        self.statements: list[str] = []
        self.commits = 0
        self.signer = Signer(stack.settings.context_key)
        self.context = Context(
            tenant=stack.tenant, actor=f"user:{new_id()}", grants=EVERYTHING, correlation_id=new_id()
        )
        self.runtimes: dict[str, Runtime] = {}
        for service in services:
            engine = make_engine(stack.settings.database_url(service, "app"))
            # At the driver's cursor, because reads go to it without SQLAlchemy.
            event.listen(engine, "connect", self._count)
            database = Database(engine, make_engine(stack.settings.database_url(service, "ops")), SystemClock(), None)
            definition = importlib.import_module(f"services.{service}.service").service
            self.runtimes[service] = Runtime(definition, database, self.signer, self, SystemClock())

    def _count(self, connection: Any, _: Any) -> None:
        counted = self

        class Cursor(psycopg2.extensions.cursor):  # type: ignore[misc]
            def execute(self, statement: Any, parameters: Any = None) -> None:
                counted.statements.append(statement)
                counted.commits += statement.endswith("COMMIT")
                super().execute(statement, parameters)

        connection.cursor_factory = Cursor

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        reply: JSON = decode(encode(self.runtimes[service].rpc(decode(encode(request)))))
        return reply

    def close(self) -> None:
        for runtime in self.runtimes.values():
            runtime.database.close()

    def ask(self, service: str, method: str, params: JSON) -> Any:
        reply = self.call(
            service, {"method": method, "context": self.signer.sign(self.context), "params": params}, timeout=5
        )
        return reply["ok"]["body"]

    def measure(self, work: Callable[[], Any]) -> tuple[int, int]:
        """Statements and commits of one piece of work."""
        self.statements.clear()
        self.commits = 0
        work()
        return len(self.statements), self.commits
