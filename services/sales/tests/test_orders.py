"""The life of an order: placed, confirmed or rejected, shipped, completed, cancelled."""

from __future__ import annotations

from functools import partial

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.tests.given import at_once
from services.sales.tests import given


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


def refusal(shop, order_id, verb, data=None, **options):
    with pytest.raises(Problem) as refused:
        shop.run("sales.order", order_id, verb, data, **options)
    return refused.value.status, refused.value.code


def test_a_placed_order_is_confirmed_with_its_stock_held_and_its_receivable_open(shop):
    tea, alfreds = given.product(shop), given.account(shop, payment_days=14)
    seen = len(shop.events())
    draft = given.order(shop, alfreds, tea, "3")
    assert (draft["status"], draft["number"], draft["version"]) == ("draft", None, 1)
    accepted = shop.request(
        "sales", "record.command", {"record": "sales.order", "id": draft["id"], "verb": "place", "data": None}
    )
    assert (accepted["status"], accepted["body"]["status"]) == (202, "placed")
    assert accepted["location"] == f"/v1/orders/{draft['id']}/saga"
    assert accepted["body"]["number"].startswith("SO-")
    shop.settle()
    confirmed = shop.get("sales.order", draft["id"])
    assert confirmed["status"] == "confirmed" and confirmed["confirmed_at"] is not None
    assert given.level(shop, tea) == (100, 3)
    owed = given.receivable(shop, draft["id"])
    assert (owed["amount"], owed["open"], owed["status"]) == (given.usd("30.00"), given.usd("30.00"), "open")
    assert owed["number"].startswith("RE-") and owed["owner_id"] == shop.user_id
    assert [
        kind for kind in given.types(shop, seen) if not kind.startswith(("customer", "inventory.p", "inventory.st"))
    ] == [
        "sales.order.created",
        "sales.order.placed",
        "inventory.reservation.made",
        "sales.order.confirmed",
        "sales.receivable.opened",
    ]
    described = given.saga(shop, draft["id"])
    assert described["state"] == "completed"
    names = ["reserve stock", "hold credit", "confirm", "open receivable"]
    assert [(step["name"], step["state"]) for step in described["steps"]] == [(name, "done") for name in names]
    assert shop.dead() == []


def test_an_order_is_placed_once(shop):
    order = given.placed(shop, given.account(shop), given.product(shop))
    assert refusal(shop, order["id"], "place") == (409, "order_not_draft")
    assert shop.get("sales.order", order["id"])["number"] == order["number"]


@pytest.mark.parametrize("settled", [False, True])
def test_only_a_draft_is_edited_or_deleted(shop, settled):
    order = given.order(shop, given.account(shop), given.product(shop))
    assert shop.update("sales.order", order["id"], {"ship_name": "Maria"})["ship_name"] == "Maria"
    shop.run("sales.order", order["id"], "place")
    if settled:
        shop.settle()
    for call in (
        lambda: shop.update("sales.order", order["id"], {"ship_name": "Hanna"}),
        lambda: shop.call("sales", "record.delete", {"record": "sales.order", "id": order["id"]}),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (409, "order_not_draft")


def test_an_order_that_stock_cannot_serve_is_rejected_and_owes_nothing(shop):
    tea = given.product(shop, on_hand="2")
    order = given.placed(shop, given.account(shop), tea, "3")
    assert (order["status"], order["reason"]) == ("rejected", "stock")
    assert order["reason_detail"] == "Not enough in stock: Tea"
    assert shop.list("sales.receivable") == []
    assert given.level(shop, tea) == (2, 0)
    assert given.saga(shop, order["id"])["state"] == "compensated"
    assert len(shop.events("sales.order.rejected")) == len(shop.events("inventory.reservation.refused")) == 1


def test_a_draft_is_cancelled_with_a_reason(shop):
    order = given.order(shop, given.account(shop), given.product(shop))
    cancelled = shop.run("sales.order", order["id"], "cancel", {"reason": "Changed his mind"})
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "Changed his mind")
    assert refusal(shop, order["id"], "place") == (409, "order_not_draft")
    assert refusal(shop, order["id"], "cancel") == (409, "order_not_cancellable")


