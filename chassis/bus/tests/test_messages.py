"""Events and saga messages, by the same rules on both transports."""

import queue
import threading

from chassis.bus import wire
from chassis.bus.ports import Outcome
from chassis.bus.tests.support import PATIENCE
from chassis.errors import unavailable


def fails_once(error):
    """A handler that refuses each body the first time, and the queue of what it was called with."""
    calls = queue.Queue()
    known = set()

    def handler(body):
        calls.put(body)
        if body not in known:
            known.add(body)
            raise error

    return handler, calls


def test_an_event_reaches_every_service_that_subscribed_to_it_and_no_other(site):
    placed, shipped = site.event("sales.order.placed"), site.event("sales.order.shipped")
    first = site.service("stock", keys=[placed.routing_key]).start()
    second = site.service("search", keys=[site.key("sales.#")]).start()
    assert site.publisher.publish([placed, shipped]) == [Outcome.CONFIRMED] * 2
    assert first.events.get(timeout=PATIENCE) == placed.body
    assert {second.events.get(timeout=PATIENCE) for _ in range(2)} == {placed.body, shipped.body}
    assert first.events.empty()
    assert second.events.empty()


def test_a_star_subscribes_to_one_word_and_a_hash_to_any_number(site):
    kinds = ["sales.order.placed", "sales.order", "sales.order.line.added", "sales.quote.placed"]
    events = [site.event(kind) for kind in kinds]
    everything = site.service("search", keys=[site.key("sales.#")]).start()
    orders = site.service("stock", keys=[site.key("sales.order.*")]).start()
    placed = site.service("notify", keys=[site.key("sales.*.placed")]).start()
    site.relay(*events)
    for service, expected in ((everything, range(4)), (orders, [0]), (placed, [0, 3])):
        arrived = {service.events.get(timeout=PATIENCE) for _ in expected}
        assert arrived == {events[n].body for n in expected}
        assert service.events.empty()


def test_a_saga_message_reaches_the_service_that_it_names(site):
    service, other = site.service("stock").start(), site.service("sales").start()
    message = site.message(service, step="reserve")
    assert site.publisher.publish([message]) == [Outcome.CONFIRMED]
    assert service.messages.get(timeout=PATIENCE) == message.body
    assert other.messages.empty()


def test_a_message_that_nobody_wants_is_unroutable_and_the_others_of_its_batch_are_confirmed(site):
    service = site.service("stock", keys=[site.key("sales.order.placed")]).start()
    batch = [
        site.event("sales.order.placed", n=1),
        site.event("sales.order.lost"),
        site.event("sales.order.placed", n=2),
    ]
    assert site.publisher.publish(batch) == [Outcome.CONFIRMED, Outcome.UNROUTABLE, Outcome.CONFIRMED]
    assert {service.events.get(timeout=PATIENCE) for _ in range(2)} == {batch[0].body, batch[2].body}


def test_an_empty_batch_has_no_outcomes(site):
    assert site.publisher.publish([]) == []


def test_a_large_batch_is_confirmed_as_a_whole_and_in_order(site):
    service = site.service("stock", keys=[site.key("sales.#")]).start()
    batch = [site.event("sales.order.placed" if n % 7 else "other.thing.done", n=n) for n in range(2000)]
    site.service("other", keys=[site.key("other.thing.never")])
    outcomes = site.publisher.publish(batch)
    assert outcomes == [Outcome.CONFIRMED if n % 7 else Outcome.UNROUTABLE for n in range(2000)]
    arrived = {wire.decode(service.events.get(timeout=PATIENCE))["n"] for _ in range(outcomes.count(Outcome.CONFIRMED))}
    assert arrived == {n for n in range(2000) if n % 7}


def test_an_event_whose_handler_fails_is_delivered_again(site):
    handler, calls = fails_once(LookupError("a bug"))
    site.service("stock", keys=[site.key("sales.#")], event=handler).start()
    event = site.event("sales.order.placed")
    site.relay(event)
    assert [calls.get(timeout=PATIENCE) for _ in range(2)] == [event.body] * 2


def test_a_message_that_could_not_be_stored_is_delivered_again_while_others_flow(site):
    handler, calls = fails_once(unavailable("The database is away."))
    fine = queue.Queue()
    service = site.service("stock", keys=[site.key("sales.#")], event=fine.put, message=handler).start()
    message, event = site.message(service, step="reserve"), site.event("sales.order.placed")
    site.publisher.publish([message])
    assert calls.get(timeout=PATIENCE) == message.body
    assert site.publisher.publish([event]) == [Outcome.CONFIRMED]
    assert fine.get(timeout=PATIENCE) == event.body
    site.relay(message)
    assert calls.get(timeout=PATIENCE) == message.body


