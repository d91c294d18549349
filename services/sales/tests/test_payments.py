"""Money received, what it settles, and the ledger of what is owed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st
from sqlalchemy.exc import ProgrammingError

from chassis.errors import Problem
from chassis.ids import new_id
from services.sales.tests import given


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


@pytest.fixture
def owed(shop):
    """A receivable of 30 USD."""
    alfreds = given.account(shop)
    order = given.placed(shop, alfreds, given.product(shop), "3")
    return given.receivable(shop, order["id"])


def refusal(shop, account, amount, /, *shares, **fields):
    """Why a payment is refused, after which everything is as it was before."""
    before = shop.list("sales.payment"), shop.list("sales.receivable")
    with pytest.raises(Problem) as refused:
        given.pay(shop, account, amount, *shares, **fields)
    assert (shop.list("sales.payment"), shop.list("sales.receivable")) == before
    assert given.wrong_ledgers(shop) == []
    return refused.value


def test_a_payment_settles_a_receivable_in_parts_and_in_full(shop, owed):
    payment = given.pay(shop, owed["account_id"], "10", (owed["id"], "10"))
    assert payment["number"].startswith("PA-") and payment["unallocated"] == given.usd("0.00")
    partly = given.receivable(shop, owed["order_id"])
    assert (partly["status"], partly["open"]) == ("partly_paid", given.usd("20.00"))
    given.pay(shop, owed["account_id"], "20", (owed["id"], "15.50"), (owed["id"], "4.50"))
    paid = given.receivable(shop, owed["order_id"])
    assert (paid["status"], paid["open"]) == ("paid", given.usd("0.00"))
    shop.settle()
    kinds = [event["type"].rsplit(".", 1)[1] for event in shop.events("sales.receivable")]
    assert kinds == ["opened", "partly-paid", "partly-paid", "paid"]
    assert given.wrong_ledgers(shop) == []


def test_what_a_payment_does_not_allocate_is_kept_as_unallocated(shop, owed):
    assert given.pay(shop, owed["account_id"], "50", (owed["id"], "30"))["unallocated"] == given.usd("20.00")
    data = {"account_id": owed["account_id"], "amount": given.usd("5"), "received_on": "2026-11-23"}
    assert shop.create("sales.payment", data)["unallocated"] == given.usd("5.00")


def test_one_payment_settles_several_receivables(shop):
    alfreds, tea = given.account(shop), given.product(shop)
    owed = [given.receivable(shop, given.placed(shop, alfreds, tea)["id"]) for _ in range(3)]
    given.pay(shop, alfreds, "30", *[(one["id"], "10") for one in reversed(owed)])
    assert {one["status"] for one in shop.list("sales.receivable")} == {"paid"}


def test_a_receivable_is_never_paid_more_than_is_open(shop, owed):
    refused = refusal(shop, owed["account_id"], "40", (owed["id"], "30.01"))
    assert (refused.status, refused.code) == (422, "more_than_open")
    assert refused.errors[0]["field"] == "allocations.0.amount"
    refused = refusal(shop, owed["account_id"], "40", (owed["id"], "20"), (owed["id"], "10.01"))
    assert refused.code == "more_than_open"
    assert given.receivable(shop, owed["order_id"])["open"] == given.usd("30.00")


def test_a_paid_receivable_takes_nothing_more(shop, owed):
    given.pay(shop, owed["account_id"], "30", (owed["id"], "30"))
    assert refusal(shop, owed["account_id"], "1", (owed["id"], "0.01")).status == 422


def test_a_payment_never_allocates_more_than_it_is(shop, owed):
    refused = refusal(shop, owed["account_id"], "20", (owed["id"], "20.01"))
    assert (refused.status, refused.code) == (422, "over_allocated")


@pytest.mark.parametrize("whose", ["another account's", "nobody's"])
def test_a_payment_settles_only_what_its_account_owes(shop, owed, whose):
    other = given.account(shop, "Other") if whose == "another account's" else owed["account_id"]
    receivable = owed["id"] if whose == "another account's" else new_id()
    refused = refusal(shop, other, "30", (receivable, "30"))
    assert (refused.status, refused.code) == (422, "unknown_reference")


def test_a_reversed_receivable_takes_no_payment(shop, owed):
    shop.run("sales.order", owed["order_id"], "cancel")
    refused = refusal(shop, owed["account_id"], "30", (owed["id"], "30"))
    assert (refused.status, refused.code) == (409, "receivable_closed")


@pytest.mark.parametrize("amount", ["0", "-1", "10.001"])
def test_a_payment_is_an_amount_above_nothing_in_whole_cents(shop, owed, amount):
    assert refusal(shop, owed["account_id"], amount).status == 422


def test_a_share_is_above_nothing_and_in_the_currency_of_payment_and_receivable(shop, owed):
    assert refusal(shop, owed["account_id"], "30", (owed["id"], "0")).status == 422
    euros = {"amount": "30", "currency": "EUR"}
    share = [{"receivable_id": owed["id"], "amount": euros}]
    assert (
        refusal(shop, owed["account_id"], "30", allocations=share).errors[0]["field"] == "allocations.0.amount.currency"
    )
    refused = refusal(shop, owed["account_id"], "30", amount=euros, allocations=share)
    assert refused.errors[0]["field"] == "allocations.0.amount.currency"


def test_a_repeated_payment_with_its_key_counts_once(shop, owed):
    data = {"account_id": owed["account_id"], "amount": given.usd("10"), "received_on": "2026-11-23"}
    data["allocations"] = [{"receivable_id": owed["id"], "amount": given.usd("10")}]
    first, second = (shop.create("sales.payment", data, key="bank-1") for _ in range(2))
    assert first["id"] == second["id"]
    assert given.receivable(shop, owed["order_id"])["open"] == given.usd("20.00")


def test_an_order_shipped_and_then_paid_is_completed(shop, owed):
    assert given.shipped(shop, owed["order_id"])["status"] == "shipped"
    given.pay(shop, owed["account_id"], "10", (owed["id"], "10"))
    assert shop.get("sales.order", owed["order_id"])["status"] == "shipped"
    given.pay(shop, owed["account_id"], "20", (owed["id"], "20"))
    assert shop.get("sales.order", owed["order_id"])["status"] == "completed"
    shop.settle()
    assert len(shop.events("sales.order.completed")) == 1


def test_an_order_paid_and_then_shipped_is_completed(shop, owed):
    given.pay(shop, owed["account_id"], "30", (owed["id"], "30"))
    assert shop.get("sales.order", owed["order_id"])["status"] == "confirmed"
    assert given.shipped(shop, owed["order_id"])["status"] == "completed"
    assert len(shop.events("sales.order.shipped")) == len(shop.events("sales.order.completed")) == 1


def test_an_order_that_costs_nothing_is_completed_when_it_is_shipped(shop):
    free = given.product(shop, price="0")
    order = given.placed(shop, given.account(shop), free)
    assert given.receivable(shop, order["id"])["status"] == "paid"
    assert given.shipped(shop, order["id"])["status"] == "completed"


def test_what_was_paid_before_a_cancel_stays_and_the_rest_is_reversed(shop, owed):
    given.pay(shop, owed["account_id"], "10", (owed["id"], "10"))
    shop.run("sales.order", owed["order_id"], "cancel")
    reversed_one = given.receivable(shop, owed["order_id"])
    assert (reversed_one["status"], reversed_one["open"]) == ("reversed", given.usd("0.00"))
    with shop.work("sales") as work:
        entries = work.sql("SELECT kind, amount FROM receivable_entries WHERE tenant_id = %s", (work.tenant,)).all()
    assert sorted(map(tuple, entries)) == [("opened", Decimal(30)), ("paid", Decimal(-10)), ("reversed", Decimal(-20))]


def test_a_receivable_is_overdue_the_day_after_its_due_date_and_once(shop):
    tea = given.product(shop)
    order = given.placed(shop, given.account(shop, payment_days=10), tea)
    owed = given.receivable(shop, order["id"])
    shop.clock.forward(days=10)
    shop.settle()
    assert not given.receivable(shop, order["id"])["overdue"]
    for _ in range(2):
        shop.clock.forward(days=1)
        shop.settle()
    late = given.receivable(shop, order["id"])
    assert (late["overdue"], late["status"]) == (True, "open")
    assert [event["data"]["id"] for event in shop.events("sales.receivable.overdue")] == [owed["id"]]
    given.pay(shop, owed["account_id"], "10", (owed["id"], "10"))
    assert not given.receivable(shop, order["id"])["overdue"]


def test_what_is_paid_or_reversed_never_becomes_overdue(shop):
    alfreds, tea = given.account(shop), given.product(shop)
    paid, cancelled = (given.placed(shop, alfreds, tea) for _ in range(2))
    given.pay(shop, alfreds, "10", (given.receivable(shop, paid["id"])["id"], "10"))
    shop.run("sales.order", cancelled["id"], "cancel")
    shop.clock.forward(days=32)
    shop.settle()
    assert shop.events("sales.receivable.overdue") == []


@pytest.mark.parametrize("table", ["payments", "receivable_entries"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET amount = 0", "DELETE FROM {}"])
def test_the_service_itself_cannot_change_or_delete_what_was_booked(shop, table, statement):
    with pytest.raises(ProgrammingError, match="permission denied"), shop.work("sales") as work:
        work.sql(statement.format(table))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), st.integers(0, 2), st.integers(1, 2500)),
        st.tuples(st.just("cancel"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("ship"), st.integers(0, 2), st.just(0)),
    ),
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@drawn(STEPS)
def test_open_is_always_the_sum_of_the_ledger(suite_of, steps):
    shop = given.shop(suite_of)
    alfreds, tea = given.account(shop), given.product(shop)
    owed = [given.receivable(shop, given.placed(shop, alfreds, tea, "2")["id"]) for _ in range(3)]
    received = Decimal(0)
    for step, which, cents in steps:
        try:
            if step == "pay":
                amount = Decimal(cents).scaleb(-2)
                given.pay(shop, alfreds, str(amount), (owed[which]["id"], str(amount)))
                received += amount
            else:
                shop.run("sales.order", owed[which]["order_id"], step)
        except Problem as problem:
            if problem.status not in (409, 422):
                raise
        assert given.wrong_ledgers(shop) == []
    shop.settle()
    with shop.work("sales") as work:
        paid = work.sql(
            "SELECT coalesce(sum(-amount), 0) FROM receivable_entries WHERE tenant_id = %s AND kind = 'paid'",
            (work.tenant,),
        ).scalar_one()
    assert paid == received
    for one in owed:
        order, receivable = shop.get("sales.order", one["order_id"]), given.receivable(shop, one["order_id"])
        assert (order["status"] == "completed") <= (receivable["status"] == "paid")
        assert (order["status"] == "shipped") <= (receivable["status"] != "paid")
        assert (order["status"] == "cancelled") == (receivable["status"] == "reversed")
