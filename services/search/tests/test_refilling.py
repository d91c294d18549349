"""A rebuild fills new indices of Elasticsearch beside the old ones, and whoever searches meanwhile notices nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis.bus.wire import encode
from chassis.errors import Problem
from chassis.ids import new_id
from services.search import rebuild, tenants
from services.search.elastic_cluster import Cluster
from services.search.keeping import Keeper
from services.search.rebuild import Rebuilder, ask, cancel
from services.search.tests.support import ACCOUNT, Index, event
from suite.servers.elasticsearch import Elasticsearch

EXPECTED = ["Firm 1", "Firm 2", "Firm 3", "Firm 4", "Firm Zero"]


@pytest.fixture
def own(node: Elasticsearch) -> Cluster:
    return Cluster(node.url, "green", patience=30, rest=0)


@pytest.fixture
def house(suite_of: Callable[..., Any], own: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Six accounts in the log and in the index, of which one was renamed and one deleted; pages of two events."""
    monkeypatch.setattr(rebuild, "PAGE", 2)
    index = Index(suite_of("eventlog", "search"))
    index.use(own)
    tenant = index.suite.tenant
    # Other tests' tenants are not rebuilt with it.
    monkeypatch.setattr(tenants, "known", lambda runtime: [tenant])
    index.ids = [new_id() for _ in range(6)]
    events = [event(tenant, ACCOUNT, {"id": one, "name": f"Firm {at}"}) for at, one in enumerate(index.ids)]
    events += [
        event(tenant, ACCOUNT, {"id": index.ids[0], "name": "Firm Zero"}, version=2, verb="updated"),
        event(tenant, ACCOUNT, {"id": index.ids[5], "deleted_at": "2026-01-02T00:00:00Z"}, version=2, verb="deleted"),
    ]
    index.suite.runtime("eventlog").events([encode(one) for one in events])
    index.take(*events)
    yield index
    cancel(index.runtime)


def _steps(house: Index, rebuilder: Rebuilder | None = None) -> Iterator[None]:
    one = rebuilder or Rebuilder()
    while one._step(house.runtime):
        yield


def _asked(house: Index) -> str:
    """The index of accounts that is asked."""
    (name,) = house.elastic.cluster.ask("GET", f"/_alias/{house.elastic.generations.alias('customer')}")
    return str(name)


def _state(house: Index) -> str:
    with house.runtime.database.operations() as connection:
        row = connection.exec_driver_sql("SELECT state FROM rebuilds ORDER BY tenant_id LIMIT 1").one()
    return str(row.state)


def _until(house: Index, state: str, steps: Iterator[None]) -> None:
    while _state(house) != state:
        next(steps)


def test_at_every_moment_each_record_is_found_once_and_the_old_index_goes(house):
    before, looks = _asked(house), 0
    ask(house.runtime)
    for _ in _steps(house):
        house.refresh()
        assert sorted(house.titles("firm")) == EXPECTED
        looks += 1
    assert looks > 8
    after = _asked(house)
    assert after != before
    assert sorted(house.titles("firm")) == EXPECTED
    keeper = Keeper(house.runtime, house.elastic)
    keeper.tidy()
    assert {before, after} <= set(house.elastic.generations.aliases())
    keeper.tidy(unused=0)
    assert [one.name for one in house.elastic.generations.list() if one.family == "customer"] == [after]
    assert sorted(house.titles("firm")) == EXPECTED


@pytest.mark.parametrize("state", ["reading", "filling"])
def test_what_changes_meanwhile_is_in_the_new_index_too(house, state):
    ask(house.runtime)
    steps = _steps(house)
    _until(house, state, steps)
    tenant = house.suite.tenant
    house.take(
        event(tenant, ACCOUNT, {"id": house.ids[1], "name": "Firm One"}, version=2, verb="updated"),
        event(tenant, ACCOUNT, {"id": house.ids[2], "deleted_at": "2026-01-02T00:00:00Z"}, version=2, verb="deleted"),
        event(tenant, ACCOUNT, {"id": new_id(), "name": "Firm New"}),
    )
    expected = ["Firm 3", "Firm 4", "Firm New", "Firm One", "Firm Zero"]
    assert sorted(house.titles("firm")) == expected
    for _ in steps:
        pass
    assert sorted(house.titles("firm")) == expected


def test_what_the_log_does_not_have_yet_is_in_the_new_index_too(house):
    house.put(ACCOUNT, name="Firm Early")
    ask(house.runtime)
    for _ in _steps(house):
        pass
    assert sorted(house.titles("firm")) == ["Firm 1", "Firm 2", "Firm 3", "Firm 4", "Firm Early", "Firm Zero"]


@pytest.mark.parametrize("state", ["reading", "filling"])
def test_another_process_goes_on_where_one_died(house, state):
    before = _asked(house)
    ask(house.runtime)
    _until(house, state, _steps(house))
    made = house.elastic.generations.being_filled()
    for _ in _steps(house):
        pass
    assert _asked(house) == made["customer"] != before
    assert sorted(house.titles("firm")) == EXPECTED


def test_new_indices_that_somebody_deletes_are_made_again(house):
    ask(house.runtime)
    steps = _steps(house)
    _until(house, "filling", steps)
    house.elastic.generations.drop(house.elastic.generations.being_filled()["customer"])
    for _ in _steps(house):
        pass
    assert sorted(house.titles("firm")) == EXPECTED


def test_a_rebuild_waits_while_elasticsearch_is_away_and_goes_on(house, node):
    ask(house.runtime)
    rebuilder = Rebuilder()
    _until(house, "filling", _steps(house, rebuilder))
    house.elastic.cluster.circuit.broken, house.elastic.cluster.circuit._closed_at = True, float("inf")
    with pytest.raises(Problem):
        # What has no documents needs no Elasticsearch.
        list(_steps(house, rebuilder))
    assert _state(house) == "filling"
    house.elastic.cluster.circuit._closed_at = 0.0
    for _ in _steps(house, rebuilder):
        pass
    assert _state(house) == "done"
    assert sorted(house.titles("firm")) == EXPECTED


def test_what_a_cancelled_rebuild_has_made_is_deleted(house):
    before = _asked(house)
    ask(house.runtime)
    _until(house, "filling", _steps(house))
    cancel(house.runtime)
    keeper = Keeper(house.runtime, house.elastic)
    keeper.tidy(unused=0)
    assert [one.name for one in house.elastic.generations.list() if one.family == "customer"] == [before]
    assert sorted(house.titles("firm")) == EXPECTED


def test_documents_of_another_form_are_made_anew_without_being_asked_to(house, monkeypatch):
    rebuilder = Rebuilder()
    ask(house.runtime)
    for _ in _steps(house, rebuilder):
        pass
    before = _asked(house)
    monkeypatch.setattr(rebuild, "form", lambda: "0badcafe")
    monkeypatch.setattr("services.search.generations.form", lambda: "0badcafe")
    monkeypatch.setattr(rebuild, "LOOK_SECONDS", 0.0)
    rebuilder.advance(house.runtime)
    while _state(house) != "done":
        rebuilder.advance(house.runtime)
    assert "0badcafe" in _asked(house) != before
    # It is of this form now, so nothing begins again; and who does not want one is not asked again.
    rebuilder.advance(house.runtime)
    assert _state(house) == "done"
    monkeypatch.setattr(rebuild, "form", lambda: "0000cafe")
    rebuilder._look_at_form(house.runtime)
    assert _state(house) == "asked"
    cancel(house.runtime)
    rebuilder._look_at_form(house.runtime)
    assert _state(house) == "cancelled"