def test_a_cancelled_order_that_was_only_placed_gives_its_stock_back(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.run("sales.order", order["id"], "place")
    shop.run("sales.order", order["id"], "cancel")
    shop.settle()
    assert shop.get("sales.order", order["id"])["status"] == "cancelled"
    assert given.level(shop, tea) == (100, 0)
    assert given.saga(shop, order["id"])["state"] == "compensated"
    assert shop.list("sales.receivable") == []
    assert shop.events("sales.order.rejected") == [] and len(shop.events("sales.order.cancelled")) == 1


def test_a_cancelled_order_that_was_confirmed_gives_stock_and_debt_back(shop):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop), tea, "3")
    assert shop.run("sales.order", order["id"], "cancel")["status"] == "cancelled"
    shop.settle()
    assert given.level(shop, tea) == (100, 0)
    owed = given.receivable(shop, order["id"])
    assert (owed["status"], owed["open"]) == ("reversed", given.usd("0.00"))
    assert given.wrong_ledgers(shop) == []
    assert [event["type"] for event in shop.events("sales.receivable")][-1] == "sales.receivable.reversed"


def test_a_shipped_order_leaves_the_shelf_and_cannot_be_cancelled(shop):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop), tea, "3")
    shipped = given.shipped(shop, order["id"])
    assert shipped["status"] == "shipped" and shipped["shipped_at"] is not None
    assert given.level(shop, tea) == (97, 0)
    assert refusal(shop, order["id"], "cancel") == (409, "order_not_cancellable")
    assert refusal(shop, order["id"], "ship") == (409, "order_not_confirmed")
    assert len(shop.list("inventory.shipment", ["order_id", "eq", order["id"]])) == 1


def test_while_it_is_being_shipped_an_order_is_neither_cancelled_nor_shipped_again(shop):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop), tea, "3")
    assert shop.run("sales.order", order["id"], "ship")["status"] == "confirmed"
    assert refusal(shop, order["id"], "cancel") == (409, "order_shipping")
    assert refusal(shop, order["id"], "ship") == (409, "order_shipping")
    shop.settle()
    assert shop.get("sales.order", order["id"])["status"] == "shipped"
    assert given.level(shop, tea) == (97, 0)


@pytest.mark.parametrize("status", ["draft", "placed", "rejected", "cancelled"])
def test_only_a_confirmed_order_is_shipped(shop, status):
    tea = given.product(shop, on_hand="1")
    order = given.order(shop, given.account(shop), tea, "2")
    if status == "cancelled":
        shop.run("sales.order", order["id"], "cancel")
    elif status != "draft":
        shop.run("sales.order", order["id"], "place")
    if status == "rejected":
        shop.settle()
    assert shop.get("sales.order", order["id"])["status"] == status
    assert refusal(shop, order["id"], "ship") == (409, "order_not_confirmed")


def test_an_unknown_shipper_carries_nothing(shop):
    order = given.placed(shop, given.account(shop), given.product(shop))
    assert refusal(shop, order["id"], "ship", {"shipper_id": new_id()}) == (422, "unknown_reference")
    shipper = shop.create("inventory.shipper", {"name": "Speedy Express"})["id"]
    shop.run("sales.order", order["id"], "ship", {"shipper_id": shipper})
    shop.settle()
    (shipment,) = shop.list("inventory.shipment")
    assert shipment["shipper_id"] == shop.get("sales.order", order["id"])["shipper_id"] == shipper


