"""Filters and sorts without an index look at a bounded number of rows, and say so when that is not enough."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from chassis.records import counting, lists
from chassis.tests.given import ids, names, pages, refused

ACCOUNT = "customer.account"
BUDGET = 20


@pytest.fixture
def suite(suite_of: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """30 accounts with more rows than the budget of 20; phones are not indexed, kinds are."""
    monkeypatch.setattr(lists, "BUDGET", BUDGET)
    suite = suite_of("customer")
    for number in range(30):
        suite.create(
            ACCOUNT,
            {"name": f"A{number:02}", "phone": f"Ext {number:02}", "kind": "partner" if number % 3 else "customer"},
        )
    return suite


def test_a_page_that_fills_within_the_budget_is_given(suite: Any) -> None:
    body = suite.call(
        "customer",
        "record.list",
        {"record": ACCOUNT, "query": {"sort": "name", "limit": 3, "where": [["phone", "contains", "EXT 1"]]}},
    )
    assert names(body["items"]) == ["A10", "A11", "A12"]
    assert body["next"]


def test_a_page_that_does_not_fill_within_the_budget_is_refused(suite: Any) -> None:
    with refused(422, "row_budget"):
        suite.list(ACCOUNT, ("phone", "eq", "ext 29"), sort="name", limit=3)
    with refused(422, "row_budget"):
        suite.list(ACCOUNT, ("phone", "eq", "ext 05"), sort="name", limit=3)
    with refused(422, "row_budget"):
        suite.list(ACCOUNT, sort="phone", limit=3)
    with refused(422, "row_budget"):
        suite.list(ACCOUNT, ("phone", "starts", "ext 0"), sort="-phone,name", limit=3)


def test_a_job_that_nobody_waits_for_has_no_budget(suite: Any) -> None:
    accounts = suite.runtime("customer").stores[ACCOUNT]
    query = {"filter": {"field": "phone", "op": "contains", "value": "9"}, "limit": 200}
    with suite.runtime("customer").database.reading(suite.context()) as work:
        for sort in ("name", "phone"):
            found = lists.page(work, accounts, {**query, "sort": sort}, budget=lists.UNBOUNDED)
            assert names(found["items"]) == ["A09", "A19", "A29"]


def test_each_page_has_a_budget_of_its_own(suite: Any) -> None:
    walked = pages(suite, ACCOUNT, 4, sort="name", where=[["phone", "empty", "false"]])
    assert names(walked) == [f"A{number:02}" for number in range(30)]


def test_what_an_index_leaves_counts_only(suite: Any) -> None:
    few = [["kind", "eq", "customer"], ["phone", "contains", "2"]]
    assert names(suite.list(ACCOUNT, *few, sort="name")) == ["A12", "A21", "A24", "A27"]
    assert names(suite.list(ACCOUNT, *few, sort="-phone")) == ["A27", "A24", "A21", "A12"]
    tree = {"and": [{"field": "kind", "value": "customer"}, {"field": "phone", "op": "contains", "value": "2"}]}
    assert names(suite.list(ACCOUNT, filter=tree, sort="name")) == ["A12", "A21", "A24", "A27"]
    with refused(422, "row_budget"):
        # Either this or that: no index leaves few.
        suite.list(ACCOUNT, filter={"or": tree["and"]}, sort="-phone")


def test_pages_of_a_sort_without_index_are_the_whole_list_in_order(suite: Any) -> None:
    where = [["kind", "eq", "partner"]]
    walked = pages(suite, ACCOUNT, 3, sort="-phone", where=where)
    assert names(walked) == [f"A{number:02}" for number in reversed(range(30)) if number % 3]
    assert ids(walked) == ids(suite.list(ACCOUNT, *where, sort="-phone"))


def test_the_budget_is_of_what_the_reader_may_see(suite: Any) -> None:
    mine, somebody, team = suite.list(ACCOUNT, sort="name", limit=200)[:5], new_id(), new_id()
    with suite.work("customer") as work:
        work.sql(
            "UPDATE accounts SET owner_id = %s, team_id = %s WHERE tenant_id = %s AND id = ANY(%s::uuid[])",
            (somebody, team, work.tenant, ids(mine)),
        )
    reader = suite.context(user_id=somebody, grants={ACCOUNT: {"read": "team"}}, teams=[team])
    assert ids(suite.list(ACCOUNT, ("phone", "contains", "ext"), sort="phone", context=reader)) == ids(mine)
    assert ids(suite.list(ACCOUNT, ("phone", "contains", "ext"), sort="name", context=reader)) == ids(mine)


def test_a_count_reads_everything_within_its_time_and_is_given_up_beyond_it(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = {"record": ACCOUNT, "query": {"count": "exact", "limit": 1, "where": [["phone", "contains", "1"]]}}
    expected = sum("1" in f"{number:02}" for number in range(30))
    assert suite.call("customer", "record.list", ask)["count"] == expected
    with suite.work("customer") as work:
        # Twice as many, again and again: enough to be slower than a millisecond.
        for _ in range(9):
            work.sql(
                "INSERT INTO accounts (tenant_id, id, name, name_key, phone, version, created_at, created_by,"
                " updated_at, updated_by, external_ids, custom) SELECT tenant_id, gen_random_uuid(), name, name_key,"
                " phone, 1, now(), '', now(), '', '{}', '{}' FROM accounts WHERE tenant_id = %s",
                (work.tenant,),
            )
    monkeypatch.setattr(counting, "SECONDS", 0.001)
    with refused(422, "too_much_to_read"):
        suite.call("customer", "record.list", ask)
    with refused(422, "too_much_to_read"):
        suite.call("customer", "record.aggregate", {"record": ACCOUNT, "group_by": ["phone"]})


def test_an_estimate_of_few_is_exact_and_of_many_near(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = {"record": ACCOUNT, "query": {"count": "estimate", "limit": 1, "where": [["kind", "eq", "partner"]]}}
    assert suite.call("customer", "record.list", ask)["count"] == 20
    monkeypatch.setattr(counting, "COUNTED", 5)
    assert suite.call("customer", "record.list", ask)["count"] >= 6
