"""Stock moves by hand, the ledger behind them, and warehouses."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError, ProgrammingError

from chassis.errors import Problem
from services.inventory.tests import given


@pytest.fixture
def suite(suite_of):
    return suite_of("inventory")


def on_hand(suite, product, warehouse=None):
    return given.level(suite, product, warehouse)[0]


def test_receipts_and_issues_and_adjustments_change_what_is_on_hand(suite):
    given.warehouse(suite)
    tea = given.product(suite)
    for kind, quantity, left in (("receipt", "10", 10), ("issue", "3.5", "6.5"), ("adjustment", "-1", "5.5")):
        given.move(suite, kind, tea, quantity)
        assert given.level(suite, tea) == (Decimal(left), 0, Decimal(left))
    assert given.move(suite, "adjustment", tea, "2")["change"] == "2"
    assert given.unbalanced(suite) == []


def test_a_move_without_a_warehouse_goes_to_the_default_one(suite):
    main = given.warehouse(suite)
    given.warehouse(suite, "Other")
    tea = given.product(suite)
    assert given.move(suite, "receipt", tea, "1")["warehouse_id"] == main


def test_a_move_without_any_warehouse_is_refused(suite):
    tea = given.product(suite)
    with pytest.raises(Problem) as refused:
        given.move(suite, "receipt", tea, "1")
    assert refused.value.errors[0]["field"] == "warehouse_id"


@pytest.mark.parametrize(("kind", "quantity"), [("issue", "11"), ("adjustment", "-11"), ("transfer", "11")])
def test_more_than_there_is_never_leaves(suite, kind, quantity):
    given.warehouse(suite)
    other = {"to_warehouse_id": given.warehouse(suite, "Other")} if kind == "transfer" else {}
    tea = given.product(suite, on_hand="10")
    with pytest.raises(Problem) as refused:
        given.move(suite, kind, tea, quantity, **other)
    assert (refused.value.status, refused.value.code) == (409, "stock")
    assert refused.value.extra["product_ids"] == [tea]
    assert [one["kind"] for one in suite.list("inventory.stock-move")] == ["receipt"]
    assert given.unbalanced(suite) == []


def test_what_is_reserved_for_orders_cannot_be_issued_by_hand(suite):
    given.warehouse(suite)
    tea = given.product(suite, on_hand="10")
    given.reserve(suite, {tea: "8"})
    with pytest.raises(Problem, match="stock"):
        given.move(suite, "issue", tea, "3")
    given.move(suite, "issue", tea, "2")
    assert given.level(suite, tea) == (8, 8, 0)


def test_a_transfer_moves_stock_between_two_warehouses(suite):
    main, other = given.warehouse(suite), given.warehouse(suite, "Other")
    tea = given.product(suite, on_hand="10")
    given.move(suite, "transfer", tea, "4", to_warehouse_id=other)
    assert (on_hand(suite, tea, main), on_hand(suite, tea, other)) == (6, 4)
    entries = {
        one["warehouse_id"]: one["change"] for one in suite.list("inventory.stock-move", ["kind", "eq", "transfer"])
    }
    assert entries == {main: "-4", other: "4"}
    assert given.unbalanced(suite) == []


def test_a_transfer_names_another_warehouse_and_other_moves_name_none(suite):
    main, other = given.warehouse(suite), given.warehouse(suite, "Other")
    tea = given.product(suite, on_hand="10")
    for kind, to in (("transfer", None), ("transfer", main), ("receipt", other)):
        with pytest.raises(Problem) as refused:
            given.move(suite, kind, tea, "1", to_warehouse_id=to)
        assert refused.value.errors[0]["field"] == "to_warehouse_id"


@pytest.mark.parametrize(
    ("kind", "quantity"), [("receipt", "0"), ("receipt", "-1"), ("issue", "-1"), ("adjustment", "0")]
)
def test_a_move_moves_something(suite, kind, quantity):
    given.warehouse(suite)
    tea = given.product(suite, on_hand="1")
    with pytest.raises(Problem) as refused:
        given.move(suite, kind, tea, quantity)
    assert refused.value.errors[0]["field"] == "quantity"


@pytest.mark.parametrize("field", ["product_id", "warehouse_id"])
def test_a_move_of_what_does_not_exist_is_refused(suite, field):
    given.warehouse(suite)
    known = {"product_id": given.product(suite)}
    with pytest.raises(Problem) as refused:
        suite.create("inventory.stock-move", {"kind": "receipt", "quantity": "1", **known, field: suite.tenant})
    assert (refused.value.status, refused.value.code) == (422, "unknown_reference")
    assert refused.value.errors[0]["field"] == field


def test_the_first_stock_of_a_product_may_arrive_twice_at_once(suite):
    given.warehouse(suite)
    for _ in range(5):
        tea = given.product(suite)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _, tea=tea: given.move(suite, "receipt", tea, "1"), range(4)))
        assert on_hand(suite, tea) == 4


def test_opposite_transfers_at_once_do_not_wait_for_each_other(suite):
    main, other = given.warehouse(suite), given.warehouse(suite, "Other")
    tea = given.product(suite, on_hand="50")
    given.move(suite, "transfer", tea, "25", to_warehouse_id=other)

    def transfer(number):
        here, there = (main, other) if number % 2 else (other, main)
        given.move(suite, "transfer", tea, "1", warehouse_id=here, to_warehouse_id=there)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(transfer, range(20)))
    assert (on_hand(suite, tea, main), on_hand(suite, tea, other)) == (25, 25)


@pytest.mark.parametrize("statement", ["UPDATE stock_moves SET change = 0", "DELETE FROM stock_moves"])
def test_the_service_itself_cannot_change_or_delete_a_ledger_entry(suite, statement):
    given.warehouse(suite)
    given.product(suite, on_hand="1")
    with pytest.raises(ProgrammingError, match="permission denied"), suite.work("inventory") as work:
        work.sql(statement)


@pytest.mark.parametrize("change", ["on_hand = -1, available = -1", "reserved = 2, available = -1", "available = 5"])
def test_the_database_refuses_levels_that_cannot_be(suite, change):
    given.warehouse(suite)
    given.product(suite, on_hand="1")
    with pytest.raises(IntegrityError), suite.work("inventory") as work:
        work.sql(f"UPDATE stock_levels SET {change} WHERE tenant_id = %s", (work.tenant,))


@pytest.mark.parametrize("method", ["record.update", "record.delete"])
def test_nobody_edits_or_deletes_a_move(suite, method):
    given.warehouse(suite)
    given.product(suite, on_hand="1")
    (entry,) = suite.list("inventory.stock-move")
    with pytest.raises(Problem) as refused:
        suite.call("inventory", method, {"record": "inventory.stock-move", "id": entry["id"], "patch": {"reason": "x"}})
    assert refused.value.status == 404


def defaults(suite):
    return [one["id"] for one in suite.list("inventory.warehouse") if one["default"]]


def test_the_first_warehouse_is_the_default_one(suite):
    main = given.warehouse(suite)
    given.warehouse(suite, "Other")
    assert defaults(suite) == [main]


def test_there_is_one_default_warehouse_whoever_is_chosen(suite):
    main, other = given.warehouse(suite), given.warehouse(suite, "Other")
    suite.update("inventory.warehouse", other, {"default": True})
    assert defaults(suite) == [other]
    third = given.warehouse(suite, "Third", default=True)
    assert defaults(suite) == [third]
    suite.settle()
    updated = [event for event in suite.events("inventory.warehouse.updated") if event["data"]["id"] == main]
    assert updated[-1]["data"]["changed"] == ["default"]


def test_a_restored_warehouse_does_not_take_the_default_back(suite):
    main, other = given.warehouse(suite), given.warehouse(suite, "Other")
    suite.call("inventory", "record.delete", {"record": "inventory.warehouse", "id": main})
    suite.update("inventory.warehouse", other, {"default": True})
    restored = suite.call("inventory", "record.restore", {"record": "inventory.warehouse", "id": main})
    assert restored["deleted_at"] is None
    assert defaults(suite) == [other]


def test_a_new_tenant_starts_with_one_warehouse_however_often_it_is_announced(suite_of):
    suite = suite_of("inventory")
    announced = {"id": suite.tenant, "version": 1, "deleted_at": None, "slug": "t", "name": "T"}
    for _ in range(3):
        given.announced(suite, "identity.tenant.created", announced)
    assert [one["code"] for one in suite.list("inventory.warehouse")] == ["MAIN"]
    assert len(defaults(suite)) == 1
