"""One suite for all of these tests, which leave it whole."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from suite.servers import elasticsearch, rabbitmq
from suite.servers.process import free_ports
from tests.searching.stack import SearchingSuite, small_disk


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchingSuite]:
    """Skipped where a server is missing, but never in CI."""
    missing = [one.__name__ for one in (rabbitmq, elasticsearch) if not one.available()]
    if missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing} is not installed, and CI must not pass without it")
        pytest.skip(f"{missing} IS NOT INSTALLED: nothing about search on real servers is tested here")
    with small_disk() as disk:
        suite = SearchingSuite(tmp_path_factory.mktemp("searching"), _two_ports(), disk)
        try:
            suite.prepare()
            suite.start()
            suite.await_elasticsearch()
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
    """The first test waits for the start of all servers, and real faults take their time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))
