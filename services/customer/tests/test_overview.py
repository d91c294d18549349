"""The overview: sums over events that come twice and in any order, compared with a computation of its own."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from decimal import Decimal

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.customer.tests import given

ORDER_STATES = ("draft", "placed", "confirmed", "shipped", "completed", "rejected", "cancelled")


@pytest.fixture
def suite(suite_of):
    return suite_of("customer")


def overview(suite, account_id, **options):
    params = {"record": "customer.account", "name": "overview", "id": account_id}
    return suite.call("customer", "record.query", params, **options)


def story(suite, accounts, seed):
    """Records of all kinds, each in several versions, some of them deleted or moved to another account in the end."""
    chance = random.Random(seed)
    today = suite.clock.now().date()
    events = []

    def tell(kind, versions):
        record_id = new_id()
        for number, data in enumerate(versions, 1):
            events.append(given.event(suite, f"{kind}.updated", {"id": record_id, **data}, version=number))

    def money():
        return {
            "amount": f"{chance.randint(1, 99999)}.{chance.randint(10, 99)}",
            "currency": chance.choice(["USD", "EUR"]),
        }

    for number in range(60):
        base = {"account_id": chance.choice(accounts)}
        last = {"deleted_at": "2026-01-01T00:00:00Z"} if chance.random() < 0.15 else {}
        day = (today + dt.timedelta(days=chance.randint(-60, 60))).isoformat()
        if number % 6 == 0:
            order = {**base, "number": f"SO-{number}", "total": money(), "ordered_on": day}
            versions = [{**order, "status": state} for state in chance.sample(ORDER_STATES, 3)]
            tell("sales.order", [*versions[:-1], {**versions[-1], **last}])
        elif number % 6 == 1:
            owed = {**base, "number": f"RE-{number}", "status": "open", "due_on": day}
            tell("sales.receivable", [{**owed, "open": money()}, {**owed, "open": money(), **last}])
        elif number % 6 == 2:
            deal = {**base, "name": f"Deal {number}"}
            tell("sales.opportunity", [{**deal, "status": "open"}, {**deal, "status": chance.choice(("won", "open"))}])
        elif number % 6 == 3:
            case = {**base, "number": f"SR-{number}", "subject": "Broken"}
            moved = {"account_id": chance.choice([*accounts, None])}
            tell(
                "service.request",
                [{**case, "status": "new"}, {**case, **moved, "status": chance.choice(("closed", "new"))}],
            )
        elif number % 6 == 4:
            tell("marketing.point-account", [{**base, "balance": chance.randint(0, 500)} for _ in range(3)])
        else:
            tell("customer.contact", [base, {**base, "account_id": chance.choice([*accounts, None])}])
    return events


def told(events, account_id, today):
    """The overview as the latest versions of the records tell it, computed without the projection."""
    latest = {}
    for event in events:
        data = event["data"]
        kind = event["type"].rsplit(".", 1)[0]
        if data["version"] > latest.get((kind, data["id"]), {"version": 0})["version"]:
            latest[(kind, data["id"])] = data
    living = [(kind, d) for (kind, _), d in latest.items() if d["account_id"] == account_id and not d["deleted_at"]]
    of = {kind: [data for one, data in living if one == kind] for kind in {kind for kind, _ in living}}
    orders, owed = of.get("sales.order", []), of.get("sales.receivable", [])
    sums = {}
    counted = [o for o in orders if o["status"] not in ("draft", "rejected", "cancelled")]
    for name, records, field in (
        ("ordered", counted, "total"),
        ("receivable_open", owed, "open"),
        ("overdue", [r for r in owed if r["due_on"] < today], "open"),
    ):
        for record in records:
            amount = record[field]
            of_currency = sums.setdefault(amount["currency"], {"ordered": 0, "receivable_open": 0, "overdue": 0})
            of_currency[name] += Decimal(amount["amount"])
    return {
        "orders_count": len(orders),
        "orders_by_status": dict(Counter(order["status"] for order in orders)),
        "totals": sums,
        "recent": [o["id"] for o in sorted(orders, key=lambda o: (o["ordered_on"], o["id"]), reverse=True)[:10]],
        "requests_open": sum(request["status"] == "new" for request in of.get("service.request", [])),
        "contacts_count": len(of.get("customer.contact", [])),
        "opportunities_open": sum(deal["status"] == "open" for deal in of.get("sales.opportunity", [])),
        "points": sum(points["balance"] for points in of.get("marketing.point-account", [])),
        "last_order_on": max((order["ordered_on"] for order in orders), default=None),
    }


def shown(page):
    names = ("ordered", "receivable_open", "overdue")
    return {
        **{name: page[name] for name in ("orders_count", "orders_by_status", "requests_open", "contacts_count")},
        **{name: page[name] for name in ("opportunities_open", "points", "last_order_on")},
        "totals": {row["currency"]: {name: Decimal(row[name]) for name in names} for row in page["totals"]},
        "recent": [order["id"] for order in page["recent_orders"]],
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_overview_equals_what_the_events_tell_whatever_their_order(suite, seed):
    accounts = [given.account(suite, f"Account {number}")["id"] for number in range(2)]
    events = story(suite, accounts, seed)
    given.hear(suite, events, seed=seed)
    today = suite.clock.now().date().isoformat()
    for account in accounts:
        assert shown(overview(suite, account)) == told(events, account, today)
    assert suite.dead() == []


@pytest.mark.parametrize("seed", range(2))
def test_a_projection_rebuilt_from_the_events_backwards_is_the_same(suite_of, suite, seed):
    accounts = [new_id(), new_id()]
    events = story(suite, accounts, seed)
    given.hear(suite, events, seed=seed)
    fresh = suite_of("customer")
    given.hear(fresh, [{**event, "tenant": fresh.tenant} for event in reversed(events)])
    assert facts(suite) == facts(fresh) != []


def facts(suite):
    with suite.work("customer") as work:
        rows = work.sql("SELECT * FROM account_facts WHERE tenant_id = %s ORDER BY record, record_id", (work.tenant,))
        return [tuple(row)[1:] for row in rows]


def test_contacts_activities_and_interactions_of_the_service_itself_are_on_the_page(suite):
    account = given.account(suite)["id"]
    contact = suite.create("customer.contact", {"name": "Maria", "account_id": account})
    kept = suite.create("customer.activity", {"subject": "Visit", "account_id": account})
    suite.create("customer.activity", {"subject": "Call", "account_id": account})
    suite.run("customer.activity", kept["id"], "complete")
    suite.settle()
    page = overview(suite, account)
    assert (page["contacts_count"], page["activities_open"]) == (1, 1)
    assert page["last_contact_at"] == suite.list("customer.interaction")[0]["happened_at"]
    suite.update("customer.contact", contact["id"], {"account_id": None})
    suite.settle()
    assert overview(suite, account)["contacts_count"] == 0


def test_currencies_are_never_added(suite):
    account = given.account(suite)["id"]
    day = suite.clock.now().date().isoformat()
    for amount, currency in (("10.00", "USD"), ("5.50", "USD"), ("7.00", "EUR")):
        order = {"account_id": account, "status": "placed", "ordered_on": day}
        total = {"amount": amount, "currency": currency}
        given.hear(suite, [given.event(suite, "sales.order.placed", {**order, "total": total})])
    totals = {row["currency"]: row["ordered"] for row in overview(suite, account)["totals"]}
    assert totals == {"EUR": "7.00", "USD": "15.50"}


def test_an_account_without_a_story_has_an_empty_page(suite):
    page = overview(suite, given.account(suite)["id"])
    assert (page["orders_count"], page["totals"], page["recent_orders"], page["last_order_on"]) == (0, [], [], None)


def test_the_overview_of_an_account_that_one_may_not_read_is_not_there(suite):
    account = given.account(suite)["id"]
    stranger = suite.context(user_id=new_id(), grants={"customer.account": {"read": "own"}})
    for account_id, context in ((account, stranger), (new_id(), None)):
        with pytest.raises(Problem) as refused:
            overview(suite, account_id, context=context)
        assert refused.value.status == 404
