"""Points: entries follow the receivables of orders, balances follow the entries."""

from __future__ import annotations

import random
import threading
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite
from services.marketing.tests.helpers import account_known, deliver, event, receivable

POINTS, ENTRY = "marketing.point-account", "marketing.point-entry"


@pytest.fixture
def suite(suite_of):
    return suite_of("marketing")


def said(suite, account, order, version, status, net="120.90", verb=None):
    return event(suite, f"sales.receivable.{verb or status}", receivable(account, order, version, status, net))


def balance(suite, account):
    found = suite.list(POINTS, ["account_id", "eq", account])
    assert len(found) <= 1
    return found[0]["balance"] if found else None


def entries(suite, account):
    return sorted(suite.list(ENTRY, ["account_id", "eq", account]), key=lambda one: one["id"])


def test_a_paid_order_earns_one_point_for_each_whole_unit_of_its_net(suite):
    account, order = account_known(suite), new_id()
    deliver(suite, said(suite, account, order, 1, "open", verb="opened"))
    assert (balance(suite, account), entries(suite, account)) == (None, [])
    deliver(suite, said(suite, account, order, 2, "partly_paid", verb="partly-paid"))
    assert entries(suite, account) == []
    deliver(suite, said(suite, account, order, 3, "paid"))
    (earned,) = entries(suite, account)
    assert (earned["points"], earned["kind"], earned["order_id"], earned["reverses_id"]) == (120, "earned", order, None)
    assert (earned["owner_id"], earned["team_id"]) == (None, None)
    assert balance(suite, account) == 120
    suite.settle()
    (published,) = suite.events(f"{ENTRY}.created")
    assert published["data"]["order_id"] == order


def test_less_than_a_whole_unit_earns_nothing(suite):
    account = account_known(suite)
    deliver(suite, said(suite, account, new_id(), 1, "paid", net="0.99"))
    assert entries(suite, account) == []


@pytest.mark.parametrize(("credited", "points"), [("0.00", 100), ("11.90", 90), ("0.01", 99), ("119.00", 0)])
def test_what_was_credited_earns_in_proportion_less(suite, credited, points):
    account, order = account_known(suite), new_id()
    paid = receivable(account, order, 2, "paid", net="100.00")
    paid |= {"amount": {"amount": "119.00", "currency": "EUR"}, "credited": {"amount": credited, "currency": "EUR"}}
    deliver(suite, event(suite, "sales.receivable.paid", paid))
    assert sum(entry["points"] for entry in suite.list("marketing.point-entry")) == points


def test_the_same_payment_twice_earns_once(suite):
    account, order = account_known(suite), new_id()
    paid = said(suite, account, order, 2, "paid")
    deliver(suite, paid, paid, said(suite, account, order, 2, "paid"))
    assert (len(entries(suite, account)), balance(suite, account)) == (1, 120)


def test_a_reversed_order_gives_its_points_back_by_the_opposite_entry(suite):
    account, order = account_known(suite), new_id()
    deliver(suite, said(suite, account, order, 2, "paid"), said(suite, account, order, 3, "reversed"))
    earned, back = entries(suite, account)
    assert (back["points"], back["kind"], back["order_id"], back["reverses_id"]) == (
        -120,
        "reversed",
        order,
        earned["id"],
    )
    assert balance(suite, account) == 0


def test_a_payment_heard_of_after_its_reversal_earns_nothing(suite):
    account, order = account_known(suite), new_id()
    deliver(suite, said(suite, account, order, 3, "reversed"), said(suite, account, order, 2, "paid"))
    assert (entries(suite, account), balance(suite, account)) == ([], None)


def test_a_refund_gives_back_and_a_new_payment_earns_again(suite):
    account, order = account_known(suite), new_id()
    for version, status in ((2, "paid"), (3, "partly_paid"), (4, "paid")):
        deliver(suite, said(suite, account, order, version, status))
    assert [one["points"] for one in entries(suite, account)] == [120, -120, 120]
    assert balance(suite, account) == 120


@pytest.mark.parametrize("late", [False, True])
def test_an_order_imported_as_history_earns_nothing_however_its_events_come(suite, late):
    account, order = account_known(suite), new_id()
    imported = said(suite, account, order, 1, "paid", verb="imported")
    later = said(suite, account, order, 2, "paid", verb="updated")
    deliver(suite, *((later, imported) if late else (imported, later)))
    assert sum(one["points"] for one in entries(suite, account)) == 0
    assert balance(suite, account) in (None, 0)


def test_points_of_an_account_not_heard_of_yet_wait_for_it(suite):
    account = new_id()
    deliver(suite, said(suite, account, new_id(), 1, "paid"))
    assert balance(suite, account) is None
    account_known(suite, account)
    suite.settle()
    assert (balance(suite, account), suite.dead()) == (120, [])


def test_an_account_deleted_meanwhile_still_gets_its_points_reversed(suite):
    account, order = account_known(suite), new_id()
    deliver(suite, said(suite, account, order, 2, "paid"))
    gone = {"id": account, "version": 2, "name": "Bo & Co", "deleted_at": "2026-11-23T00:00:00Z"}
    deliver(suite, event(suite, "customer.account.deleted", gone), said(suite, account, order, 3, "reversed"))
    suite.settle()
    assert (balance(suite, account), suite.dead()) == (0, [])


def at_once(*calls):
    """Run these in threads of their own, all let go in one moment. Returns what they raised."""
    gate, raised = threading.Barrier(len(calls)), []

    def run(call):
        gate.wait()
        try:
            call()
        except Exception as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_first_points_of_several_orders_at_once_meet_in_one_point_account(suite):
    account = account_known(suite)
    paid = [said(suite, account, new_id(), 1, "paid") for _ in range(8)]
    assert at_once(*(partial(deliver, suite, body) for body in paid)) == []
    # None of them had to be tried again.
    assert suite._parked() == []
    assert (balance(suite, account), len(entries(suite, account))) == (960, 8)


