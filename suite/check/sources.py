"""The databases as the check sees them: one read-only snapshot of each, and the two ways of asking.

`audit` asks one database, `compare` asks several for keys that must be the same on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from chassis.bus.ports import BusUnavailable, Endpoint, QueueShape, QueueState
from chassis.bus.transport import connect
from chassis.database import make_engine
from contracts.registry import SERVICES, registry
from suite.check.rules import MOST_SHOWN, Fault, Seen

Key = tuple[str, str]
"""Tenant and key."""
Digest = dict[tuple[str, str], tuple[int, int]]
BUCKETS_AT_ONCE = 5_000


class Unreachable(Exception):
    """A database that could not be asked, so that nothing can be said."""


class Settings(Protocol):
    @property
    def bus(self) -> str:
        """The address of the bus, or an empty text where there is none to look at."""

    @property
    def management(self) -> str | None:
        """The address of the broker's management API, if there is one."""

    @property
    def blobs(self) -> str:
        """Where files lie, or an empty text where nobody can say."""

    def database_url(self, service: str, role: str) -> str:
        """The address of a service's database for one of its roles."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: `statement` selects `tenant_id` and the text `key`, which begins with a record's id."""

    service: str
    statement: str


class Look:
    """All databases at (almost) one moment."""

    def __init__(
        self,
        connections: dict[str, Connection],
        tenant: str | None,
        bus: str,
        management: str | None = None,
        files: str = "",
    ) -> None:
        self._connections, self.tenant, self.files = connections, tenant, files
        self._bus, self._management = bus, management

    def rows(self, service: str, statement: str, **parameters: Any) -> list[Any]:
        """What a statement selects, of the asked tenant only. Its first column is `tenant_id`."""
        mine = "" if self.tenant is None else " WHERE chosen.tenant_id = %(the_tenant)s::uuid"
        return self._run(service, f"SELECT * FROM ({statement}) AS chosen{mine}", parameters)

    def audit(self, service: str, statement: str) -> Seen:
        """Ask for every row that a rule is about: `tenant_id`, `subject`, and `fault`, null where all is well."""
        mine = "" if self.tenant is None else " WHERE every.tenant_id = %(the_tenant)s::uuid"
        found = self._run(
            service,
            f"WITH looked AS MATERIALIZED (SELECT * FROM ({statement}) AS every{mine})"
            " SELECT NULL AS tenant, NULL AS subject, NULL AS fault, count(*) AS rows, count(fault) AS faults"
            " FROM looked"
            " UNION ALL (SELECT tenant_id::text, subject::text, fault::text, 0, 0 FROM looked WHERE fault IS NOT NULL"
            f" ORDER BY tenant_id, subject LIMIT {MOST_SHOWN})",
            {},
        )
        faults = [Fault(row.tenant, service, row.subject, row.fault) for row in found[1:]]
        return Seen(found[0].rows, faults, found[0].faults - len(faults))

    def compare(self, left: Sequence[Side], right: Sequence[Side]) -> tuple[int, Counter[Key], Counter[Key]]:
        """How many rows there were, what only the left side has, and what only the right side has.

        Counts and hashes come first, by the beginning of the key; only where they differ the rows themselves are read.
        Ids begin with the time at which they were made, so what is missing lies together.
        """
        here, there = self._digest(left), self._digest(right)
        rows = sum(count for count, _ in here.values()) + sum(count for count, _ in there.values())
        differing = [bucket for bucket in here.keys() | there.keys() if here.get(bucket) != there.get(bucket)]
        missing: Counter[Key] = Counter()
        extra: Counter[Key] = Counter()
        for start in range(0, len(differing), BUCKETS_AT_ONCE):
            part = differing[start : start + BUCKETS_AT_ONCE]
            mine, theirs = self._keys(left, part), self._keys(right, part)
            missing += mine - theirs
            extra += theirs - mine
        return rows, missing, extra

    def _digest(self, sides: Sequence[Side]) -> Digest:
        found: Digest = {}
        for side in sides:
            # A sum, because two equal keys would vanish in an exclusive or.
            statement = (
                "SELECT tenant_id, left(key, 7) AS bucket, count(*) AS rows,"
                " sum(hashtextextended(key, 0)::numeric) AS hash"
                f" FROM ({side.statement}) AS keyed GROUP BY 1, 2"
            )
            for row in self.rows(side.service, statement):
                rows, total = found.get((row.tenant_id, row.bucket), (0, 0))
                found[row.tenant_id, row.bucket] = rows + row.rows, total + int(row.hash)
        return found

    def _keys(self, sides: Sequence[Side], buckets: Sequence[tuple[str, str]]) -> Counter[Key]:
        found: Counter[Key] = Counter()
        for side in sides:
            statement = (
                f"SELECT keyed.tenant_id, keyed.key FROM ({side.statement}) AS keyed"
                " JOIN unnest(%(tenants)s::uuid[], %(beginnings)s::text[]) AS wanted (tenant_id, beginning)"
                " ON wanted.tenant_id = keyed.tenant_id AND wanted.beginning = left(keyed.key, 7)"
            )
            tenants, beginnings = [tenant for tenant, _ in buckets], [beginning for _, beginning in buckets]
            found.update(
                (row.tenant_id, row.key)
                for row in self.rows(side.service, statement, tenants=tenants, beginnings=beginnings)
            )
        return found

    def catalogue(self, service: str, statement: str) -> list[Any]:
        """What the database's own catalogue says, which belongs to no tenant."""
        return self._run(service, statement, {})

    def queues(self, endpoints: Sequence[Endpoint]) -> list[QueueState]:
        """The broker's queues of these endpoints; none where the suite runs without a broker. Raises Unreachable."""
        try:
            return connect(self._bus).inspect(endpoints) if self._bus else []
        except BusUnavailable as error:
            raise Unreachable(f"broker: {error}") from error

    def shapes(self, endpoints: Sequence[Endpoint]) -> list[tuple[QueueShape, QueueShape | None]]:
        """These endpoints' queues as they have to be and as they are; none where nobody tells. Raises Unreachable."""
        if not self._bus or not self._management:
            return []
        try:
            transport = connect(self._bus)
            found = transport.standing(self._management)
            return [(shape, found.get(shape.name)) for shape in transport.shapes(endpoints)]
        except BusUnavailable as error:
            raise Unreachable(f"broker: {error}") from error

    def _run(self, service: str, statement: str, parameters: dict[str, Any]) -> list[Any]:
        try:
            return list(
                self._connections[service].exec_driver_sql(statement, {"the_tenant": self.tenant, **parameters})
            )
        except DBAPIError as error:
            raise Unreachable(_plainly(service, error)) from error


class Sources:
    """The connections of one check: one for each service, as its `checker` role."""

    def __init__(self, settings: Settings, tenant: str | None = None) -> None:
        registry.load()
        self.tenant, self._files = tenant, settings.blobs
        self._bus, self._management = settings.bus, settings.management
        self._engines: dict[str, Engine] = {
            service: make_engine(settings.database_url(service, "checker"), pool_size=1, name="guanxi check")
            for service in SERVICES
        }

    @contextmanager
    def look(self) -> Iterator[Look]:
        """A snapshot of every database. Raises Unreachable where one cannot be opened."""
        with ExitStack() as stack:
            connections = {}
            for service, engine in self._engines.items():
                try:
                    connection = stack.enter_context(engine.connect()).execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                    # The snapshot is taken by the first statement, not by the connection.
                    connection.exec_driver_sql("SELECT 1")
                except DBAPIError as error:
                    raise Unreachable(_plainly(service, error)) from error
                connections[service] = connection
            yield Look(connections, self.tenant, self._bus, self._management, self._files)

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()


def _plainly(service: str, error: DBAPIError) -> str:
    return f"{service}: {str(error.orig).strip().splitlines()[0]}"
