"""The whole suite behind the real gateway, with files in a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.world import Api, World


@pytest.fixture(scope="module")
def world(databases: Any) -> Iterator[World]:
    made = World(databases)
    yield made
    made.close()


@pytest.fixture
def admin(world: World) -> Api:
    """The administrator of a tenant of the test's own."""
    return world.tenant("notes").api
