"""The broker that outsiders see: a private RabbitMQ with its management API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.bus.transport import connect
from suite.servers import rabbitmq


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Without one these tests are skipped, but never in CI."""
    if not rabbitmq.available():
        if os.environ.get("CI") == "true":
            pytest.fail("RabbitMQ is not installed, and CI must not pass without it")
        pytest.skip("RABBITMQ IS NOT INSTALLED: nothing about outsiders at the broker is tested here")
    node = rabbitmq.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), management=True)
    node.start()
    yield node
    node.remove()


@pytest.fixture
def installed(broker: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The environment of an installation with this broker."""
    monkeypatch.setenv("GUANXI_BROKER_MANAGEMENT_URL", broker.management_url)
    monkeypatch.setenv("GUANXI_BUS", broker.url)
    monkeypatch.delenv("GUANXI_BROKER_URL", raising=False)
    return broker


@pytest.fixture(scope="session")
def publisher(broker: Any) -> Iterator[Any]:
    made = connect(broker.url).publisher()
    yield made
    made.close()
