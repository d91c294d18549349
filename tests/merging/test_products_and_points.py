"""Balances: what is on the shelf, held for orders and earned goes over by entries of the ledger, and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chassis.errors import Problem
from tests.merging.given import Business

PRODUCT = "inventory.product"


@pytest.fixture
def business(suite_of: Any, databases: Any) -> Business:
    return Business(suite_of(), databases)


def stock(business: Business, product: str) -> tuple[Decimal, Decimal]:
    found = business.suite.list("inventory.stock-level", ["product_id", "eq", product])
    return (Decimal(found[0]["on_hand"]), Decimal(found[0]["reserved"])) if found else (Decimal(0), Decimal(0))


def test_merged_products_share_one_shelf_and_part_again(business: Business) -> None:
    suite = business.suite
    tea, chai, blend = business.product("Tea", "10"), business.product("Chai", "20"), business.product("Blend", "5")
    account = business.account()
    business.order(account, [(tea, "1"), (chai, "2"), (blend, "1")], "place")
    business.order(account, [(chai, "3"), (blend, "1")], "place", "ship")
    business.order(account, [(chai, "4")], "place", "cancel")
    business.order(account, [(chai, "5")])
    suite.settle()
    before = business.holds()

    business.merge(PRODUCT, tea, chai, blend)

    assert (stock(business, tea), stock(business, chai)) == ((Decimal(31), Decimal(4)), (Decimal(0), Decimal(0)))
    assert business.violated() == []

    business.unmerge(PRODUCT, tea)

    after = business.holds()
    assert {place: rows for place, rows in after.items() if rows != before[place]} == {}
    assert business.violated() == []
    assert suite.dead() == []


def test_what_happens_to_merged_products_meanwhile_keeps_every_sum_right(business: Business) -> None:
    suite = business.suite
    tea, chai = business.product("Tea", "10"), business.product("Chai", "20")
    account = business.account()
    held = business.order(account, [(chai, "2")], "place")
    cancelled = business.order(account, [(chai, "3")], "place")
    business.merge(PRODUCT, tea, chai)
    suite.run("sales.order", held, "ship")
    suite.run("sales.order", cancelled, "cancel", {})
    suite.settle()
    later = business.order(account, [(tea, "1")], "place")
    assert business.violated() == []

    business.unmerge(PRODUCT, tea)

    # The two that left were the survivor's by then; the three that were released went back with what was free.
    assert stock(business, chai) == (Decimal(18), Decimal(0))
    assert stock(business, tea) == (Decimal(10), Decimal(1))
    assert suite.get("sales.order", later)["lines"][0]["product_id"] == tea
    assert suite.get("sales.order", held)["lines"][0]["product_id"] == chai
    assert business.violated() == []


def test_products_whose_merged_stock_has_left_are_not_unmerged(business: Business) -> None:
    tea, chai = business.product("Tea", "1"), business.product("Chai", "20")
    business.merge(PRODUCT, tea, chai)
    business.order(business.account(), [(tea, "15")], "place")
    with pytest.raises(Problem) as refused:
        business.unmerge(PRODUCT, tea)
    assert (refused.value.status, refused.value.code) == (409, "stock")
    assert business.merges(PRODUCT, tea)[0]["state"] == "merged"
    assert business.violated() == []


def test_points_of_a_merged_account_are_the_survivors_and_go_back_with_it(business: Business) -> None:
    suite = business.suite
    product = business.product()
    first, second = business.account("One"), business.account("Two")
    order = business.order(second, [(product, "3")], "place")
    business.pay(second, order, "30")
    suite.settle()

    def points(account: str) -> int:
        return sum(one["balance"] for one in suite.list("marketing.point-account", ["account_id", "eq", account]))

    assert (points(first), points(second)) == (0, 30)
    business.merge("customer.account", first, second)
    assert (points(first), points(second)) == (30, 0)
    suite.create("marketing.point-entry", {"account_id": first, "points": 7})
    business.unmerge("customer.account", first)
    assert (points(first), points(second)) == (7, 30)
    assert business.violated() == []
