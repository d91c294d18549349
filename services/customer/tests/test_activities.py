"""What is planned with a customer, and the contact that it becomes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from chassis.errors import Problem
from contracts.fields import instant
from services.customer.tests import given


@pytest.fixture
def suite(suite_of):
    return suite_of("customer")


def planned(suite, **fields):
    return suite.create("customer.activity", {"subject": "Call about tea", "kind": "call", **fields})


def test_completing_an_activity_writes_the_contact_that_it_was(suite):
    account = given.account(suite)
    contact = suite.create("customer.contact", {"name": "Maria", "account_id": account["id"]})
    activity = planned(suite, account_id=account["id"], contact_id=contact["id"])
    done = suite.run("customer.activity", activity["id"], "complete", {"outcome": "Wants a quote"})
    assert (done["status"], done["outcome"]) == ("completed", "Wants a quote")
    (interaction,) = suite.list("customer.interaction", ["account_id", "eq", account["id"]])
    assert interaction["summary"] == "Wants a quote"
    assert interaction["channel"] == "phone"
    assert (interaction["activity_id"], interaction["contact_id"]) == (activity["id"], contact["id"])
    assert interaction["happened_at"] == done["completed_at"]


def test_an_activity_is_completed_once_however_many_try(suite):
    activity = planned(suite, account_id=given.account(suite)["id"])

    def complete(_):
        try:
            return suite.run("customer.activity", activity["id"], "complete")["status"]
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(complete, range(3))) == ["completed", "wrong_state", "wrong_state"]
    assert len(suite.list("customer.interaction")) == 1


def test_a_completed_activity_is_neither_edited_nor_deleted(suite):
    activity = planned(suite)
    suite.run("customer.activity", activity["id"], "complete")
    with pytest.raises(Problem, match="wrong_state"):
        suite.update("customer.activity", activity["id"], {"subject": "Other"})
    with pytest.raises(Problem, match="wrong_state"):
        suite.call("customer", "record.delete", {"record": "customer.activity", "id": activity["id"]})


def test_an_activity_with_nobody_leaves_no_contact_behind(suite):
    activity = planned(suite, kind="task")
    assert suite.run("customer.activity", activity["id"], "complete")["status"] == "completed"
    assert suite.list("customer.interaction") == []


def test_a_contact_that_names_no_time_took_place_now(suite):
    before = instant(suite.clock.now())
    made = suite.create("customer.interaction", {"account_id": given.account(suite)["id"], "summary": "Met"})
    assert before <= made["happened_at"] <= instant(suite.clock.now())


def test_an_interaction_needs_an_account_that_exists(suite):
    with pytest.raises(Problem, match="unknown_reference"):
        suite.create("customer.interaction", {"account_id": suite.tenant, "summary": "Met"})
