"""Where a process can die: before each step that leaves it, which is each statement, publication, confirm, ack, answer.

Nothing lists these places. The driver's cursor and the ends of the bus report every step as it comes, so code that is
written tomorrow is covered tomorrow. The moment after one step is the moment before the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg2.extensions
from sqlalchemy import event
from sqlalchemy.engine import Engine

Listener = Callable[[str, str], None]
_listener: Listener | None = None
woken: set[str] = set()
"""Services that have written something to be published: whom PostgreSQL's NOTIFY would wake."""
_WHOM = re.compile(r"SELECT set_config\('app\.tenant','[^']*',true\);")
# The driver writes a space before a number below zero.
_VALUES = re.compile(r"'(?:[^']|'')*'|(?: ?-)?\b\d{9,}\b")


def listen(listener: Listener | None) -> None:
    """Let `listener(kind, label)` hear of every step before it is done, instead of whoever did until now."""
    global _listener
    _listener = listener


def reach(kind: str, label: str) -> None:
    """A step is about to be done."""
    if _listener is not None:
        _listener(kind, label)


def watch(engine: Engine, service: str) -> None:
    """Report each statement of the engine's connections, whoever sends it: the cursor is the driver's own."""

    class Cursor(psycopg2.extensions.cursor):  # type: ignore[misc]
        def execute(self, statement: Any, parameters: Any = None) -> None:
            text = statement.decode() if isinstance(statement, bytes) else str(statement)
            try:
                reach("sql", f"{service}: {text}")
            except BaseException:
                # Whoever listens lets this client vanish: the server then ends its transaction.
                if self.connection.info.transaction_status != psycopg2.extensions.TRANSACTION_STATUS_IDLE:
                    super().execute("ROLLBACK")
                raise
            if "INSERT INTO unsent" in text:
                woken.add(service)
            super().execute(statement, parameters)

    @event.listens_for(engine, "do_connect")
    def with_our_cursor(dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> None:
        options["cursor_factory"] = Cursor


def readable(statement: str) -> str:
    """A statement in one line, without the values that differ from run to run."""
    text = _VALUES.sub("'…'", _WHOM.sub("", statement))
    return " ".join(text.split())[:160]
