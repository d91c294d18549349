"""One suite for all of these tests. Each file has a tenant of its own, and looks at every tenant's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.security.shop import Shop
from tests.security.world import World


@pytest.fixture(scope="session")
def world(databases: Any) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        # With a mail server named, deliveries are queued; nothing here ever sends them.
        patch.setenv("GUANXI_SMTP_URL", "smtp://127.0.0.1:9")
        patch.setenv("GUANXI_SMTP_FROM", "crm@tea.example")
        made = World(databases)
        yield made
        made.close()


@pytest.fixture(scope="module")
def shop(world: World) -> Shop:
    return Shop(world, world.tenant("tea"))


@pytest.fixture(scope="module")
def rival(world: World, shop: Shop) -> Shop:
    """Another tenant with the same kind of data, made second, so that the first one is not the newest."""
    made = Shop(world, world.tenant("coffee"))
    world.suite.tenant, world.suite.user_id = shop.tenant.id, shop.tenant.user_id
    return made
