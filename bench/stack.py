"""The real stack for measuring: broker, database server, one process per service and the gateway, on this machine."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis import migrations, provisioning
from chassis.bus.transport import connect
from chassis.context import Context, Signer
from chassis.settings import Settings, from_environment
from contracts.registry import SERVICES, registry
from suite.host import Host
from suite.processes import Supervisor, children
from suite.servers.postgres import Postgres
from suite.servers.process import free_ports
from suite.servers.rabbitmq import RabbitMQ

JSON = dict[str, Any]


class Stack:
    """Started by `with Stack() as stack`; afterwards nothing is left of it."""

    def __enter__(self) -> Stack:
        self._folder = tempfile.TemporaryDirectory(prefix="guanxi-bench-")
        folder = Path(self._folder.name)
        self._engines: dict[str, Any] = {}
        self._local = threading.local()
        self.postgres = Postgres(folder / "postgres", max_connections=300)
        self.rabbit = RabbitMQ(folder / "rabbitmq")
        self.server, self.bus = self.postgres.start(), self.rabbit.start()
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        os.environ.update(
            GUANXI_DATABASE_URL=self.server,
            GUANXI_DATABASE_SECRET=secrets.token_hex(32),
            GUANXI_CONTEXT_KEY=secrets.token_hex(32),
            GUANXI_BUS=self.bus,
        )
        self.settings: Settings = from_environment()
        self._migrate()
        self.supervisor = Supervisor(children(SERVICES, self.port), lambda line: print(line, flush=True))
        self.supervisor.start()
        self._watch = threading.Thread(target=self.supervisor.run, daemon=True)
        self._watch.start()
        self._await_ready()
        self._make_tenant()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop(10)
        for engine in self._engines.values():
            engine.dispose()
        self.rabbit.stop()
        self.postgres.stop()
        self.rabbit.remove()
        self.postgres.remove()
        self._folder.cleanup()

    def _migrate(self) -> None:
        registry.load()
        provisioning.provision(self.server, SERVICES, self.settings.database_secret)
        for service in SERVICES:
            migrations.upgrade(self.settings.database_url(service, "owner"), service)
        host = Host(self.settings, connect(self.bus), SERVICES, ())
        host.transport.declare([runtime.endpoint() for runtime in host.runtimes.values()])
        host.stop()

    def _await_ready(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (OSError, urllib.error.HTTPError):
                time.sleep(0.2)
        raise RuntimeError("the stack did not become ready")

    def _make_tenant(self) -> None:
        context = Context(
            tenant="00000000-0000-0000-0000-000000000000", actor="service:operator", deadline=time.time() + 20
        )
        params = {"slug": "bench", "name": "Bench", "email": "bench@bench.example", "password": secrets.token_hex(8)}
        request = {
            "method": "identity.provision",
            "context": Signer(self.settings.context_key).sign(context),
            "params": params,
        }
        caller = connect(self.bus).caller()
        made = caller.call("identity", request, timeout=20)["ok"]["body"]
        caller.close()
        self.tenant, self.token = made["tenant_id"], made["api_key"]

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One call through the gateway on a connection that each thread keeps; RuntimeError unless it is 2xx."""
        # The gateway closes what was idle for 75 s.
        if time.monotonic() - getattr(self._local, "used", 0.0) > 30:
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self._local.used = time.monotonic()
        self._local.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._local.connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return json.loads(content) if content else None

    def sql(self, service: str, statement: str, parameters: Any = ()) -> list[Any]:
        """A statement as superuser in a service's database, for seeding and looking."""
        if service not in self._engines:
            url = make_url(self.server).set(database=f"guanxi_{service}")
            self._engines[service] = create_engine(url, isolation_level="AUTOCOMMIT")
        with self._engines[service].connect() as connection:
            result = connection.exec_driver_sql(statement, parameters)
            return list(result) if result.returns_rows else []

    def seed_accounts(self, count: int) -> None:
        """Rows of accounts without events: a list's cost depends on what lies in the table, not on how it came."""
        self.sql(
            "customer",
            "INSERT INTO accounts (tenant_id, id, name, name_key, kind, lifecycle, person, payment_days, version,"
            " created_at, created_by, updated_at, updated_by, external_ids, custom)"
            " SELECT %s::uuid, (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - 100000000 + n), 12, '0')"
            "  || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, 'Account ' || n, 'account ' || n, 'customer', 'get',"
            "  false, 30, 1, now(), 'bench', now(), 'bench', '{}', '{}' FROM generate_series(1, %s) AS n",
            (self.tenant, count),
        )
        self.sql("customer", "VACUUM ANALYZE accounts")
