import json

import pika
import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.eventlog.tests.helpers import deliver, event, orders
from services.eventlog.tests.test_subscriptions import RECORD, integration_user, publish, subscribe


@pytest.fixture
def suite(suite_of, installed, publisher):
    made = suite_of("identity", "eventlog")
    made.runtime("eventlog").publisher = Counting(publisher)
    return made


class Counting:
    """The real publisher, with a note of what went through it."""

    def __init__(self, publisher):
        self.taken, self._publisher = [], publisher

    def publish(self, batch):
        self.taken += batch
        return self._publisher.publish(batch)


def dial(url):
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 20
    return pika.BlockingConnection(parameters)


def listen(made, key="#"):
    """What the outsider does first: a queue of his own, bound to his exchange."""
    channel = dial(made["amqp_url"]).channel()
    queue = f"{made['exchange']}.q.erp"
    channel.queue_declare(queue, durable=True)
    channel.queue_bind(queue, made["exchange"], key)
    return channel, queue


def received(channel, queue):
    found = []
    while True:
        method, _, body = channel.basic_get(queue, auto_ack=True)
        if method is None:
            return found
        found.append((method.routing_key, json.loads(body)))


def read_on(channel, queue):
    """Ask for messages long enough for the broker to have ended the connection, if it does."""
    for _ in range(10_000):
        channel.basic_get(queue, auto_ack=True)


def refused(made, act):
    """Whether the broker refuses this for want of rights."""
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as closed:
        act(dial(made["amqp_url"]).channel())
    return closed.value.reply_code == 403


def test_an_outsider_receives_of_his_tenant_what_he_may_see_masked(suite):
    grants = {"sales.order": {"read": "all"}, "customer.contact": {"read": "all"}}
    user = integration_user(suite, grants, {"customer.contact": {"hidden": ["email"]}})
    made = subscribe(suite, user_id=user)
    channel, queue = listen(made)
    order = event(suite, "sales.order.placed", total={"amount": "5.00", "currency": "EUR"})
    contact = event(suite, "customer.contact.created", name="Ana", email="ana@example.com")
    deliver(
        suite,
        order,
        event(suite, "sales.order.placed", tenant=new_id()),
        event(suite, "sales.payment.created"),
        contact,
    )
    publish(suite)
    (first_key, first), (second_key, second) = received(channel, queue)
    assert (first_key, first) == ("sales.order.placed", {**order, "position": 1})
    assert second_key == "customer.contact.created"
    assert "email" not in second["data"]
    assert received(channel, queue) == []
    channel.connection.close()


def test_an_outsider_binds_to_his_own_exchange_and_nothing_else(suite, installed):
    made, other = subscribe(suite), subscribe(suite)
    admin = dial(installed.url).channel()
    admin.exchange_declare("sales.events", "topic", durable=True)
    admin.queue_declare("evt-search", durable=True)
    channel, queue = listen(made)
    for exchange in ("sales.events", other["exchange"], "amq.topic", f"{made['exchange']}x"):
        if exchange.endswith("x"):
            admin.exchange_declare(exchange, "topic")
        assert refused(made, lambda it, exchange=exchange: it.queue_bind(queue, exchange, "#"))
    channel.connection.close()
    admin.connection.close()


@pytest.mark.parametrize(
    "act",
    [
        lambda channel, made: channel.queue_declare("mine"),
        lambda channel, made: channel.queue_declare(made["exchange"].replace(".", "-") + ".q.x"),
        lambda channel, made: channel.basic_get("evt-search"),
        lambda channel, made: channel.queue_purge("evt-search"),
        lambda channel, made: channel.queue_delete("evt-search"),
        lambda channel, made: channel.exchange_declare("sales.events", "topic", durable=True),
        lambda channel, made: channel.exchange_delete(made["exchange"]),
        lambda channel, made: channel.exchange_bind("sales.events", made["exchange"], "#"),
        lambda channel, made: channel.queue_declare(
            f"{made['exchange']}.q.dlx", arguments={"x-dead-letter-exchange": "sales.events"}
        ),
    ],
)
def test_an_outsider_touches_nothing_that_is_internal(suite, installed, act):
    admin = dial(installed.url).channel()
    admin.exchange_declare("sales.events", "topic", durable=True)
    admin.queue_declare("evt-search", durable=True)
    admin.connection.close()
    made = subscribe(suite)
    assert refused(made, lambda channel: act(channel, made))


