"""The real gateway over every real service and PostgreSQL, in one process: what attacks run on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import falcon.testing
import orjson
from falcon.inspect import inspect_routes
from sqlalchemy import create_engine
from sqlalchemy.engine import Engine, make_url

from chassis.context import Context
from chassis.ids import new_id
from chassis.testing import Databases, Suite
from contracts.registry import SERVICES
from gateway.app import create_app
from gateway.settings import Settings
from gateway.streams import Pace

JSON = dict[str, Any]
OWN_WORDS = ("instance", "correlation_id")
ORIGIN = "https://crm.example.com"


class Patience:
    """Time that a wait spends in an instant: long polls end at once, everything else sees the real clock."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def pace(self) -> Pace:
        return Pace(lambda: time.monotonic() + self._ahead, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Any:
        return orjson.loads(self.text) if self.text else None

    @property
    def told(self) -> Any:
        """The body without what differs between two equal refusals: the address and the correlation id."""
        return {name: value for name, value in self.body.items() if name not in OWN_WORDS}

    @property
    def fields(self) -> list[str]:
        return [error["field"] for error in self.body.get("errors", ())]

    def __str__(self) -> str:
        return f"{self.status} {self.text[:500]}"


@dataclass(frozen=True)
class Api:
    """Requests of one principal; without a token of nobody."""

    client: falcon.testing.TestClient
    token: str | None

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Answer:
        """`path` may hold a query; `raw` is sent as it is, `body` as JSON."""
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        content = raw if raw is not None else orjson.dumps(body) if body is not None else None
        if content is not None:
            sent["Content-Type"] = "application/json"
        path, _, inline = path.partition("?")
        result = self.client.simulate_request(
            method, path, query_string=query or inline, body=content, headers={**sent, **(headers or {})}
        )
        return Answer(result.status_code, result.headers, result.text)

    def get(self, path: str, **options: Any) -> Any:
        return self._good(self.send("GET", path, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._good(self.send("POST", path, {} if body is None else body, **options))

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        return self._good(self.send("PATCH", path, body, **options))

    def all(self, path: str) -> Iterator[JSON]:
        """Every item of a list, page by page."""
        sign, after = "&" if "?" in path else "?", ""
        while True:
            page = self.get(f"{path}{sign}limit=200{after}")
            yield from page["items"]
            if page["next"] is None:
                return
            after = f"&after={page['next']}"

    @staticmethod
    def _good(answer: Answer) -> Any:
        assert 200 <= answer.status < 300, answer
        return answer.body


@dataclass(frozen=True)
class Tenant:
    id: str
    slug: str
    user_id: str
    role_id: str
    api: Api
    """Its administrator."""


@dataclass
class World:
    databases: Databases
    suite: Suite = field(init=False)
    app: falcon.App = field(init=False)
    _engines: dict[str, Engine] = field(default_factory=dict)
    _tables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.suite = Suite(self.databases)
        settings = Settings(cors_origins=(ORIGIN,), https=True, blobs=self.databases.files.as_uri())
        self.app = create_app(self.suite.bus, self.suite.signer, settings, pace=Patience().pace())
        self.client = falcon.testing.TestClient(self.app)

    def api(self, token: str | None) -> Api:
        return Api(self.client, token)

    def tenant(self, name: str) -> Tenant:
        """A new tenant and its administrator, through the operator's call."""
        mark = new_id()[-12:]
        params = {
            "slug": f"{name}-{mark}",
            "name": name.title(),
            "email": f"admin@{name}.example",
            "password": "a password of the tests",
        }
        operator = Context(tenant=new_id(), actor="service:operator")
        made = self.suite.call("identity", "identity.provision", params, context=operator)
        self.suite.tenant, self.suite.user_id = made["tenant_id"], made["user_id"]
        self.suite.settle()
        return Tenant(
            made["tenant_id"],
            params["slug"],
            made["user_id"],
            made["administrator_role_id"],
            self.api(made["api_key"]),
        )

    def person(self, admin: Api, name: str, *, grants: JSON, masks: JSON | None = None) -> tuple[str, Api]:
        """A user with one role of his own, and his key."""
        mark = new_id()[-12:]
        role = admin.post("/v1/roles", {"name": f"{name} {mark}", "grants": grants, "masks": masks or {}})
        user = admin.post("/v1/users", {"name": name, "email": f"{name}.{mark}@example.com", "role_ids": [role["id"]]})
        key = admin.post("/v1/api-keys", {"name": name, "user_id": user["id"]})
        self.settle()
        return user["id"], self.api(key["secret"])

    def settle(self) -> None:
        """Let every event and message reach everybody."""
        self.suite.settle()

    def routes(self) -> dict[str, set[str]]:
        """Every URL template of the gateway, with its methods."""
        found: dict[str, set[str]] = {}
        for route in inspect_routes(self.app):
            methods = {one.method for one in route.methods if not one.internal}
            found.setdefault(route.path, set()).update(methods - {"OPTIONS"})
        return found

    # --- looking at everything from outside

    def rows(self, service: str, sql: str) -> list[Any]:
        """What the superuser reads, past row-level security."""
        if service not in self._engines:
            url = make_url(self.databases.server).set(database=f"{self.databases.name}_{service}")
            self._engines[service] = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=1)
        with self._engines[service].connect() as connection:
            return list(connection.exec_driver_sql(sql))

    def digest(self) -> dict[str, str]:
        """A digest of the rows of every table of every service, the tables of delivery included."""
        found: dict[str, str] = {}
        for service in SERVICES:
            if service not in self._tables:
                self._tables[service] = self._all_tables(service)
            for table, count, digest in self.rows(service, self._tables[service]):
                found[f"{service}.{table}"] = f"{count} rows {digest}"
        return found

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """What happens inside leaves every row of every service as it was."""
        before = self.digest()
        yield
        changed = difference(before, self.digest())
        assert not changed, "\n".join(changed)

    def _all_tables(self, service: str) -> str:
        # Partitions are read through their table; what PostgreSQL keeps for itself is not ours.
        names = self.rows(
            service,
            "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace = 'public'::regnamespace ORDER BY 1",
        )
        return " UNION ALL ".join(
            f"SELECT '{name}', count(*), md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), ''))"
            f' FROM "{name}" AS t' + (" WHERE NOT starts_with(t.key, 'request ')" if name == "idempotency" else "")
            # A key that no client knows is remembered with any answer, also where it says that each item was refused.
            for (name,) in names
        )

    def close(self) -> None:
        for engine in self._engines.values():
            engine.dispose()


def difference(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The tables whose rows are not what they were."""
    return [f"{table}: {before.get(table)} → {after[table]}" for table in after if after[table] != before.get(table)]
