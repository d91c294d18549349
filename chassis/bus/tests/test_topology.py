"""Queues are declared by `guanxi migrate`; one that has to change is replaced without losing what it holds."""

import contextlib
import threading
from dataclasses import replace

import amqp
import pytest

from chassis.bus import wire
from chassis.bus.ports import BusUnavailable, Outcome
from chassis.bus.rabbit import link, topology
from chassis.bus.tests.support import until


@pytest.fixture
def raw(broker):
    connection = link.connect(broker.url, "test")
    yield connection
    connection.close()


def counts(connection, queue):
    """Ready messages and consumers, or None where there is no such queue."""
    channel = connection.channel()
    try:
        found = channel.queue_declare(queue, passive=True)
        return found.message_count, found.consumer_count
    except amqp.NotFound:
        return None
    finally:
        if channel.is_open:
            channel.close()


def later(service):
    """The endpoint of the next version, whose queues are limited in length."""
    return replace(service.endpoint, generation=2, arguments={"x-max-length": 1_000_000})


def test_another_shape_without_another_generation_is_refused_with_a_reason(rabbit):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    changed = replace(service.endpoint, arguments={"x-max-length": 10})
    with pytest.raises(BusUnavailable, match=f"evt-{service.name}.*generation"):
        rabbit.transport.declare([changed])


def test_a_process_whose_queue_has_another_shape_serves_it_as_it_is(rabbit):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    service.endpoint = replace(service.endpoint, arguments={"x-max-length": 10})
    service.start()
    event = rabbit.event("sales.order.placed")
    rabbit.relay(event)
    assert service.events.get(timeout=10) == event.body


def test_a_new_generation_loses_nothing_while_both_versions_run_and_the_old_queue_goes(rabbit, raw):
    old = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    rabbit.relay(*(rabbit.event("sales.order.placed", n=n) for n in range(100)))
    go_on = threading.Event()
    held = []

    def slow(body):
        held.append(body)
        go_on.wait(20)
        old.events.put(body)

    old.endpoint.event = slow
    old.start("events")
    until(lambda: len(held) == old.endpoint.event_workers)
    new = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    new.endpoint = later(old)
    new.endpoint.event = new.events.put
    rabbit.transport.declare([new.endpoint])
    new.start("events")
    rabbit.relay(*(rabbit.event("sales.order.placed", n=n) for n in range(100, 150)))
    assert {wire.decode(new.events.get(timeout=10))["n"] for _ in range(50)} == set(range(100, 150))
    assert rabbit.transport.retire(new.endpoint) == 0
    assert counts(raw, f"evt-{old.name}") is not None, "somebody still consumes from it"

    stopping = threading.Thread(target=old.stop)
    stopping.start()
    go_on.set()
    stopping.join(10)
    until(lambda: counts(raw, f"evt-{old.name}")[1] == 0)
    moved = rabbit.transport.retire(new.endpoint)
    done = {wire.decode(old.events.get_nowait())["n"] for _ in range(old.events.qsize())}
    rest = {wire.decode(new.events.get(timeout=10))["n"] for _ in range(moved)}
    assert moved == 100 - len(done)
    assert done | rest == set(range(100)) and not done & rest
    assert counts(raw, f"evt-{old.name}") is None
    assert rabbit.transport.retire(new.endpoint) == 0


def test_saga_messages_move_with_their_properties(rabbit, raw):
    old = rabbit.service("stock")
    message = rabbit.message(old, step="reserve")
    assert rabbit.publisher.publish([message]) == [Outcome.CONFIRMED]
    endpoint = later(old)
    rabbit.transport.declare([endpoint])
    assert rabbit.transport.retire(endpoint) == 1
    moved = raw.channel().basic_get(f"cmd-{old.name}.2", no_ack=True)
    assert bytes(moved.body if isinstance(moved.body, bytes) else moved.body.encode()) == message.body
    assert moved.properties["message_id"] == message.id
    assert (moved.properties["delivery_mode"], moved.properties["content_type"]) == (2, "application/json")


def test_a_move_that_was_interrupted_is_finished_by_the_next_one(rabbit, raw, monkeypatch):
    old = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    rabbit.relay(*(rabbit.event("sales.order.placed", n=n) for n in range(10)))
    endpoint = later(old)
    rabbit.transport.declare([endpoint])
    publish, times = link.publish, iter(range(100))

    def breaks(*args, **kwargs):
        if next(times) == 4:
            raise ConnectionError("the network went away")
        publish(*args, **kwargs)

    monkeypatch.setattr(topology, "publish", breaks)
    with contextlib.suppress(BusUnavailable):
        rabbit.transport.retire(endpoint)
    monkeypatch.undo()
    until(lambda: counts(raw, f"evt-{old.name}")[0] == 6)
    assert rabbit.transport.retire(endpoint) == 6
    assert counts(raw, f"evt-{old.name}.2") == (10, 0)


def test_the_queue_of_calls_is_made_anew_and_calls_go_on(rabbit, raw):
    service = rabbit.service(rpc=lambda request: {"n": request["n"]})
    channel = raw.channel()
    channel.queue_delete(f"rpc-{service.name}")
    channel.queue_declare(f"rpc-{service.name}", durable=True, auto_delete=False)
    service.start("rpc")
    assert rabbit.call(service, {"n": 1}) == {"n": 1}
    rabbit.transport.declare([service.endpoint])
    until(service.ready)
    assert rabbit.call(service, {"n": 2}) == {"n": 2}
