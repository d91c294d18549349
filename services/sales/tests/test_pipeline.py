"""Opportunities on their way, and those that a lead becomes."""

from __future__ import annotations

import orjson
import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from services.sales.tests import given

CREATE, REMOVE = "sales.create-from-lead", "sales.remove-from-lead"


@pytest.fixture
def shop(suite_of):
    return given.shop(suite_of)


def opportunity(shop, **fields):
    return shop.create("sales.opportunity", {"name": "Tea for a year", "account_id": given.account(shop), **fields})


def pipeline(shop, name, stages, **fields):
    listed = [{"name": stage, "probability": chance} for stage, chance in stages]
    return shop.create("sales.pipeline", {"name": name, "stages": listed, **fields})


def run(shop, one, verb, data=None):
    return shop.run("sales.opportunity", one["id"], verb, data)


def test_a_new_tenant_has_one_pipeline_and_opportunities_start_in_its_first_stage(shop):
    (usual,) = shop.list("sales.pipeline")
    made = opportunity(shop)
    first = usual["stages"][0]
    assert usual["default"] is True
    assert (made["pipeline_id"], made["stage_id"]) == (usual["id"], first["id"])
    assert (made["stage_name"], made["probability"], made["status"]) == (first["name"], first["probability"], "open")


def test_an_opportunity_moves_through_the_stages_of_its_pipeline(shop):
    (usual,) = shop.list("sales.pipeline")
    made = opportunity(shop)
    for stage in reversed(usual["stages"]):
        moved = run(shop, made, "move", {"stage_id": stage["id"]})
        assert (moved["stage_name"], moved["probability"]) == (stage["name"], stage["probability"])
    shop.settle()
    assert len(shop.events("sales.opportunity.moved")) == len(usual["stages"])


def test_an_opportunity_does_not_move_to_a_stage_of_another_pipeline(shop):
    other = pipeline(shop, "Tenders", [("Announced", "5")])
    made = opportunity(shop)
    for stage in (other["stages"][0]["id"], new_id()):
        with pytest.raises(Problem) as refused:
            run(shop, made, "move", {"stage_id": stage})
        assert (refused.value.status, refused.value.code) == (422, "unknown_stage")


def test_changing_the_pipeline_starts_in_its_first_stage(shop):
    other = pipeline(shop, "Tenders", [("Announced", "5"), ("Offered", "50")])
    moved = shop.update("sales.opportunity", opportunity(shop)["id"], {"pipeline_id": other["id"]})
    assert (moved["stage_name"], moved["probability"]) == ("Announced", "5")
    with pytest.raises(Problem, match="unknown_reference"):
        shop.update("sales.opportunity", moved["id"], {"pipeline_id": new_id()})


def test_winning_is_certain_and_final(shop):
    made = opportunity(shop)
    won = run(shop, made, "win")
    assert (won["status"], won["probability"]) == ("won", "100") and won["closed_at"] is not None
    for verb, data in (("win", None), ("lose", {}), ("move", {"stage_id": made["stage_id"]})):
        with pytest.raises(Problem, match="wrong_state"):
            run(shop, made, verb, data)
    with pytest.raises(Problem, match="wrong_state"):
        shop.update("sales.opportunity", made["id"], {"name": "Other"})


def test_losing_keeps_its_reason(shop):
    made = opportunity(shop)
    lost = run(shop, made, "lose", {"reason": "Price"})
    assert (lost["status"], lost["probability"], lost["lost_reason"]) == ("lost", "0", "Price")
    with pytest.raises(Problem, match="wrong_state"):
        run(shop, made, "win")
    shop.settle()
    assert [event["data"]["lost_reason"] for event in shop.events("sales.opportunity.lost")] == ["Price"]


def test_a_pipeline_with_opportunities_is_not_deleted(shop):
    made = opportunity(shop)
    with pytest.raises(Problem, match="referenced"):
        shop.call("sales", "record.delete", {"record": "sales.pipeline", "id": made["pipeline_id"]})


