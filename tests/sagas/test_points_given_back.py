"""What was bought and given back in full earns nothing: the points are as they were before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.deleting.given import House, refused

ENTRY = "marketing.point-entry"


@pytest.fixture
def house(suite_of: Callable[..., Any]) -> House:
    return House(suite_of("identity", "customer", "inventory", "sales", "marketing"))


def bought(house: House) -> tuple[str, str, Any]:
    """An account with 5 points, its confirmed order of 10 USD, and what it owes for that."""
    suite, account, product = house.suite, house.account(), house.product()
    suite.create("inventory.stock-move", {"kind": "receipt", "product_id": product, "quantity": "10"})
    suite.create(ENTRY, {"account_id": account, "points": 5, "reason": "welcome"})
    order = house.order(account, product)
    suite.run("sales.order", order, "place")
    suite.settle()
    (owed,) = suite.list("sales.receivable", ["order_id", "eq", order])
    return account, order, {**owed, "product_id": product}


def pay(house: House, owed: Any) -> None:
    shares = [{"receivable_id": owed["id"], "amount": owed["open"]}]
    data = {"account_id": owed["account_id"], "amount": owed["open"], "received_on": "2026-11-23"}
    house.suite.create("sales.payment", {**data, "allocations": shares})
    house.suite.settle()


def credit(house: House, owed: Any) -> None:
    """Everything is taken back."""
    line = {"product_id": owed["product_id"], "quantity": "1", "unit_price": owed["open"], "tax_rate": "0"}
    data = {"account_id": owed["account_id"], "order_id": owed["order_id"], "currency": "USD", "reason": "Returned"}
    shares = [{"receivable_id": owed["id"], "amount": owed["open"]}]
    dates = {"issued_on": "2026-11-24", "settled_on": "2026-11-24"}
    house.suite.create("sales.credit-note", {**data, **dates, "lines": [line], "allocations": shares})
    house.suite.settle()


def balance(house: House, account: str) -> int:
    (found,) = house.suite.list("marketing.point-account", ["account_id", "eq", account])
    entries = house.suite.list(ENTRY, ["account_id", "eq", account])
    assert sum(entry["points"] for entry in entries) == found["balance"]
    return int(found["balance"])


def test_an_order_that_was_paid_and_given_back_in_full_leaves_the_points_as_they_were(house: House) -> None:
    account, order, owed = bought(house)
    pay(house, owed)
    assert balance(house, account) == 15
    house.cancel(order)
    assert balance(house, account) == 5
    points = sorted(entry["points"] for entry in house.suite.list(ENTRY, ["order_id", "eq", order]))
    assert points == [-10, 10], "the opposite entry stands beside what it takes back"


def test_goods_that_were_shipped_and_taken_back_in_full_earn_nothing(house: House) -> None:
    account, order, owed = bought(house)
    house.suite.run("sales.order", order, "ship")
    house.suite.settle()
    credit(house, owed)
    assert house.suite.get("sales.order", order)["status"] == "completed"
    assert balance(house, account) == 5
    assert refused(lambda: pay(house, owed)).code == "more_than_open"
    assert house.suite.dead() == []