@pytest.mark.parametrize("exchange", ["sales.events", "guanxi.commands", "", "own"])
def test_an_outsider_publishes_nothing(suite, installed, exchange):
    admin = dial(installed.url).channel()
    admin.exchange_declare("sales.events", "topic", durable=True)
    admin.exchange_declare("guanxi.commands", "direct", durable=True)
    admin.connection.close()
    made = subscribe(suite)
    target = made["exchange"] if exchange == "own" else exchange

    def act(channel):
        channel.confirm_delivery()
        channel.basic_publish(target, "evt-search", b"{}")

    assert refused(made, act)


def test_the_password_is_in_the_creating_answer_only(suite):
    made = subscribe(suite)
    assert made["amqp_url"].startswith(f"amqp://feed-{made['id']}:")
    assert suite.get(RECORD, made["id"])["amqp_url"] is None
    suite.settle()
    assert "amqp://" not in str(suite.events(RECORD))


@pytest.mark.parametrize("how", ["pause", "delete"])
def test_pausing_or_deleting_shuts_the_outsider_out_and_ends_his_connection(suite, how):
    made = subscribe(suite)
    channel, queue = listen(made)
    if how == "pause":
        suite.run(RECORD, made["id"], "pause")
    else:
        suite.call("eventlog", "record.delete", {"record": RECORD, "id": made["id"]})
    suite.settle()
    with pytest.raises(pika.exceptions.AMQPError):
        read_on(channel, queue)
    with pytest.raises(pika.exceptions.AMQPError):
        dial(made["amqp_url"])


def test_activating_gives_a_new_password_and_the_old_one_is_dead(suite):
    made = subscribe(suite)
    channel, queue = listen(made)
    channel.connection.close()
    suite.run(RECORD, made["id"], "pause")
    suite.settle()
    batch = orders(suite, 2)
    deliver(suite, *batch)
    again = suite.run(RECORD, made["id"], "activate")
    publish(suite)
    with pytest.raises(pika.exceptions.AMQPError):
        dial(made["amqp_url"])
    channel = dial(again["amqp_url"]).channel()
    assert [body["id"] for _, body in received(channel, queue)] == [one["id"] for one in batch]
    channel.connection.close()


def test_activating_before_the_alarm_rang_leaves_the_new_user_alone(suite):
    made = subscribe(suite)
    suite.run(RECORD, made["id"], "pause")
    again = suite.run(RECORD, made["id"], "activate")
    suite.settle()
    dial(again["amqp_url"]).close()


def test_without_a_queue_publishing_goes_on(suite):
    made = subscribe(suite)
    deliver(suite, *orders(suite, 3))
    publish(suite)
    assert suite.get(RECORD, made["id"])["position"] == 3


def test_an_exchange_that_the_broker_lost_is_made_again(suite, installed):
    made = subscribe(suite)
    admin = dial(installed.url).channel()
    admin.exchange_delete(made["exchange"])
    admin.connection.close()
    deliver(suite, *orders(suite, 1))
    publish(suite)
    channel, queue = listen(made)
    publish(suite)
    assert len(received(channel, queue)) == 1
    assert suite.get(RECORD, made["id"])["position"] == 1
    channel.connection.close()


def test_a_management_out_of_reach_refuses_new_subscriptions_and_writes_nothing(suite, monkeypatch):
    user = integration_user(suite, {"sales.order": {"read": "all"}})
    monkeypatch.setenv("GUANXI_BROKER_MANAGEMENT_URL", "http://guanxi:x@127.0.0.1:9")
    with pytest.raises(Problem) as refused_:
        subscribe(suite, user_id=user)
    assert refused_.value.status == 503
    assert suite.list(RECORD) == []


def test_shutting_out_is_done_when_the_management_is_back(suite, monkeypatch, installed):
    made = subscribe(suite)
    monkeypatch.setenv("GUANXI_BROKER_MANAGEMENT_URL", "http://guanxi:x@127.0.0.1:9")
    suite.run(RECORD, made["id"], "pause")
    runtime = suite.runtime("eventlog")
    runtime.ring_alarms()
    dial(made["amqp_url"]).close()
    monkeypatch.setenv("GUANXI_BROKER_MANAGEMENT_URL", installed.management_url)
    runtime.ring_alarms()
    with pytest.raises(pika.exceptions.AMQPError):
        dial(made["amqp_url"])


def test_what_nobody_fetches_is_bounded(suite, installed):
    subscribe(suite)
    policies = installed.ctl("list_policies", "-p", "guanxi")
    assert "guanxi-outsiders" in policies
    assert "max-length-bytes" in policies
