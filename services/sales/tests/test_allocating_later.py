"""What a payment or a credit note has left settles receivables later, once, and never more than it is."""

from __future__ import annotations

import threading
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from services.sales.tests import given
from services.sales.tests.test_crediting import NOTE, credit, taken

PAYMENT, RECEIVABLE = "sales.payment", "sales.receivable"


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


@pytest.fixture
def tea(shop):
    return given.product(shop)


@pytest.fixture
def owed(shop, tea):
    """A receivable of 30 USD."""
    return given.receivable(shop, given.placed(shop, given.account(shop), tea, "3")["id"])


def allocate(shop, record, record_id, *shares, **options):
    body = [{"receivable_id": receivable, "amount": given.usd(amount)} for receivable, amount in shares]
    return shop.run(record, record_id, "allocate", {"allocations": body}, **options)


def refusal(shop, record, record_id, *shares, **options):
    """Why it is refused, after which everything is as it was before."""
    before = shop.get(record, record_id), shop.list(RECEIVABLE)
    with pytest.raises(Problem) as refused:
        allocate(shop, record, record_id, *shares, **options)
    assert (shop.get(record, record_id), shop.list(RECEIVABLE)) == before
    assert given.wrong_ledgers(shop) == []
    return refused.value


def test_money_that_came_before_its_receivable_settles_it_later(shop, tea):
    account = given.account(shop)
    shop.settle()
    payment = given.pay(shop, account, "50")
    later = given.receivable(shop, given.placed(shop, account, tea, "3")["id"])
    now = allocate(shop, PAYMENT, payment["id"], (later["id"], "10"), (later["id"], "20"))
    assert (now["unallocated"], now["version"], now["amount"]) == (given.usd("20.00"), 2, given.usd("50.00"))
    assert [share["amount"] for share in now["allocations"]] == [given.usd("10.00"), given.usd("20.00")]
    assert given.receivable(shop, later["order_id"])["status"] == "paid"
    assert given.shipped(shop, later["order_id"])["status"] == "completed"
    (event,) = shop.events("sales.payment.allocated")
    assert event["data"]["previous"]["unallocated"] == given.usd("50.00")
    assert given.wrong_ledgers(shop) == []


def test_the_rest_of_a_credit_note_lowers_another_receivable_and_cancelling_takes_back_both(shop, tea, owed):
    note = credit(shop, tea, owed["account_id"], "12", (owed["id"], "5"))
    other = given.receivable(shop, given.placed(shop, owed["account_id"], tea)["id"])
    assert allocate(shop, NOTE, note["id"], (other["id"], "7"))["unallocated"] == given.usd("0.00")
    assert given.receivable(shop, other["order_id"])["credited"] == given.usd("7.00")
    shop.run(NOTE, note["id"], "cancel", {"reason": "Mistaken"})
    for one in (owed, other):
        now = given.receivable(shop, one["order_id"])
        assert (now["open"], now["credited"]) == (now["amount"], given.usd("0.00"))
    refused = refusal(shop, NOTE, note["id"], (owed["id"], "1"))
    assert (refused.status, refused.code) == (409, "wrong_state")


def test_never_more_than_is_left_nor_than_is_open(shop, tea, owed):
    payment = given.pay(shop, owed["account_id"], "40", (owed["id"], "25"))["id"]
    refused = refusal(shop, PAYMENT, payment, (owed["id"], "15.01"))
    assert (refused.status, refused.code) == (422, "over_allocated")
    refused = refusal(shop, PAYMENT, payment, (owed["id"], "5.01"))
    assert (refused.code, refused.errors[0]["field"]) == ("more_than_open", "allocations.0.amount")
    settled = credit(shop, tea, owed["account_id"], "5")["id"]
    assert refusal(shop, NOTE, settled, (owed["id"], "1")).code == "over_allocated", "it was settled elsewhere"


def test_only_open_receivables_of_its_account_in_its_currency(shop, tea, owed):
    payment = given.pay(shop, owed["account_id"], "40")["id"]
    other = given.receivable(shop, given.placed(shop, given.account(shop, "Other"), tea)["id"])
    for receivable in (other["id"], new_id()):
        assert refusal(shop, PAYMENT, payment, (receivable, "1")).code == "unknown_reference"
    assert refusal(shop, PAYMENT, payment, (owed["id"], "0")).status == 422
    assert refusal(shop, PAYMENT, payment).errors[0]["field"] == "allocations"
    shop.run("sales.order", owed["order_id"], "cancel")
    assert refusal(shop, PAYMENT, payment, (owed["id"], "1")).code == "receivable_closed"


