"""Many writes in one request: all or none, or each for itself."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from chassis.tests.given import changes_of, names, refused, rows

ACCOUNT = "customer.account"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def _bulk(suite: Any, *items: Any, atomic: bool = False, **options: Any) -> Any:
    params = {"record": ACCOUNT, "items": list(items), "atomic": atomic}
    return suite.call("customer", "record.bulk", params, **options)["items"]


def test_each_item_has_a_status_of_its_own(suite: Any) -> None:
    made = suite.create(ACCOUNT, {"name": "Alpha"})
    gone = suite.create(ACCOUNT, {"name": "Gone"})
    items = _bulk(
        suite,
        {"op": "create", "data": {"name": "Beta"}, "ref": "row 1"},
        {"op": "update", "id": made["id"], "data": {"industry": "Steel"}},
        {"op": "update", "id": made["id"], "data": {"industry": "Glass"}, "if_match": "1"},
        {"op": "delete", "id": gone["id"]},
        {"op": "upsert", "system": "erp", "key": "1", "data": {"name": "Gamma"}},
        {"op": "upsert", "system": "erp", "key": "1", "data": {"name": "Delta"}},
        {"op": "update", "id": new_id(), "data": {"name": "Nobody"}},
        {"data": {"name": ""}},
    )
    assert [item["status"] for item in items] == [201, 200, 412, 200, 201, 200, 404, 422]
    assert items[0]["ref"] == "row 1"
    assert items[7]["error"]["errors"][0]["field"] == "name"
    assert sorted(names(suite.list(ACCOUNT))) == ["Alpha", "Beta", "Delta"]


def test_an_item_that_fails_first_takes_nothing_from_those_behind_it(suite: Any) -> None:
    # Rolling back to a savepoint takes back settings too, so the tenant must be set before the first of them.
    items = _bulk(suite, {"data": {"name": "A", "external_ids": {"erp": "1"}}}, {"data": {"name": "B"}})
    assert [item["status"] for item in items] == [201, 201]
    items = _bulk(suite, {"data": {"name": "C", "external_ids": {"erp": "1"}}}, {"data": {"name": "D"}})
    assert [item["status"] for item in items] == [409, 201]
    assert sorted(names(suite.list(ACCOUNT))) == ["A", "B", "D"]


def test_a_failed_item_leaves_no_row_no_change_and_no_event(suite: Any) -> None:
    suite.create(ACCOUNT, {"name": "A", "external_ids": {"erp": "1"}})
    _bulk(suite, {"data": {"name": "Lost", "external_ids": {"erp": "1"}}}, {"data": {"name": "B"}})
    assert len(rows(suite, "customer", "SELECT 1 FROM changes WHERE tenant_id = %s")) == 2
    assert len(rows(suite, "customer", "SELECT 1 FROM unsent WHERE tenant_id = %s")) == 2
    suite.settle()
    assert sorted(event["data"]["name"] for event in suite.events(ACCOUNT)) == ["A", "B"]


def test_an_atomic_batch_is_all_or_none_and_names_the_item(suite: Any) -> None:
    with refused(422, "invalid", "items.1.name"):
        _bulk(suite, {"data": {"name": "A"}}, {"data": {"name": ""}}, {"data": {"name": "C"}}, atomic=True)
    assert suite.list(ACCOUNT) == []
    assert rows(suite, "customer", "SELECT 1 FROM changes WHERE tenant_id = %s") == []
    assert [item["status"] for item in _bulk(suite, *[{"data": {"name": "A"}}] * 3, atomic=True)] == [201] * 3


def test_one_record_may_be_written_by_several_items(suite: Any) -> None:
    made = suite.create(ACCOUNT, {"name": "A"})
    _bulk(suite, *[{"op": "update", "id": made["id"], "data": {"name": name}} for name in "BCD"])
    assert [row.version for row in changes_of(suite, "customer", made["id"])] == [1, 2, 3, 4]


@pytest.mark.parametrize("items", [[], None, {}, "x", [{"data": {"name": "A"}}] * 501])
def test_a_batch_has_between_1_and_500_items(suite: Any, items: Any) -> None:
    with refused(422, "invalid", "items"):
        suite.call("customer", "record.bulk", {"record": ACCOUNT, "items": items})


@pytest.mark.parametrize(
    "item",
    [
        {"op": "list"},
        {"op": ["create"]},
        {"op": "restore", "id": new_id()},
        {"op": "create"},
        {"op": "create", "data": []},
        {"op": "update", "id": "x", "data": {}},
        {"op": "update", "data": {}},
        {"op": "delete"},
        {"op": "update", "id": new_id(), "data": {}, "if_match": 1},
        {"op": "upsert", "data": {}},
        {"op": "upsert", "system": "erp", "key": 1, "data": {}},
        {"op": "upsert", "system": "ERP system!", "key": "1", "data": {"name": "A"}},
    ],
)
def test_an_item_of_another_shape_is_refused_for_itself(suite: Any, item: Any) -> None:
    results = _bulk(suite, item, {"data": {"name": "A"}})
    assert [result["status"] for result in results] == [422, 201]


def test_what_may_not_be_written_singly_may_not_be_written_in_bulk(suite: Any) -> None:
    made = suite.create(ACCOUNT, {"name": "A"})
    reader = suite.context(grants={ACCOUNT: {"read": "all"}})
    items = _bulk(
        suite, {"data": {"name": "B"}}, {"op": "update", "id": made["id"], "data": {"name": "C"}}, context=reader
    )
    assert [item["status"] for item in items] == [403, 403]
    assert names(suite.list(ACCOUNT)) == ["A"]
