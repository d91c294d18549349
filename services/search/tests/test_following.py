"""The position of an answer is one that was checked: every event of the feed up to it is in the index."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.bus.wire import encode
from chassis.errors import unavailable
from chassis.ids import new_id
from services.search import following
from services.search.elastic_cluster import Cluster
from services.search.following import Follower
from services.search.tests.support import ACCOUNT, Index, event


@pytest.fixture
def house(suite_of: Any) -> Index:
    return Index(suite_of("eventlog", "search"))


def _log(house: Index, *events: Any) -> None:
    house.suite.runtime("eventlog").events([encode(one) for one in events])


def _accounts(house: Index, count: int) -> list[Any]:
    """Events that are a second apart."""
    return [event(house.suite.tenant, ACCOUNT, {"id": new_id(), "name": f"Firm {at}"}) for at in range(count)]


def _freshness(house: Index) -> Any:
    return house.ask("firm")["freshness"]


def test_before_the_first_check_nothing_is_said_of_the_position(house):
    told = _freshness(house)
    assert (told["indexed_at"], told["lag_seconds"], told["position"]) == (None, None, None)


def test_the_position_is_the_end_of_the_feed_when_all_of_it_is_indexed(house):
    events = _accounts(house, 5)
    _log(house, *events)
    house.take(*events)
    Follower().follow(house.runtime)
    assert _freshness(house)["position"] == 5
    assert _freshness(house)["lag_seconds"] == 0


def test_the_position_stays_before_an_event_that_is_not_indexed_and_the_lag_is_its_age(house):
    events = _accounts(house, 5)
    _log(house, *events)
    house.take(*events[:2], *events[3:])
    Follower().follow(house.runtime)
    at_first = _freshness(house)
    assert at_first["position"] == 2
    house.suite.clock.forward(seconds=60)
    Follower().follow(house.runtime)
    assert 59 < _freshness(house)["lag_seconds"] - at_first["lag_seconds"] < 90
    house.take(events[2])
    Follower().follow(house.runtime)
    assert _freshness(house)["position"] == 5


def test_events_of_records_that_are_not_searched_hold_nothing_back(house):
    told = event(house.suite.tenant, "inventory.stock-level", {"id": new_id()})
    events = _accounts(house, 1)
    _log(house, told, *events)
    house.take(*events)
    Follower().follow(house.runtime)
    assert _freshness(house)["position"] == 2


def test_an_event_that_never_came_is_fetched_from_the_log_once_much_younger_ones_are_in(house):
    events = _accounts(house, 12)
    _log(house, *events)
    house.take(*events[1:6])
    follower = Follower()
    follower.follow(house.runtime)
    assert follower.fetched == 0
    house.take(*events[6:])
    follower.follow(house.runtime)
    follower.follow(house.runtime)
    assert follower.fetched == 1
    assert house.titles("firm 0") == ["Firm 0"]
    assert _freshness(house)["position"] == 12


def test_a_check_that_is_too_old_does_not_say_that_nothing_is_missing(house):
    events = _accounts(house, 1)
    _log(house, *events)
    house.take(*events)
    Follower().follow(house.runtime)
    house.suite.clock.forward(seconds=30)
    assert 29 < _freshness(house)["lag_seconds"] < 60


def test_the_position_of_one_tenant_says_nothing_of_another(house):
    other = new_id()
    theirs = event(other, ACCOUNT, {"id": new_id(), "name": "Firm"})
    events = _accounts(house, 3)
    _log(house, theirs, *events)
    house.take(*events)
    Follower().follow(house.runtime)
    assert _freshness(house)["position"] == 3
    assert house.ask("firm", context=house.suite.context(tenant=other))["freshness"]["position"] is None


def test_what_a_position_covers_is_found_in_elasticsearch_too(house, node):
    cluster = Cluster(node.url, "followed", patience=30)
    house.use(cluster)
    # As if the second in which it shows nothing new were long.
    cluster.ask("PUT", "/followed-*/_settings", {"index": {"refresh_interval": "-1"}}, seconds=30)
    events = _accounts(house, 3)
    _log(house, *events)
    house.runtime.events([encode(one) for one in events])
    assert house.titles("firm") == []
    Follower().follow(house.runtime)
    assert _freshness(house)["position"] == 3
    assert sorted(house.titles("firm")) == ["Firm 0", "Firm 1", "Firm 2"]


def test_what_elasticsearch_took_before_it_was_away_is_found_when_it_is_back(house, node):
    cluster = Cluster(node.url, "back", patience=30, rest=0)
    house.use(cluster)
    cluster.ask("PUT", "/back-*/_settings", {"index": {"refresh_interval": "-1"}}, seconds=30)
    house.runtime.events([encode(one) for one in _accounts(house, 3)])
    cluster.circuit.broken = True
    assert len(house.titles("firm")) == 3
    assert not cluster.circuit.broken


def test_whoever_is_far_behind_looks_less_often_how_far_it_is(house, monkeypatch):
    monkeypatch.setattr(following, "PAGE", 3)
    events = _accounts(house, 8)
    _log(house, *events)
    house.take(*events[:2])
    follower = Follower()
    follower.follow(house.runtime)
    assert _freshness(house)["position"] == 2
    house.take(*events[2:])
    follower.follow(house.runtime)
    assert _freshness(house)["position"] == 2
    follower.rest_until -= following.BEHIND_SECONDS
    follower.follow(house.runtime)
    assert _freshness(house)["position"] == 8


def test_elasticsearch_shows_what_it_took_also_while_the_event_log_is_away(house, node, monkeypatch):
    cluster = Cluster(node.url, "alone", patience=30)
    house.use(cluster)
    cluster.ask("PUT", "/alone-*/_settings", {"index": {"refresh_interval": "-1"}}, seconds=30)
    events = _accounts(house, 3)
    house.runtime.events([encode(one) for one in events])
    monkeypatch.setattr(house.runtime, "ask", _away)
    Follower().follow(house.runtime)
    assert len(house.titles("firm")) == 3


def _away(*_: Any) -> Any:
    raise unavailable("nobody answers")