def test_an_order_may_name_its_warehouse(shop):
    other = shop.create("inventory.warehouse", {"name": "Other"})["id"]
    tea, alfreds = given.product(shop, on_hand="5"), given.account(shop)
    assert given.placed(shop, alfreds, tea, warehouse_id=other)["reason"] == "stock"
    move = {"kind": "transfer", "product_id": tea, "quantity": "5", "to_warehouse_id": other}
    shop.create("inventory.stock-move", move)
    assert given.placed(shop, alfreds, tea, warehouse_id=other)["status"] == "confirmed"
    assert given.placed(shop, alfreds, tea)["reason"] == "stock"


OWN = {"sales.order": {"*": "own"}, "sales.receivable": {"read": "own"}}


def test_a_salesperson_with_own_orders_neither_sees_nor_changes_those_of_others(shop):
    tea, alfreds = given.product(shop), given.account(shop)
    order = given.placed(shop, alfreds, tea)
    draft = given.order(shop, alfreds, tea)
    stranger = shop.context(user_id=new_id(), grants=OWN)
    for call in (
        lambda: shop.get("sales.order", order["id"], context=stranger),
        lambda: shop.update("sales.order", draft["id"], {"ship_name": "x"}, context=stranger),
        lambda: shop.run("sales.order", draft["id"], "place", context=stranger),
        lambda: shop.run("sales.order", order["id"], "cancel", context=stranger),
        lambda: shop.run("sales.order", order["id"], "ship", context=stranger),
        lambda: shop.call("sales", "record.saga", {"record": "sales.order", "id": order["id"]}, context=stranger),
        lambda: shop.call("sales", "record.delete", {"record": "sales.order", "id": draft["id"]}, context=stranger),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert (refused.value.status, refused.value.code) == (404, "not_found")
    assert shop.list("sales.order", context=stranger) == shop.list("sales.receivable", context=stranger) == []
    assert shop.get("sales.order", draft["id"])["version"] == 1


def test_a_salesperson_takes_his_own_order_through(shop):
    seller = shop.create("identity.user", {"name": "Nancy", "email": "nancy@example.com"})["id"]
    shop.settle()
    tea, alfreds = given.product(shop), given.account(shop)
    mine = shop.context(user_id=seller, grants=OWN)
    order = given.order(shop, alfreds, tea, context=mine)
    shop.run("sales.order", order["id"], "place", context=mine)
    shop.settle()
    assert shop.get("sales.order", order["id"], context=mine)["status"] == "confirmed"
    assert shop.list("sales.receivable", context=mine)[0]["owner_id"] == seller
    with pytest.raises(Problem) as refused:
        given.order(shop, alfreds, tea, context=mine, owner_id=shop.user_id)
    assert refused.value.status == 403


def test_who_may_only_read_orders_is_refused_openly(shop):
    order = given.order(shop, given.account(shop), given.product(shop))
    reader = shop.context(grants={"sales.order": {"read": "all"}})
    assert refusal(shop, order["id"], "place", context=reader) == (403, "forbidden")


def test_orders_get_their_numbers_when_they_bind_without_gaps_however_many_are_placed_at_once(shop):
    tea, alfreds = given.product(shop), given.account(shop)
    drafts = [given.order(shop, alfreds, tea)["id"] for _ in range(6)]
    shop.run("sales.order", drafts[0], "cancel")
    # Each is placed twice, and one that was cancelled as a draft not at all: refusals leave no gap.
    answers = at_once(*(partial(shop.run, "sales.order", one, "place") for one in drafts for _ in range(2)))
    assert sum(isinstance(answer, Problem) for answer in answers) == 7
    placed = [shop.get("sales.order", one)["number"] for one in drafts]
    year = shop.clock.now().year
    assert placed[0] is None and sorted(placed[1:]) == [f"SO-{year}-{seq:05}" for seq in range(1, 6)]
    shop.settle()
    owed = sorted(one["number"] for one in shop.list("sales.receivable"))
    assert owed == [f"RE-{year}-{seq:05}" for seq in range(1, 6)]