def test_first_points_by_hand_at_once_meet_in_one_point_account(suite):
    account = account_known(suite)
    by_hand = partial(suite.create, ENTRY, {"account_id": account, "points": 5})
    assert at_once(*[by_hand] * 8) == []
    assert balance(suite, account) == 40


def test_points_are_not_spent_twice_by_two_at_once(suite):
    account = account_known(suite)
    suite.create(ENTRY, {"account_id": account, "points": 10})
    spend = partial(suite.create, ENTRY, {"account_id": account, "points": -4})
    assert [error.code for error in at_once(*[spend] * 4)] == ["insufficient_points"] * 2
    assert balance(suite, account) == 2


def test_an_entry_by_hand_is_an_adjustment_and_moves_the_balance(suite):
    account = account_known(suite)
    made = suite.create(ENTRY, {"account_id": account, "points": 50, "reason": "Welcome"})
    assert (made["kind"], made["order_id"], made["reason"]) == ("adjusted", None, "Welcome")
    suite.create(ENTRY, {"account_id": account, "points": -50})
    assert balance(suite, account) == 0


def test_a_balance_does_not_fall_below_zero_by_hand(suite):
    account = account_known(suite)
    suite.create(ENTRY, {"account_id": account, "points": 50})
    with pytest.raises(Problem) as refused:
        suite.create(ENTRY, {"account_id": account, "points": -51})
    assert (refused.value.status, refused.value.code) == (422, "insufficient_points")
    assert (balance(suite, account), len(entries(suite, account))) == (50, 1)


def test_a_balance_falls_below_zero_by_a_reversal_and_may_be_raised_by_hand(suite):
    account, order = account_known(suite), new_id()
    deliver(suite, said(suite, account, order, 2, "paid"))
    suite.create(ENTRY, {"account_id": account, "points": -100, "reason": "A teapot"})
    deliver(suite, said(suite, account, order, 3, "reversed"))
    assert balance(suite, account) == -100
    suite.create(ENTRY, {"account_id": account, "points": 60})
    assert balance(suite, account) == -40
    with pytest.raises(Problem):
        suite.create(ENTRY, {"account_id": account, "points": -1})


@pytest.mark.parametrize("data", [{"points": 0}, {"points": "5"}, {"points": 1.5}, {}, {"points": 5, "kind": "earned"}])
def test_an_entry_that_says_nothing_or_too_much_is_refused(suite, data):
    account = account_known(suite)
    with pytest.raises(Problem) as refused:
        suite.create(ENTRY, {"account_id": account, **data})
    assert refused.value.status == 422
    assert balance(suite, account) is None


def test_points_for_an_unknown_account_are_refused_and_leave_nothing(suite_of):
    suite = suite_of("customer", "marketing")
    account = new_id()
    with pytest.raises(Problem) as refused:
        suite.create(ENTRY, {"account_id": account, "points": 5})
    assert (refused.value.status, refused.value.code) == (422, "unknown_reference")
    assert balance(suite, account) is None


@pytest.mark.parametrize("method", ["record.update", "record.delete"])
@pytest.mark.parametrize("record", [ENTRY, POINTS])
def test_the_ledger_is_not_rewritten(suite, record, method):
    account = account_known(suite)
    suite.create(ENTRY, {"account_id": account, "points": 5})
    (row,) = suite.list(record)
    with pytest.raises(Problem) as refused:
        suite.call("marketing", method, {"record": record, "id": row["id"], "patch": {"points": 6}})
    assert refused.value.status == 404


def test_nobody_adjusts_points_without_the_right_to(suite):
    account = account_known(suite)
    reader = suite.context(grants={ENTRY: {"read": "all"}})
    with pytest.raises(Problem) as refused:
        suite.create(ENTRY, {"account_id": account, "points": 5}, context=reader)
    assert refused.value.status == 403


VERSIONS = st.lists(
    st.tuples(
        st.sampled_from(["open", "partly_paid", "paid", "written_off", "reversed"]), st.decimals(0, 9999, places=2)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(orders=st.lists(st.tuples(VERSIONS, st.booleans()), min_size=1, max_size=3), data=st.data())
def test_whatever_the_order_of_events_entries_and_balance_are_what_the_newest_versions_are_worth(
    databases, orders, data
):
    suite = Suite(databases, ("marketing",))
    account, bodies, worth = account_known(suite), [], {}
    for versions, history in orders:
        order = new_id()
        status, net = versions[-1]
        worth[order] = int(net) if status == "paid" and not history else 0
        for version, (status, net) in enumerate(versions, start=1):
            verb = "imported" if history and version == 1 else "updated"
            bodies.append(said(suite, account, order, version, status, f"{net:f}", verb))
    again = data.draw(st.lists(st.sampled_from(bodies), max_size=4))
    delivered = [*bodies, *again]
    random.Random(data.draw(st.integers())).shuffle(delivered)
    deliver(suite, *delivered)
    assert suite._parked() == []
    found = entries(suite, account)
    for order, points in worth.items():
        assert sum(one["points"] for one in found if one["order_id"] == order) == points
    with suite.work("marketing") as work:
        rows = work.sql("SELECT order_id, target FROM order_points WHERE tenant_id = %s", (suite.tenant,))
        assert {row.order_id: row.target for row in rows} == worth
    assert (balance(suite, account) or 0) == sum(worth.values()) == sum(one["points"] for one in found)
