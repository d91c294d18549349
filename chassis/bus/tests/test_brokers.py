"""Several brokers that stand for one: `tests/faults` F5 takes a whole cluster apart."""

import amqp
import pytest

from chassis import settings
from chassis.bus.ports import BusUnavailable
from chassis.bus.rabbit import link
from chassis.bus.tests.support import Site
from chassis.bus.transport import connect
from chassis.environment import SettingsError

NOBODY = "amqp://guanxi:x@127.0.0.1:1/guanxi"


@pytest.fixture
def site(broker):
    made = Site(connect(f"{NOBODY};{broker.start()};{NOBODY}"), "-of-several")
    yield made
    made.close()


def test_one_broker_of_several_that_answers_is_enough(site):
    service = site.service("sales", keys=[site.key("sales.#")], rpc=lambda request: {"echo": request}).start()
    for n in range(5):
        assert site.call(service, {"n": n}) == {"echo": {"n": n}}
    event = site.event("sales.order.placed")
    site.relay(event)
    assert service.events.get(timeout=10) == event.body


def test_with_several_brokers_the_queue_of_calls_is_one_that_outlives_a_node(site, broker):
    service = site.service("stock", rpc=lambda request: request)
    shape = next(iter(site.transport.shapes([service.endpoint])))
    assert shape.arguments["x-queue-type"] == "quorum"
    connection = link.connect(broker.url, "test")
    # Declared again with other arguments than it has, the broker would refuse it.
    connection.channel().queue_declare(shape.name, durable=True, auto_delete=False, arguments=shape.arguments)
    with pytest.raises(amqp.PreconditionFailed):
        connection.channel().queue_declare(
            shape.name, durable=True, auto_delete=False, arguments=shape.arguments | {"x-queue-type": "classic"}
        )
    connection.close()


def test_each_of_several_brokers_is_tried_and_the_last_error_is_told():
    with pytest.raises(BusUnavailable, match=r"(?i)refused"):
        connect(f"{NOBODY};{NOBODY}").declare([])


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("amqp://a:b@one/crm", True),
        ("amqp://a:b@one/crm;amqp://a:b@two/crm", True),
        ("pyamqp://a:b@one/crm; amqp://a:b@two/crm", True),
        ("inprocess://suite", True),
        ("amqp://a:b@one/crm;two:5672", False),
        ("amqp://a:b@one/crm;", False),
        ("inprocess://suite;amqp://a:b@one/crm", False),
        ("redis://one", False),
    ],
)
def test_a_bus_is_one_address_or_several_of_brokers(monkeypatch, address, right):
    for name, value in (("DATABASE_URL", "postgresql://x"), ("DATABASE_SECRET", "s" * 32), ("CONTEXT_KEY", "k" * 32)):
        monkeypatch.setenv(f"GUANXI_{name}", value)
    monkeypatch.setenv("GUANXI_BUS", address)
    if right:
        assert settings.from_environment().bus == address
    else:
        with pytest.raises(SettingsError, match="GUANXI_BUS"):
            settings.from_environment()


def test_several_brokers_share_a_virtual_host_and_connections_spread_over_them(monkeypatch):
    taken = set()
    monkeypatch.setattr(link, "_connect", lambda url, name: taken.add(url))
    url = "amqp://a:b@one/crm; amqp://a:b@two/crm;amqp://a:b@three/crm"
    for _ in range(200):
        link.connect(url, "test")
    assert taken == {f"amqp://a:b@{host}/crm" for host in ("one", "two", "three")}
    assert link.virtual_host(url) == "crm"
