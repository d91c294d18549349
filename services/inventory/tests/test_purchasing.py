"""Purchase orders: from draft to the shelf."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from services.inventory.tests import given


@pytest.fixture
def suite(suite_of):
    suite = suite_of("inventory")
    given.warehouse(suite)
    return suite


def drafted(suite, lines):
    supplier = suite.create("inventory.supplier", {"name": "Exotic Liquids"})
    wanted = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
    return suite.create("inventory.purchase-order", {"supplier_id": supplier["id"], "lines": wanted})


def run(suite, order, verb):
    return suite.run("inventory.purchase-order", order["id"], verb)


def test_received_goods_are_on_the_shelf_with_an_entry_for_each_product(suite):
    tea, cake = given.product(suite), given.product(suite, "Cake")
    order = drafted(suite, [(tea, "4"), (cake, "2"), (tea, "1.5")])
    assert (order["status"], order["number"]) == ("draft", None)
    confirmed = run(suite, order, "confirm")
    assert confirmed["number"].startswith("PO-") and confirmed["ordered_on"] is not None
    assert given.level(suite, tea)[0] == 0
    received = run(suite, order, "receive")
    assert received["status"] == "received"
    assert (str(given.level(suite, tea)[0]), str(given.level(suite, cake)[0])) == ("5.5", "2")
    assert {one["cause"] for one in suite.list("inventory.stock-move")} == {f"purchase:{order['id']}"}
    assert given.unbalanced(suite) == []
    suite.settle()
    kinds = [event["type"].rsplit(".", 1)[1] for event in suite.events("inventory.purchase-order")]
    assert kinds == ["created", "confirmed", "received"]


@pytest.mark.parametrize(
    ("done", "verb"), [((), "receive"), (("confirm",), "confirm"), (("confirm", "receive"), "receive")]
)
def test_a_purchase_order_takes_each_step_once_and_in_order(suite, done, verb):
    tea = given.product(suite)
    order = drafted(suite, [(tea, "4")])
    for step in done:
        run(suite, order, step)
    before = given.level(suite, tea)
    with pytest.raises(Problem, match="wrong_state"):
        run(suite, order, verb)
    assert given.level(suite, tea) == before


def test_only_a_draft_is_edited_or_deleted(suite):
    order = drafted(suite, [(given.product(suite), "4")])
    suite.update("inventory.purchase-order", order["id"], {"ordered_on": "2026-01-01"})
    run(suite, order, "confirm")
    with pytest.raises(Problem, match="wrong_state"):
        suite.update("inventory.purchase-order", order["id"], {"ordered_on": "2026-01-02"})
    with pytest.raises(Problem, match="wrong_state"):
        suite.call("inventory", "record.delete", {"record": "inventory.purchase-order", "id": order["id"]})


def test_only_products_that_exist_are_ordered(suite):
    with pytest.raises(Problem) as refused:
        drafted(suite, [(given.product(suite), "1"), (suite.tenant, "1")])
    assert refused.value.code == "unknown_reference"
    assert refused.value.errors[0]["field"] == "lines.1.product_id"


def test_a_purchase_order_orders_something(suite):
    with pytest.raises(Problem) as refused:
        drafted(suite, [])
    assert refused.value.errors[0]["field"] == "lines"
