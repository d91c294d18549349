"""The feed over HTTP, with a clock that moves only when somebody sleeps."""

from __future__ import annotations

import falcon.testing
import pytest

from chassis.bus.ports import BusUnavailable
from chassis.errors import Problem
from gateway.tests.conftest import TOKEN

EVENT = {"id": "e", "type": "sales.order.placed", "subject": "order/7", "data": {"注": "关系"}, "position": 41}
EMPTY = {"items": [], "next": 40}
FULL = {"items": [EVENT], "next": 41}


def feed(*pages):
    """Answers these pages one after the other, and the last one again and again."""
    left = list(pages)

    def answer(request):
        page = left.pop(0) if len(left) > 1 else left[0]
        return page if isinstance(page, Exception) else {"status": 200, "body": page}

    return answer


def open_stream(client, query="", **headers):
    """The status and the body of a stream, which is read chunk by chunk."""
    env = falcon.testing.create_environ(
        "/v1/events/stream", query_string=query, headers={"Authorization": f"Bearer {TOKEN}", **headers}
    )
    start = falcon.testing.StartResponseMock()
    return start, client.app(env, start)


def test_a_page_of_the_feed_is_asked_for_once(client, bus):
    bus.answers["eventlog.feed"] = feed(FULL)
    answer = client.simulate_get(
        "/v1/events", params={"after": "40", "types": "sales.order.*,customer.account.created"}
    )
    assert answer.json == FULL
    assert bus.last["params"] == {"after": 40, "types": ["sales.order.*", "customer.account.created"], "limit": 100}


@pytest.mark.parametrize(
    "query",
    ["after=-1", "after=x", "limit=501", "limit=0", "wait=31", "wait=x", "types=", "types=Sales.Order", "from=1"],
)
def test_bad_questions_to_the_feed_are_400(client, bus, query):
    assert client.simulate_get("/v1/events", query_string=query).status_code == 400
    assert not bus.asked()


def test_a_long_poll_ends_with_the_first_event(client, bus, clock):
    bus.answers["eventlog.feed"] = feed(EMPTY, EMPTY, FULL)
    assert client.simulate_get("/v1/events", params={"wait": "30"}).json == FULL
    assert clock.slept == [0.25, 0.25]
    assert [request["params"]["after"] for _, request, _ in bus.asked()] == [0, 40, 40]


def test_a_long_poll_without_events_ends_in_time_and_moves_on(client, bus, clock):
    bus.answers["eventlog.feed"] = feed(EMPTY)
    assert client.simulate_get("/v1/events", params={"wait": "2"}).json == EMPTY
    assert sum(clock.slept) == 2


def test_a_long_poll_gives_its_place_back_however_it_ends(make, bus):
    client = make(streams_limit=1)
    bus.answers["eventlog.feed"] = BusUnavailable()
    assert client.simulate_get("/v1/events", params={"wait": "1"}).status_code == 503
    bus.answers["eventlog.feed"] = feed(FULL)
    assert client.simulate_get("/v1/events", params={"wait": "1"}).status_code == 200


def test_a_stream_writes_each_event_with_its_position_type_and_data(client, bus):
    bus.answers["eventlog.feed"] = feed(FULL, Problem(401, "unauthenticated", "Signed out."))
    start, body = open_stream(client, "after=40&types=sales.order.placed")
    assert start.headers_dict["content-type"] == "text/event-stream; charset=utf-8"
    assert start.headers_dict["x-content-type-options"] == "nosniff"
    chunks = list(body)
    assert chunks[1].decode() == (
        'id: 41\nevent: sales.order.placed\ndata: {"id":"e","type":"sales.order.placed","subject":"order/7",'
        '"data":{"注":"关系"},"position":41}\n\n'
    )
    assert bus.asked()[0][1]["params"] == {"after": 40, "types": ["sales.order.placed"], "limit": 100}
    assert bus.asked()[1][1]["params"]["after"] == 41


def test_a_stream_goes_on_behind_the_last_event_id(client, bus):
    bus.answers["eventlog.feed"] = feed(Problem(403, "forbidden", "No."))
    list(open_stream(client, "after=3", **{"Last-Event-ID": "12"})[1])
    assert bus.last["params"]["after"] == 12


def test_a_last_event_id_that_is_no_position_is_400(client):
    assert client.simulate_get("/v1/events/stream", headers={"Last-Event-ID": "x"}).status_code == 400


def test_a_quiet_stream_sends_a_heartbeat_every_15_seconds_and_ends_after_10_minutes(client, bus, clock):
    bus.answers["eventlog.feed"] = feed({"items": [], "next": 0})
    began = clock.now
    beats = []
    for chunk in open_stream(client)[1]:
        if chunk == b": alive\n\n":
            beats.append(clock.now - began)
    assert beats[:3] == [15, 30, 45]
    assert clock.now - began == 600


def test_events_that_may_not_be_seen_move_the_position_on_silently(client, bus):
    bus.answers["eventlog.feed"] = feed(EMPTY, Problem(401, "unauthenticated", "No."))
    assert list(open_stream(client)[1]) == [b"retry: 2000\n\n", b"id: 40\n\n"]


def test_a_stream_ends_within_five_seconds_of_a_withdrawn_token(client, bus, clock):
    bus.answers["eventlog.feed"] = feed({"items": [], "next": 0})
    _, body = open_stream(client)
    next(iter(body))
    began = clock.now
    bus.answers["identity.authenticate"] = Problem(401, "unauthenticated", "Signed out.")
    assert list(body) == []
    assert clock.now - began <= 5


def test_every_poll_of_a_stream_has_a_deadline_of_its_own(client, bus, context_of):
    bus.answers["eventlog.feed"] = feed(EMPTY, EMPTY, FULL, Problem(401, "unauthenticated", "No."))
    list(open_stream(client)[1])
    assert all(context_of(request).time_left() > 0 for _, request, _ in bus.asked())


def test_only_so_many_clients_may_wait_and_a_closed_stream_frees_its_place(make, bus):
    client = make(streams_limit=1)
    bus.answers["eventlog.feed"] = feed(FULL)
    _, body = open_stream(client)
    refused = client.simulate_get("/v1/events", params={"wait": "1"})
    assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (503, "unavailable", "5")
    assert client.simulate_get("/v1/events").status_code == 200
    body.close()
    body.close()
    assert client.simulate_get("/v1/events", params={"wait": "1"}).status_code == 200


ELSEWHERE = "https://streams.example/"


def test_what_would_wait_is_sent_to_the_streams_process(make, bus):
    client = make(streams_url=ELSEWHERE)
    answer = client.simulate_get("/v1/events", query_string="wait=30&after=7")
    assert (answer.status_code, answer.headers["Location"]) == (
        307,
        "https://streams.example/v1/events?wait=30&after=7",
    )
    answer = client.simulate_get("/v1/events/stream")
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://streams.example/v1/events/stream")
    assert not bus.asked()
    bus.answers["eventlog.feed"] = feed(FULL)
    assert client.simulate_get("/v1/events").json == FULL


def test_the_streams_process_serves_them_itself(make, bus):
    bus.answers["eventlog.feed"] = feed(FULL)
    client = make(streams_url=ELSEWHERE, create={"streams": True})
    assert client.simulate_get("/v1/events", params={"wait": "5"}).json == FULL
