"""Accounts with everything that hangs on them: led over to the survivor, and back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.merging.given import Business, usd

ACCOUNT = "customer.account"


@pytest.fixture
def business(suite_of: Any, databases: Any) -> Business:
    return Business(suite_of(), databases)


def with_everything(business: Business, account: str, product: str, points: int) -> list[str]:
    """Orders in several states, money, points, people and talks of one account."""
    suite = business.suite
    contact = suite.create("customer.contact", {"name": "Maria Anders", "account_id": account})["id"]
    activity = suite.create("customer.activity", {"subject": "Call", "account_id": account, "contact_id": contact})
    suite.create("customer.interaction", {"summary": "Called", "account_id": account, "contact_id": contact})
    suite.create("customer.group", {"name": f"Group of {account[-6:]}", "account_ids": [account]})
    business.order(account, [(product, "1")])
    paid = business.order(account, [(product, "2")], "place", "ship")
    business.pay(account, paid, "20")
    business.order(account, [(product, "3")], "place")
    suite.create("sales.opportunity", {"name": "Tea for all", "account_id": account, "contact_id": contact})
    suite.create("service.request", {"subject": "Cold tea", "account_id": account, "contact_id": contact})
    suite.create("marketing.point-entry", {"account_id": account, "points": points, "reason": "welcome"})
    deleted = suite.create("service.request", {"subject": "Never mind", "account_id": account})["id"]
    suite.call("service", "record.delete", {"record": "service.request", "id": deleted})
    suite.settle()
    return [activity["id"], paid]


def test_three_accounts_merge_with_all_they_have_and_unmerging_restores_every_field_and_reference(business):
    suite = business.suite
    product = business.product()
    winner = business.account("Alfreds Futterkiste", external_ids={"erp": "1"}, credit_limit=usd("1000"))
    second = business.account("Alfreds", phone="030-0074321", external_ids={"erp": "2", "shop": "A"})
    third = business.account("Futterkiste GmbH", industry="Food", external_ids={"shop": "B", "old": "X"})
    for points, account in enumerate((winner, second, third), 5):
        with_everything(business, account, product, points)
    before = business.holds()
    overviews = [
        suite.call("customer", "record.query", {"record": ACCOUNT, "name": "overview", "id": one})
        for one in (winner, second, third)
    ]
    assert business.violated() == []

    merge_id = business.merge(ACCOUNT, winner, second, third)

    survivor = suite.get(ACCOUNT, winner)
    assert (survivor["name"], survivor["phone"], survivor["industry"]) == ("Alfreds Futterkiste", "030-0074321", "Food")
    assert survivor["external_ids"] == {"erp": "1", "shop": "A", "old": "X"}
    assert [one[:2] for one in business.dangling(second, third)] == [("marketing", "point_entries")] * 4
    page = suite.call("customer", "record.query", {"record": ACCOUNT, "name": "overview", "id": winner})
    for sum_of in (
        "orders_count",
        "requests_open",
        "contacts_count",
        "activities_open",
        "opportunities_open",
        "points",
    ):
        assert page[sum_of] == sum(one[sum_of] for one in overviews), sum_of
    assert page["totals"][0]["receivable_open"] == "90.00"
    (one,) = business.merges(ACCOUNT, winner)
    assert (one["merge_id"], one["state"], sorted(one["losers"])) == (merge_id, "merged", sorted([second, third]))
    assert one["moved"] == 26
    assert business.violated() == []
    assert suite.dead() == []

    business.unmerge(ACCOUNT, winner)

    assert business.merges(ACCOUNT, winner)[0]["state"] == "unmerged"
    after = business.holds()
    assert {place: rows for place, rows in after.items() if rows != before[place]} == {}
    assert business.violated() == []
    assert suite.dead() == []
