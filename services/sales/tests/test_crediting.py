"""Credit notes lower what is open of receivables, and give it back when they are cancelled."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from chassis.errors import Problem
from services.sales.tests import given

NOTE = "sales.credit-note"


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


def credit(shop, tea, account, amount, /, *shares, context=None, **fields):
    """A credit note of one line without tax, with (receivable, amount) for each share."""
    data = {
        "account_id": account,
        "currency": "USD",
        "issued_on": "2026-11-24",
        "settled_on": "2026-11-24",
        "reason": "Broken in transit",
        "lines": [{"product_id": tea, "quantity": "1", "unit_price": given.usd(amount), "tax_rate": "0"}],
        "allocations": [{"receivable_id": one, "amount": given.usd(share)} for one, share in shares],
        **fields,
    }
    return shop.create(NOTE, data, **({"context": context} if context else {}))


def refusal(shop, tea, account, amount, /, *shares, **fields):
    """Why a credit note is refused, after which everything is as it was before."""
    before = shop.list(NOTE), shop.list("sales.receivable")
    with pytest.raises(Problem) as refused:
        credit(shop, tea, account, amount, *shares, **fields)
    assert (shop.list(NOTE), shop.list("sales.receivable")) == before
    assert given.wrong_ledgers(shop) == []
    return refused.value


def test_a_credit_note_lowers_what_is_open_and_tells_so(shop, tea, owed):
    note = credit(shop, tea, owed["account_id"], "12", (owed["id"], "10"))
    assert (note["status"], note["unallocated"]) == ("issued", given.usd("2.00"))
    now = given.receivable(shop, owed["order_id"])
    assert (now["open"], now["credited"], now["status"]) == (given.usd("20.00"), given.usd("10.00"), "partly_paid")
    shop.settle()
    (event,) = shop.events("sales.receivable.credited")
    assert event["data"]["previous"]["open"] == given.usd("30.00") and shop.events("sales.receivable.partly-paid") == []
    assert given.wrong_ledgers(shop) == []


def test_one_credit_note_lowers_several_receivables(shop, tea, owed):
    other = given.receivable(shop, given.placed(shop, owed["account_id"], tea)["id"])
    note = credit(shop, tea, owed["account_id"], "15", (owed["id"], "8"), (other["id"], "7"))
    assert note["unallocated"] == given.usd("0.00")
    assert {one["open"]["amount"] for one in shop.list("sales.receivable")} == {"22.00", "3.00"}


def test_a_receivable_is_never_credited_more_than_is_open_nor_a_note_allocated_more_than_it_is(shop, tea, owed):
    refused = refusal(shop, tea, owed["account_id"], "40", (owed["id"], "30.01"))
    assert (refused.status, refused.code) == (422, "more_than_open")
    refused = refusal(shop, tea, owed["account_id"], "40", (owed["id"], "20"), (owed["id"], "10.01"))
    assert (refused.code, refused.errors[0]["field"]) == ("more_than_open", "allocations.1.amount")
    refused = refusal(shop, tea, owed["account_id"], "9.99", (owed["id"], "10"))
    assert (refused.status, refused.code) == (422, "over_allocated")
    given.pay(shop, owed["account_id"], "25", (owed["id"], "25"))
    assert refusal(shop, tea, owed["account_id"], "6", (owed["id"], "6")).code == "more_than_open"


def test_only_receivables_of_its_account_in_its_currency_that_still_stand_are_credited(shop, tea, owed):
    other = given.account(shop, "Other")
    shop.settle()
    refused = refusal(shop, tea, other, "5", (owed["id"], "5"))
    assert (refused.status, refused.code) == (422, "unknown_reference")
    share = [{"receivable_id": owed["id"], "amount": {"amount": "5", "currency": "EUR"}}]
    refused = refusal(shop, tea, owed["account_id"], "5", allocations=share)
    assert refused.errors[0]["field"] == "allocations.0.amount.currency"
    assert refusal(shop, tea, owed["account_id"], "5", (owed["id"], "0")).status == 422
    shop.run("sales.order", owed["order_id"], "cancel")
    refused = refusal(shop, tea, owed["account_id"], "5", (owed["id"], "5"))
    assert (refused.status, refused.code) == (409, "receivable_closed")


def test_who_may_create_credit_notes_allocates_them_and_only_who_may_import_takes_settled_ones_over(shop, tea, owed):
    clerk = {"context": shop.context(grants={NOTE: {"create": "all", "read": "all"}})}
    assert credit(shop, tea, owed["account_id"], "5", (owed["id"], "5"), **clerk)["status"] == "issued"
    assert refusal(shop, tea, owed["account_id"], "5", **clerk).status == 403


def test_cancelling_gives_back_what_was_taken_once(shop, tea, owed):
    note = credit(shop, tea, owed["account_id"], "30", (owed["id"], "30"))
    assert given.receivable(shop, owed["order_id"])["status"] == "paid"
    gone = shop.run(NOTE, note["id"], "cancel", {"reason": "Wrong customer"})
    assert (gone["status"], gone["cancel_reason"], gone["version"]) == ("cancelled", "Wrong customer", 2)
    now = given.receivable(shop, owed["order_id"])
    assert (now["open"], now["credited"], now["status"]) == (given.usd("30.00"), given.usd("0.00"), "open")
    with pytest.raises(Problem) as again:
        shop.run(NOTE, note["id"], "cancel")
    assert (again.value.status, again.value.code) == (409, "wrong_state")
    shop.settle()
    assert len(shop.events("sales.credit-note.cancelled")) == len(shop.events("sales.receivable.reopened")) == 1
    with shop.work("sales") as work:
        entries = work.sql("SELECT kind, amount FROM receivable_entries WHERE tenant_id = %s", (work.tenant,)).all()
    expected = [("credited", Decimal(-30)), ("opened", Decimal(30)), ("uncredited", Decimal(30))]
    assert sorted(map(tuple, entries)) == expected


def test_what_a_credit_settled_is_completed_and_open_again_without_it(shop, tea, owed):
    note = credit(shop, tea, owed["account_id"], "10", (owed["id"], "10"))
    given.pay(shop, owed["account_id"], "20", (owed["id"], "20"))
    assert given.shipped(shop, owed["order_id"])["status"] == "completed"
    shop.clock.forward(days=60)
    shop.settle()
    assert not given.receivable(shop, owed["order_id"])["overdue"]
    shop.run(NOTE, note["id"], "cancel")
    shop.settle()
    assert shop.get("sales.order", owed["order_id"])["status"] == "shipped"
    now = given.receivable(shop, owed["order_id"])
    assert (now["status"], now["open"], now["overdue"]) == ("partly_paid", given.usd("10.00"), True)
    assert len(shop.events("sales.order.reopened")) == 1
    given.pay(shop, owed["account_id"], "10", (owed["id"], "10"))
    assert shop.get("sales.order", owed["order_id"])["status"] == "completed"


def test_what_is_open_again_counts_against_the_limit(shop, tea):
    limited = given.account(shop, "Limited", credit_limit=given.usd("30"))
    first = given.receivable(shop, given.placed(shop, limited, tea, "3")["id"])
    assert given.placed(shop, limited, tea)["status"] == "rejected"
    note = credit(shop, tea, limited, "20", (first["id"], "20"))
    assert given.placed(shop, limited, tea)["status"] == "confirmed"
    shop.run(NOTE, note["id"], "cancel")
    assert given.placed(shop, limited, tea)["status"] == "rejected"


def test_a_credit_of_a_cancelled_order_is_not_given_back(shop, tea, owed):
    note = credit(shop, tea, owed["account_id"], "10", (owed["id"], "10"))
    shop.run("sales.order", owed["order_id"], "cancel")
    with pytest.raises(Problem) as refused:
        shop.run(NOTE, note["id"], "cancel")
    assert (refused.value.status, refused.value.code) == (409, "receivable_closed")
    assert shop.get(NOTE, note["id"])["status"] == "issued" and given.wrong_ledgers(shop) == []


def test_a_repeated_credit_note_with_its_key_counts_once(shop, tea, owed):
    made = credit(shop, tea, owed["account_id"], "5", (owed["id"], "5"))
    data = {name: made[name] for name in ("account_id", "currency", "issued_on", "settled_on", "reason")}
    data["lines"] = [{"product_id": tea, "quantity": "1", "unit_price": given.usd("5"), "tax_rate": "0"}]
    data["allocations"] = [{"receivable_id": owed["id"], "amount": given.usd("5")}]
    first, second = (shop.create(NOTE, data, key="note-1") for _ in range(2))
    assert first["id"] == second["id"] != made["id"]
    assert given.receivable(shop, owed["order_id"])["open"] == given.usd("20.00")


@pytest.mark.parametrize("statement", ["UPDATE credit_notes SET total = 0", "DELETE FROM credit_notes"])
def test_the_service_itself_changes_nothing_of_a_credit_note_but_its_state(shop, statement):
    with pytest.raises(Exception, match="permission denied"), shop.work("sales") as work:
        work.sql(statement)


class Book:
    """What is owed for one order, kept by hand: the rules of the business in its own words."""

    def __init__(self, amount):
        self.amount = self.open = amount
        self.credited = Decimal(0)
        self.shipped = self.cancelled = False

    def takes(self, amount):
        return not self.cancelled and amount <= self.open

    @property
    def receivable(self):
        if self.cancelled:
            return "reversed"
        return "paid" if self.open == 0 else "open" if self.open == self.amount else "partly_paid"

    @property
    def order(self):
        if self.cancelled:
            return "cancelled"
        return ("completed" if self.open == 0 else "shipped") if self.shipped else "confirmed"


WHICH, CENTS = st.integers(0, 1), st.sampled_from([1, 333, 500, 1000, 1500, 2000, 2001])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["pay", "credit"]), WHICH, CENTS),
        st.tuples(st.just("split"), st.just(0), CENTS),
        st.tuples(st.just("take back"), st.integers(0, 5), st.just(0)),
        st.tuples(st.sampled_from(["ship", "cancel"]), WHICH, st.just(0)),
    ),
    max_size=10,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@drawn(STEPS)
def test_receivables_are_what_a_ledger_kept_by_hand_says(suite_of, steps):
    shop = given.shop(suite_of)
    account, tea = given.account(shop), given.product(shop)
    owed = [given.receivable(shop, given.placed(shop, account, tea, "2")["id"]) for _ in range(2)]
    books, notes = [Book(Decimal(20)) for _ in owed], []
    for step, which, cents in steps:
        amount = Decimal(cents).scaleb(-2)
        if step in ("pay", "credit", "split"):
            shares = [(0, amount), (1, Decimal(5))] if step == "split" else [(which, amount)]
            asked = [(owed[at]["id"], str(share)) for at, share in shares]
            whole = str(sum(share for _, share in shares))
            pay = partial(given.pay, shop, account) if step == "pay" else partial(credit, shop, tea, account)
            made = taken(all(books[at].takes(share) for at, share in shares), pay, whole, *asked)
            for at, share in shares if made else ():
                books[at].open -= share
                books[at].credited += 0 if step == "pay" else share
            if made and step != "pay":
                notes.append({"id": made["id"], "shares": shares, "cancelled": False})
        elif step == "take back" and which < len(notes):
            note = notes[which]
            allowed = not note["cancelled"] and not any(books[at].cancelled for at, _ in note["shares"])
            if taken(allowed, shop.run, NOTE, note["id"], "cancel"):
                note["cancelled"] = True
                for at, share in note["shares"]:
                    books[at].open += share
                    books[at].credited -= share
        elif step in ("ship", "cancel"):
            book = books[which]
            allowed = not book.shipped and not book.cancelled
            if taken(allowed, shop.run, "sales.order", owed[which]["order_id"], step):
                book.shipped, book.cancelled = step == "ship", step == "cancel"
                book.open = Decimal(0) if book.cancelled else book.open
        shop.settle()
        for one, book in zip(owed, books, strict=True):
            now = given.receivable(shop, one["order_id"])
            shown = now["status"], Decimal(now["open"]["amount"]), Decimal(now["credited"]["amount"])
            assert shown == (book.receivable, book.open, book.credited)
            assert shop.get("sales.order", one["order_id"])["status"] == book.order
        assert given.wrong_ledgers(shop) == []


def taken(allowed, act, *arguments):
    """What the books forbid is refused, and nothing else is. Returns the answer, or None."""
    if allowed:
        return act(*arguments)
    with pytest.raises(Problem) as refused:
        act(*arguments)
    assert refused.value.status in (409, 422)
    return None
