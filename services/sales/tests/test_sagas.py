"""Orders when inventory is silent, late, or answers out of turn: everything ends, and nothing is left behind."""

from __future__ import annotations

import pytest

from services.sales.tests import given


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


class Silence:
    """Inventory hears nothing until `ends`; what was sent to it meanwhile comes then, in the order that one chooses."""

    def __init__(self, shop):
        self.shop, self.seen = shop, len(shop.bus.seen)
        self.inventory = shop.bus.runtimes.pop("inventory")

    def sent(self):
        return given.messages(self.shop, "inventory", after=self.seen)

    def passes(self, seconds):
        """Time goes by, and overdue steps are noticed."""
        self.shop.settle()
        self.shop.clock.forward(seconds=seconds)
        self.shop.runtime("sales").sweep_sagas()
        self.shop.settle()

    def ends(self, messages):
        self.shop.bus.runtimes["inventory"] = self.inventory
        for message in messages:
            self.inventory.message(message)
        self.shop.settle()


def test_an_order_that_inventory_does_not_answer_is_rejected_and_a_late_ask_reserves_nothing(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.settle()
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "place")
    silence.passes(21)
    described = given.saga(shop, order["id"])
    assert (described["state"], described["reason"]) == ("compensating", "timeout")
    ask, undo = silence.sent()
    silence.ends([undo, ask])
    rejected = shop.get("sales.order", order["id"])
    assert (rejected["status"], rejected["reason"]) == ("rejected", "timeout")
    assert given.saga(shop, order["id"])["state"] == "compensated"
    assert given.level(shop, tea) == (100, 0)
    assert shop.list("inventory.reservation") == []
    assert shop.dead() == []


def test_an_answer_that_comes_after_its_time_is_undone(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.settle()
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "place")
    silence.passes(21)
    silence.ends(silence.sent())
    assert shop.get("sales.order", order["id"])["reason"] == "timeout"
    assert given.level(shop, tea) == (100, 0)
    assert [one["status"] for one in shop.list("inventory.reservation")] == ["released"]


def test_a_silence_shorter_than_the_step_harms_nothing(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.settle()
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "place")
    silence.passes(19)
    silence.ends(silence.sent())
    assert shop.get("sales.order", order["id"])["status"] == "confirmed"


def test_an_undo_is_sent_until_it_is_answered(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.settle()
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "place")
    for _ in range(4):
        silence.passes(30)
    assert len(silence.sent()) == 5
    silence.ends(silence.sent()[-1:])
    assert shop.get("sales.order", order["id"])["status"] == "rejected"


def test_an_order_cancelled_during_a_silence_stays_cancelled_and_reserves_nothing(shop):
    tea = given.product(shop)
    order = given.order(shop, given.account(shop), tea, "3")
    shop.settle()
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "place")
    shop.settle()
    shop.run("sales.order", order["id"], "cancel", {"reason": "Too slow"})
    silence.passes(60)
    ask, *undos = silence.sent()
    silence.ends([*undos, ask])
    cancelled = shop.get("sales.order", order["id"])
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "Too slow")
    assert given.level(shop, tea) == (100, 0)
    assert shop.events("sales.order.rejected") == []


@pytest.mark.parametrize("late", [False, True])
def test_a_shipment_that_inventory_does_not_answer_leaves_the_order_confirmed_and_ready(shop, late):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop), tea, "3")
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "ship")
    silence.passes(21)
    sent = silence.sent()
    silence.ends(sent if late else reversed(sent))
    assert shop.get("sales.order", order["id"])["status"] == "confirmed"
    assert given.level(shop, tea) == (100, 3)
    assert given.shipped(shop, order["id"])["status"] == "shipped"
    assert given.level(shop, tea) == (97, 0)


def test_a_cancelled_order_gives_its_stock_back_when_inventory_speaks_again(shop):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop), tea, "3")
    silence = Silence(shop)
    shop.run("sales.order", order["id"], "cancel")
    for _ in range(3):
        silence.passes(30)
    assert shop.get("sales.order", order["id"])["status"] == "cancelled"
    assert given.receivable(shop, order["id"])["status"] == "reversed"
    silence.ends(silence.sent())
    assert given.level(shop, tea) == (100, 0)
    assert given.saga(shop, order["id"])["state"] == "completed"
    assert len(shop.events("inventory.reservation.released")) == 1
