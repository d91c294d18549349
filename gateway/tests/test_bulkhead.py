"""A service or a broker that hangs takes only a part of the gateway's threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.bus.ports import BusUnavailable
from gateway.bulkhead import SILENCE, Bulkhead

THREADS = 8


class Hanging:
    """A caller whose chosen services answer only when they are let go."""

    def __init__(self, *silent):
        self.silent, self.go_on = set(silent), threading.Event()
        self.waiting = threading.Semaphore(0)

    def call(self, service, request, *, timeout):
        if service in self.silent:
            self.waiting.release()
            self.go_on.wait(30)
        return {"ok": service}

    def close(self):
        pass


@pytest.fixture
def clients():
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool


def wait_for(bulkhead, hanging, clients, services):
    """A call to each of these services, all on their way."""
    calls = [clients.submit(bulkhead.call, service, {}, timeout=8) for service in services]
    for _ in services:
        assert hanging.waiting.acquire(timeout=10)
    return calls


def test_a_silent_service_holds_half_of_the_threads_and_the_others_are_served(clock, clients):
    hanging = Hanging("sales")
    bulkhead = Bulkhead(hanging, THREADS, lambda: clock.now)
    calls = wait_for(bulkhead, hanging, clients, ["sales"] * (THREADS // 2))
    clock.now += SILENCE + 0.1
    with pytest.raises(BusUnavailable, match="sales"):
        bulkhead.call("sales", {}, timeout=8)
    assert bulkhead.call("customer", {}, timeout=8) == {"ok": "customer"}
    hanging.go_on.set()
    assert [call.result(10) for call in calls] == [{"ok": "sales"}] * len(calls)
    assert bulkhead.call("sales", {}, timeout=8) == {"ok": "sales"}


def test_when_all_are_silent_a_quarter_of_the_threads_stays_free(clock, clients):
    hanging = Hanging("sales", "customer", "identity")
    bulkhead = Bulkhead(hanging, THREADS, lambda: clock.now)
    services = ["sales", "customer", "identity"] * 2
    calls = wait_for(bulkhead, hanging, clients, services)
    assert len(services) == THREADS * 3 // 4
    clock.now += SILENCE + 0.1
    with pytest.raises(BusUnavailable):
        bulkhead.call("inventory", {}, timeout=8)
    hanging.go_on.set()
    for call in calls:
        call.result(10)
    assert bulkhead.call("inventory", {}, timeout=8) == {"ok": "inventory"}


def test_a_service_that_answers_is_not_limited(clock, clients):
    hanging = Hanging("sales")
    bulkhead = Bulkhead(hanging, THREADS, lambda: clock.now)
    calls = wait_for(bulkhead, hanging, clients, ["sales"] * (THREADS // 2))
    clock.now += SILENCE + 0.1
    hanging.silent.clear()
    with pytest.raises(BusUnavailable):
        bulkhead.call("sales", {}, timeout=8)
    hanging.go_on.set()
    for call in calls:
        call.result(10)
    for _ in range(3 * THREADS):
        clock.now += 1
        assert bulkhead.call("sales", {}, timeout=8) == {"ok": "sales"}


def test_a_busy_service_is_not_taken_for_a_silent_one(clock, clients):
    hanging = Hanging("sales")
    bulkhead = Bulkhead(hanging, THREADS, lambda: clock.now)
    wait_for(bulkhead, hanging, clients, ["sales"] * (THREADS // 2))
    clock.now += SILENCE - 0.1
    hanging.silent.clear()
    assert bulkhead.call("sales", {}, timeout=8) == {"ok": "sales"}
    hanging.go_on.set()
