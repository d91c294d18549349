"""What only a real broker can do to us. Every wait is bounded, and no fault ends a service."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import amqp
import pytest

from chassis.bus import wire
from chassis.bus.ports import BusUnavailable, Outcome, OutcomeUnknown
from chassis.bus.rabbit import link, publisher
from chassis.bus.tests.support import until


@pytest.fixture
def raw(broker):
    """A channel for messages that no service of ours would send."""
    connection = link.connect(broker.url, "test")
    yield connection.channel()
    connection.close()


def echo(request):
    return {"echo": request}


def crash(broker):
    """SIGKILL. RabbitMQ 3.10 writes a new queue's name to disk up to two seconds late, and killed before that it comes
    back with a queue that answers nobody: a fault of first deployments that no client can mend, and not meant here."""
    threading.Event().wait(3)
    broker.kill()


def call_properties(**changes):
    properties = {
        "content_type": "application/json",
        "reply_to": "amq.rabbitmq.reply-to.nobody",
        "correlation_id": "1",
        "application_headers": {"deadline": time.time() + 60},
    }
    return {name: value for name, value in (properties | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "body"),
    [
        ({"reply_to": None}, b"{}"),
        ({"reply_to": "evt-sales"}, b"{}"),
        ({"correlation_id": None}, b"{}"),
        ({"content_type": None}, b"{}"),
        ({"content_type": "application/x-python-serialize"}, b"{}"),
        ({"application_headers": None}, b"{}"),
        ({"application_headers": {"deadline": "soon"}}, b"{}"),
        ({}, b"{"),
        ({}, b"[]"),
        ({}, b""),
    ],
    ids=repr,
)
def test_a_call_that_nobody_can_answer_is_set_aside_and_the_service_lives(rabbit, raw, changes, body):
    seen = []
    service = rabbit.service(rpc=lambda request: seen.append(request) or {}).start()
    link.publish(raw, "", f"rpc-{service.name}", amqp.Message(body, **call_properties(**changes)))
    queue, stored, _, reason = service.dead.get(timeout=10)
    assert (queue, stored) == (f"rpc-{service.name}", body)
    assert reason
    assert rabbit.call(service, {"n": 1}) == {}
    assert seen == [{"n": 1}]


def test_properties_that_cannot_be_parsed_do_not_stop_the_queue(rabbit, raw, monkeypatch):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")]).start()
    headers = {"sent": datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)}
    dumped = amqp.serialization.dumps
    late = (60 * 60 * 24 * 366 * 50_000).to_bytes(8, "big")

    def dumps(format, values):
        return dumped(format, values).replace((253402300799).to_bytes(8, "big"), late)

    monkeypatch.setattr(amqp.serialization, "dumps", dumps)
    message = amqp.Message(b"{}", content_type="application/json", application_headers=headers)
    link.publish(raw, f"sales{rabbit.number}.events", rabbit.key("sales.order.placed"), message)
    monkeypatch.undo()
    assert service.dead.get(timeout=10)[1] == b"{}"
    event = rabbit.event("sales.order.placed")
    rabbit.relay(event)
    assert service.events.get(timeout=10) == event.body


def test_a_broken_connection_answers_pending_calls_unknown_and_later_calls_work(rabbit, broker):
    entered = threading.Event()

    def handler(request):
        entered.set()
        if request["slow"]:
            threading.Event().wait(6)
        return {}

    service = rabbit.service(rpc=handler).start()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(rabbit.call, service, {"slow": True}, 60)
        entered.wait(10)
        crash(broker)
        begin = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            pending.result(10)
        assert time.monotonic() - begin < 2
    begin = time.monotonic()
    with pytest.raises(BusUnavailable):
        rabbit.call(service, {"slow": False}, timeout=30)
    assert time.monotonic() - begin < 2.5
    assert not rabbit.transport.connected()
    assert not service.ready()
    broker.start()
    begin = time.monotonic()
    until(lambda: service.ready() and rabbit.transport.connected(), 5)
    assert rabbit.call(service, {"slow": False}) == {}


def test_after_a_restart_of_the_broker_events_go_on_and_none_that_was_confirmed_is_lost(rabbit, broker):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")]).start()
    service.stop()
    before = [rabbit.event("sales.order.placed", n=n) for n in range(20)]
    assert rabbit.publisher.publish(before) == [Outcome.CONFIRMED] * 20
    crash(broker)
    assert rabbit.publisher.publish([rabbit.event("sales.order.placed")]) == [Outcome.FAILED]
    broker.start()
    service.start()
    after = rabbit.event("sales.order.placed", n=20)
    rabbit.relay(after)
    arrived = {wire.decode(service.events.get(timeout=10))["n"] for _ in range(21)}
    assert arrived == set(range(21))


def test_a_service_that_starts_before_the_broker_serves_as_soon_as_there_is_one(rabbit, broker):
    service = rabbit.service(rpc=echo)
    crash(broker)
    running = rabbit.transport.serve([service.endpoint], {"rpc"})
    service.running = running
    assert running.ready() == {f"{service.name}.rpc": False}
    broker.start()
    until(lambda: service.ready() and rabbit.transport.connected(), 10)
    assert rabbit.call(service, {}) == {"echo": {}}


def test_a_hung_broker_delays_no_call_beyond_its_timeout_and_no_batch_beyond_ten_seconds(rabbit, broker):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")], rpc=echo).start()
    rabbit.call(service, {})
    rabbit.relay(rabbit.event("sales.order.placed"))
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(9) as pool:
            begin = time.monotonic()
            batch = pool.submit(rabbit.publisher.publish, [rabbit.event("sales.order.placed")])
            calls = [pool.submit(rabbit.call, service, {"text": "x" * 500_000}, 1.0) for _ in range(8)]
            for call in calls:
                with pytest.raises((OutcomeUnknown, BusUnavailable)):
                    call.result(10)
            assert time.monotonic() - begin < 2
            assert batch.result(15) == [Outcome.FAILED]
            assert time.monotonic() - begin < 12
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    until(lambda: service.ready() and rabbit.transport.connected(), 10)
    assert rabbit.call(service, {}) == {"echo": {}}


def test_under_a_memory_alarm_calls_and_batches_are_refused_in_time_and_afterwards_work(rabbit, broker):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")], rpc=echo).start()
    rabbit.call(service, {})
    rabbit.relay(rabbit.event("sales.order.placed"))
    broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        begin = time.monotonic()
        with pytest.raises((OutcomeUnknown, BusUnavailable)):  # The broker tells a connection when it first publishes.
            rabbit.call(service, {}, timeout=1)
        until(rabbit.transport.blocked)
        for _ in range(10):
            with pytest.raises(BusUnavailable):
                rabbit.call(service, {}, timeout=5)
        assert time.monotonic() - begin < 3
        begin = time.monotonic()
        assert rabbit.publisher.publish([rabbit.event("sales.order.placed")]) == [Outcome.FAILED]
        assert time.monotonic() - begin < 11
    finally:
        broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
    until(lambda: not rabbit.transport.blocked() and rabbit.transport.connected(), 10)
    assert rabbit.call(service, {}) == {"echo": {}}
    rabbit.relay(rabbit.event("sales.order.placed"))


def test_an_alarm_that_outlasts_many_batches_repeats_no_event(rabbit, broker, monkeypatch):
    monkeypatch.setattr(publisher, "DEADLINE", 0.5)
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")]).start()
    rabbit.relay(rabbit.event("sales.order.placed", n=-1))
    service.events.get(timeout=10)
    events = [rabbit.event("sales.order.placed", n=n) for n in range(50)]
    broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        for _ in range(6):
            assert rabbit.publisher.publish(events) == [Outcome.FAILED] * 50
    finally:
        broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB")
    monkeypatch.undo()
    rabbit.relay(*events)
    marker = rabbit.event("sales.order.placed", n=50)
    rabbit.relay(marker)
    arrived = []
    while not arrived or arrived[-1] != 50:
        arrived.append(wire.decode(service.events.get(timeout=10))["n"])
    assert arrived == list(range(51))


def test_a_deleted_queue_comes_back_with_its_bindings(rabbit, raw):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")]).start()
    raw.queue_delete(f"evt-{service.name}")
    event = rabbit.event("sales.order.placed")
    rabbit.relay(event)
    assert service.events.get(timeout=10) == event.body


def test_declaring_twice_changes_nothing_and_without_a_broker_is_unavailable(rabbit, broker):
    endpoints = [rabbit.service("stock", keys=[rabbit.key("sales.#")], rpc=echo).endpoint]
    rabbit.transport.declare(endpoints)
    crash(broker)
    with pytest.raises(BusUnavailable):
        rabbit.transport.declare(endpoints)


def test_a_call_that_expired_in_the_queue_is_not_even_delivered(rabbit, raw):
    service = rabbit.service(rpc=echo).start()
    service.stop()
    with pytest.raises(OutcomeUnknown):
        rabbit.call(service, {}, timeout=0.2)
    # The broker notices the expiry itself, by a clock of its own.
    until(lambda: raw.queue_declare(f"rpc-{service.name}", passive=True).message_count == 0, 5)


def test_an_answer_waits_for_the_connection_that_it_leaves_by(rabbit):
    def answer(request):
        (replies,) = [each for _, each in rabbit.transport._links if each._name.endswith(" replies")]
        replies.abort()
        until(lambda: not replies.connected)
        return {"echo": request}

    service = rabbit.service(rpc=answer).start("rpc")
    assert rabbit.call(service, {"n": 1}, timeout=10) == {"echo": {"n": 1}}
