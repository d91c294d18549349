"""The suites under test, each started once: `guanxi up` with its demo, and the same services on real servers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from suite.servers import rabbitmq
from suite.servers.process import free_ports
from tests.integration.demo import Demo
from tests.integration.real import RealSuite
from tests.integration.support import EmbeddedSuite

FIRST_START = 300
"""Seconds. An idle machine needs less than a minute; this says only that it ends."""


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedSuite, Demo]]:
    suite = EmbeddedSuite(tmp_path_factory.mktemp("guanxi"), free_ports(1)[0])
    try:
        suite.start(FIRST_START)
        print(f"\nembedded: first start {suite.seconds:.1f} s, {suite.memory():.0f} MB")
        yield suite, Demo.read(suite)
    finally:
        suite.remove()


@pytest.fixture(scope="session")
def embedded(started: tuple[EmbeddedSuite, Demo]) -> EmbeddedSuite:
    """A running `guanxi up` whose demo is complete. A test that stops it starts it again."""
    return started[0]


@pytest.fixture(scope="session")
def demo(started: tuple[EmbeddedSuite, Demo]) -> Demo:
    """What the suite held right after its first start, before any test wrote."""
    return started[1]


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rabbitmq.RabbitMQ]:
    """A RabbitMQ with its management API, for tests that bring services of their own or none."""
    if not rabbitmq.available():
        if os.environ.get("CI") == "true":
            pytest.fail("RabbitMQ is not installed, and CI must not pass without it")
        pytest.skip("RABBITMQ IS NOT INSTALLED: nothing about outsiders and queues at a broker is tested here")
    node = rabbitmq.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), management=True)
    node.start()
    yield node
    node.remove()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSuite]:
    """`guanxi up --real` on servers of its own, with one tenant. Skipped where RabbitMQ is missing, but never in CI."""
    if not rabbitmq.available():
        if os.environ.get("CI") == "true":
            pytest.fail("RabbitMQ is not installed, and CI must not pass without it")
        pytest.skip("RABBITMQ IS NOT INSTALLED: nothing about the suite on real servers is tested here")
    suite = RealSuite(tmp_path_factory.mktemp("real"), _two_ports())
    try:
        suite.prepare()
        suite.start()
        print(f"\nreal: {suite.report}")
        yield suite
    finally:
        suite.remove()


def _two_ports() -> int:
    """A port whose successor, where `up --real` serves the streams, is free as well."""
    while True:
        (port,) = free_ports(1)
        with suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test of a suite waits for its start, which the usual time limit does not allow for."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))
