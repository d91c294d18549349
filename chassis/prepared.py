"""Statements that the server keeps parsed and planned: PREPARE and EXECUTE for a driver that knows neither.

Half of what a small statement costs PostgreSQL is to parse and plan it. What a connection has sent five times is
prepared when it comes back to the pool, and from then on sent as `EXECUTE name (…)`. That is never within a
transaction, so what the server refuses to prepare spoils nothing: it is sent as before. A parameter has the type that
its literal would have, so the prepared statement means what the written out one means. See ADR 29.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import errors

from chassis.errors import Problem

log = logging.getLogger("guanxi")
AFTER_USES = 5
KEPT = 100
"""Statements by connection: each holds some 60 KB in its server process."""
MOST_PARAMETERS = 64
"""Longer ones are lists of rows, of which each length would be a statement of its own."""
PLANS_LAST_SECONDS = 10.0
"""A plan that was made for a table of three rows must not be what a hundred thousand are read with."""

_PLACEHOLDER = re.compile(r"%%|%s|%\((\w+)\)s")
_PREPARABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")
# What the driver writes these values as. Texts and nulls are literals without a type, which the statement gives them.
_TYPES: dict[type, str] = {
    str: "unknown",
    type(None): "unknown",
    bool: "boolean",
    Decimal: "numeric",
    bytes: "bytea",
    dt.date: "date",
}

Key = tuple[str, tuple[str, ...], tuple[str, ...]]
"""A statement, the types of its parameters and their names, in the order in which they come."""


class PlansChanged(Problem):
    """The server refused to go on with a prepared statement: nothing was written, and a repeat prepares anew."""

    def __init__(self) -> None:
        super().__init__(503, "unavailable", "The database's structure has just changed.", retry_after=1)


@dataclass(frozen=True, slots=True)
class Form:
    """A statement as it is prepared and as it is executed; `names` are those of its parameters, in order."""

    name: str
    prepare: str
    execute: str
    names: tuple[str, ...]


class Statements:
    """What the connections of one engine share: which statements cannot be prepared, and whether any may be."""

    def __init__(self, allowed: bool = True) -> None:
        self.allowed = allowed
        self.epoch = 0
        self.refused: set[Key] = set()

    def refuse(self, key: Key) -> None:
        if len(self.refused) > 1000:
            self.refused.clear()
        self.refused.add(key)

    def outdated(self, error: BaseException | None) -> bool:
        """Whether a statement failed for having been prepared. Its transaction is lost; every connection then begins
        anew. Where the server has forgotten a statement, a pooler hands its connections around: none is prepared again.
        """
        if isinstance(error, errors.InvalidSqlStatementName):
            if self.allowed:
                log.warning("Behind a pooler in transaction mode set GUANXI_PREPARED=false. No statement is prepared.")
            self.allowed = False
        elif not (isinstance(error, errors.FeatureNotSupported) and "cached plan" in str(error)):
            return False
        self.epoch += 1
        return True


class Session:
    """What one connection has prepared, and how often it has sent what it has not."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._epoch = statements.epoch
        self._ready: OrderedDict[Key, Form] = OrderedDict()
        self._uses: dict[Key, int] = {}
        self._wanted: dict[Key, Form] = {}
        self._planned = time.monotonic()

    def form(self, statement: str, parameters: Sequence[Any] | dict[str, Any]) -> tuple[str, Any]:
        """The statement and its parameters as they are to be sent now, which may be as they came."""
        shared = self._statements
        if not parameters or not shared.allowed or self._epoch != shared.epoch:
            return statement, parameters
        key = (
            (statement, _types(parameters.values()), tuple(parameters))
            if isinstance(parameters, dict)
            else (statement, _types(parameters), ())
        )
        form = self._ready.get(key)
        if form is None:
            self._count(key)
            return statement, parameters
        self._ready.move_to_end(key)
        if isinstance(parameters, dict):
            return form.execute, tuple([parameters[name] for name in form.names])
        return form.execute, parameters

    def _count(self, key: Key) -> None:
        uses = self._uses.get(key, 0) + 1
        if len(self._uses) > 1000:
            self._uses.clear()
        self._uses[key] = uses
        if uses == AFTER_USES and key not in self._statements.refused:
            form = _form(key)
            if form is None:
                self._statements.refuse(key)
            else:
                self._wanted[key] = form

    def settle(self, connection: Any) -> None:
        """Prepare what is wanted on a connection between two transactions, and let go of what is not used any more.

        Raises psycopg2.Error only where the connection itself is lost.
        """
        if self._epoch != self._statements.epoch:
            _run(connection, "DEALLOCATE ALL")
            self._epoch = self._statements.epoch
            self._ready.clear()
            self._uses.clear()
            self._wanted.clear()
        if self._ready and time.monotonic() - self._planned > PLANS_LAST_SECONDS:
            self._planned = time.monotonic()
            _run(connection, "DISCARD PLANS")
        while self._wanted:
            key, form = self._wanted.popitem()
            self._uses.pop(key, None)
            try:
                _run(connection, form.prepare)
            except psycopg2.Error as error:
                if connection.closed:
                    raise
                # Whatever the reason, the statement itself says it better when it is sent.
                log.debug("not prepared: %s", error)
                self._statements.refuse(key)
            else:
                self._ready[key] = form
        while len(self._ready) > KEPT:
            _, form = self._ready.popitem(last=False)
            _run(connection, f"DEALLOCATE {form.name}")


def _run(connection: Any, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _form(key: Key) -> Form | None:
    """How to prepare and execute a statement; None where it cannot be."""
    statement, types, given = key
    if not statement.startswith(_PREPARABLE) or "" in types or len(types) > MOST_PARAMETERS:
        return None
    if ";" in statement:
        # PREPARE would take the first statement of several and run the others at once.
        return None
    names: list[str] = []
    kinds: list[str] = []
    by_name = dict(zip(given, types, strict=True)) if given else {}

    def numbered(found: re.Match[str]) -> str:
        if found.group() == "%%":
            return "%"
        if name := found.group(1):
            names.append(name)
        # A name that occurs twice counts as two, since each place may give a text another type.
        kinds.append(by_name[name] if name else types[len(kinds)])
        return f"${len(kinds)}"

    text = _PLACEHOLDER.sub(numbered, statement)
    name = "g" + hashlib.sha256(repr(key).encode()).hexdigest()[:24]
    return Form(
        name,
        f"PREPARE {name} ({', '.join(kinds)}) AS {text}",
        f"EXECUTE {name} ({', '.join(['%s'] * len(kinds))})",
        tuple(names),
    )


def _types(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple([_TYPES.get(type(value)) or _type(value) for value in values])


def _type(value: Any) -> str:
    """The type of the literal that the driver writes; an empty text where that is not one for all such values."""
    if isinstance(value, int):
        return "integer" if -(2**31) <= value < 2**31 else "bigint" if -(2**63) <= value < 2**63 else ""
    if isinstance(value, dt.datetime):
        return "timestamp" if value.tzinfo is None else "timestamptz"
    if isinstance(value, list):
        found = {_TYPES.get(type(one)) or _type(one) for one in value if one is not None}
        if not found:
            return "unknown"
        if len(found) == 1 and (kind := found.pop()):
            return "text[]" if kind == "unknown" else f"{kind}[]"
    return ""
