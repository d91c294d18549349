"""The sweep compares Elasticsearch with what PostgreSQL keeps, and puts right what has drifted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from elasticsearch import ConflictError

from chassis.bus.wire import encode
from chassis.ids import new_id
from services.search import elastic_digest, equipment
from services.search.elastic_cluster import Cluster
from services.search.elastic_documents import key_in, source_of
from services.search.keeping import drain_portion
from services.search.kept import documents
from services.search.mapping import Document
from services.search.sweep import ELASTICSEARCH, Sweeper, Task
from services.search.tests.support import ACCOUNT, CONTACT, Index, event
from suite.servers.elasticsearch import Elasticsearch

NAMES = ("Alfreds", "Bergs", "Chop-suey", "Drachenblut")


@pytest.fixture
def own(node: Elasticsearch) -> Cluster:
    return Cluster(node.url, "swept", patience=30, rest=0)


@pytest.fixture
def house(suite_of: Callable[..., Any], own: Cluster) -> Index:
    """Four accounts, of which the second one was changed and the last one deleted, and a contact."""
    index = Index(suite_of("search"))
    index.use(own)
    index.ids = [new_id() for _ in NAMES]
    tenant = index.suite.tenant
    gone = {"id": index.ids[3], "deleted_at": "2026-01-02T00:00:00Z"}
    index.take(
        *(event(tenant, ACCOUNT, {"id": id, "name": name}) for id, name in zip(index.ids, NAMES, strict=True)),
        event(tenant, ACCOUNT, {"id": index.ids[1], "name": "Bergs & Co"}, version=2, verb="updated"),
        event(tenant, ACCOUNT, gone, version=2, verb="deleted"),
        event(tenant, CONTACT, {"id": new_id(), "name": "Maria"}),
    )
    return index


def _task(house: Index) -> Task:
    return Task(house.suite.tenant, ACCOUNT, ELASTICSEARCH)


def _swept(house: Index) -> Any:
    sweeper = Sweeper()
    sweeper.next(house.runtime)
    if sweeper.look(house.runtime, _task(house)):
        sweeper.settle(house.runtime, _task(house))
    with house.suite.work("search") as work:
        sql = "SELECT * FROM sweeps WHERE tenant_id = %s AND record = %s AND against = %s"
        return work.sql(sql, tuple(_task(house))).one()


def _mend(house: Index) -> None:
    """The leader's turns, and the seconds between them, until nothing is noted any more."""
    end = time.monotonic() + 30
    while True:
        with house.suite.work("search") as work:
            sql = "UPDATE behind SET noted_at = noted_at - interval '1 minute' WHERE tenant_id = %s"
            if not work.sql(sql, (work.tenant,)).rowcount:
                break
        assert time.monotonic() < end
        drain_portion(house.runtime, house.elastic, house.suite.tenant)
        house.refresh()
    house.elastic._glance._seen.clear()


class Hand:
    """Somebody who changes the index behind the back of everybody."""

    def __init__(self, house: Index) -> None:
        self._house, self._cluster = house, house.elastic.cluster
        self._index = house.elastic.generations.alias("customer")

    def remove(self, number: int) -> None:
        """Deleted as the version that it has: a newer one would refuse the repair until Elasticsearch forgets it."""
        version = self._document(number).version
        self._send("DELETE", self._house.ids[number], version=version, version_type="external_gte")

    def put(self, number: int, id: str | None = None, **changes: Any) -> None:
        """Write the document anew, changed, as whatever version."""
        document = self._document(number)
        version = changes.pop("at", document.version)
        source = source_of(self._house.suite.tenant, document)
        source |= elastic_digest.told_by(id or document.id, version, document.deleted) | changes
        if id is None:
            self.remove(number)
        else:
            source["id"] = id
        self._put(id or document.id, source, version)

    def _document(self, number: int) -> Document:
        with self._house.suite.work("search") as work:
            (document,) = documents(work, [(ACCOUNT, self._house.ids[number])])
        return document

    def _put(self, id: str, source: Any, version: int) -> None:
        """Elasticsearch takes an older version once it has forgotten the deleted one."""
        end = time.monotonic() + 20
        while True:
            try:
                return self._send("PUT", id, source, version=version, version_type="external_gte")
            except ConflictError:
                assert time.monotonic() < end
                self._house.refresh()

    def _send(self, method: str, id: str, body: Any = None, **params: Any) -> None:
        tenant = self._house.suite.tenant
        path = f"/{self._index}/_doc/{key_in(tenant, ACCOUNT, id).replace('/', '%2F')}"
        self._cluster.ask(method, path, body, routing=tenant, refresh="true", **params)


