"""One business for all tests of the check: each spoils a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from chassis.testing import Databases, Suite
from suite.check.tests.world import World, populate


@pytest.fixture(scope="session")
def at_rest(server: str) -> Iterator[World]:
    databases = Databases(server, f"check_{os.getpid()}")
    one, small = populate(Suite(databases))
    for database in databases._made.values():
        # Only a database without connections can be copied.
        database.close()
    yield World(databases, one, small)
    databases.drop()


@pytest.fixture
def world(at_rest: World) -> Iterator[World]:
    yield at_rest
    at_rest.restore()
