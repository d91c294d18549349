"""Credit: what an account owes and is about to owe never passes its limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.sales.tests import given


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


def test_an_order_beyond_the_limit_is_rejected_and_gives_its_stock_back(shop):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit=given.usd("25"))
    first = given.placed(shop, limited, tea, "2")
    second = given.placed(shop, limited, tea, "1")
    assert (first["status"], second["status"], second["reason"]) == ("confirmed", "rejected", "credit")
    assert second["reason_detail"] == "20.00 of 25.00 USD are in use; the order needs 10.00."
    assert given.level(shop, tea) == (100, 2)
    assert len(shop.list("sales.receivable")) == 1
    steps = {step["name"]: step["state"] for step in given.saga(shop, second["id"])["steps"]}
    assert steps == {
        "reserve stock": "undone",
        "hold credit": "refused",
        "confirm": "pending",
        "open receivable": "pending",
    }


def test_an_order_up_to_the_limit_is_confirmed(shop):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit=given.usd("30"))
    assert given.placed(shop, limited, tea, "3")["status"] == "confirmed"


def test_an_account_without_a_limit_has_none(shop):
    assert given.placed(shop, given.account(shop), given.product(shop), "90")["status"] == "confirmed"


def test_what_is_paid_or_cancelled_is_credit_again(shop):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit=given.usd("10"))
    first = given.placed(shop, limited, tea)
    given.pay(shop, limited, "10", (given.receivable(shop, first["id"])["id"], "10"))
    second = given.placed(shop, limited, tea)
    assert second["status"] == "confirmed"
    shop.run("sales.order", second["id"], "cancel")
    assert given.placed(shop, limited, tea)["status"] == "confirmed"
    assert given.placed(shop, limited, tea)["reason"] == "credit"


def test_an_account_has_no_credit_in_another_currency_than_its_limit(shop):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit={"amount": "1000", "currency": "EUR"})
    assert given.placed(shop, limited, tea)["reason"] == "credit"


def test_a_raised_limit_counts_for_the_next_order(shop):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit=given.usd("5"))
    assert given.placed(shop, limited, tea)["reason"] == "credit"
    shop.update("customer.account", limited, {"credit_limit": given.usd("15")})
    shop.settle()
    assert given.placed(shop, limited, tea)["status"] == "confirmed"


@pytest.mark.parametrize("attempt", range(3))
def test_of_two_orders_at_once_that_together_pass_the_limit_one_is_confirmed(shop, attempt):
    tea = given.product(shop)
    limited = given.account(shop, credit_limit=given.usd("15"))
    orders = [given.order(shop, limited, tea)["id"] for _ in range(2)]
    shop.settle()
    for order in orders:
        shop.run("sales.order", order, "place")
    given.publish(shop, "sales")
    # Both replies of inventory reach sales at the same moment.
    sales, seen = shop.bus.runtimes.pop("sales"), len(shop.bus.seen)
    given.publish(shop, "inventory")
    shop.bus.runtimes["sales"] = sales
    replies = given.messages(shop, "sales", after=seen)
    assert len(replies) == 2
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(sales.message, replies))
    shop.settle()
    states = sorted(shop.get("sales.order", order)["status"] for order in orders)
    assert states == ["confirmed", "rejected"]
    assert given.level(shop, tea) == (100, 1)
    with shop.work("sales") as work:
        assert work.sql("SELECT count(*) FROM credit_holds WHERE tenant_id = %s", (work.tenant,)).scalar() == 0