PLANTED: dict[str, Callable[[Hand], None]] = {
    "a document is gone": lambda hand: hand.remove(0),
    "a document is of an older version": lambda hand: hand.put(1, at=1),
    "a document is of a version that never was": lambda hand: hand.put(1, at=9),
    "a stone is gone": lambda hand: hand.remove(3),
    "a stone is alive": lambda hand: hand.put(3, gone=False, low=1),
    "a living one is a stone": lambda hand: hand.put(0, gone=True, high=1),
    "a document is of a record that never was": lambda hand: hand.put(0, id=new_id()),
}


def test_what_agrees_is_said_to_agree_with_how_many_were_looked_at(house):
    row = _swept(house)
    assert (row.looked, row.differing, row.drifted, row.repaired) == (4, 0, 0, 0)
    assert row.swept_at is not None


@pytest.mark.parametrize("what", PLANTED)
def test_what_has_drifted_in_elasticsearch_is_found_and_put_right(house, what):
    PLANTED[what](Hand(house))
    row = _swept(house)
    assert (row.differing, row.drifted, row.repaired) == (1, 1, 1)
    _mend(house)
    assert _swept(house).differing == 0
    assert sorted(house.titles("alfreds") + house.titles("bergs") + house.titles("drachenblut")) == [
        "Alfreds",
        "Bergs & Co",
    ]


def test_what_is_known_to_be_lacking_is_no_drift(house):
    house.elastic.cluster.circuit.broken, house.elastic.cluster.circuit._closed_at = True, float("inf")
    changed = event(house.suite.tenant, ACCOUNT, {"id": house.ids[0], "name": "Alfreds & Co"}, version=2)
    house.runtime.events([encode(changed)])
    house.elastic.cluster.circuit.broken = False
    row = _swept(house)
    assert (row.differing, row.drifted) == (0, 0)


def test_a_tenant_waits_for_its_comparison_until_what_it_lacks_is_written(house):
    sweeper = Sweeper()
    sweeper.next(house.runtime)
    with house.suite.work("search") as work:
        work.sql("UPDATE sweeps SET asked_at = %s WHERE tenant_id = %s", (work.now, work.tenant))
    seen = set()
    with house.suite.work("search") as work:
        work.sql(
            "INSERT INTO behind (tenant_id, record, id, version) VALUES (%s, %s, %s, 1)",
            (work.tenant, ACCOUNT, house.ids[0]),
        )
    while (task := sweeper.next(house.runtime)) and task not in seen and task.tenant == house.suite.tenant:
        seen.add(task)
        with house.suite.work("search") as work:
            sql = "UPDATE sweeps SET asked_at = NULL, swept_at = now() WHERE tenant_id = %s AND record = %s"
            work.sql(f"{sql} AND against = %s", tuple(task))
    assert {task.against for task in seen} == {"databases"}


def test_where_elasticsearch_is_not_set_up_nothing_is_compared_with_it(house, monkeypatch):
    assert _swept(house).looked == 4
    monkeypatch.setitem(equipment._indices, house.runtime, None)
    Sweeper().next(house.runtime)
    with house.suite.work("search") as work:
        assert work.sql("SELECT count(*) FROM sweeps WHERE against = 'elasticsearch'").scalar_one() == 0


def test_one_document_among_many_is_found_by_reading_few(house, monkeypatch):
    tenant = house.suite.tenant
    house.take(*(event(tenant, ACCOUNT, {"id": new_id(), "name": f"Firm {n}"}) for n in range(600)))
    Hand(house).remove(0)
    read = []
    pairs = elastic_digest.pairs
    monkeypatch.setattr(elastic_digest, "MOST_ROWS", 10)
    monkeypatch.setattr(elastic_digest, "MOST_BUCKETS", 7)
    monkeypatch.setattr(elastic_digest, "pairs", lambda mine, theirs: read.append(len(mine)) or pairs(mine, theirs))
    sweeper = Sweeper()
    assert sweeper.look(house.runtime, _task(house)) == 1
    assert list(sweeper.suspects[_task(house)].pairs) == [house.ids[0]]
    assert sum(read) < 60


@pytest.mark.parametrize("deleted", [False, True])
def test_both_sides_make_the_same_hash(house, deleted):
    id = new_id()
    with house.suite.work("search") as work:
        row = work.sql(
            f"SELECT {elastic_digest._LOW} AS low, {elastic_digest._HIGH} AS high"
            " FROM (SELECT %s::uuid AS id, 7::bigint AS version, %s AS deleted) AS one",
            (id, deleted),
        ).one()
    assert tuple(row) == elastic_digest.halves(id, 7, deleted)
    # By `md5sum`.
    assert elastic_digest.halves("01900000-0000-7000-8000-000000000001", 7, False) == (0x19DD7C08, 0x7C8A493C)
