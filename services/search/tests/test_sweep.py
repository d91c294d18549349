"""The sweep finds whatever has drifted between index and databases, puts it right, and calls nothing else drift."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.errors import Problem, unavailable
from chassis.ids import new_id
from services.search import database_sweep, kept, sweep
from services.search.following import Follower
from services.search.postgres import PostgresIndex
from services.search.sweep import Sweeper, Task
from services.search.tests.support import ACCOUNT, Index, event

NAMES = ("Alfreds", "Bergs", "Chop-suey", "Drachenblut")


@pytest.fixture
def house(suite_of: Any) -> Index:
    """Four accounts, indexed and checked; the second one changed, the last one deleted."""
    index = Index(suite_of("customer", "eventlog", "search"))
    suite = index.suite
    made = [suite.create(ACCOUNT, {"name": name}) for name in NAMES]
    suite.update(ACCOUNT, made[1]["id"], {"name": "Bergs & Co"})
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": made[3]["id"]})
    suite.settle()
    Follower().follow(index.runtime)
    index.ids = [one["id"] for one in made]
    return index


def _swept(house: Index) -> Any:
    """One whole sweep of accounts; returns its row."""
    sweeper = Sweeper()
    sweeper.next(house.runtime)
    if sweeper.look(house.runtime, Task(house.suite.tenant, ACCOUNT)):
        sweeper.settle(house.runtime, Task(house.suite.tenant, ACCOUNT))
    with house.suite.work("search") as work:
        return work.sql(
            "SELECT * FROM sweeps WHERE tenant_id = %s AND record = %s", (house.suite.tenant, ACCOUNT)
        ).one()


def _living(house: Index) -> set[Any]:
    """What the database has, asked there."""
    with house.suite.work("customer") as work:
        return {tuple(row) for row in work.sql("SELECT id, version, name FROM accounts WHERE deleted_at IS NULL")}


def _indexed(house: Index) -> set[Any]:
    with house.suite.work("search") as work:
        rows = work.sql(
            "SELECT id, version, data->>'name' FROM documents WHERE record = %s AND NOT deleted", (ACCOUNT,)
        )
        return {tuple(row) for row in rows}


def test_where_nothing_has_drifted_the_sweep_says_what_it_looked_at_and_changes_nothing(house):
    row = _swept(house)
    assert (row.looked, row.differing, row.drifted, row.repaired) == (3, 0, 0, 0)
    assert row.swept_at is not None


PLANTED = {
    "a document is gone": "DELETE FROM documents WHERE id = '{0}'",
    "a document is of an older version": "UPDATE documents SET version = 1, data = '{{}}' WHERE id = '{1}'",
    "a document is of a version that never was": "UPDATE documents SET version = 9, data = '{{}}' WHERE id = '{1}'",
    "a living record counts as deleted": "UPDATE documents SET deleted = true, data = '{{}}' WHERE id = '{0}'",
    "a deleted record is alive": "UPDATE documents SET deleted = false WHERE id = '{3}'",
    "a document is of a record that never was": (
        "INSERT INTO documents SELECT tenant_id, record, '01900000-0000-7000-8000-000000000001', version, deleted,"
        " owner_id, team_id, title_key, data, changed_at, facets FROM documents WHERE id = '{0}'"
    ),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_has_drifted_is_found_and_put_right(house, what):
    with house.suite.work("search") as work:
        assert work.sql(PLANTED[what].format(*house.ids)).rowcount == 1
    assert _indexed(house) != _living(house)
    row = _swept(house)
    assert (row.differing, row.drifted, row.repaired, row.unknown) == (1, 1, 1, 0)
    assert _indexed(house) == _living(house)
    assert _swept(house).differing == 0
    assert sorted(house.titles("alfreds") + house.titles("bergs") + house.titles("drachenblut")) == [
        "Alfreds",
        "Bergs & Co",
    ]


def test_much_that_has_drifted_is_put_right_in_portions_and_what_was_done_stays_done(house, monkeypatch):
    ghosts = {new_id(): word for word in ("anvil", "bellows", "crucible", "derrick", "easel")}
    house.take(*(event(house.suite.tenant, ACCOUNT, {"id": one, "name": word}) for one, word in ghosts.items()))
    monkeypatch.setattr(database_sweep, "PORTION", 2)
    monkeypatch.setattr(kept, "UNKNOWN_AT_ONCE", 1)
    replace, left = PostgresIndex.replace, [2]

    def failing(*arguments: Any, **options: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise unavailable("Cut off.")
        replace(*arguments, **options)

    monkeypatch.setattr(PostgresIndex, "replace", failing)
    with pytest.raises(Problem):
        _swept(house)
    assert len(_indexed(house) - _living(house)) == 1
    left[0] = 1
    row = _swept(house)
    assert (row.drifted, row.repaired) == (1, 1) and _indexed(house) == _living(house)
    with house.suite.work("search") as work:
        known = {row.word for row in work.sql("SELECT word FROM words WHERE tenant_id = %s", (work.tenant,))}
    assert known.isdisjoint(ghosts.values()) and "alfreds" in known


def test_a_change_that_is_not_published_yet_is_no_drift(house):
    house.suite.update(ACCOUNT, house.ids[0], {"name": "Alfreds Futterkiste"})
    row = _swept(house)
    assert (row.differing, row.drifted, row.repaired, row.unknown) == (1, 0, 0, 1)
    house.suite.settle()
    row = _swept(house)
    assert (row.differing, row.unknown) == (0, 0)


def test_an_event_that_is_on_its_way_to_the_index_is_no_drift(house, monkeypatch):
    taken = house.runtime.events
    monkeypatch.setattr(house.runtime, "events", lambda bodies: None)
    house.suite.update(ACCOUNT, house.ids[0], {"name": "Alfreds Futterkiste"})
    house.suite.settle()
    monkeypatch.setattr(house.runtime, "events", taken)
    row = _swept(house)
    assert (row.differing, row.drifted, row.repaired) == (1, 0, 0)


def test_what_came_in_between_two_looks_is_no_drift(house):
    sweeper = Sweeper()
    house.suite.update(ACCOUNT, house.ids[0], {"name": "Alfreds Futterkiste"})
    assert sweeper.look(house.runtime, Task(house.suite.tenant, ACCOUNT)) == 1
    house.suite.settle()
    assert sweeper.settle(house.runtime, Task(house.suite.tenant, ACCOUNT)) == 0


def test_every_searched_record_of_a_tenant_is_swept_in_turn_and_what_was_asked_for_comes_first(house):
    sweeper = Sweeper()
    with house.suite.work("search") as work:
        sweeper.next(house.runtime)
        work.sql("UPDATE sweeps SET asked_at = %s WHERE record = 'sales.order'", (work.now,))
    with house.runtime.database.operations() as connection:
        first = connection.exec_driver_sql(
            "SELECT record FROM sweeps WHERE asked_at IS NOT NULL AND tenant_id = %s", (house.suite.tenant,)
        ).scalar_one()
    assert first == "sales.order"
    assert sweeper.next(house.runtime) == Task(house.suite.tenant, "sales.order", "databases")


def _asked(house: Index) -> set[str]:
    with house.suite.work("search") as work:
        sql = "SELECT record FROM sweeps WHERE tenant_id = %s AND asked_at IS NOT NULL"
        return {row.record for row in work.sql(sql, (work.tenant,))}


def test_while_somebody_waits_one_turn_compares_one_record_after_the_other(house, monkeypatch):
    monkeypatch.setattr(sweep, "AT_ONCE", 60.0)
    sweeper = Sweeper()
    sweeper.next(house.runtime)
    with house.runtime.database.operations() as connection:
        connection.exec_driver_sql("UPDATE sweeps SET asked_at = NULL")
    with house.suite.work("search") as work:
        mine = "record LIKE 'customer.%%' AND tenant_id = %s"
        work.sql(f"UPDATE sweeps SET asked_at = %s WHERE {mine}", (work.now, work.tenant))
        work.sql("DELETE FROM documents WHERE id = %s", (house.ids[0],))
    assert len(_asked(house)) > 3
    # What differs is looked at again after a while, and does not keep the others waiting.
    assert sweeper.sweep(house.runtime) == 1
    assert _asked(house) == {ACCOUNT}
    # Nobody waits for the rest, and so the sweep rests.
    assert sweeper.sweep(house.runtime) == 0
    monkeypatch.setattr(sweep, "PATIENCE", 0.0)
    assert sweeper.sweep(house.runtime) == 1
    assert _asked(house) == set()
    assert _indexed(house) == _living(house)


def test_only_services_may_ask_for_versions(house):
    from chassis.errors import Problem

    for method, params in (("record.digest", {}), ("record.versions", {"bucket": "0190000"})):
        with pytest.raises(Problem) as refused:
            house.suite.call("customer", method, {"record": ACCOUNT, **params})
        assert refused.value.status == 403
    for method, params in (
        ("eventlog.tail", {}),
        ("eventlog.latest", {"ids": []}),
        ("eventlog.heads", {"tenants": []}),
    ):
        with pytest.raises(Problem) as refused:
            house.suite.call("eventlog", method, params)
        assert refused.value.status == 403
