"""What the tests of every service stand on: real PostgreSQL, all services in one process, and a bus that is unkind.

`Suite` wires runtimes without any transport. Its bus delivers every event and message twice, in a shuffled order, and
once more after a later one. Each test has a tenant of its own, so nothing needs cleaning up.
"""

from __future__ import annotations

import builtins
import datetime as dt
import importlib
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis import blobs, migrations, provisioning, relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.bus.wire import decode, encode
from chassis.context import EVERYTHING, Context, Grants, Masks, Signer
from chassis.database import Database, Work, make_engine
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.jobs.running import run_waiting
from chassis.runtime import Runtime, matches
from contracts.registry import SERVICES, registry

JSON = dict[str, Any]
SECRET = "a secret of the tests, at least 32 bytes long"


class TestClock:
    """The real time plus an offset that tests turn forward."""

    __test__ = False

    def __init__(self) -> None:
        self.offset = dt.timedelta(0)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.offset

    def forward(self, **by: float) -> None:
        self.offset += dt.timedelta(**by)


class UnkindBus:
    """Calls go straight to the runtime; events and messages come twice and shuffled."""

    def __init__(self, seed: int) -> None:
        self.runtimes: dict[str, SuiteRuntime] = {}
        self.random = random.Random(seed)
        self.seen: list[Outgoing] = []
        self.earlier: list[Outgoing] = []

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        if request["method"] == "record.hold" and service not in self.runtimes:
            # A suite without a service has none of its records.
            return {"ok": {"status": 200, "body": {"standing": {}}}}
        reply: JSON = decode(encode(self.runtimes[service].rpc(decode(encode(request)))))
        return reply

    def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
        self.seen += batch
        late = self.random.sample(self.earlier, min(2, len(self.earlier)))
        shuffled = [*batch, *batch, *late]
        self.random.shuffle(shuffled)
        for outgoing in shuffled:
            if not outgoing.exchange.endswith(".events") and outgoing.routing_key in self.runtimes:
                self.runtimes[outgoing.routing_key].message(outgoing.body)
        events = [outgoing for outgoing in shuffled if outgoing.exchange.endswith(".events")]
        for runtime in self.runtimes.values():
            wanted = [one.body for one in events if _wants(runtime, one.routing_key)]
            while wanted:
                # As a broker would: sometimes one alone, sometimes many at once.
                count = self.random.choice((1, 2, len(wanted)))
                runtime.events(wanted[:count])
                del wanted[:count]
        self.earlier = [*self.earlier[-50:], *batch]
        return [Outcome.CONFIRMED] * len(batch)

    def close(self) -> None:
        """Nothing to close."""


