"""A rejected order opens one follow-up for its owner, however often and late it is heard of."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.bus.wire import encode
from chassis.ids import new_id
from contracts.registry import registry

REQUEST = "service.request"


@pytest.fixture
def suite(suite_of):
    return suite_of("identity", "customer", "service")


def told(suite, kind: str, data: dict[str, Any]) -> bytes:
    """Let service hear of an order. Returns the bytes, to be delivered again."""
    body = encode(
        {
            "specversion": "1.0",
            "id": new_id(),
            "source": "/sales",
            "type": kind,
            "subject": f"order/{data['id']}",
            "tenant": suite.tenant,
            "correlationid": new_id(),
            "version": data["version"],
            "data": {"deleted_at": None, "changed": [], "previous": {}, **data},
        }
    )
    suite.runtime("service").event(body)
    return body


def order(suite, **fields: Any) -> dict[str, Any]:
    fields.setdefault("account_id", suite.create("customer.account", {"name": "Tea House"})["id"])
    return {
        "id": new_id(),
        "version": 3,
        "number": "SO-2026-00042",
        "status": "rejected",
        "reason": "stock",
        "reason_detail": "Chai: 3 wanted, 2 there.",
        "owner_id": None,
        "team_id": None,
        **fields,
    }


def follow_ups(suite):
    suite.settle()
    assert suite.dead() == []
    return suite.list(REQUEST)


def test_the_contract_names_the_event():
    assert "sales.order.rejected" in registry.load().events


def test_a_rejected_order_opens_a_follow_up_for_its_owner_and_team(suite):
    nancy = suite.create("identity.user", {"name": "Nancy", "email": "nancy@example.org"})["id"]
    team = suite.create("identity.team", {"name": "North"})["id"]
    rejected = order(suite, owner_id=nancy, team_id=team)
    told(suite, "sales.order.rejected", rejected)
    (made,) = follow_ups(suite)
    assert (made["kind"], made["status"]) == ("follow_up", "new")
    assert (made["owner_id"], made["team_id"]) == (nancy, team)
    assert (made["account_id"], made["order_id"]) == (rejected["account_id"], rejected["id"])
    assert made["subject"] == "Order SO-2026-00042 was rejected: there is not enough stock"
    assert made["description"] == "Chai: 3 wanted, 2 there."
    assert made["number"].startswith("SR-")
    mine = suite.context(grants={REQUEST: {"*": "own"}}, user_id=nancy)
    assert suite.list(REQUEST, context=mine) == [made]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("credit", "the credit limit does not allow it"), ("timeout", "timeout"), ("x" * 200, "xxx")],
)
def test_the_subject_says_why_in_plain_words(suite, reason, words):
    told(suite, "sales.order.rejected", order(suite, reason=reason))
    (made,) = follow_ups(suite)
    assert made["subject"].startswith(f"Order SO-2026-00042 was rejected: {words}")
    assert len(made["subject"]) <= 200


def test_one_rejected_order_has_one_follow_up_however_often_it_is_heard_of(suite):
    rejected = order(suite)
    again = told(suite, "sales.order.rejected", rejected)
    suite.runtime("service").event(again)
    told(suite, "sales.order.rejected", rejected)
    assert len(follow_ups(suite)) == 1
    told(suite, "sales.order.rejected", order(suite))
    assert len(follow_ups(suite)) == 2


def test_a_follow_up_that_was_deleted_does_not_come_back(suite):
    rejected = order(suite)
    told(suite, "sales.order.rejected", rejected)
    (made,) = follow_ups(suite)
    suite.call("service", "record.delete", {"record": REQUEST, "id": made["id"]})
    told(suite, "sales.order.rejected", rejected)
    assert follow_ups(suite) == []


def test_an_order_that_was_not_rejected_opens_nothing(suite):
    for kind in ("placed", "confirmed", "cancelled"):
        told(suite, f"sales.order.{kind}", order(suite, status=kind))
    assert follow_ups(suite) == []


def test_a_follow_up_waits_for_an_account_and_an_owner_not_heard_of_yet(suite):
    account = suite.create("customer.account", {"name": "Tea House"})["id"]
    nancy = suite.create("identity.user", {"name": "Nancy", "email": "nancy@example.org"})["id"]
    told(suite, "sales.order.rejected", order(suite, account_id=account, owner_id=nancy))
    assert suite.list(REQUEST) == []
    (made,) = follow_ups(suite)
    assert (made["account_id"], made["owner_id"]) == (account, nancy)


def test_an_order_of_an_account_deleted_since_is_followed_up_all_the_same(suite):
    rejected = order(suite)
    suite.call("customer", "record.delete", {"record": "customer.account", "id": rejected["account_id"]})
    suite.settle()
    told(suite, "sales.order.rejected", rejected)
    assert [made["account_id"] for made in follow_ups(suite)] == [rejected["account_id"]]


def test_a_request_may_name_an_order_that_was_heard_of(suite):
    known = order(suite, status="placed")
    told(suite, "sales.order.placed", known)
    made = suite.create(REQUEST, {"subject": "Where is it?", "order_id": known["id"]})
    assert made["order_id"] == known["id"]
