"""The suite as separate processes, every link to a server led through a proxy that can be broken.

With three brokers there is no proxy before them: their addresses are given as an operator would give them.
"""

from __future__ import annotations

import http.client
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import psycopg2
from sqlalchemy.engine import make_url

from chassis.provisioning import database_name
from contracts.registry import SERVICES
from suite.processes import Child, Supervisor
from suite.servers import Postgres, RabbitMQ
from suite.servers.process import free_ports
from tests.faults.brokers import Cluster
from tests.faults.history import Effect
from tests.faults.proxy import Proxy
from tests.integration.support import GUANXI, Api, environment, until

JSON = dict[str, Any]
TENANTS = ("acme", "bolt", "cask")
SPLIT = "sales"
"""The service whose answers, reactions and relay are processes of their own, so that each can be killed alone."""


class Stack:
    """Broker (or `clustered` ones), database, one process per service (three for sales) and a gateway. A context
    manager."""

    def __init__(self, folder: Path, *, clustered: bool = False) -> None:
        self.log = (folder / "processes.log").open("a", buffering=1)
        self.cluster = Cluster(folder / "rabbitmq") if clustered else None
        self.broker = RabbitMQ(folder / "rabbitmq", say=lambda _: None)
        self.database = Postgres(folder / "postgres", max_connections=400, say=lambda _: None)
        self.tokens: dict[str, str] = {}
        self.tenant_ids: dict[str, str] = {}
        self.killed: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.launched: dict[str, float] = {}

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        server = make_url(self.database.start())
        if self.cluster:
            direct = through = gateways = self.cluster.start()
        else:
            bus = make_url(self.broker.start())
            self.bus_link = Proxy("127.0.0.1", bus.port or 0)
            self.gateway_link = Proxy("127.0.0.1", bus.port or 0)
            direct, through, gateways = (
                _at(bus, port) for port in (bus.port, self.bus_link.port, self.gateway_link.port)
            )
        self.database_link = Proxy("127.0.0.1", server.port or 0)
        plain = {
            "GUANXI_DATABASE_SECRET": secrets.token_hex(32),
            "GUANXI_CONTEXT_KEY": secrets.token_hex(32),
            "GUANXI_LOG": "INFO",
        }
        self.direct = environment(**plain, GUANXI_BUS=direct, GUANXI_DATABASE_URL=_at(server, server.port))
        serving = {
            **plain,
            "GUANXI_BUS": through,
            "GUANXI_DATABASE_URL": _at(server, self.database_link.port),
        }
        self.command("migrate")
        (self.port, *probes) = free_ports(2 + len(SERVICES) + 2)
        self.probes: dict[str, int] = {}
        children = []
        for service in SERVICES:
            for kind in ("rpc", "events", "relay") if service == SPLIT else ("",):
                name = f"{service}-{kind}" if kind else service
                self.probes[name] = probes.pop()
                arguments = ("serve", service, *(("--only", kind) if kind else ()))
                children.append(Child(name, arguments, {**serving, "GUANXI_PROBE_PORT": str(self.probes[name])}))
        answering = {**plain, "GUANXI_BUS": gateways}
        children.append(Child("gateway", ("gateway", "--port", str(self.port)), answering))
        # What the launcher's own environment says must not reach the children.
        for name in [name for name in os.environ if name.startswith("GUANXI_")]:
            del os.environ[name]
        self.supervisor = Supervisor(children, self._say)
        self._watch = threading.Thread(target=self._supervise, daemon=True)
        self._watch.start()
        until(self.ready, 180, what="the gateway and every service are ready")
        for slug in TENANTS:
            printed = until(lambda slug=slug: self._tenant(slug), 60, what="a tenant is made")
            self.tokens[slug] = re.findall(r"gx_\S+", printed)[0]
            self.tenant_ids[slug] = self.api(slug).get("/v1/me")["tenant"]["id"]

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "supervisor"):
            self.supervisor.ask_to_stop()
            self._watch.join(60)
        for link in ("bus_link", "gateway_link", "database_link"):
            if hasattr(self, link):
                getattr(self, link).close()
        (self.cluster or self.broker).remove()
        self.database.remove()
        self.log.close()

    def _supervise(self) -> None:
        # Children end with the thread that made them, so making and watching them is one thread's work.
        self.supervisor.start()
        self.supervisor.run()
        self.supervisor.stop(30)

    def _say(self, line: str) -> None:
        with suppress(ValueError):
            self.log.write(f"{time.time():.2f} {line}\n")
        if found := re.match(r"(\S+) ended with", line):
            self.ended[found[1]] += 1

    def _tenant(self, slug: str) -> str:
        with suppress(AssertionError):
            return self.command("tenant", "create", slug, "--name", slug.title(), "--email", f"ada@{slug}.example")
        return ""

    # --- asking

    def command(self, *arguments: str, expect: tuple[int, ...] = (0,), timeout: float = 300) -> str:
        """What a `guanxi` command prints that runs beside the suite, with links of its own."""
        done = subprocess.run(
            [GUANXI, *arguments], env=self.direct, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode in expect, f"guanxi {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def api(self, tenant: str = TENANTS[0], timeout: float = 15) -> Api:
        return Api(f"http://127.0.0.1:{self.port}", self.tokens.get(tenant), timeout)

    def ready(self) -> bool:
        """Whether the gateway and every service process say so themselves."""
        return all(self.ready_at(port) for port in (self.port, *self.probes.values()))

    def ready_at(self, port: int, path: str = "/readyz") -> bool:
        with suppress(OSError, http.client.HTTPException):
            return Api(f"http://127.0.0.1:{port}", timeout=5).send("GET", path).status == 200
        return False

    def rows(self, service: str, statement: str, parameters: tuple[Any, ...] = ()) -> list[Any]:
        """What the superuser sees in a service's database, past every proxy."""
        connection = self.connect(service)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def connect(self, service: str) -> Any:
        address = make_url(self.database.url).set(drivername="postgresql", database=database_name(service))
        connection = psycopg2.connect(address.render_as_string(hide_password=False))
        connection.autocommit = True
        return connection

    def effects(self, wanted: set[Effect]) -> Counter[Effect]:
        """How many change rows each of these effects has."""
        found: Counter[Effect] = Counter()
        groups: dict[tuple[str, str, str], dict[str, Effect]] = {}
        for effect in wanted:
            groups.setdefault((effect.service, effect.type, effect.field), {})[effect.value] = effect
        for (service, kind, field), by_value in groups.items():
            if kind.startswith("saga "):
                statement = "SELECT record_id::text, count(*) FROM sagas WHERE name = %s GROUP BY 1"
                for value, count in self.rows(service, statement, (kind.removeprefix("saga "),)):
                    if value in by_value:
                        found[by_value[value]] += count
                continue
            whole = "(snapshot || coalesce(private -> 'snapshot', '{}'))"
            column = "record_id::text" if field == "id" else f"{whole} ->> %s"
            parameters = (kind,) if field == "id" else (field, kind)
            changed = "" if not kind.endswith(".updated") else f" AND changed ? '{field}'"
            statement = f"SELECT {column} AS value, count(*) FROM changes WHERE type = %s{changed} GROUP BY 1"
            for value, count in self.rows(service, statement, parameters):
                if value in by_value:
                    found[by_value[value]] += count
        return found

    def unsettled(self) -> JSON:
        """What is still on its way, by service: unsent rows, parked and dead events, open sagas."""
        found: JSON = {}
        for service in SERVICES:
            ((unsent, parked, dead, sagas),) = self.rows(
                service,
                "SELECT (SELECT count(*) FROM unsent), (SELECT count(*) FROM inbox WHERE state = 'parked'),"
                " (SELECT count(*) FROM inbox WHERE state = 'dead'),"
                " (SELECT count(*) FROM sagas WHERE ended_at IS NULL)",
            )
            counts = {"unsent": unsent, "parked": parked, "dead": dead, "sagas": sagas}
            if any(counts.values()):
                found[service] = {name: count for name, count in counts.items() if count}
        return found

    def queued(self) -> dict[str, int]:
        """Messages in the broker's queues that are not empty."""
        broker = self.cluster or self.broker
        printed = broker.ctl("-p", "guanxi", "list_queues", "name", "messages", "--no-table-headers")
        pairs = (line.split() for line in printed.splitlines() if line.strip())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1] != "0"}

    def servers(self) -> str:
        """The servers by name and version."""
        ((postgres,),) = self.rows(SERVICES[0], "SHOW server_version")
        broker = self.cluster or self.broker
        return f"RabbitMQ {broker.ctl('version').strip()}, PostgreSQL {str(postgres).partition(' ')[0]}"

    # --- breaking

    def crash_database(self) -> None:
        """An immediate shutdown: no transaction ends in good order, and the next start recovers."""
        if pid := self.database.pid:
            os.kill(pid, signal.SIGQUIT)
        until(lambda: self.database.pid is None, 30, what="the database has ended")
        self.database.stop()

    def pid(self, name: str) -> int | None:
        return self.supervisor.pids().get(name)

    def kill(self, name: str) -> None:
        """SIGKILL to a process of the suite; the gateway's workers go with it."""
        pid = until(lambda: self.pid(name), 30, what=f"{name} runs")
        self.killed[name] += 1
        process = psutil.Process(pid)
        everybody = [process, *process.children(recursive=True)]
        for one in everybody:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGKILL)
        until(lambda: self.pid(name) not in (None, pid), 60, what=f"{name} was started again")

    def terminate(self, name: str) -> float:
        """SIGTERM, as a roll-out sends it. Returns the seconds until the process had ended."""
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        self.killed[name] += 1
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: self.pid(name) != pid, 60, what=f"{name} has ended")
        seconds = time.monotonic() - began
        until(lambda: self.pid(name) is not None, 60, what=f"{name} was started again")
        return seconds

    def signal(self, name: str, number: int) -> None:
        pid = self.pid(name)
        assert pid is not None, f"{name} does not run"
        os.kill(pid, number)

    def unexplained_exits(self) -> Counter[str]:
        """Processes that ended although nobody killed them."""
        return self.ended - self.killed


def _at(url: Any, port: int | None) -> str:
    return str(url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False))