def test_a_share_is_no_second_time_the_same_and_there_are_at_most_500(shop, owed):
    payment = given.pay(shop, owed["account_id"], "30", (owed["id"], "10"))
    share = {**payment["allocations"][0], "amount": given.usd("1")}
    with pytest.raises(Problem) as refused:
        shop.run(PAYMENT, payment["id"], "allocate", {"allocations": [share]})
    assert refused.value.errors[0]["field"] == "allocations.0.id"
    assert refusal(shop, PAYMENT, payment["id"], *[(owed["id"], "0.01")] * 500).errors[0]["field"] == "allocations"


def test_it_is_a_right_of_its_own_and_a_repeat_with_its_key_counts_once(shop, owed):
    payment = given.pay(shop, owed["account_id"], "30")["id"]
    clerk = shop.context(grants={PAYMENT: {"*": "all", "allocate": "none"}})
    assert refusal(shop, PAYMENT, payment, (owed["id"], "10"), context=clerk).status == 403
    for _ in range(2):
        assert allocate(shop, PAYMENT, payment, (owed["id"], "10"), key="rest-1")["version"] == 2
    assert given.receivable(shop, owed["order_id"])["open"] == given.usd("20.00")


@pytest.mark.parametrize("record", [PAYMENT, NOTE])
def test_of_many_who_share_the_same_rest_at_once_it_is_shared_once(shop, tea, owed, record):
    """Ten want 10 of the 30 that are left, each for another receivable."""
    account = owed["account_id"]
    wanted = [given.receivable(shop, given.placed(shop, account, tea)["id"])["id"] for _ in range(10)]
    if record == PAYMENT:
        document = given.pay(shop, account, "35", (owed["id"], "5"))["id"]
    else:
        document = credit(shop, tea, account, "35", (owed["id"], "5"))["id"]
    together, outcomes = threading.Barrier(len(wanted)), []

    def share(receivable):
        together.wait()
        try:
            allocate(shop, record, document, (receivable, "10"))
            outcomes.append("done")
        except Problem as problem:
            outcomes.append(problem.code)

    threads = [threading.Thread(target=share, args=(one,)) for one in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] * 3 + ["over_allocated"] * 7
    now = shop.get(record, document)
    assert (now["unallocated"], len(now["allocations"])) == (given.usd("0.00"), 4)
    assert sum(one["status"] == "paid" for one in shop.list(RECEIVABLE)) == 3
    assert given.wrong_ledgers(shop) == []


CENTS = st.integers(1, 2500)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([PAYMENT, NOTE]), st.just(0), st.just(0), CENTS),
        st.tuples(st.just("allocate"), st.integers(0, 3), st.integers(0, 1), CENTS),
        st.tuples(st.just("take back"), st.integers(0, 3), st.just(0), st.just(0)),
    ),
    max_size=9,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@drawn(STEPS)
def test_what_is_left_and_what_is_open_are_what_books_kept_by_hand_say(suite_of, steps):
    """Each document is its shares and its rest, each receivable its amount less its shares, to the cent."""
    shop = given.shop(suite_of)
    account, tea = given.account(shop), given.product(shop)
    owed = [given.receivable(shop, given.placed(shop, account, tea, "2")["id"]) for _ in range(2)]
    open_now, documents = [Decimal(20), Decimal(20)], []
    for step, which, at, cents in steps:
        amount = Decimal(cents).scaleb(-2)
        if step in (PAYMENT, NOTE):
            first = (owed[0]["id"], "0.01")
            allowed = open_now[0] >= Decimal("0.01")
            issue = partial(given.pay, shop) if step == PAYMENT else partial(credit, shop, tea)
            if (made := taken(allowed, issue, account, str(amount), first)) is not None:
                open_now[0] -= Decimal("0.01")
                shares = [(0, Decimal("0.01"))]
                documents.append({"record": step, "id": made["id"], "of": amount, "shares": shares, "gone": False})
        elif which < len(documents):
            document = documents[which]
            left = document["of"] - sum(share for _, share in document["shares"])
            if step == "allocate":
                allowed = not document["gone"] and amount <= left and amount <= open_now[at]
                share = (owed[at]["id"], str(amount))
                if taken(allowed, allocate, shop, document["record"], document["id"], share) is not None:
                    open_now[at] -= amount
                    document["shares"].append((at, amount))
            elif document["record"] == NOTE and taken(not document["gone"], shop.run, NOTE, document["id"], "cancel"):
                document["gone"] = True
                for place, share in document["shares"]:
                    open_now[place] += share
        shown = [Decimal(given.receivable(shop, one["order_id"])["open"]["amount"]) for one in owed]
        assert shown == open_now
        for document in documents:
            now = shop.get(document["record"], document["id"])
            shares = [(owed[place]["id"], share) for place, share in document["shares"]]
            assert [(one["receivable_id"], Decimal(one["amount"]["amount"])) for one in now["allocations"]] == shares
            rest = document["of"] - sum(share for _, share in document["shares"])
            assert Decimal(now["unallocated"]["amount"]) == rest
        assert given.wrong_ledgers(shop) == []
