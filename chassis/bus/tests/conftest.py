"""Green threads first, then everything else: these tests run services in their own process."""

# ruff: noqa: E402
from chassis import bus

bus.start()

import itertools
import os

import pytest

from chassis.bus.tests.support import Site
from chassis.bus.transport import connect
from suite.servers import rabbitmq

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """A private RabbitMQ. Without one these tests are skipped, but never in CI."""
    if not rabbitmq.available():
        if os.environ.get("CI") == "true":
            pytest.fail("RabbitMQ is not installed, and CI must not pass without it")
        pytest.skip("RABBITMQ IS NOT INSTALLED: nothing about the real broker is tested here")
    server = rabbitmq.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    server.start()
    yield server
    server.remove()


@pytest.fixture
def rabbit(broker):
    """A site on RabbitMQ with service names of its own."""
    yield from _site(connect(broker.start()))


@pytest.fixture(params=["inprocess", "rabbitmq"])
def site(request):
    """A site on each transport in turn: what a test says must hold on both."""
    if request.param == "rabbitmq":
        yield from _site(connect(request.getfixturevalue("broker").start()))
    else:
        yield from _site(connect(f"inprocess://test-{next(_numbers)}"))


def _site(transport):
    site = Site(transport, next(_numbers))
    yield site
    site.close()
