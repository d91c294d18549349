"""Campaigns run, rest and end; their counts follow their leads."""

from __future__ import annotations

import datetime as dt

import pytest

from chassis.errors import Problem

CAMPAIGN, LEAD = "marketing.campaign", "marketing.lead"


@pytest.fixture
def suite(suite_of):
    return suite_of("marketing")


def campaign(suite, **data):
    return suite.create(CAMPAIGN, {"name": "Tea fair", **data})


def counts(suite, campaign_id):
    suite.settle()
    found = suite.get(CAMPAIGN, campaign_id)
    return found["leads_count"], found["converted_count"]


def test_a_campaign_begins_planned_without_leads(suite):
    made = campaign(suite)
    assert (made["status"], made["leads_count"], made["converted_count"]) == ("planned", 0, 0)


def test_launching_without_a_start_date_starts_today(suite):
    launched = suite.run(CAMPAIGN, campaign(suite)["id"], "launch")
    assert (launched["status"], launched["starts_on"]) == ("running", suite.clock.now().date().isoformat())
    suite.settle()
    assert [one["type"] for one in suite.events(CAMPAIGN)] == [f"{CAMPAIGN}.created", f"{CAMPAIGN}.launched"]


def test_launching_keeps_a_start_date_that_was_given(suite):
    assert suite.run(CAMPAIGN, campaign(suite, starts_on="2026-01-05")["id"], "launch")["starts_on"] == "2026-01-05"


def test_a_campaign_whose_end_has_passed_is_not_launched_today(suite):
    made = campaign(suite, ends_on="2020-01-01")
    with pytest.raises(Problem) as refused:
        suite.run(CAMPAIGN, made["id"], "launch")
    assert (refused.value.status, refused.value.errors[0]["field"]) == (422, "ends_on")
    assert suite.get(CAMPAIGN, made["id"])["status"] == "planned"


def test_a_campaign_does_not_end_before_it_starts(suite):
    with pytest.raises(Problem) as refused:
        campaign(suite, starts_on="2026-03-02", ends_on="2026-03-01")
    assert refused.value.status == 422
    assert campaign(suite, starts_on="2026-03-02", ends_on="2026-03-02")["version"] == 1


def test_a_paused_campaign_can_go_on_and_keeps_its_start(suite):
    made = campaign(suite, starts_on="2026-01-05")
    for verb, state in (("launch", "running"), ("pause", "paused"), ("launch", "running"), ("finish", "finished")):
        assert suite.run(CAMPAIGN, made["id"], verb)["status"] == state
    assert suite.get(CAMPAIGN, made["id"])["starts_on"] == "2026-01-05"


@pytest.mark.parametrize(("before", "verb"), [((), "pause"), ((), "finish"), (("launch",), "launch")])
def test_a_verb_out_of_turn_is_refused_and_changes_nothing(suite, before, verb):
    made = campaign(suite)
    for earlier in before:
        suite.run(CAMPAIGN, made["id"], earlier)
    version = suite.get(CAMPAIGN, made["id"])["version"]
    with pytest.raises(Problem) as refused:
        suite.run(CAMPAIGN, made["id"], verb)
    assert (refused.value.status, refused.value.code) == (409, "wrong_state")
    assert suite.get(CAMPAIGN, made["id"])["version"] == version


def test_finishing_closes_the_period_where_it_was_open(suite):
    today = suite.clock.now().date()
    later = (today + dt.timedelta(days=30)).isoformat()
    for data, end in (({}, today.isoformat()), ({"ends_on": later}, later), ({"starts_on": later}, later)):
        made = campaign(suite, **data)
        suite.run(CAMPAIGN, made["id"], "launch")
        assert suite.run(CAMPAIGN, made["id"], "finish")["ends_on"] == end


@pytest.mark.parametrize("verb", ["launch", "pause", "finish"])
def test_a_finished_campaign_moves_no_more(suite, verb):
    made = campaign(suite)
    suite.run(CAMPAIGN, made["id"], "launch")
    suite.run(CAMPAIGN, made["id"], "finish")
    with pytest.raises(Problem) as refused:
        suite.run(CAMPAIGN, made["id"], verb)
    assert refused.value.code == "wrong_state"


