"""The check's rule over the queues of a real broker, each violation planted in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import amqp
import pytest

from chassis.bus.rabbit import link
from chassis.bus.transport import connect
from suite.check import broker as rules
from suite.check import repair
from suite.check.delivery import runtimes
from suite.check.rules import Fault, Seen
from suite.check.sources import Look, Unreachable
from suite.servers import rabbitmq


@pytest.fixture(name="server")
def shared(broker: rabbitmq.RabbitMQ) -> rabbitmq.RabbitMQ:
    return broker


@pytest.fixture
def channel(server: rabbitmq.RabbitMQ) -> Iterator[Any]:
    connect(server.url).declare([runtime.endpoint() for runtime in runtimes()])
    connection = link.connect(server.url, "a test")
    channel = connection.channel()
    yield channel
    connection.close()


def send(channel: Any, queue: str) -> None:
    """One message, which is in the queue afterwards. The connection's own `basic_publish` would read for 5 s first."""
    channel.confirm_select()
    link.publish(channel, "", queue, amqp.Message(b"{}"))
    channel.wait(amqp.spec.Basic.Ack)


def look(server: rabbitmq.RabbitMQ, tenant: str | None = None) -> Seen:
    return rules.queues.check(Look({}, tenant, server.url))


def test_queues_that_are_all_there_and_empty_are_looked_at_and_in_order(server: Any, channel: Any) -> None:
    found = look(server)
    assert found.faults == []
    # Calls and events of nine services, and saga messages of those that take part in any.
    assert found.rows >= 18


def shape(server: rabbitmq.RabbitMQ) -> Seen:
    return rules.shapes.check(Look({}, None, server.url, server.management_url))


def test_queues_as_they_were_declared_are_looked_at_with_each_binding(server: Any, channel: Any) -> None:
    found = shape(server)
    assert found.faults == []
    wanted = connect(server.url).shapes([runtime.endpoint() for runtime in runtimes()])
    assert found.rows == len(wanted) + sum(len(each.bindings) for each in wanted) > 50


def test_a_binding_that_was_lost_is_a_violation_and_is_made_again_by_a_repair(server: Any, channel: Any) -> None:
    channel.queue_unbind("evt-sales", "customer.events", "customer.account.*")
    says = "is not bound to customer.events by customer.account.*: such events do not reach it"
    assert shape(server).faults == [Fault(None, "broker", "evt-sales", says)]
    assert repair.restore(server.url) >= 18
    assert shape(server).faults == []


def test_a_queue_with_other_arguments_is_a_violation(server: Any, channel: Any) -> None:
    channel.queue_delete("cmd-inventory")
    channel.queue_declare("cmd-inventory", durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    channel.queue_bind("cmd-inventory", "guanxi.commands", "inventory")
    faults = shape(server).faults
    # A repair takes it as it is and mends the rest.
    assert repair.restore(server.url) >= 18
    channel.queue_delete("cmd-inventory")
    assert faults == [Fault(None, "broker", "cmd-inventory", "has x-delivery-limit None instead of 1000000000")]


def test_without_the_management_bindings_are_not_checked_and_one_that_fails_is_no_clean_result(server: Any) -> None:
    assert rules.shapes.check(Look({}, None, server.url)) == Seen()
    with pytest.raises(Unreachable):
        rules.shapes.check(Look({}, None, server.url, "http://guanxi:x@127.0.0.1:1"))
    with pytest.raises(Unreachable):
        rules.shapes.check(Look({}, None, server.url, server.management_url.replace("guanxi:", "guanxi:x")))


def test_a_queue_that_is_missing_is_a_violation(server: Any, channel: Any) -> None:
    channel.queue_delete("evt-notify")
    assert look(server).faults == [
        Fault(None, "broker", "evt-notify", "is missing: what is sent to it cannot be delivered")
    ]


def test_messages_that_nobody_reads_are_a_violation(server: Any, channel: Any) -> None:
    send(channel, "cmd-inventory")
    faults = look(server).faults
    channel.queue_purge("cmd-inventory")
    assert faults == [Fault(None, "broker", "cmd-inventory", "holds 1 messages that nobody reads")]


def test_more_messages_than_a_peak_leaves_are_a_violation(
    server: Any, channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MANY", 2)
    channel.basic_qos(0, 1, False)
    channel.basic_consume("evt-sales", "slow", callback=lambda message: None)
    for _ in range(4):
        send(channel, "evt-sales")
    faults = look(server).faults
    channel.basic_cancel("slow")
    assert faults == [Fault(None, "broker", "evt-sales", "holds 3 messages")]


def test_a_broker_that_does_not_answer_is_no_clean_result() -> None:
    with pytest.raises(Unreachable):
        rules.queues.check(Look({}, None, "amqp://guanxi:x@127.0.0.1:1/guanxi"))


def test_one_tenant_and_a_suite_without_a_broker_have_no_queues_to_look_at(server: Any) -> None:
    assert look(server, "00000000-0000-7000-8000-000000000001") == Seen()
    assert rules.queues.check(Look({}, None, "")) == Seen()
    assert rules.queues.check(Look({}, None, "inprocess://suite")) == Seen()
