"""The suite with one record more: declared here, with a table of its own in a database that is migrated for it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import falcon.testing
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis import migrations, provisioning
from chassis.database import Database, make_engine
from chassis.runtime import Runtime
from chassis.testing import SECRET, Databases, TestClock
from contracts.registry import registry
from tests.layer.given import fits
from tests.security.world import Tenant, World


class Asked(falcon.testing.TestClient):
    """A client that remembers what it asked for: method and path."""

    def __init__(self, app: falcon.App) -> None:
        super().__init__(app)
        self.requests: list[tuple[str, str]] = []

    def simulate_request(self, *args: Any, **kwargs: Any) -> Any:
        self.requests.append((args[0], args[1]))
        return super().simulate_request(*args, **kwargs)


class WithSites(Databases):
    """The databases of all services; that of customer is provisioned and migrated anew, for one table more."""

    def url(self, service: str, role: str) -> str:
        if service != "customer":
            return super().url(service, role)
        return provisioning.service_url(self.server, service, role, SECRET, self.name)

    def open(self, service: str, clock: TestClock) -> Database:
        if service == "customer" and service not in self._made:
            provisioning.provision(self.server, [service], SECRET, self.name)
            migrations.upgrade(self.url(service, "owner"), service)
            self._upgrade()
            engines = (make_engine(self.url(service, role), pool_size=5) for role in ("app", "ops"))
            self._made[service] = Database(*engines, clock, None)
        return super().open(service, clock)

    def _upgrade(self) -> None:
        engine = create_engine(self.url("customer", "owner"))
        with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
            importlib.import_module("tests.layer.migration").upgrade()
        engine.dispose()

    def drop(self) -> None:
        super().drop()
        engine = create_engine(make_url(self.server), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for role in provisioning.ROLES:
                connection.exec_driver_sql(f'DROP ROLE IF EXISTS "{self.name}_customer_{role}"')
        engine.dispose()


@pytest.fixture(scope="session")
def databases(server: str) -> Iterator[Any]:
    made = WithSites(server, f"layer_{os.getpid()}")
    yield made
    made.drop()


@pytest.fixture(scope="session")
def world(databases: Any) -> Iterator[World]:
    registry.load()
    site = importlib.import_module("tests.layer.site")
    customer = importlib.import_module("services.customer.service").Customer
    # The one line in the service. Folders of tests run in processes of their own, so no other test meets it.
    customer.stores = (*customer.stores, site.sites)
    made = World(databases)
    made.client = Asked(made.app)
    for runtime in made.suite.bus.runtimes.values():
        # Identity is real here, so it says what the asker of a job, a webhook's user or a follower may do.
        runtime.acting_for = partial(Runtime.acting_for, runtime)  # type: ignore[method-assign]
    yield made
    made.close()


@pytest.fixture
def tenant(world: World) -> Tenant:
    return world.tenant("layer")


@pytest.fixture(autouse=True)
def asked(request: pytest.FixtureRequest, world: World) -> Iterator[None]:
    """A test that says which routes it shows has asked them."""
    client: Any = world.client
    client.requests.clear()
    yield
    marker = request.node.get_closest_marker("shows")
    templates = [one.split(" ") for one in marker.args] if marker else []
    missing = [" ".join(one) for one in templates if not _among(one, client.requests)]
    assert not missing, f"never asked: {missing}"


def _among(template: list[str], requests: list[tuple[str, str]]) -> bool:
    method, path = template
    return any(method == asked and fits(path, where) for asked, where in requests)
