"""One service's PostgreSQL: engines per role, and the unit of work that every write happens in.

Row-level security reads the setting `app.tenant`, which lives for one transaction. Connections stay in autocommit mode;
a unit of work begins its transaction and sets the tenant with its first statement, and commits with its last one, so
that neither takes a round trip of its own. A read carries the setting on each statement: several statements sent as one
simple query are one implicit transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import psycopg2
import psycopg2.extensions
from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from chassis.clock import Clock
from chassis.context import Context
from chassis.errors import Problem, unavailable
from chassis.prepared import PlansChanged, Session, Statements
from chassis.rows import Rows
from contracts.fields import parse_uuid

if TYPE_CHECKING:
    from chassis.changes import Change, Message

# SQLAlchemy's dialect makes uuid.UUID objects of every id; ids are text everywhere in the suite.
IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE
IN_ERROR = psycopg2.extensions.TRANSACTION_STATUS_INERROR
_UUID_AS_TEXT = psycopg2.extensions.new_type((2950,), "UUID", lambda value, cursor: value)
_UUIDS_AS_TEXT = psycopg2.extensions.new_array_type((2951,), "UUID[]", _UUID_AS_TEXT)


class Scope:
    """The tenant of one connection's use. `each` repeats the setting on every statement (autocommit); `planned` has the
    server plan each statement for its very values."""

    __slots__ = ("applied", "each", "planned", "prefix")

    def __init__(self, tenant: str, each: bool = False, planned: bool = False) -> None:
        # parse_uuid admits nothing but a UUID, so the text cannot carry SQL.
        setting = f"SELECT set_config('app.tenant','{parse_uuid(tenant)}',true);"
        self.prefix = setting if each else f"BEGIN;{setting}"
        self.each, self.planned = each, planned
        self.applied = False

    def keeps(self, statement: str) -> bool:
        """Whether the server may keep the plan. How far a walk to a limit goes depends on the values."""
        return not self.planned and (self.each or " LIMIT " not in statement)


def _apply_scope(
    connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    scope: Scope | None = connection.get_execution_options().get("scope")
    if parameters and not executemany and (scope is None or scope.keeps(statement)):
        statement, parameters = connection.info["prepared"].form(statement, parameters)
    if scope is not None and (scope.each or not scope.applied):
        scope.applied = True
        statement = scope.prefix + statement
    return statement, parameters


def make_engine(url: str | URL, *, pool_size: int = 5, name: str = "guanxi", prepared: bool = True) -> Engine:
    """An engine that answers ids as text and JSON as plain values. Waiting for a full pool ends after 5 s.

    `prepared` lets the server keep the plans of what is sent often, which no pooler in transaction mode can do.
    """
    statements = Statements(prepared)
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_use_lifo=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        isolation_level="AUTOCOMMIT",
        connect_args={
            "application_name": name,
            "connect_timeout": 5,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 15000,
        },
    )

    @event.listens_for(engine, "connect")
    def ids_are_text(connection: Any, record: Any) -> None:
        psycopg2.extensions.register_type(_UUID_AS_TEXT, connection)
        psycopg2.extensions.register_type(_UUIDS_AS_TEXT, connection)
        record.info["prepared"] = Session(statements)

    @event.listens_for(engine, "checkin")
    def nothing_is_left_open(connection: Any, record: Any) -> None:
        # The driver does not follow transactions that `Work` begins by itself, so it would not end a forgotten one.
        if connection is not None and not connection.closed:
            try:
                if connection.info.transaction_status != IDLE:
                    connection.cursor().execute("ROLLBACK")
                record.info["prepared"].settle(connection)
            except psycopg2.Error as error:
                # An error that leaves this function would keep the pool's place taken for ever.
                record.invalidate(error)

    @event.listens_for(engine, "handle_error")
    def plans_are_made_anew(context: Any) -> None:
        if statements.outdated(context.original_exception):
            raise PlansChanged from context.original_exception

    event.listen(engine, "before_cursor_execute", _apply_scope, retval=True)
    return engine


class Work:
    """One transaction for one tenant and principal: what rules write with.

    Changes and messages are collected and written just before the commit, in the same transaction.
    """

    def __init__(self, connection: Connection, context: Context, clock: Clock, service: Any) -> None:
        self.connection, self.context, self.clock, self.service = connection, context, clock, service
        self.changes: list[Change] = []
        self.messages: list[Message] = []
        self._waiting: list[str] = []
        self._sendings = self._savepoints = 0
        self.copies: dict[tuple[str, str], dict[str, Any] | None] = {}
        """Copies of other services' records, by record and id, as this transaction has read them."""
        self.held: dict[tuple[str, str], str] = {}
        """Holds of others' records that are being deleted, as they were read with `copies` (`records.holding`)."""
        self.asked: dict[tuple[str, str, int], dict[str, int]] = {}
        """What other services said stands against deleting records of this one, by record, id and version."""
        self.holding: dict[tuple[str, str], str] = {}
        """Holds that other services keep for this transaction, until their records are deleted."""
        self.scope: Scope = connection.get_execution_options()["scope"]
        self.committed: list[Callable[[], None]] = []
        """What the process does once the transaction has committed: for its own memory only."""
        self.pipelined = False
        """Writes of records go with the next statement, for who does the transaction again where one is refused."""
        self.fenced = False
        """Whether merges wait for the end of this transaction (`chassis.records.survivors`)."""
        self.reveal: dict[str, Any] = {}
        """Secrets for this one answer: added to its body, kept nowhere."""

    @property
    def tenant(self) -> str:
        return self.context.tenant

    @property
    def now(self) -> dt.datetime:
        return self.clock.now()

    def today(self) -> dt.date:
        return self.now.date()

    def sql(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = (), *, ending: str = "") -> Rows:
        """Run driver SQL (`%s` or `%(name)s` placeholders), in one round trip with what `later` holds before it and
        what `ending` adds. Errors are SQLAlchemy's, as everywhere."""
        text = self._text(statement, parameters) + ending
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            self._sendings += 1
            text = "; ".join([*waiting, text])
        if self.scope.each or not self.scope.applied:
            self.scope.applied = True
            text = self.scope.prefix + text
        cursor: Any = self.connection.connection.cursor()
        try:
            cursor.execute(text)
            return Rows(cursor)
        except BaseException as error:
            # Also of whoever ends this thread: the connection is then in the middle of an answer, and is thrown away.
            self.connection._handle_dbapi_exception(error, statement, None, cursor, None)

    def later(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Run a write whose result nobody needs together with the next statement, or with the commit.

        The order of statements stays; only the round trip is saved, and with it the time that locks are held. Its
        errors are raised by whatever sends it, so writes whose refusal must be told by field use `sql`.
        """
        self._waiting.append(self._text(statement, parameters))

    def _text(self, statement: str, parameters: Sequence[Any] | dict[str, Any]) -> str:
        if not parameters:
            return statement
        if self.scope.keeps(statement):
            statement, parameters = self.connection.info["prepared"].form(statement, parameters)
        cursor: Any = self.connection.connection.cursor()
        try:
            text: bytes = cursor.mogrify(statement, parameters if isinstance(parameters, dict) else tuple(parameters))
            return text.decode()
        finally:
            cursor.close()

    def rows(self, statement: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        """The rows of driver SQL as plain tuples. While reading it goes straight to the driver, at half the cost."""
        if not self.scope.each:
            return list(self.sql(statement, parameters))
        cursor = self.connection.connection.cursor()
        try:
            cursor.execute(
                self.scope.prefix + statement, parameters if isinstance(parameters, dict) else tuple(parameters)
            )
            return list(cursor.fetchall())
        finally:
            cursor.close()

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of the transaction that leaves nothing behind when it raises: no rows, changes, messages, secrets."""
        self._savepoints += 1
        name, mark, sendings = f"s{self._savepoints}", len(self._waiting), self._sendings
        changes, messages, reveal = len(self.changes), len(self.messages), dict(self.reveal)
        committed = len(self.committed)
        fenced = self.fenced
        self.later(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            if self._sendings == sendings:
                # The server has not heard of the savepoint, nor of anything behind it.
                del self._waiting[mark:]
            else:
                self._waiting.clear()
                self.sql(f"ROLLBACK TO SAVEPOINT {name}")
            del self.changes[changes:], self.messages[messages:], self.committed[committed:]
            # Locks that were taken behind the savepoint are gone with it, and what was read under them is not settled.
            if fenced != self.fenced:
                self.copies.clear()
            self.reveal, self.fenced = reveal, fenced
            raise
        self.later(f"RELEASE SAVEPOINT {name}")

    def flush(self) -> None:
        """Write the collected change rows and messages."""
        if self.changes or self.messages:
            from chassis.changes import write

            write(self)

    def commit(self) -> None:
        """Write what is collected and end the transaction, in one statement where there is something to write.

        Raises Problem 504 `outcome_unknown` when the connection broke before the server's answer.
        """
        if self.scope.applied and self._status() == IN_ERROR:
            # The server would answer COMMIT with a rollback, and say so only in a word that nobody reads.
            raise RuntimeError("a statement of this transaction failed and its error was swallowed")
        try:
            if self.changes or self.messages:
                from chassis.changes import write

                write(self, ending="; COMMIT")
            elif self.scope.applied or self._waiting:
                self.sql("COMMIT")
        except DBAPIError as error:
            if error.connection_invalidated:
                raise Problem(504, "outcome_unknown", "The database's answer to the commit was lost.") from error
            raise

    def rollback(self) -> None:
        """End the transaction without a trace; a connection that cannot even do that is thrown away."""
        if not self.scope.applied or self.connection.invalidated:
            return
        self._waiting.clear()
        try:
            if self._status() != IDLE:
                self.sql("ROLLBACK")
        except DBAPIError:
            self.connection.invalidate()

    def _status(self) -> int:
        dbapi: Any = self.connection.connection.dbapi_connection
        return int(dbapi.info.transaction_status)


class Database:
    """The `app` and `ops` connections of one service in one process."""

    def __init__(self, app: Engine, ops: Engine, clock: Clock, service: Any) -> None:
        self.app, self.ops, self.clock, self.service = app, ops, clock, service

    @contextmanager
    def work(self, context: Context) -> Iterator[Work]:
        """A transaction that commits at the end of the block, or leaves nothing behind."""
        with _translated(), self.app.connect() as connection:
            # Statements that were made complete for `later` must not be searched for placeholders again.
            scoped = connection.execution_options(scope=Scope(context.tenant), no_parameters=True)
            work = Work(scoped, context, self.clock, self.service)
            try:
                yield work
                work.commit()
                for act in work.committed:
                    act()
            except BaseException:
                work.rollback()
                raise

    @contextmanager
    def reading(self, context: Context) -> Iterator[Work]:
        """Statements that each see committed data; nothing is locked and nothing can be written by mistake."""
        try:
            with _translated(), self.app.connect() as connection:
                scoped = connection.execution_options(scope=Scope(context.tenant, each=True, planned=True))
                yield Work(scoped, context, self.clock, self.service)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            # SQLAlchemy does not see what the driver tells `rows`, so the pool's other dead connections go here.
            self.app.dispose()
            raise unavailable("The database did not answer in time.") from error

    @contextmanager
    def operations(self) -> Iterator[Connection]:
        """The `ops` role: all tenants, only the tables of delivery, sagas, timers, jobs and credentials.

        Each statement is a transaction of its own.
        """
        with _translated(), self.ops.connect() as connection:
            yield connection

    def close(self) -> None:
        self.app.dispose()
        self.ops.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    """A lost or refused connection is 503, a wait or a statement past its time limit too: repeat and it may work."""
    try:
        yield
    except PoolTimeout as error:
        raise unavailable("The database is busy.") from error
    except DBAPIError as error:
        code = getattr(error.orig, "pgcode", None)
        # 55P03 lock_not_available, 57014 query_canceled, 40P01 deadlock_detected, 40001 serialization_failure,
        # 57P0x shutdowns, 53xxx insufficient resources, 25006 read-only after a failover; no code: connection lost.
        if (
            error.connection_invalidated
            or code is None
            or code[:2] in ("53", "08", "57")
            or code in ("55P03", "40P01", "40001", "25006")
        ):
            raise unavailable("The database did not answer in time.") from error
        raise


def constraint_of(error: DBAPIError) -> str:
    """The name of the constraint that refused a write, or an empty text."""
    return getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
