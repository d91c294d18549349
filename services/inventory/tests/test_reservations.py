"""Stock for orders: all lines or none, released or issued, whatever happens at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, example, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from services.inventory.tests import given


@pytest.fixture
def suite(suite_of):
    suite = suite_of("inventory")
    given.warehouse(suite)
    return suite


def test_a_reservation_holds_every_line_of_an_order(suite):
    tea, cake = given.product(suite, on_hand="10"), given.product(suite, "Cake", on_hand="5")
    order = given.reserve(suite, {tea: "4", cake: "5"})
    assert given.status(suite, order) == "made"
    assert (given.level(suite, tea), given.level(suite, cake)) == ((10, 4, 6), (5, 5, 0))
    (answer,) = given.answers(suite)
    assert answer["warehouse_id"] == suite.list("inventory.warehouse")[0]["id"]
    assert len(suite.events("inventory.reservation.made")) == 1


def test_a_product_on_two_lines_counts_with_both(suite):
    tea = given.product(suite, on_hand="10")
    order_id = new_id()
    lines = [{"product_id": tea, "quantity": quantity} for quantity in ("6", "5")]
    given.asked(suite, "inventory.reserve", {"order_id": order_id, "lines": lines})
    assert given.status(suite, order_id) == "refused"


def test_when_one_line_is_short_nothing_is_held_and_the_refusal_is_told(suite):
    tea, cake = given.product(suite, on_hand="10"), given.product(suite, "Cake", on_hand="5")
    order = given.reserve(suite, {tea: "4", cake: "6"})
    assert (given.level(suite, tea), given.level(suite, cake)) == ((10, 0, 10), (5, 0, 5))
    assert given.answers(suite) == ["stock"]
    (event,) = suite.events("inventory.reservation.refused")
    assert event["data"]["order_id"] == order
    assert event["data"]["reason"] == "Not enough in stock: Cake"


def test_what_does_not_exist_cannot_be_reserved(suite):
    tea = given.product(suite, on_hand="10")
    unknown = given.reserve(suite, {tea: "1", new_id(): "1"})
    nowhere = given.reserve(suite, {tea: "1"}, warehouse_id=new_id())
    assert (given.status(suite, unknown), given.status(suite, nowhere)) == ("refused", "refused")
    assert given.answers(suite) == ["stock", "stock"]
    assert given.level(suite, tea) == (10, 0, 10)


def test_an_order_is_reserved_once_however_often_it_asks(suite):
    tea = given.product(suite, on_hand="10")
    order = given.reserve(suite, {tea: "4"})
    given.reserve(suite, {tea: "4"}, order_id=order)
    assert given.level(suite, tea) == (10, 4, 6)
    first, second = given.answers(suite)
    assert first == second


def test_an_order_that_was_refused_hears_the_same_when_it_asks_again(suite):
    tea = given.product(suite, on_hand="1")
    order = given.reserve(suite, {tea: "2"})
    given.move(suite, "receipt", tea, "10")
    given.reserve(suite, {tea: "2"}, order_id=order)
    assert given.answers(suite) == ["stock", "stock"]
    assert given.level(suite, tea) == (11, 0, 11)


def test_a_release_gives_everything_back_once(suite):
    tea = given.product(suite, on_hand="10")
    order = given.reserve(suite, {tea: "4"})
    given.release(suite, order)
    given.release(suite, order)
    assert given.status(suite, order) == "released"
    assert given.level(suite, tea) == (10, 0, 10)
    given.reserve(suite, {tea: "4"}, order_id=order)
    assert given.answers(suite)[-1] == "cancelled"
    assert len(suite.events("inventory.reservation.released")) == 1


def test_a_release_that_overtakes_its_reserve_keeps_the_late_one_out(suite):
    tea = given.product(suite, on_hand="10")
    order, saga = new_id(), new_id()
    given.release(suite, order, saga=saga)
    given.reserve(suite, {tea: "4"}, order_id=order, saga=saga)
    assert given.answers(suite) == [None, "undone"]
    assert given.level(suite, tea) == (10, 0, 10)
    assert given.status(suite, order) is None


def test_issuing_writes_ledger_entries_and_a_shipment(suite):
    tea, cake = given.product(suite, on_hand="10"), given.product(suite, "Cake", on_hand="5")
    order = given.reserve(suite, {tea: "4", cake: "2"})
    given.issue(suite, order)
    assert given.status(suite, order) == "issued"
    assert (given.level(suite, tea), given.level(suite, cake)) == ((6, 0, 6), (3, 0, 3))
    (shipment,) = suite.list("inventory.shipment")
    assert shipment["number"].startswith("SH-") and shipment["order_id"] == order
    entries = suite.list("inventory.stock-move", ["order_id", "eq", order])
    assert {one["product_id"]: one["change"] for one in entries} == {tea: "-4", cake: "-2"}
    assert {one["cause"] for one in entries} == {f"shipment:{shipment['id']}"}
    assert given.answers(suite)[-1]["shipment_id"] == shipment["id"]


def test_without_a_reservation_nothing_is_issued(suite):
    tea = given.product(suite, on_hand="10")
    given.issue(suite, new_id())
    order = given.reserve(suite, {tea: "4"})
    given.release(suite, order)
    given.issue(suite, order)
    assert [answer for answer in given.answers(suite) if isinstance(answer, str)] == ["no_reservation"] * 2
    assert suite.list("inventory.shipment") == []
    assert given.level(suite, tea) == (10, 0, 10)


def test_what_was_issued_and_taken_back_is_reserved_again(suite):
    tea = given.product(suite, on_hand="10")
    order = given.reserve(suite, {tea: "4"})
    given.issue(suite, order)
    given.take_back(suite, order)
    given.take_back(suite, order)
    assert given.status(suite, order) == "made"
    assert given.level(suite, tea) == (10, 4, 6)
    assert [one["status"] for one in suite.list("inventory.shipment")] == ["returned"]
    given.issue(suite, order)
    assert given.level(suite, tea) == (6, 0, 6)
    assert given.unbalanced(suite) == []


def test_of_fifty_orders_for_the_last_ten_exactly_ten_get_one(suite):
    tea = given.product(suite, on_hand="10")
    with ThreadPoolExecutor(12) as threads:
        orders = list(threads.map(lambda _: given.reserve(suite, {tea: "1"}, times=1), range(50)))
    states = [given.status(suite, order) for order in orders]
    assert (states.count("made"), states.count("refused")) == (10, 40)
    assert given.level(suite, tea) == (10, 10, 0)
    assert given.unbalanced(suite) == []


KINDS = ("reserve", "release", "issue", "take_back", "receipt", "move_out", "adjust")
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 1), st.integers(0, 1), st.integers(1, 4)), min_size=5, max_size=20
)
UNHURRIED = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def perform(suite, operation, orders, products):
    kind, which, product, quantity = operation
    order = orders[which]
    if kind == "reserve":
        # Every order wants both products, in either order, so that threads would lock them crosswise if they could.
        lines = [(products[product], str(quantity)), (products[1 - product], "1")]
        given.reserve(suite, dict(lines), order_id=order, times=1)
    elif kind in ("release", "issue", "take_back"):
        {"release": given.release, "issue": given.issue, "take_back": given.take_back}[kind](suite, order, times=1)
    else:
        entered = {"receipt": "receipt", "move_out": "issue", "adjust": "adjustment"}[kind]
        try:
            given.move(suite, entered, products[product], str(-quantity if kind == "adjust" else quantity))
        except Problem as problem:
            if problem.code != "stock":
                raise


class Shelf:
    """What must happen, said once more without a database: on hand by product, and each order's state and lines."""

    def __init__(self):
        self.hand, self.orders = [Decimal(10), Decimal(10)], {}

    def free(self, product):
        held = sum(lines[product] for state, lines in self.orders.values() if state == "made")
        return self.hand[product] - held

    def perform(self, operation):
        kind, order, product, quantity = operation
        state, lines = self.orders.get(order, (None, None))
        if kind == "reserve" and state is None:
            wanted = [quantity, 1] if product == 0 else [1, quantity]
            enough = all(self.free(one) >= wanted[one] for one in (0, 1))
            self.orders[order] = ("made" if enough else "refused", wanted)
        elif (kind, state) == ("release", "made"):
            self.orders[order] = ("released", lines)
        elif (kind, state) in (("issue", "made"), ("take_back", "issued")):
            sign = -1 if kind == "issue" else 1
            self.hand = [self.hand[one] + sign * lines[one] for one in (0, 1)]
            self.orders[order] = ("issued" if kind == "issue" else "made", lines)
        elif kind == "receipt":
            self.hand[product] += quantity
        elif kind in ("move_out", "adjust") and self.free(product) >= quantity:
            self.hand[product] -= quantity