def test_a_pipeline_has_a_stage(shop):
    with pytest.raises(Problem) as refused:
        pipeline(shop, "Empty", [])
    assert refused.value.errors[0]["field"] == "stages"


def test_an_opportunity_needs_an_account_that_exists(shop):
    with pytest.raises(Problem, match="unknown_reference"):
        opportunity(shop, account_id=new_id())


def from_lead(shop, account, **fields):
    contact = shop.create("customer.contact", {"name": "Maria", "account_id": account})
    return {"lead_id": new_id(), "account_id": account, "contact_id": contact["id"], "name": "Tea", **fields}


def answers(shop):
    shop.settle()
    replies = [orjson.loads(body) for body in given.messages(shop, "marketing")]
    mine = [reply for reply in replies if reply["tenant"] == shop.tenant]
    return [reply["refused"]["code"] if "refused" in reply else reply["ok"] for reply in mine]


def test_a_lead_becomes_an_opportunity_in_the_first_stage(shop):
    body = from_lead(shop, given.account(shop), value=given.usd("500"), owner_id=shop.user_id)
    shop.settle()
    given.asked(shop, CREATE, body, saga=new_id())
    (answer,) = answers(shop)
    (made,) = shop.list("sales.opportunity")
    assert made["id"] == answer["opportunity_id"]
    assert (made["lead_id"], made["account_id"], made["contact_id"]) == tuple(
        body[name] for name in ("lead_id", "account_id", "contact_id")
    )
    assert (made["value"], made["owner_id"], made["stage_name"]) == (given.usd("500.00"), shop.user_id, "Contacted")


def test_an_opportunity_waits_for_news_of_an_account_made_a_moment_ago(shop):
    account = given.account(shop)
    body = from_lead(shop, account)
    given.asked(shop, CREATE, body, saga=new_id())
    assert shop.list("sales.opportunity") == []
    answer = answers(shop)[-1]
    assert shop.get("sales.opportunity", answer["opportunity_id"])["account_id"] == account
    assert shop.dead() == []


def test_a_lead_of_a_deleted_account_is_refused(shop):
    account = given.account(shop)
    shop.call("customer", "record.delete", {"record": "customer.account", "id": account})
    shop.settle()
    body = {"lead_id": new_id(), "account_id": account, "contact_id": new_id(), "name": "Tea"}
    given.asked(shop, CREATE, body, saga=new_id())
    assert answers(shop) == ["unknown_account"]
    assert shop.list("sales.opportunity") == []


def test_an_undone_conversion_takes_the_opportunity_away(shop):
    body, saga = from_lead(shop, given.account(shop)), new_id()
    shop.settle()
    given.asked(shop, CREATE, body, saga=saga)
    given.asked(shop, REMOVE, {"lead_id": body["lead_id"]}, saga=saga, undo=True)
    assert answers(shop)[-1] is None
    assert shop.list("sales.opportunity") == []
    assert len(shop.events("sales.opportunity.deleted")) == 1


def test_an_undo_that_overtakes_its_ask_keeps_the_late_one_from_doing_anything(shop):
    body, saga = from_lead(shop, given.account(shop)), new_id()
    shop.settle()
    given.asked(shop, REMOVE, {"lead_id": body["lead_id"]}, saga=saga, undo=True)
    given.asked(shop, CREATE, body, saga=saga)
    assert answers(shop) == [None, "undone"]
    assert shop.list("sales.opportunity") == []


def test_a_target_belongs_to_somebody_who_exists(shop):
    period = {"name": "Q1", "starts_on": "2026-01-01", "ends_on": "2026-03-31", "value": given.usd("1000")}
    assert shop.create("sales.target", {**period, "user_id": shop.user_id})["user_id"] == shop.user_id
    with pytest.raises(Problem, match="unknown_reference"):
        shop.create("sales.target", {**period, "user_id": new_id()})
