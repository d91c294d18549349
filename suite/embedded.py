"""The whole suite in one process: embedded PostgreSQL, the in-process bus, every service and the gateway."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from chassis import migrations, provisioning
from chassis.bus.http import HttpServer
from chassis.bus.transport import connect
from chassis.context import Signer
from chassis.settings import Settings
from contracts.registry import SERVICES
from gateway.app import create_app
from gateway.settings import from_environment as gateway_settings
from suite import home, northwind, tenants
from suite.client import Client
from suite.host import Host
from suite.measurements import measure
from suite.servers.postgres import Postgres
from suite.watch import FIRST, Watch

JSON = dict[str, Any]
# With three of each relay, nine services stay below 80 connections in all.
CONNECTIONS_PER_SERVICE = 5
DATA = Path(__file__).parent / "data" / "northwind"
EMAIL = "admin@northwind.example"
TENANT = "northwind"


class Embedded:
    """Started once, stopped once. `say` is told in plain words what happens."""

    def __init__(
        self,
        folder: Path,
        port: int,
        say: Callable[[str], None],
        progress: northwind.Say,
        check_after: float = FIRST,
    ) -> None:
        self.folder, self.port, self.say, self.progress = folder, port, say, progress
        known = home.secrets_of(folder)
        self._postgres = Postgres(folder / "postgres", max_connections=100)
        self._secrets = known
        self._host: Host | None = None
        self._http: HttpServer | None = None
        self._watch = Watch(folder, first=check_after)
        self._demo_complete = False
        self.url = f"http://127.0.0.1:{port}"

    def start(self) -> None:
        """Everything up and answering; the demo is imported by `complete_demo`."""
        server = self._postgres.start()
        settings = Settings(
            database=server,
            database_secret=self._secrets["database_secret"],
            context_key=self._secrets["context_key"],
            bus="inprocess://suite",
            pool_size=CONNECTIONS_PER_SERVICE,
            rpc_workers=8,
            event_workers=4,
            blobs=(self.folder / "blobs").resolve().as_uri(),
        )
        self._migrate(server, settings)
        transport = connect(settings.bus)
        self._host = Host(settings, transport, SERVICES)
        self._host.start()
        edge = replace(gateway_settings(), blobs=settings.blobs)
        self._watch.start()
        app = create_app(
            transport.caller(),
            Signer(settings.context_key),
            edge,
            readiness=self.ready,
            streams=True,
            measurements=self._measure,
        )
        self._http = HttpServer(app, "127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self._http.port}"

    def _migrate(self, server: str, settings: Settings) -> None:
        """Provision and migrate where the schema is not that of the last start."""
        mark = self.folder / "schema.json"
        # A new month needs its partitions, which migrating makes.
        wanted = {"schema": migrations.fingerprint(), "month": f"{dt.date.today():%Y-%m}"}
        if home.read(mark) == wanted:
            return
        self.say("Preparing the databases …")
        provisioning.provision(server, SERVICES, settings.database_secret)
        for service in SERVICES:
            migrations.upgrade(settings.database_url(service, "owner"), service)
        home.write_private(mark, wanted)

    def _measure(self) -> bytes:
        return measure(self._host, self._watch) if self._host else b""

    def ready(self) -> dict[str, bool]:
        found = self._host.ready() if self._host else {}
        return {**found, "demo": self._demo_complete}

    def complete_demo(self) -> northwind.Report | None:
        """Make the demo tenant at the first start, or finish what a stopped first start left. None: it was complete."""
        mark = self.folder / "demo.json"
        self._refresh_credentials()
        if home.read(mark) is not None:
            self._demo_complete = True
            return None
        known = self._administrator()
        report = northwind.run(Client(self.url, known["api_key"]), DATA, self.progress)
        self._drain()
        home.write_private(mark, {"created": report.created})
        self._demo_complete = True
        return report

    def _administrator(self) -> JSON:
        """The demo's tenant and its administrator; the credentials are on disk before the tenant exists."""
        path = home.credentials_path(self.folder)
        known = home.read(path)
        if known is not None and known.get("api_key"):
            return known
        known = known or {
            "url": self.url,
            "tenant": TENANT,
            "email": EMAIL,
            "password": tenants.new_password(),
            "api_key": tenants.new_api_key(),
        }
        draft = self.folder / "credentials.draft.json"
        known = home.read(draft) or known
        home.write_private(draft, known)
        assert self._host is not None
        wanted = {
            "slug": TENANT,
            "name": "Northwind Traders",
            "currency": "USD",
            "email": EMAIL,
            "password": known["password"],
            "api_key": known["api_key"],
            "gets_copies": True,
        }
        tenants.create(self._host.transport.caller(), Signer(self._secrets["context_key"]), wanted)
        home.write_private(path, known)
        draft.unlink(missing_ok=True)
        return known

    def _refresh_credentials(self) -> None:
        path = home.credentials_path(self.folder)
        known = home.read(path)
        if known is not None and known["url"] != self.url:
            home.write_private(path, {**known, "url": self.url})

    def _drain(self) -> None:
        """Wait until every event of the import has reached everybody."""
        assert self._host is not None
        end = time.monotonic() + 120
        from chassis.relay import backlog

        while time.monotonic() < end:
            if not any(backlog(runtime.database)[0] for runtime in self._host.runtimes.values()):
                return
            time.sleep(0.05)

    def stop(self) -> None:
        """Let go in the order of dependence; within 5 s, whatever is running."""
        self._watch.stop()
        if self._http is not None:
            self._http.stop()
        if self._host is not None:
            self._host.stop(grace=2)
        self._postgres.stop()