def test_a_finished_campaign_is_neither_edited_nor_deleted(suite):
    made = campaign(suite)
    suite.run(CAMPAIGN, made["id"], "launch")
    suite.run(CAMPAIGN, made["id"], "finish")
    with pytest.raises(Problem) as refused:
        suite.update(CAMPAIGN, made["id"], {"name": "Other"})
    assert (refused.value.status, refused.value.code) == (409, "wrong_state")
    with pytest.raises(Problem) as refused:
        suite.call("marketing", "record.delete", {"record": CAMPAIGN, "id": made["id"]})
    assert refused.value.code == "wrong_state"


def test_the_counts_follow_leads_that_come_move_and_go(suite):
    one, two = campaign(suite)["id"], campaign(suite)["id"]
    first = suite.create(LEAD, {"name": "Ada", "campaign_id": one})
    suite.create(LEAD, {"name": "Bo", "campaign_id": one})
    suite.create(LEAD, {"name": "Cy"})
    assert (counts(suite, one), counts(suite, two)) == ((2, 0), (0, 0))
    suite.update(LEAD, first["id"], {"campaign_id": two})
    assert (counts(suite, one), counts(suite, two)) == ((1, 0), (1, 0))
    suite.call("marketing", "record.delete", {"record": LEAD, "id": first["id"]})
    assert counts(suite, two) == (0, 0)
    suite.call("marketing", "record.restore", {"record": LEAD, "id": first["id"]})
    assert counts(suite, two) == (1, 0)
    assert suite.dead() == []


def test_leads_count_also_for_a_finished_campaign(suite):
    made = campaign(suite)
    suite.run(CAMPAIGN, made["id"], "launch")
    suite.run(CAMPAIGN, made["id"], "finish")
    suite.create(LEAD, {"name": "Late", "campaign_id": made["id"]})
    assert counts(suite, made["id"]) == (1, 0)


def test_a_change_of_a_lead_that_moves_no_count_makes_no_version_of_the_campaign(suite):
    made = campaign(suite)
    lead = suite.create(LEAD, {"name": "Ada", "campaign_id": made["id"]})
    counts(suite, made["id"])
    version = suite.get(CAMPAIGN, made["id"])["version"]
    suite.update(LEAD, lead["id"], {"title": "Buyer"})
    assert counts(suite, made["id"]) == (1, 0)
    assert suite.get(CAMPAIGN, made["id"])["version"] == version


def test_a_restored_campaign_counts_the_leads_that_changed_while_it_was_gone(suite):
    made = campaign(suite)
    lead = suite.create(LEAD, {"name": "Ada", "campaign_id": made["id"]})
    assert counts(suite, made["id"]) == (1, 0)
    suite.call("marketing", "record.delete", {"record": LEAD, "id": lead["id"]})
    suite.call("marketing", "record.delete", {"record": CAMPAIGN, "id": made["id"]})
    suite.settle()
    suite.call("marketing", "record.restore", {"record": CAMPAIGN, "id": made["id"]})
    assert counts(suite, made["id"]) == (0, 0)


def test_a_campaign_with_leads_is_not_deleted(suite):
    made = campaign(suite)
    suite.create(LEAD, {"name": "Ada", "campaign_id": made["id"]})
    with pytest.raises(Problem) as refused:
        suite.call("marketing", "record.delete", {"record": CAMPAIGN, "id": made["id"]})
    assert refused.value.code == "referenced"


def test_the_counts_are_not_written_by_hand(suite):
    with pytest.raises(Problem) as refused:
        campaign(suite, leads_count=7)
    assert refused.value.status == 422


def test_a_segment_keeps_its_rule_as_it_was_given(suite):
    rule = {"all": [{"field": "country", "op": "eq", "value": "DE"}]}
    made = suite.create("marketing.segment", {"name": "Germany", "rule": rule})
    assert suite.get("marketing.segment", made["id"])["rule"] == rule
    with pytest.raises(Problem):
        suite.create("marketing.segment", {"rule": rule})
