"""What an operator does from the command line: straight on the databases, so that it works while the bus does not.

Everything is written down as `operator:<name>` in each service's journal, as what administrators do is.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chassis import operators
from chassis.clock import SystemClock
from chassis.context import EVERYTHING, Context, Signer
from chassis.database import Database, Work, make_engine
from chassis.errors import conflict, invalid, not_found
from chassis.ids import new_id
from chassis.runtime import Runtime
from contracts import fields as f
from contracts.registry import SERVICES, registry

JSON = dict[str, Any]
PAGE = 200


class Operator:
    """All services' databases. `settings` is what `guanxi check` uses: the environment's, or the running suite's."""

    def __init__(self, settings: Any, services: Sequence[str] = ()) -> None:
        from suite.host import definition_of

        registry.load()
        self.services = list(services or SERVICES)
        self.name = f"operator:{getpass.getuser()}"
        self._runtimes: dict[str, Runtime] = {}
        for service in self.services:
            engines = [
                make_engine(settings.database_url(service, role), pool_size=1, name="guanxi operator")
                for role in ("app", "ops")
            ]
            database = Database(*engines, SystemClock(), None)
            signer = Signer(settings.context_key)
            self._runtimes[service] = Runtime(definition_of(service), database, signer, None, SystemClock())

    def runtime(self, service: str) -> Runtime:
        return self._runtimes[service]

    def close(self) -> None:
        for runtime in self._runtimes.values():
            runtime.database.close()

    @contextmanager
    def _work(self, service: str, tenant: str) -> Iterator[Work]:
        context = Context(tenant=tenant, actor=self.name, grants=EVERYTHING, correlation_id=new_id(), cause="operator")
        with self._runtimes[service].database.work(context) as work:
            yield work

    def _ask(self, service: str, look: Any, params: JSON) -> JSON:
        with self._runtimes[service].database.operations() as connection:
            found: JSON = look(connection.exec_driver_sql, service, params)
        return found

    def _all(self, look: Any, params: JSON, most: int) -> list[JSON]:
        """Of every service, page by page, until there are `most`."""
        found: list[JSON] = []
        for service in self.services:
            after = None
            while len(found) < most:
                page = self._ask(service, look, {**params, "after": after, "limit": min(PAGE, most - len(found))})
                found += page["items"]
                after = page["next"]
                if after is None:
                    break
        return found

    # --- the inbox

    def inbox(self, params: JSON, most: int = 1000) -> list[JSON]:
        return self._all(operators.inbox, params, most)

    def event(self, service: str, entry: int) -> JSON:
        return self._ask(service, operators.inbox_entry, {"entry": entry})

    def move_one(self, what: str, service: str, entry: int, reason: str) -> JSON:
        """`replay` or `discard` one event. Raises Problem: 404, 409, or 422 without a reason."""
        with self._work(service, self.event(service, entry)["tenant"]) as work:
            return operators.move_one(work, what, entry, reason)

    def move_all(self, what: str, params: JSON, reason: str) -> int:
        """All that the filters choose, of all services and tenants. Returns how many."""
        move = operators.replay if what == "replay" else operators.discard
        if what == "discard" and not reason.strip():
            raise invalid({"reason": "Say why."})
        moved = 0
        for service in self.services:
            for tenant in self._tenants(service, params):
                # A parked event that is replayed is parked again, so what was chosen is counted once, in one go.
                with self._work(service, tenant) as work:
                    moved += move(work, params, reason)
        return moved

    def _tenants(self, service: str, params: JSON) -> list[str]:
        if params.get("tenant"):
            return [params["tenant"]]
        with self._runtimes[service].database.operations() as connection:
            rows = connection.exec_driver_sql("SELECT DISTINCT tenant_id FROM inbox WHERE state <> 'done' ORDER BY 1")
            return [str(row.tenant_id) for row in rows]

    # --- what nobody could read

    def letters(self, most: int = 1000, *, discarded: bool = False) -> list[JSON]:
        found = []
        for service in self.services:
            with self._runtimes[service].database.operations() as connection:
                rows = connection.exec_driver_sql(
                    "SELECT id, queue, reason, at, discarded_at, length(raw) AS size FROM dead_letters"
                    " WHERE %s OR discarded_at IS NULL ORDER BY id LIMIT %s",
                    (discarded, most),
                )
                found += [
                    {
                        "service": service,
                        "id": str(row.id),
                        "queue": row.queue,
                        "reason": row.reason,
                        "bytes": row.size,
                        "at": f.instant(row.at),
                        "discarded_at": f.instant(row.discarded_at) if row.discarded_at else None,
                    }
                    for row in rows
                ]
        return found[:most]

    def letter(self, service: str, entry: int) -> JSON:
        """One of them with its bytes: as text where they are text, else in hexadecimal."""
        with self._runtimes[service].database.operations() as connection:
            row = connection.exec_driver_sql(
                "SELECT id, queue, raw, headers, reason, at FROM dead_letters WHERE id = %s", (entry,)
            ).first()
        if row is None:
            raise not_found("dead letter")
        raw = bytes(row.raw)
        try:
            body = {"text": raw.decode()}
        except UnicodeDecodeError:
            body = {"hex": raw.hex()}
        return {
            "service": service,
            "id": str(row.id),
            "queue": row.queue,
            "reason": row.reason,
            "headers": row.headers,
            "at": f.instant(row.at),
            **body,
        }

    def discard_letter(self, service: str, entry: int, reason: str) -> None:
        """It has been looked into: it counts no more, and its bytes stay. Raises Problem 404 or 409."""
        self.letter(service, entry)
        with self._runtimes[service].database.operations() as connection:
            gone = connection.exec_driver_sql(
                "WITH gone AS (UPDATE dead_letters SET discarded_at = clock_timestamp()"
                "  WHERE id = %s AND discarded_at IS NULL RETURNING id, queue, reason)"
                " INSERT INTO operations (tenant_id, id, at, actor, action, subject, reason, detail)"
                " SELECT %s::uuid, %s::uuid, clock_timestamp(), %s, 'letter.discard', 'dead letter ' || id, %s,"
                " jsonb_build_object('id', id::text, 'queue', queue, 'reason', left(reason, 300)) FROM gone",
                (entry, operators.ZERO, new_id(), self.name, reason),
            )
            if gone.rowcount == 0:
                raise conflict("wrong_state", "The letter was discarded already.")

    # --- sagas and the journal

    def sagas(self, params: JSON, most: int = 1000) -> list[JSON]:
        return self._all(operators.sagas, params, most)

    def saga(self, saga_id: str) -> JSON:
        """A saga of whichever service. Raises Problem 404."""
        for service in self.services:
            with self._runtimes[service].database.operations() as connection:
                known = connection.exec_driver_sql("SELECT 1 FROM sagas WHERE id = %s", (saga_id,)).first()
            if known is not None:
                return self._ask(service, operators.saga_entry, {"id": saga_id})
        raise not_found("saga")

    def move_saga(self, what: str, saga_id: str, reason: str) -> JSON:
        """`push` or `compensate`. Raises Problem: 404, 409, or 422 without a reason."""
        found = self.saga(saga_id)
        with self._work(found["service"], found["tenant"]) as work:
            return operators.move_saga(work, what, saga_id, reason)

    def operations(self, params: JSON, most: int = 200) -> list[JSON]:
        """What operators and administrators did, latest first."""
        found = self._all(operators.operations, params, most * len(self.services))
        return sorted(found, key=lambda one: one["at"], reverse=True)[:most]
