"""The traps of `README.md` beside this file that no other test here answers. On a real broker."""

import itertools
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.bus import wire
from chassis.bus.ports import OutcomeUnknown
from chassis.bus.rabbit import link
from chassis.bus.tests.support import until


@pytest.fixture
def raw(broker):
    connection = link.connect(broker.url, "test")
    yield connection.channel()
    connection.close()


def consuming(site, service, kind):
    """The connection over which a service consumes."""
    (found,) = [each for _, each in site.transport._links if each._name.endswith(f"{service.name} {kind}")]
    return found


def test_an_event_that_always_fails_is_tried_at_a_pace_and_holds_nothing_up(rabbit):
    attempts, fine = [], queue.Queue()

    def handler(body):
        if wire.decode(body)["bad"]:
            attempts.append(time.monotonic())
            raise LookupError("a bug")
        fine.put(body)

    rabbit.service("stock", keys=[rabbit.key("sales.#")], event=handler).start()
    rabbit.relay(rabbit.event("sales.order.placed", bad=True))
    until(lambda: len(attempts) >= 3)
    assert min(later - earlier for earlier, later in itertools.pairwise(attempts)) >= 1.0
    rabbit.relay(rabbit.event("sales.order.placed", bad=False))
    assert fine.get(timeout=10)


def test_a_call_whose_connection_breaks_while_it_runs_comes_again_with_the_same_key(rabbit):
    calls, go_on = queue.Queue(), threading.Event()

    def handler(request):
        calls.put(request["key"])
        go_on.wait(10)
        return {}

    service = rabbit.service(rpc=handler).start()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(rabbit.call, service, {"key": "k"})
        assert calls.get(timeout=10) == "k"
        consuming(rabbit, service, "rpc").abort()
        # Both run now, as two processes would: what keeps the second from an effect is the key, in the database.
        assert calls.get(timeout=10) == "k"
        go_on.set()
        assert answer.result(10) == {}
    assert calls.empty()


def test_a_reconnect_leaves_no_second_consumer(rabbit, raw):
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")], rpc=lambda request: {}).start()
    for kind, name in (("events", f"evt-{service.name}"), ("rpc", f"rpc-{service.name}")):
        for _ in range(3):
            session = consuming(rabbit, service, kind).session
            consuming(rabbit, service, kind).abort()
            until(lambda kind=kind, old=session: consuming(rabbit, service, kind).session not in (None, old))
        until(lambda name=name: raw.queue_declare(name, passive=True).consumer_count == 1)
    event = rabbit.event("sales.order.placed")
    rabbit.relay(event)
    assert service.events.get(timeout=10) == event.body
    assert service.events.empty()


def test_more_is_fetched_than_runs_at_once(rabbit, raw):
    entered, go_on = queue.Queue(), threading.Event()

    def handler(request):
        entered.put(request["n"])
        go_on.wait(20)
        return {}

    service = rabbit.service(rpc=handler, rpc_workers=2).start()
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(rabbit.call, service, {"n": n}) for n in range(6)]
        until(lambda: entered.qsize() == 2)
        until(lambda: raw.queue_declare(f"rpc-{service.name}", passive=True).message_count == 0)
        assert entered.qsize() == 2
        go_on.set()
        assert [call.result(10) for call in calls] == [{}] * 6


def test_a_fetched_call_whose_deadline_passes_while_it_waits_never_runs(rabbit):
    seen, go_on = [], threading.Event()

    def handler(request):
        seen.append(request["n"])
        go_on.wait(20)
        return {}

    service = rabbit.service(rpc=handler, rpc_workers=1).start()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(rabbit.call, service, {"n": 1})
        until(lambda: seen == [1])
        with pytest.raises(OutcomeUnknown):
            rabbit.call(service, {"n": 2}, timeout=0.3)
        go_on.set()
        first.result(10)
    rabbit.call(service, {"n": 3})
    assert seen == [1, 3]


def test_a_stopping_service_finishes_its_events_gives_the_rest_back_and_doubles_none(rabbit, raw):
    done, go_on = [], threading.Event()
    entered = queue.Queue()

    def handler(body):
        entered.put(body)
        go_on.wait(20)
        done.append(wire.decode(body)["n"])

    first = rabbit.service("stock", keys=[rabbit.key("sales.#")], event=handler, event_workers=4).start("events")
    rabbit.relay(*(rabbit.event("sales.order.placed", n=n) for n in range(40)))
    until(lambda: entered.qsize() == 4)
    stopping = threading.Thread(target=first.stop, args=(20,))
    begin = time.monotonic()
    stopping.start()
    until(lambda: raw.queue_declare(f"evt-{first.name}", passive=True).message_count == 36)
    go_on.set()
    stopping.join(20)
    assert not stopping.is_alive() and time.monotonic() - begin < 20
    assert len(done) == 4
    second = rabbit.service("stock", keys=[rabbit.key("sales.#")]).start("events")
    rest = [wire.decode(second.events.get(timeout=10))["n"] for _ in range(36)]
    assert sorted(done + rest) == list(range(40))
    assert second.events.empty()
