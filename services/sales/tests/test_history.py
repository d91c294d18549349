"""Orders taken over from another system: completed and paid, without moving anything."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from services.sales.tests import given


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


def taken_over(shop, account, product, key="10248", quantity="3", **fields):
    history = {"history": {"shipped_on": "1996-07-16"}, "external_ids": {"northwind": key}, "ordered_on": "1996-07-04"}
    return given.order(shop, account, product, quantity, **{**history, **fields})


def test_an_order_with_a_history_is_completed_and_paid_on_the_day_it_was_shipped(shop):
    tea, alfreds = given.product(shop, on_hand="2"), given.account(shop)
    order = taken_over(shop, alfreds, tea, freight=given.usd("2.50"))
    assert (order["status"], order["account_name"], order["total"]) == ("completed", "Alfreds", given.usd("32.50"))
    assert order["shipped_at"].startswith("1996-07-16") and order["placed_at"].startswith("1996-07-04")
    assert order["number"].startswith("SO-")
    paid = given.receivable(shop, order["id"])
    assert (paid["status"], paid["amount"], paid["open"]) == ("paid", given.usd("32.50"), given.usd("0.00"))
    assert paid["due_on"] == "1996-07-16"
    assert given.wrong_ledgers(shop) == []


def test_history_moves_no_stock_runs_no_saga_and_is_told_as_imported(shop):
    tea, alfreds = given.product(shop, on_hand="2"), given.account(shop)
    shop.settle()
    seen, sent = len(shop.events()), len(given.messages(shop, "inventory"))
    order = taken_over(shop, alfreds, tea)
    shop.settle()
    assert sorted(given.types(shop, seen)) == ["sales.order.imported", "sales.receivable.imported"]
    assert len(given.messages(shop, "inventory")) == sent
    assert given.level(shop, tea) == (2, 0)
    with pytest.raises(Problem) as refused:
        given.saga(shop, order["id"])
    assert refused.value.status == 404


def test_history_is_taken_over_once_by_its_old_key(shop):
    tea, alfreds = given.product(shop), given.account(shop)
    order = taken_over(shop, alfreds, tea)
    with pytest.raises(Problem) as refused:
        taken_over(shop, alfreds, tea)
    assert (refused.value.status, refused.value.code) == (409, "external_id_taken")
    assert refused.value.extra["id"] == order["id"]
    assert len(shop.list("sales.order")) == len(shop.list("sales.receivable")) == 1


def test_many_are_taken_over_together_or_not_at_all(shop):
    tea, alfreds = given.product(shop), given.account(shop)
    data = {
        "account_id": alfreds,
        "currency": "USD",
        "ordered_on": "1996-07-04",
        "lines": [{"product_id": tea, "quantity": "1"}],
        "history": {"shipped_on": "1996-07-16"},
    }
    items = [{"op": "create", "data": {**data, "external_ids": {"northwind": str(key)}}} for key in range(20)]
    bulk = {"record": "sales.order", "items": items, "atomic": True}
    assert not shop.call("sales", "record.bulk", bulk)["failed"]
    assert len({one["number"] for one in shop.list("sales.order", ["status", "eq", "completed"])}) == 20
    with pytest.raises(Problem, match="external_id_taken"):
        shop.call("sales", "record.bulk", {**bulk, "items": [{"op": "create", "data": data}, *items[:1]]})
    assert len(shop.list("sales.order")) == len(shop.list("sales.receivable")) == 20


def test_history_takes_the_right_to_import_orders(shop):
    seller = shop.context(grants={"sales.order": {"*": "all", "import": "own"}})
    with pytest.raises(Problem) as refused:
        taken_over(shop, given.account(shop), given.product(shop), context=seller)
    assert refused.value.status == 403
    assert shop.list("sales.order") == []


def test_a_draft_does_not_become_history(shop):
    order = given.order(shop, given.account(shop), given.product(shop))
    with pytest.raises(Problem) as refused:
        shop.update("sales.order", order["id"], {"history": {"shipped_on": "1996-07-16"}})
    assert refused.value.errors[0]["field"] == "history"


@pytest.mark.parametrize("verb", ["place", "ship", "cancel"])
def test_history_is_over(shop, verb):
    order = taken_over(shop, given.account(shop), given.product(shop))
    with pytest.raises(Problem) as refused:
        shop.run("sales.order", order["id"], verb)
    assert refused.value.status == 409


def test_history_uses_no_credit(shop):
    tea, limited = given.product(shop), given.account(shop, credit_limit=given.usd("10"))
    taken_over(shop, limited, tea, quantity="50")
    assert given.placed(shop, limited, tea)["status"] == "confirmed"
