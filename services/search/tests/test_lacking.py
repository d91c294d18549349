"""What Elasticsearch lacks is answered by PostgreSQL and says so, until the leader has written it there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from chassis.ids import new_id
from services.search import keeping, tenants
from services.search.elastic_cluster import Cluster
from services.search.keeping import Keeper, drain_portion
from services.search.tests.support import ACCOUNT, Index, event
from suite.servers.elasticsearch import Elasticsearch


@pytest.fixture
def own(node: Elasticsearch) -> Cluster:
    """A cluster of indices that nobody else uses, asked again at once after a failure."""
    return Cluster(node.url, "own", patience=30, rest=0)


@pytest.fixture
def index(suite_of: Callable[..., Any], own: Cluster, monkeypatch: pytest.MonkeyPatch) -> Index:
    made = Index(suite_of("search"))
    # Other tests' tenants keep their documents elsewhere.
    monkeypatch.setattr(tenants, "known", lambda runtime: [made.suite.tenant])
    made.use(own)
    made.put(ACCOUNT, name="Alfreds")
    return made


@pytest.fixture
def keeper(index: Index) -> Keeper:
    return Keeper(index.runtime, index.elastic)


def _backend(index: Index, q: str = "alf") -> str:
    body = index.suite.request("search", "search.query", {"q": q})["body"]
    assert [item["title"] for item in body["items"]] == ["Alfreds"]
    assert body["freshness"]["degraded"] == (body["freshness"]["backend"] == "postgresql")
    return str(body["freshness"]["backend"])


def _noted(index: Index) -> int:
    with index.suite.work("search") as work:
        found: int = work.sql("SELECT count(*) FROM behind WHERE tenant_id = %s", (work.tenant,)).scalar_one()
        return found


def _forget_the_glance(index: Index) -> None:
    index.elastic._glance._seen.clear()


def _delete(index: Index, family: str) -> None:
    alias = index.elastic.generations.alias(family)
    (name,) = index.elastic.cluster.ask("GET", f"/_alias/{alias}")
    index.elastic.cluster.ask("DELETE", f"/{name}")


def test_an_index_that_was_deleted_is_made_again_and_filled_while_postgresql_answers(index, keeper):
    assert _backend(index) == "elasticsearch"
    _delete(index, "customer")
    assert _backend(index) == "postgresql"
    assert keeper.make_missing(seen=0) == ["customer"]
    # The empty index is there, and nobody takes it for the whole.
    _forget_the_glance(index)
    assert _backend(index) == "postgresql"
    drain_portion(index.runtime, index.elastic, index.suite.tenant)
    assert _noted(index) == 0
    _forget_the_glance(index)
    assert _backend(index) == "elasticsearch"


def test_an_index_is_made_in_a_later_turn_once_every_process_knows_that_it_lacks_everything(index, keeper):
    _delete(index, "customer")
    assert keeper.make_missing() == []
    assert _noted(index) == 1
    assert index.elastic.generations.missing() == ["customer"]
    # Somebody who takes in something meanwhile notes it himself.
    index.put(ACCOUNT, name="Bergs")
    assert _noted(index) == 2
    assert keeper.make_missing() == []
    keeper._noted["customer"] -= keeping.SEEN_SECONDS
    assert keeper.make_missing() == ["customer"]
    drain_portion(index.runtime, index.elastic, index.suite.tenant)
    assert _noted(index) == 0


def test_what_was_deleted_while_its_index_was_gone_is_not_found_afterwards(index, keeper):
    one = index.put(ACCOUNT, name="Bergs")
    _delete(index, "customer")
    gone = {"id": one, "deleted_at": "2026-01-02T00:00:00Z"}
    index.take(event(index.suite.tenant, ACCOUNT, gone, version=2, verb="deleted"))
    keeper.make_missing(seen=0)
    drain_portion(index.runtime, index.elastic, index.suite.tenant)
    # An event from before, which was on its way for long, finds the stone.
    index.take(event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Bergs"}, version=1))
    _forget_the_glance(index)
    assert _backend(index) == "elasticsearch"
    assert index.titles("bergs") == []


def test_while_an_index_takes_no_writes_they_are_kept_and_found_and_given_to_it_later(index):
    name = index.elastic.generations.alias("customer")
    index.elastic.cluster.ask("PUT", f"/{name}/_settings", {"index.blocks.write": True})
    index.put(ACCOUNT, name="Bergs")
    assert index.ask("bergs", degraded=True)["freshness"]["backend"] == "postgresql"
    drain_portion(index.runtime, index.elastic, index.suite.tenant)
    assert _noted(index) == 1
    index.elastic.cluster.ask("PUT", f"/{name}/_settings", {"index.blocks.write": None})
    drain_portion(index.runtime, index.elastic, index.suite.tenant)
    assert _noted(index) == 0
    _forget_the_glance(index)
    assert index.titles("bergs") == ["Bergs"]


def test_a_server_that_hangs_costs_one_request_its_patience_and_the_others_nothing(index, node):
    hurried = index.use(Cluster(node.url, "own", patience=0.3, rest=60))
    node.pause()
    try:
        assert _backend(index) == "postgresql"
        began = time.monotonic()
        for _ in range(20):
            assert _backend(index) == "postgresql"
        assert time.monotonic() - began < 20 * 0.3
        assert hurried.cluster.circuit.open
    finally:
        node.resume()


def test_versions_do_not_count_as_there_while_they_are_only_noted_and_elasticsearch_answers(index):
    one = new_id()
    index.take(event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Alfreds"}))
    with index.suite.work("search") as work:
        work.sql(
            "INSERT INTO behind (tenant_id, record, id, version, refused) VALUES (%s, %s, %s, 1, 'no')",
            (work.tenant, ACCOUNT, one),
        )
    _forget_the_glance(index)
    hurried = replace(index.suite.context(), deadline=time.time() + 0.6)
    assert index.answer("alf", context=hurried, min_version={f"account/{one}": 1})["status"] == 202


def test_of_two_indices_that_were_made_at_once_one_goes(index, keeper):
    index.elastic.generations.create("customer", asked=True)
    assert len(index.ask("alf", degraded=False)["items"]) == 1
    keeper.tidy()
    keeper.tidy(unused=0)
    assert len(index.elastic.generations.asked()["customer"]) == 1
    assert _backend(index) == "elasticsearch"


def test_a_bulk_update_while_elasticsearch_is_away_leaves_no_lost_and_no_stale_hit(index, node):
    """As a bulk job makes it: hundreds of records change while the server is down, and some go."""
    tenant, ids = index.suite.tenant, [new_id() for _ in range(120)]
    made = [event(tenant, ACCOUNT, {"id": one, "name": f"Kiwi {at:03}"}) for at, one in enumerate(ids)]
    index.take(*made)
    assert index.ask("kiwi")["facets"] == {"account": 120}
    node.kill()
    try:
        renamed = [
            event(tenant, ACCOUNT, {"id": one, "name": f"Mango {at:03}"}, version=2, verb="updated")
            for at, one in enumerate(ids)
        ]
        gone = {"deleted_at": "2026-01-02T00:00:00Z"}
        deleted = [
            event(tenant, ACCOUNT, {"id": one, "name": None, **gone}, version=3, verb="deleted") for one in ids[:20]
        ]
        index.elastic, away = None, index.elastic
        index.take(*renamed, *deleted)
        assert index.ask("mango", degraded=True)["facets"] == {"account": 100}
        assert index.ask("kiwi", degraded=True)["items"] == []
    finally:
        node.start()
    index.elastic = away
    while _noted(index):
        assert drain_portion(index.runtime, away, tenant) > 0
    # One of the old events was on its way all the time.
    index.take(made[0], made[50])
    _forget_the_glance(index)
    found = index.ask("mango")
    assert (found["freshness"]["backend"], found["facets"]) == ("elasticsearch", {"account": 100})
    assert index.titles("kiwi") == []
    assert index.titles("mango 050") == ["Mango 050"]
