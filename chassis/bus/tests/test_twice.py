"""Calls that stock Nameko runs several times: behind an outage, and when their process dies (E7, E9)."""

import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.bus.ports import OutcomeUnknown
from chassis.bus.tests.support import until


def test_an_outage_during_nested_calls_runs_each_of_them_once_and_its_caller_knows_that_he_does_not_know(
    rabbit, broker
):
    runs, entered, go_on = Counter(), threading.Event(), threading.Event()

    def inner(request):
        runs["inner"] += 1
        entered.set()
        go_on.wait(30)
        return {}

    stock = rabbit.service("stock", rpc=inner).start()

    def outer(request):
        runs["outer"] += 1
        return rabbit.call(stock, {}, timeout=20)

    sales = rabbit.service("sales", rpc=outer).start()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(rabbit.call, sales, {}, 30)
        assert entered.wait(10)
        threading.Event().wait(3)  # See `test_faults.crash`.
        broker.kill()
        with pytest.raises(OutcomeUnknown):
            pending.result(10)
        broker.start()
        until(lambda: stock.ready() and sales.ready() and rabbit.transport.connected())
        go_on.set()
    # Whatever was to be delivered again comes before a new call.
    assert rabbit.call(sales, {}) == {}
    assert runs == {"outer": 2, "inner": 2}


def test_a_call_whose_process_is_killed_is_run_by_another_one_with_the_same_key_and_answered_once(rabbit, broker):
    again = []

    def handler(request):
        again.append(request["key"])
        return {"by": "the other"}

    service = rabbit.service(rpc=handler)
    command = [sys.executable, "-m", "chassis.bus.tests.replica", broker.url, service.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as replica, ThreadPoolExecutor(2) as pool:
        try:
            assert pool.submit(replica.stdout.readline).result(60) == "ready\n"
            answer = pool.submit(rabbit.call, service, {"key": "k"}, 20)
            assert pool.submit(replica.stdout.readline).result(20) == "k\n"
            service.start()
            assert again == []
        finally:
            replica.kill()
        began = time.monotonic()
        assert answer.result(20) == {"by": "the other"}
        assert time.monotonic() - began < 5
    assert again == ["k"]
