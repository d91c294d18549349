"""Accounts and groups, and who looks after an account."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.customer.tests import given


@pytest.fixture
def suite(suite_of):
    return suite_of("customer")


def test_city_and_country_follow_from_the_address(suite):
    account = given.account(suite, address={"street": "Obere Str. 57", "city": "Berlin", "country": "Germany"})
    assert (account["city"], account["country"]) == ("Berlin", "Germany")
    assert suite.list("customer.account", ["city", "eq", "BERLIN"])[0]["id"] == account["id"]
    moved = suite.update("customer.account", account["id"], {"address": {"city": "Mannheim"}})
    assert (moved["city"], moved["address"]["street"]) == ("Mannheim", "Obere Str. 57")
    bare = suite.update("customer.account", account["id"], {"address": None})
    assert (bare["city"], bare["country"]) == (None, None)


def test_nobody_writes_the_city_beside_the_address(suite):
    with pytest.raises(Problem) as refused:
        given.account(suite, city="Berlin")
    assert refused.value.errors[0]["field"] == "city"


def test_an_account_belongs_to_who_made_it_until_it_is_released(suite):
    account = given.account(suite)
    assert account["owner_id"] == suite.user_id
    assert suite.run("customer.account", account["id"], "release")["owner_id"] is None
    suite.settle()
    event = suite.events("customer.account.transferred")[-1]["data"]
    assert (event["changed"], event["previous"]) == (["owner_id"], {"owner_id": suite.user_id})


def test_an_account_that_somebody_looks_after_cannot_be_claimed(suite):
    account = given.account(suite)
    with pytest.raises(Problem) as refused:
        suite.run("customer.account", account["id"], "claim", context=suite.context(user_id=new_id()))
    assert (refused.value.status, refused.value.code) == (409, "account_owned")
    assert refused.value.extra["owner_id"] == suite.user_id


def test_claiming_what_is_already_ones_own_changes_nothing(suite):
    account = given.account(suite)
    assert suite.run("customer.account", account["id"], "claim")["version"] == account["version"]


def test_of_two_who_claim_an_account_at_once_one_gets_it(suite):
    account = given.account(suite)
    suite.run("customer.account", account["id"], "release")
    claimants = [given.user(suite, f"Claimant{number}") for number in range(4)]

    def claim(user_id):
        try:
            context = suite.context(user_id=user_id)
            return suite.run("customer.account", account["id"], "claim", context=context)["owner_id"]
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(claim, claimants))
    assert sorted(result == "account_owned" for result in results) == [False, True, True, True]
    owner = suite.get("customer.account", account["id"])["owner_id"]
    assert owner in results and owner in claimants


def test_an_account_is_transferred_to_somebody_who_exists(suite):
    account = given.account(suite)
    bob = given.user(suite)
    moved = suite.run("customer.account", account["id"], "transfer", {"owner_id": bob})
    assert moved["owner_id"] == bob
    suite.settle()
    assert suite.events("customer.account.transferred")[-1]["data"]["owner_id"] == bob


def test_an_account_is_not_transferred_to_nobody(suite):
    account = given.account(suite)
    with pytest.raises(Problem) as refused:
        suite.run("customer.account", account["id"], "transfer", {})
    assert refused.value.status == 422
    gone = given.event(suite, "identity.user.deleted", {"deleted_at": "2026-01-01T00:00:00Z"})
    given.hear(suite, [gone])
    with pytest.raises(Problem, match="unknown_reference"):
        suite.run("customer.account", account["id"], "transfer", {"owner_id": gone["data"]["id"]})
    assert suite.get("customer.account", account["id"])["owner_id"] == suite.user_id


def test_who_may_only_see_his_own_accounts_neither_sees_nor_transfers_others(suite):
    account = given.account(suite)
    stranger = suite.context(user_id=new_id(), grants={"customer.account": {"*": "own"}})
    assert suite.list("customer.account", context=stranger) == []
    for call in (
        lambda: suite.get("customer.account", account["id"], context=stranger),
        lambda: suite.run("customer.account", account["id"], "release", context=stranger),
        lambda: suite.update("customer.account", account["id"], {"notes": "x"}, context=stranger),
    ):
        with pytest.raises(Problem) as refused:
            call()
        assert refused.value.status == 404


def test_groups_have_two_levels_and_no_third(suite):
    top = suite.create("customer.group", {"name": "Europe"})
    below = suite.create("customer.group", {"name": "Germany", "parent_id": top["id"]})
    with pytest.raises(Problem) as refused:
        suite.create("customer.group", {"name": "Berlin", "parent_id": below["id"]})
    assert refused.value.errors[0]["field"] == "parent_id"


def test_a_group_with_groups_below_it_stays_on_top(suite):
    top, other = (suite.create("customer.group", {"name": name}) for name in ("Europe", "World"))
    suite.create("customer.group", {"name": "Germany", "parent_id": top["id"]})
    for parent in (other["id"], top["id"]):
        with pytest.raises(Problem) as refused:
            suite.update("customer.group", top["id"], {"parent_id": parent})
        assert refused.value.status == 422


def test_a_group_above_others_is_not_deleted(suite):
    top = suite.create("customer.group", {"name": "Europe"})
    suite.create("customer.group", {"name": "Germany", "parent_id": top["id"]})
    with pytest.raises(Problem, match="referenced"):
        suite.call("customer", "record.delete", {"record": "customer.group", "id": top["id"]})


def test_an_accounts_contacts_go_with_it(suite):
    account = given.account(suite)
    suite.create("customer.contact", {"name": "Maria", "account_id": account["id"]})
    suite.call("customer", "record.delete", {"record": "customer.account", "id": account["id"]})
    assert suite.list("customer.contact") == []
