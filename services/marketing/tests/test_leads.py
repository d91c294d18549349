"""Leads: qualified, given up with a reason, edited while they are leads, seen by whom they belong to."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from chassis.ids import new_id

LEAD = "marketing.lead"


@pytest.fixture
def suite(suite_of):
    return suite_of("identity", "marketing")


def lead(suite, **data):
    options = {"context": data.pop("context")} if "context" in data else {}
    return suite.create(LEAD, {"name": "Ada Wong", **data}, **options)


def refusal(call, *arguments, **options):
    with pytest.raises(Problem) as refused:
        call(*arguments, **options)
    return refused.value


def test_qualifying_a_new_lead_publishes_that(suite):
    made = lead(suite)
    assert made["status"] == "new"
    assert suite.run(LEAD, made["id"], "qualify")["status"] == "qualified"
    suite.settle()
    assert [one["type"] for one in suite.events(LEAD)] == [f"{LEAD}.created", f"{LEAD}.qualified"]


@pytest.mark.parametrize("qualified", [False, True])
def test_giving_a_lead_up_keeps_the_reason(suite, qualified):
    made = lead(suite)
    if qualified:
        suite.run(LEAD, made["id"], "qualify")
    given_up = suite.run(LEAD, made["id"], "disqualify", {"reason": "No budget"})
    assert (given_up["status"], given_up["reason"]) == ("disqualified", "No budget")


@pytest.mark.parametrize("body", [None, {}, {"reason": ""}, {"reason": "   "}])
def test_giving_a_lead_up_without_a_reason_is_refused(suite, body):
    made = lead(suite)
    assert refusal(suite.run, LEAD, made["id"], "disqualify", body).status == 422
    assert suite.get(LEAD, made["id"])["status"] == "new"


@pytest.mark.parametrize(
    ("before", "verb"),
    [("disqualify", "qualify"), ("qualify", "qualify"), (None, "convert"), ("disqualify", "convert")],
)
def test_a_verb_out_of_turn_is_refused(suite, before, verb):
    made = lead(suite)
    if before:
        suite.run(LEAD, made["id"], before, {"reason": "No budget"} if before == "disqualify" else None)
    refused = refusal(suite.run, LEAD, made["id"], verb)
    assert (refused.status, refused.code) == (409, "wrong_state")


def test_two_leads_may_have_the_same_mail_address(suite):
    first, second = lead(suite, email="info@example.org"), lead(suite, email="info@example.org")
    assert first["id"] != second["id"]


def test_a_lead_of_an_unknown_campaign_is_refused(suite):
    refused = refusal(lead, suite, campaign_id=new_id())
    assert (refused.status, refused.code) == (422, "unknown_reference")


@pytest.mark.parametrize("field", ["status", "account_id", "opportunity_id", "reason"])
def test_what_conversion_writes_is_not_written_by_hand(suite, field):
    assert refusal(lead, suite, **{field: new_id()}).status == 422


def test_own_leads_are_seen_and_qualified_and_those_of_others_are_not(suite):
    own = {LEAD: {"*": "own"}}
    mine, theirs = suite.context(grants=own, user_id=new_id()), suite.context(grants=own, user_id=new_id())
    made = lead(suite, context=mine)
    assert suite.list(LEAD, context=mine) == [made]
    assert suite.list(LEAD, context=theirs) == []
    for verb in ("qualify", "convert"):
        assert refusal(suite.run, LEAD, made["id"], verb, context=theirs).status == 404
    assert refusal(suite.update, LEAD, made["id"], {"title": "Buyer"}, context=theirs).status == 404
    assert suite.run(LEAD, made["id"], "qualify", context=mine)["version"] == 2


def test_a_team_reads_its_leads_and_whoever_may_only_read_changes_nothing(suite):
    team = suite.create("identity.team", {"name": "North"})["id"]
    members = {LEAD: {"read": "team", "create": "own", "qualify": "own"}}
    mine = suite.context(grants=members, teams=[team], user_id=new_id())
    colleague = suite.context(grants=members, teams=[team], user_id=new_id())
    stranger = suite.context(grants=members, teams=[new_id()], user_id=new_id())
    made = lead(suite, context=mine)
    assert suite.get(LEAD, made["id"], context=colleague)["team_id"] == team
    assert refusal(suite.run, LEAD, made["id"], "qualify", context=colleague).status == 403
    assert refusal(suite.get, LEAD, made["id"], context=stranger).status == 404
    assert suite.get(LEAD, made["id"])["status"] == "new"


def test_campaigns_and_points_are_closed_to_whom_nothing_was_granted(suite):
    nobody = suite.context(grants={LEAD: {"*": "all"}})
    assert refusal(suite.create, "marketing.campaign", {"name": "Fair"}, context=nobody).status == 403
    assert suite.list("marketing.point-account", context=nobody) == []
