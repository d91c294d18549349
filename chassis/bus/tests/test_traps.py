"""The traps of `README.md` beside this file that no other test here answers. On a real broker."""

import itertools
import os
import queue
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from chassis import bus, inbox
from chassis.bus import wire
from chassis.bus.ports import OutcomeUnknown
from chassis.bus.rabbit import consumer, link
from chassis.bus.tests.support import until
from chassis.database import Database, make_engine


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


def test_a_message_that_cannot_be_given_back_in_time_is_not_kept_by_a_living_connection(rabbit, monkeypatch):
    """As when a frozen process wakes: the writer that was before it still holds the connection."""
    monkeypatch.setattr(consumer, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setattr(link.Link.write, "__defaults__", (0.2,))
    attempts, fine = [], queue.Queue()

    def handler(body):
        attempts.append(body)
        if len(attempts) == 1:
            raise LookupError("the database is away")
        fine.put(body)

    service = rabbit.service("stock", keys=[rabbit.key("sales.#")], event=handler).start()
    connection = consuming(rabbit, service, "events")
    with connection._writing:
        rabbit.relay(rabbit.event("sales.order.placed"))
        until(lambda: not connection.connected)
    assert fine.get(timeout=10) == attempts[0]


def test_a_dead_letter_behind_a_database_connection_that_hangs_is_kept_over_another(
    rabbit, suite_of, databases, monkeypatch
):
    kept = suite_of("customer").runtime("customer").database
    monkeypatch.setattr(bus, "ANSWER_SECONDS", 1.0)
    engine = make_engine(databases.url("customer", "ops"), pool_size=1)
    service = rabbit.service("stock", keys=[rabbit.key("sales.#")])
    service.endpoint.undecodable = partial(inbox.bury, Database(engine, engine, kept.clock, None))
    with engine.connect() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    # It takes what is sent to it, for its socket is the kernel's, and never answers.
    os.kill(pid, signal.SIGSTOP)
    try:
        service.start()
        rabbit.relay(rabbit.raw(rabbit.key("sales.order.placed"), b"{ behind a hung connection"))

        def letters():
            with kept.operations() as connection:
                found = connection.exec_driver_sql(
                    "SELECT raw FROM dead_letters WHERE queue = %s", (f"evt-{service.name}",)
                )
                return [bytes(row.raw) for row in found]

        until(lambda: letters() == [b"{ behind a hung connection"])
    finally:
        os.kill(pid, signal.SIGCONT)
        engine.dispose()


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
