"""Remote calls, by the same rules on both transports."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.bus.ports import BusUnavailable, OutcomeUnknown


def echo(request):
    return {"echo": request}


def test_a_call_is_answered_with_the_reply_of_the_service(site):
    service = site.service(rpc=echo).start()
    request = {"text": "关系 ☂", "list": [1, 2.5, None, True], "deep": {"a": {"b": {}}}}
    assert site.call(service, request) == {"echo": request}


def test_an_error_that_the_service_answers_arrives_as_it_was_said(site):
    error = {"error": {"code": "order_not_draft", "status": 409}}
    assert site.call(site.service(rpc=lambda request: error).start(), {}) == error


def test_a_handler_that_raises_answers_internal_and_tells_nothing_more(site):
    def broken(request):
        raise LookupError("secret")

    service = site.service(rpc=broken).start()
    for _ in range(2):
        assert site.call(service, {}) == {"error": {"code": "internal", "status": 500}}


def test_a_reply_that_is_no_plain_json_is_answered_as_internal(site):
    service = site.service(rpc=lambda request: {"when": object()}).start()
    assert site.call(service, {})["error"]["code"] == "internal"


def test_a_request_that_is_no_plain_json_is_refused_before_it_is_sent(site):
    with pytest.raises(TypeError):
        site.call(site.service(rpc=echo), {"a": {1, 2}})


def test_calls_of_eight_threads_each_get_their_own_reply(site):
    service = site.service(rpc=echo).start()

    def ask(thread):
        return [site.call(service, {"thread": thread, "n": n})["echo"] for n in range(50)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert answers == [[{"thread": thread, "n": n} for n in range(50)] for thread in range(8)]


def test_calls_run_side_by_side_up_to_the_declared_number(site):
    together = threading.Barrier(4)

    def meet(request):
        return {"place": together.wait(10)}

    service = site.service(rpc=meet, rpc_workers=4).start()
    with ThreadPoolExecutor(4) as pool:
        places = [each["place"] for each in pool.map(lambda n: site.call(service, {"n": n}), range(4))]
    assert sorted(places) == [0, 1, 2, 3]


def test_a_call_past_its_deadline_is_never_run(site):
    seen, entered, go_on = [], threading.Event(), threading.Event()

    def handler(request):
        seen.append(request["n"])
        entered.set()
        go_on.wait(10)
        return {}

    service = site.service(rpc=handler, rpc_workers=1).start()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(site.call, service, {"n": 1})
        entered.wait(10)
        with pytest.raises(OutcomeUnknown):
            site.call(service, {"n": 2}, timeout=0.2)
        go_on.set()
        first.result(10)
    site.call(service, {"n": 3})
    assert seen == [1, 3]


def test_an_unknown_service_is_unavailable_at_once(site):
    site.service(rpc=echo).start()
    begin = time.monotonic()
    with pytest.raises(BusUnavailable):
        site.call(f"nobody{site.number}", {})
    assert time.monotonic() - begin < 2


def test_a_call_to_a_stopped_service_waits_until_its_deadline_and_never_runs(site):
    seen = []
    service = site.service(rpc=lambda request: seen.append(request["n"]) or {}).start()
    service.stop()
    begin = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        site.call(service, {"n": 1}, timeout=0.5)
    assert 0.4 < time.monotonic() - begin < 2
    service.start()
    site.call(service, {"n": 2})
    assert seen == [2]


def test_a_call_made_while_the_service_is_stopped_is_answered_if_it_comes_back_in_time(site):
    service = site.service(rpc=echo).start()
    service.stop()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(site.call, service, {"n": 1})
        service.start()
        assert waiting.result(10) == {"echo": {"n": 1}}


def test_a_reply_after_the_deadline_is_dropped_and_disturbs_no_later_call(site):
    go_on = threading.Event()

    def handler(request):
        if request["slow"]:
            go_on.wait(10)
        return {"slow": request["slow"]}

    service = site.service(rpc=handler).start()
    with pytest.raises(OutcomeUnknown):
        site.call(service, {"slow": True}, timeout=0.2)
    go_on.set()
    assert [site.call(service, {"slow": False}) for _ in range(20)] == [{"slow": False}] * 20


def test_a_stopping_service_finishes_what_it_has_begun(site):
    entered, go_on = threading.Event(), threading.Event()

    def handler(request):
        entered.set()
        go_on.wait(10)
        return {"finished": True}

    service = site.service(rpc=handler).start()
    with ThreadPoolExecutor(2) as pool:
        reply = pool.submit(site.call, service, {})
        entered.wait(10)
        stopped = pool.submit(service.stop)
        go_on.set()
        assert reply.result(10) == {"finished": True}
        stopped.result(10)


def test_a_service_that_does_not_finish_in_time_is_ended(site):
    entered = threading.Event()

    def handler(request):
        entered.set()
        threading.Event().wait(60)
        return {}

    service = site.service(rpc=handler).start()
    with ThreadPoolExecutor(1) as pool:
        unanswered = pool.submit(site.call, service, {}, 3)
        entered.wait(10)
        begin = time.monotonic()
        service.stop(grace=0.3)
        assert time.monotonic() - begin < 3
        with pytest.raises(OutcomeUnknown):
            unanswered.result(10)


def test_both_transports_carry_a_large_request_and_reply(site):
    service = site.service(rpc=echo).start()
    request = {"text": "x" * 1_000_000}
    assert site.call(service, request) == {"echo": request}
