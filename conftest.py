"""The fixtures of every test: one PostgreSQL server, the process's own databases, and a suite with its own tenant."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent


def _schema_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(
        [
            *ROOT.glob("services/*/migrations/versions/*.py"),
            *ROOT.glob("chassis/schema/versions/*.py"),
            ROOT / "chassis/migrations.py",
            ROOT / "chassis/provisioning.py",
        ]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The superuser's address of a PostgreSQL server whose template databases are migrated."""
    from chassis.testing import prepare_templates
    from suite.servers.postgres import Postgres

    given = os.environ.get("GUANXI_TEST_SERVER")
    if given:
        yield given
        return
    folder = ROOT / ".guanxi-test" / _schema_hash()
    folder.mkdir(parents=True, exist_ok=True)
    # One test process at a time owns the server of this folder; `make test` starts one for all of them instead.
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Postgres(folder / "postgres", max_connections=300) as postgres:
            prepare_templates(postgres.url)
            yield postgres.url


@pytest.fixture(scope="session")
def databases(server: str) -> Iterator[Any]:
    from chassis.testing import Databases

    made = Databases(server, f"test_{os.getpid()}")
    yield made
    made.drop()


@pytest.fixture(scope="session")
def objects() -> Iterator[Any]:
    """A server that speaks S3, which this process is told of."""
    from chassis.tests.objects import Objects

    made = Objects()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            patch.setenv(name, value)
        yield made
    made.close()


@pytest.fixture
def suite_of(databases: Any) -> Callable[..., Any]:
    """Makes a suite of some services: `suite_of("customer", "sales")`."""
    from chassis.testing import Suite

    def make(*services: str, seed: int = 0) -> Any:
        return Suite(databases, services, seed=seed) if services else Suite(databases, seed=seed)

    return make
