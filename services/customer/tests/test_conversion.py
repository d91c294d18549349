"""Marketing's lead becomes an account and a contact, or nothing."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.customer.tests import given

CREATE, REMOVE = "customer.create-from-lead", "customer.remove-from-lead"


@pytest.fixture
def suite(suite_of):
    return suite_of("customer")


@pytest.fixture
def lead(suite):
    return {
        "lead_id": new_id(),
        "company": "Around the Horn",
        "name": "Thomas",
        "email": "t@example.com",
        "source": "Fair",
    }


def test_a_lead_becomes_a_prospect_and_its_contact(suite, lead):
    bob = given.user(suite)
    given.asked(suite, CREATE, {**lead, "owner_id": bob}, saga=new_id())
    (answer,) = given.answers(suite)
    account = suite.get("customer.account", answer["account_id"])
    contact = suite.get("customer.contact", answer["contact_id"])
    assert (account["name"], account["kind"], account["source"]) == ("Around the Horn", "prospect", "Fair")
    assert (contact["name"], contact["account_id"], contact["email"]) == ("Thomas", account["id"], "t@example.com")
    assert account["owner_id"] == contact["owner_id"] == bob
    assert account["external_ids"] == {"lead": lead["lead_id"]}
    assert len(suite.list("customer.account")) == len(suite.list("customer.contact")) == 1


def test_a_lead_of_an_account_that_exists_adds_only_the_contact(suite, lead):
    account = given.account(suite)
    given.asked(suite, CREATE, {**lead, "account_id": account["id"]}, saga=new_id())
    (answer,) = given.answers(suite)
    assert answer["account_id"] == account["id"]
    assert [one["id"] for one in suite.list("customer.account")] == [account["id"]]
    assert suite.get("customer.contact", answer["contact_id"])["account_id"] == account["id"]


def test_a_lead_of_an_account_that_does_not_exist_is_refused_and_writes_nothing(suite, lead):
    given.asked(suite, CREATE, {**lead, "account_id": new_id()}, saga=new_id())
    (answer,) = given.answers(suite)
    assert answer.code == "unknown_account"
    assert suite.list("customer.account") == suite.list("customer.contact") == []


@pytest.mark.parametrize("record", ["customer.account", "customer.contact"])
def test_a_lead_whose_key_another_record_has_is_refused_and_writes_nothing(suite, lead, record):
    data = {"name": "Somebody else", "external_ids": {"lead": lead["lead_id"]}}
    if record == "customer.contact":
        data["account_id"] = given.account(suite)["id"]
    suite.create(record, data)
    before = suite.list("customer.account"), suite.list("customer.contact")
    given.asked(suite, CREATE, lead, saga=new_id())
    (answer,) = given.answers(suite)
    assert answer.code == "external_id_taken"
    assert (suite.list("customer.account"), suite.list("customer.contact")) == before
    assert suite.dead() == []


def test_an_undone_conversion_takes_both_away_again(suite, lead):
    saga = new_id()
    given.asked(suite, CREATE, lead, saga=saga)
    given.asked(suite, REMOVE, {"lead_id": lead["lead_id"]}, saga=saga, undo=True)
    assert given.answers(suite)[1] is None
    assert suite.list("customer.account") == suite.list("customer.contact") == []
    suite.settle()
    assert [event["type"] for event in suite.events() if event["type"].endswith("deleted")] == [
        "customer.contact.deleted",
        "customer.account.deleted",
    ]


def test_an_undone_conversion_leaves_an_account_that_was_there_before(suite, lead):
    account, saga = given.account(suite), new_id()
    given.asked(suite, CREATE, {**lead, "account_id": account["id"]}, saga=saga)
    given.asked(suite, REMOVE, {"lead_id": lead["lead_id"]}, saga=saga, undo=True)
    assert [one["id"] for one in suite.list("customer.account")] == [account["id"]]
    assert suite.list("customer.contact") == []


def test_an_undo_that_overtakes_its_ask_keeps_the_late_one_from_doing_anything(suite, lead):
    saga = new_id()
    given.asked(suite, REMOVE, {"lead_id": lead["lead_id"]}, saga=saga, undo=True)
    given.asked(suite, CREATE, lead, saga=saga)
    undone, refused = given.answers(suite)
    assert undone is None
    assert refused.code == "undone"
    assert suite.list("customer.account") == suite.list("customer.contact") == []


def test_a_lead_whose_conversion_was_undone_can_be_converted_again(suite, lead):
    first = new_id()
    given.asked(suite, CREATE, lead, saga=first)
    given.asked(suite, REMOVE, {"lead_id": lead["lead_id"]}, saga=first, undo=True)
    given.asked(suite, CREATE, lead, saga=new_id())
    again = given.answers(suite)[2]
    assert [one["id"] for one in suite.list("customer.account")] == [again["account_id"]]
    assert suite.dead() == []