class SuiteRuntime(Runtime):
    """A service whose users are the contexts that the test has made: most tests have no identity service."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.known: dict[str, Context] = {}

    def acting_for(self, tenant: str, asker: JSON) -> JSON:
        found = self.known.get(asker["user_id"])
        if found is None:
            raise Problem(403, "asker_gone", "The test that asked for this has ended.")
        return {
            "user_id": found.user_id,
            "teams": list(found.teams),
            "grants": found.grants,
            "masks": found.masks,
            "zone": found.zone,
            "locale": self.locale,
        }

    locale = "en"


def _wants(runtime: Runtime, kind: str) -> bool:
    return runtime.definition.batch is not None or any(matches(pattern, kind) for pattern in runtime.event_keys())


class Databases:
    """The migrated databases of one test process, copied from templates that all processes share."""

    def __init__(self, server: str, name: str, *, prepared: bool = True) -> None:
        self.server, self.name, self._prepared = server, name, prepared
        self._made: dict[str, Database] = {}
        self.files = Path(tempfile.mkdtemp(prefix="guanxi-blobs-"))

    def url(self, service: str, role: str) -> str:
        url = provisioning.service_url(self.server, service, role, SECRET, "template")
        return make_url(url).set(database=f"{self.name}_{service}").render_as_string(hide_password=False)

    def open(self, service: str, clock: TestClock) -> Database:
        """This process's database of a service, made on first use."""
        if service not in self._made:
            engine = create_engine(make_url(self.server), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                database = f"{self.name}_{service}"
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
                connection.exec_driver_sql(
                    f'CREATE DATABASE "{database}" OWNER "template_{service}_owner"'
                    f' TEMPLATE "template_{service}" STRATEGY FILE_COPY'
                )
            engine.dispose()
            self._made[service] = Database(
                make_engine(self.url(service, "app"), pool_size=20, prepared=self._prepared),
                make_engine(self.url(service, "ops"), pool_size=5, prepared=self._prepared),
                clock,
                None,
            )
        return self._made[service]

    def drop(self) -> None:
        shutil.rmtree(self.files, ignore_errors=True)
        for database in self._made.values():
            database.close()
        engine = create_engine(make_url(self.server), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for service in self._made:
                connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{self.name}_{service}" WITH (FORCE)')
        engine.dispose()


def prepare_templates(server: str, services: Iterable[str] = SERVICES) -> None:
    """Provision and migrate the template databases; quick when they are there already."""
    names = list(services)
    provisioning.provision(server, names, SECRET, "template")
    for service in names:
        migrations.upgrade(provisioning.service_url(server, service, "owner", SECRET, "template"), service)


class Suite:
    """Services in one test: `call` them as somebody, then `settle` until nothing is left to happen."""

    def __init__(self, databases: Databases, services: Sequence[str] = SERVICES, *, seed: int = 0) -> None:
        registry.load()
        self.clock, self.bus, self.signer = TestClock(), UnkindBus(seed), Signer(SECRET)
        self.tenant, self.user_id = new_id(), new_id()
        self.blobs = blobs.connect(databases.files.as_uri())
        self.databases = databases
        for service in services:
            definition = importlib.import_module(f"services.{service}.service").service
            database = databases.open(service, self.clock)
            database.clock = self.clock
            self.bus.runtimes[service] = SuiteRuntime(definition, database, self.signer, self.bus, self.clock)
            self.bus.runtimes[service].blobs = self.blobs

    def runtime(self, service: str) -> SuiteRuntime:
        return self.bus.runtimes[service]

    def context(
        self,
        *,
        grants: Grants | None = None,
        masks: Masks | None = None,
        user_id: str | None = None,
        teams: Sequence[str] = (),
        tenant: str | None = None,
    ) -> Context:
        """Somebody of the test's tenant; without grants an administrator."""
        user = user_id or self.user_id
        made = Context(
            tenant=tenant or self.tenant,
            actor=f"user:{user}",
            user_id=user,
            teams=tuple(teams),
            grants=EVERYTHING if grants is None else grants,
            masks=masks or {},
            correlation_id=new_id(),
        )
        for runtime in self.bus.runtimes.values():
            # A test may have put a stand-in of its own in a service's place.
            if isinstance(runtime, SuiteRuntime):
                runtime.known[user] = made
        return made

    def request(
        self, service: str, method: str, params: JSON, *, context: Context | None = None, key: str | None = None
    ) -> JSON:
        """The whole answer of a call; a refusal is raised as the Problem that it is."""
        request = {
            "method": method,
            "context": self.signer.sign(context or self.context()),
            "params": params,
            "key": key,
            "route": method,
        }
        reply = self.bus.call(service, request, timeout=10)
        if "error" in reply:
            raise Problem.read(reply["error"])
        ok: JSON = reply["ok"]
        return ok

    def call(self, service: str, method: str, params: JSON, **options: Any) -> Any:
        return self.request(service, method, params, **options)["body"]

    def create(self, record: str, data: JSON, **options: Any) -> JSON:
        made: JSON = self.call(record.split(".")[0], "record.create", {"record": record, "data": data}, **options)
        return made

    def get(self, record: str, record_id: str, **options: Any) -> JSON:
        found: JSON = self.call(record.split(".")[0], "record.get", {"record": record, "id": record_id}, **options)
        return found

    def list(self, record: str, *where: Sequence[str], **query: Any) -> builtins.list[JSON]:
        options = {name: query.pop(name) for name in ("context",) if name in query}
        params = {"record": record, "query": {"where": [list(one) for one in where], "limit": 200, **query}}
        items: builtins.list[JSON] = self.call(record.split(".")[0], "record.list", params, **options)["items"]
        return items

    def update(self, record: str, record_id: str, patch: JSON, *, if_match: str | None = None, **options: Any) -> JSON:
        params = {"record": record, "id": record_id, "patch": patch, "if_match": if_match}
        made: JSON = self.call(record.split(".")[0], "record.update", params, **options)
        return made

    def run(self, record: str, record_id: str, verb: str, data: JSON | None = None, **options: Any) -> JSON:
        params = {"record": record, "id": record_id, "verb": verb, "data": data}
        made: JSON = self.call(record.split(".")[0], "record.command", params, **options)
        return made

    @contextmanager
    def work(self, service: str, context: Context | None = None) -> Any:
        """A transaction in a service's database, for looking at its tables."""
        with self.runtime(service).database.work(context or self.context()) as work:
            yield work

    def run_jobs(self, service: str) -> int:
        """Run the jobs that wait in a service, in this process; each acts as its asker's latest context."""
        return run_waiting(self.runtime(service), self.blobs)

    def settle(self, *, patience: int = 200) -> None:
        """Relay, retry and sweep until nothing is left to happen. Parked events get their time by turning the clock."""
        for _ in range(patience):
            busy = sum(
                relay.publish_once(runtime.database, name, self.bus)[0] for name, runtime in self.bus.runtimes.items()
            )
            busy += sum(runtime.retry_due() + runtime.ring_alarms() for runtime in self.bus.runtimes.values())
            if busy:
                continue
            if not self._parked():
                return
            self.clock.forward(minutes=11)
        raise AssertionError(f"still not quiet: {self._parked()}")

    def _parked(self) -> builtins.list[Any]:
        found = []
        for name, runtime in self.bus.runtimes.items():
            with runtime.database.operations() as connection:
                rows = connection.exec_driver_sql(
                    "SELECT consumer, type, attempts, error FROM inbox WHERE state = 'parked' AND tenant_id = %s",
                    (self.tenant,),
                )
                found += [(name, *row) for row in rows]
        return found

    def dead(self) -> builtins.list[Any]:
        """Events that no attempt helped: every test may ask that there are none."""
        found = []
        for name, runtime in self.bus.runtimes.items():
            with runtime.database.operations() as connection:
                rows = connection.exec_driver_sql(
                    "SELECT consumer, type, error FROM inbox WHERE state = 'dead' AND tenant_id = %s", (self.tenant,)
                )
                found += [(name, *row) for row in rows]
        return found

    def events(self, kind: str = "") -> builtins.list[JSON]:
        """Events of the test's tenant that were published, in the order of publishing."""
        documents = [orjson.loads(one.body) for one in self.bus.seen if one.exchange.endswith(".events")]
        return [
            document
            for document in documents
            if document["tenant"] == self.tenant and document["type"].startswith(kind)
        ]


__all__ = ["Databases", "Suite", "TestClock", "UnkindBus", "Work", "prepare_templates"]
