"""A rebuild makes every document anew from the event log, and nobody who searches meanwhile misses one or sees two."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.bus.wire import encode
from chassis.ids import new_id
from services.search import rebuild
from services.search.rebuild import Rebuilder, ask, cancel
from services.search.tests.support import ACCOUNT, Index, event


@pytest.fixture
def house(suite_of: Any, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Nine accounts in the log and in the index, of which one was renamed and one deleted; pages of two events."""
    monkeypatch.setattr(rebuild, "PAGE", 2)
    index = Index(suite_of("eventlog", "search"))
    tenant = index.suite.tenant
    index.ids = [new_id() for _ in range(9)]
    events = [event(tenant, ACCOUNT, {"id": one, "name": f"Firm {at}"}) for at, one in enumerate(index.ids)]
    events += [
        event(tenant, ACCOUNT, {"id": index.ids[0], "name": "Firm Zero"}, version=2, verb="updated"),
        event(tenant, ACCOUNT, {"id": index.ids[8], "deleted_at": "2026-01-02T00:00:00Z"}, version=2, verb="deleted"),
    ]
    index.suite.runtime("eventlog").events([encode(one) for one in events])
    index.take(*events)
    yield index
    cancel(index.runtime)


def _state(house: Index) -> Any:
    with house.runtime.database.operations() as connection:
        return connection.exec_driver_sql(
            "SELECT state, position, until FROM rebuilds ORDER BY tenant_id LIMIT 1"
        ).first()


def _steps(house: Index) -> Any:
    """The rebuild, page by page."""
    rebuilder = Rebuilder()
    while rebuilder._step(house.runtime):
        yield


EXPECTED = ["Firm 1", "Firm 2", "Firm 3", "Firm 4", "Firm 5", "Firm 6", "Firm 7", "Firm Zero"]


def test_after_a_rebuild_everything_is_found_again_and_nothing_that_is_gone(house):
    with house.suite.work("search") as work:
        work.sql("UPDATE documents SET words = '', tokens = '' WHERE tenant_id = %s", (work.tenant,))
        work.sql("DELETE FROM keys WHERE tenant_id = %s", (work.tenant,))
        work.sql("DELETE FROM documents WHERE tenant_id = %s AND id = %s", (work.tenant, house.ids[3]))
    assert house.titles("firm") == []
    ask(house.runtime)
    for _ in _steps(house):
        pass
    assert sorted(house.titles("firm")) == EXPECTED
    assert _state(house).state == "done"
    assert _state(house).position == _state(house).until


def test_at_every_moment_of_a_rebuild_each_record_is_found_once(house):
    ask(house.runtime)
    looks = 0
    for _ in _steps(house):
        assert sorted(house.titles("firm")) == EXPECTED
        looks += 1
    assert looks > 5


def test_what_changes_during_a_rebuild_is_not_set_back(house):
    ask(house.runtime)
    steps = _steps(house)
    next(steps)
    tenant = house.suite.tenant
    house.take(
        event(tenant, ACCOUNT, {"id": house.ids[4], "name": "Firm Four"}, version=2, verb="updated"),
        event(tenant, ACCOUNT, {"id": house.ids[5], "deleted_at": "2026-01-02T00:00:00Z"}, version=2, verb="deleted"),
    )
    for _ in steps:
        pass
    assert house.titles("firm four") == ["Firm Four"]
    assert house.titles("firm 4") == house.titles("firm 5") == []


def test_another_process_goes_on_where_one_died(house):
    ask(house.runtime)
    rebuilder = Rebuilder()
    for _ in range(3):
        rebuilder._step(house.runtime)
    reached = _state(house).position
    assert 0 < reached < _state(house).until
    read = []
    successor = Rebuilder()
    while done := successor._step(house.runtime):
        read.append(done)
    assert sum(read) <= _state(house).until - reached
    assert _state(house).state == "done"


def test_a_rebuild_that_was_cancelled_stops_and_harms_nothing(house):
    ask(house.runtime)
    steps = _steps(house)
    next(steps)
    assert cancel(house.runtime)
    assert list(steps) == []
    assert _state(house).state == "cancelled"
    assert sorted(house.titles("firm")) == EXPECTED
    assert not cancel(house.runtime)


def test_one_rebuild_at_a_time(house):
    assert ask(house.runtime)
    assert not ask(house.runtime)