def test_a_heavy_reader_gets_everything_in_batches_one_at_a_time(site):
    batches, running, overlaps = [], [], []
    complete = threading.Event()
    lock = threading.Lock()

    def read(bodies):
        overlaps.append(len(running))
        running.append(1)
        with lock:
            batches.append(bodies)
        threading.Event().wait(0.005)
        running.pop()
        if sum(map(len, batches)) >= 400:
            complete.set()

    site.service("eventlog", keys=[site.key("sales.#")], batch=read, batch_size=50).start()
    events = [site.event("sales.order.placed", n=n) for n in range(400)]
    site.relay(*events)
    assert complete.wait(PATIENCE)
    assert sorted(body for batch in batches for body in batch) == sorted(event.body for event in events)
    assert max(map(len, batches)) <= 50
    assert len(batches) < 100
    assert not any(overlaps)


def test_a_batch_that_fails_is_delivered_again_as_a_whole(site):
    attempts = queue.Queue()

    def read(bodies):
        attempts.put(bodies)
        if attempts.qsize() == 1:
            raise unavailable("The database is away.")

    site.service("eventlog", keys=[site.key("sales.#")], batch=read).start()
    events = [site.event("sales.order.placed", n=n) for n in range(5)]
    site.relay(*events)
    refused = attempts.get(timeout=PATIENCE)
    stored = set()
    while not stored >= set(refused):
        stored |= set(attempts.get(timeout=PATIENCE))
    assert stored == {event.body for event in events}


def test_an_undecodable_event_is_set_aside_and_the_service_goes_on(site):
    service = site.service("stock", keys=[site.key("sales.#")], rpc=lambda request: {"alive": True}).start()
    broken = [site.raw(site.key("sales.order.placed"), body) for body in (b"{", b'{"a":1,"a":2}', b"\xff", b"[]", b"")]
    assert site.publisher.publish(broken) == [Outcome.CONFIRMED] * 5
    letters = [service.dead.get(timeout=PATIENCE) for _ in broken]
    assert {letter[1] for letter in letters} == {item.body for item in broken}
    assert {letter[0] for letter in letters} == {f"evt-{service.name}"}
    assert all(letter[3] for letter in letters)
    good = site.event("sales.order.placed")
    site.relay(good)
    assert service.events.get(timeout=PATIENCE) == good.body
    assert site.call(service, {}) == {"alive": True}


def test_an_undecodable_event_in_a_batch_does_not_keep_the_others_back(site):
    read = queue.Queue()
    service = site.service("eventlog", keys=[site.key("sales.#")], batch=read.put).start()
    good = [site.event("sales.order.placed", n=n) for n in range(2)]
    broken = site.raw(site.key("sales.order.placed"), b"{")
    assert site.publisher.publish([good[0], broken, good[1]]) == [Outcome.CONFIRMED] * 3
    arrived = []
    while len(arrived) < 2:
        arrived += read.get(timeout=PATIENCE)
    assert set(arrived) == {event.body for event in good}
    assert service.dead.get(timeout=PATIENCE)[1] == broken.body


def test_a_dead_letter_that_cannot_be_stored_is_not_lost(site):
    service = site.service("stock", keys=[site.key("sales.#")])
    attempts = queue.Queue()

    def store(*letter):
        attempts.put(letter)
        if attempts.qsize() == 1:
            raise unavailable("The database is away.")

    service.endpoint.undecodable = store
    service.start()
    site.relay(site.raw(site.key("sales.order.placed"), b"{"))
    assert [attempts.get(timeout=PATIENCE)[1] for _ in range(2)] == [b"{"] * 2


def test_events_wait_for_a_service_that_was_stopped(site):
    service = site.service("stock", keys=[site.key("sales.#")]).start()
    service.stop()
    event = site.event("sales.order.placed")
    outcome = site.publisher.publish([event])
    service.start()
    if outcome != [Outcome.CONFIRMED]:  # In one process the sender keeps what a stopped subscriber cannot take.
        site.relay(event)
    assert service.events.get(timeout=PATIENCE) == event.body


def test_events_run_in_a_process_apart_from_calls(site):
    service = site.service("stock", keys=[site.key("sales.#")], rpc=lambda request: {})
    service.start("events")
    assert list(service.running.ready()) == [f"{service.name}.events"]
    event = site.event("sales.order.placed")
    site.relay(event)
    assert service.events.get(timeout=PATIENCE) == event.body
