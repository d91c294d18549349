"""What type-ahead needs of the suite, as it runs: broker, PostgreSQL, identity, search and the gateway, and where it is
wanted Elasticsearch and all other services. The data may lie in a folder that stays, so that they are loaded once."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.search_rows import Row
from bench.servers import OPERATED
from chassis import migrations, provisioning
from chassis.bus.transport import Transport, connect
from chassis.context import Context, Signer
from chassis.operators import ZERO
from chassis.runtime import Runtime
from chassis.settings import Settings, from_environment
from contracts.registry import SERVICES, registry
from suite.host import Host
from suite.processes import Child, Supervisor
from suite.servers.elasticsearch import Elasticsearch
from suite.servers.postgres import Postgres
from suite.servers.process import free_ports
from suite.servers.rabbitmq import RabbitMQ

JSON = dict[str, Any]
ANSWERING = ("identity", "search")
SHOWN = 10
HEAP = "1g"
PATIENCE = 90.0
"""Seconds that services may take to start on a machine that is busy."""


class Searching:
    """Started by `with`; afterwards nothing runs any more. `folder` keeps the data and the secrets they need."""

    def __init__(self, folder: Path, *, elasticsearch: bool, whole: bool = False) -> None:
        self._folder, self._stack, self._elasticsearch, self._whole = folder, ExitStack(), elasticsearch, whole
        self._services = SERVICES if whole else ANSWERING
        self.port = free_ports(1)[0]

    def __enter__(self) -> Searching:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        notes = self._folder / "bench.json"
        known: JSON = json.loads(notes.read_text()) if notes.exists() else {"key": secrets.token_hex(32)}
        self.postgres = Postgres(self._folder / "postgres", max_connections=200, settings=OPERATED)
        self.rabbit = RabbitMQ(self._folder / "rabbitmq")
        self.node = Elasticsearch(self._folder / "elasticsearch", heap=HEAP) if self._elasticsearch else None
        for server in (self.postgres, self.rabbit, self.node):
            if server is not None:
                stack.callback(server.stop)
                server.start()
        os.environ.update(
            GUANXI_DATABASE_URL=self.postgres.url,
            GUANXI_DATABASE_SECRET=known["key"],
            GUANXI_CONTEXT_KEY=known["key"],
            GUANXI_BUS=self.rabbit.url,
            GUANXI_BLOBS=(self._folder / "blobs").as_uri(),
            GUANXI_ELASTICSEARCH=self.node.url if self.node else "",
        )
        self.settings: Settings = from_environment()
        registry.load()
        provisioning.provision(self.postgres.url, self._services, self.settings.database_secret)
        for service in self._services:
            migrations.upgrade(self.settings.database_url(service, "owner"), service)
        self.transport: Transport = connect(self.rabbit.url)
        host = Host(self.settings, self.transport, self._services, ())
        stack.callback(host.stop)
        self.transport.declare([runtime.endpoint() for runtime in host.runtimes.values()])
        self.runtime: Runtime = host.runtimes["search"]
        self._serve(stack)
        if "tenant" not in known:
            made = self._tenant()
            known |= {"tenant": made["tenant_id"], "token": made["api_key"]}
            notes.write_text(json.dumps(known))
        self.tenant, self.token = known["tenant"], known["token"]
        self.imported: int | None = known.get("imported")

    def _serve(self, stack: ExitStack) -> None:
        """Where accounts are in the index alone search only answers: its sweep would miss them in their database."""
        only = () if self._whole else ("--only", "rpc")
        children = [Child(name, ("serve", name, *only)) for name in self._services]
        children.append(Child("gateway", ("gateway", "--port", str(self.port))))
        self.supervisor = Supervisor(children, lambda line: print(line, flush=True))
        stack.callback(self.supervisor.stop, 10)
        self.supervisor.start()
        threading.Thread(target=self.supervisor.run, daemon=True).start()

    def _tenant(self) -> JSON:
        request = {
            "method": "identity.provision",
            "context": Signer(self.settings.context_key).sign(
                Context(tenant=ZERO, actor="service:operator", deadline=time.time() + PATIENCE)
            ),
            "params": {
                "slug": "bench",
                "name": "Bench",
                "email": "bench@bench.example",
                "password": secrets.token_hex(8),
            },
        }
        made: JSON = self.call("identity", request)
        return made

    def call(self, service: str, request: JSON) -> Any:
        caller = self.transport.caller()
        try:
            return caller.call(service, request, timeout=PATIENCE)["ok"]["body"]
        finally:
            caller.close()

    def send(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> JSON:
        """One request to the gateway; RuntimeError unless it is answered by 2xx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        found: JSON = json.loads(content)
        return found

    def bring(self, rows: Sequence[Row]) -> int:
        """Import these accounts, all of one set, by a job of the API. Returns how many it made: not all are valid."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["name", "phone", "email", "website", "city", "country", f"external:{rows[0].set}"])
        writer.writerows((one.name, one.phone, one.email, one.website, one.city, one.country, one.key) for one in rows)
        job = self.send("POST", "/v1/accounts/import", text.getvalue().encode(), "text/csv")
        while job["state"] in ("queued", "running"):
            time.sleep(1)
            job = self.send("GET", f"/v1/jobs/{job['id']}")
        print(f"{rows[0].set}: {job['state']} {job.get('result')}", flush=True)
        return int(job["result"]["created"])

    def keep_imported(self, count: int) -> None:
        """Remember beside the data that they are loaded, with so many accounts."""
        notes = self._folder / "bench.json"
        notes.write_text(json.dumps({**json.loads(notes.read_text()), "imported": count}))
        self.imported = count

    def held(self, tenant: str | None = None) -> int:
        """The accounts that are in the index of PostgreSQL."""
        with self.runtime.database.reading(self.runtime.principal(tenant or self.tenant, "bench")) as work:
            counted = "SELECT count(*) FROM documents WHERE tenant_id = %s AND record = 'customer.account'"
            return int(work.sql(counted, (work.tenant,)).scalar_one())

    def through_gateway(self) -> Callable[[str], None]:
        """One connection as a browser has it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": f"Bearer {self.token}"}

        def send(typed: str) -> None:
            connection.request("GET", f"/v1/search?q={quote(typed)}&limit={SHOWN}", headers=headers)
            answer = connection.getresponse()
            body = json.loads(answer.read())
            if answer.status != 200 or body["freshness"]["degraded"]:
                raise RuntimeError(f"{typed}: {answer.status}")

        return send

    def directly(self) -> Callable[[str], None]:
        """The service's own code in this process, without gateway and broker."""
        from services.search import queries

        context = Context(
            tenant=self.tenant,
            actor=f"user:{self.tenant}",
            user_id=self.tenant,
            grants={"*": {"*": "all"}},
            deadline=9e9,
        )

        def send(typed: str) -> None:
            queries.query(self.runtime, context, {"q": typed, "limit": SHOWN})

        return send

    def until_ready(self, send: Callable[[], Callable[[str], None]], patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while True:
            try:
                send()("ready")
                return
            except Exception:
                if time.monotonic() > end:
                    raise
                time.sleep(0.3)

    def raw(self, index: str) -> Callable[[], Callable[[str], None]]:
        """Elasticsearch with nothing of ours around it: names in one field that is made for type-ahead."""
        assert self.node
        host = self.node.url.removeprefix("http://")

        def made() -> Callable[[str], None]:
            connection = http.client.HTTPConnection(host, timeout=10)

            def send(typed: str) -> None:
                body = json.dumps(raw_question(typed))
                connection.request("POST", f"/{index}/_search", body, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                if answer.status != 200:
                    raise RuntimeError(answer.read()[:300])
                json.loads(answer.read())

            return send

        return made


def raw_question(typed: str) -> JSON:
    """What a user of Elasticsearch would ask: all words, the last one as a beginning; Han characters as a phrase."""
    kind = "match_bool_prefix" if typed.isascii() else "match_phrase"
    options = {"operator": "and"} if typed.isascii() else {}
    return {"size": SHOWN, "track_total_hits": False, "query": {kind: {"name": {"query": typed, **options}}}}


def raw_index(node: Elasticsearch, index: str, names: Sequence[str]) -> float:
    """Fill a plain index of names by bulk; returns the documents a second."""
    field = {"type": "text", "index_prefixes": {"min_chars": 1, "max_chars": 10}}
    body = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": {"properties": {"name": field}}}
    node.ask("PUT", f"/{index}", body)
    connection = http.client.HTTPConnection(node.url.removeprefix("http://"), timeout=60)
    began = time.monotonic()
    for start in range(0, len(names), 1000):
        lines = "".join(f'{{"index":{{}}}}\n{json.dumps({"name": name})}\n' for name in names[start : start + 1000])
        connection.request("POST", f"/{index}/_bulk", lines.encode(), {"Content-Type": "application/x-ndjson"})
        connection.getresponse().read()
    rate = len(names) / (time.monotonic() - began)
    node.ask("POST", f"/{index}/_refresh")
    return rate