@UNHURRIED
@drawn(OPERATIONS)
@example([(kind, 0, 0, 3) for kind in ("reserve", "issue", "take_back", "adjust", "release", "move_out")])
def test_levels_are_always_the_sums_of_ledger_and_reservations(suite_of, operations):
    suite = suite_of("inventory")
    given.warehouse(suite)
    products = [given.product(suite, name, on_hand="10") for name in ("Tea", "Cake")]
    orders, shelf = [new_id() for _ in range(2)], Shelf()
    for operation in operations:
        perform(suite, operation, orders, products)
        shelf.perform(operation)
        assert given.unbalanced(suite) == []
    for index, product in enumerate(products):
        on_hand, _, available = given.level(suite, product)
        assert (on_hand, available) == (shelf.hand[index], shelf.free(index))
    for index, order in enumerate(orders):
        assert given.status(suite, order) == shelf.orders.get(index, (None,))[0]


@UNHURRIED
@drawn(OPERATIONS)
def test_levels_are_the_sums_of_ledger_and_reservations_when_all_happens_at_once(suite_of, operations):
    suite = suite_of("inventory")
    given.warehouse(suite)
    products = [given.product(suite, name, on_hand="10") for name in ("Tea", "Cake")]
    orders = [new_id() for _ in range(2)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda operation: perform(suite, operation, orders, products), operations))
    assert given.unbalanced(suite) == []
    suite.settle()
    assert suite.dead() == []
    assert given.unbalanced(suite) == []
