"""A lead becomes a customer in three services, or stays a lead in one."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.saga import Refused
from services.marketing.tests.helpers import Ledger, start_sales

LEAD, ACCOUNT, CONTACT = "marketing.lead", "customer.account", "customer.contact"


@pytest.fixture
def suite(suite_of):
    """Whoever acts is a user whom the other services can know, since the records of a lead go to its owner."""
    made = suite_of("identity", "customer", "marketing")
    made.user_id = owner(made, "andrew")
    return made


@pytest.fixture
def sales(suite):
    ledger = Ledger()
    start_sales(suite, ledger)
    return ledger


def qualified(suite, **data):
    made = suite.create(LEAD, {"name": "Ada Wong", "company": "Tea House", "email": "ada@example.org", **data})
    return suite.run(LEAD, made["id"], "qualify")


def owner(suite, name="nancy"):
    return suite.create("identity.user", {"name": name, "email": f"{name}@example.org"})["id"]


def saga(suite, lead):
    return suite.call("marketing", "record.saga", {"record": LEAD, "id": lead["id"]})


def test_a_converted_lead_names_its_account_contact_and_opportunity(suite, sales):
    nancy = owner(suite)
    worth = {"amount": "900.00", "currency": "EUR"}
    lead = qualified(suite, owner_id=nancy, title="Buyer", phone="+49 30 1", source="Fair", value=worth)
    answer = suite.request("marketing", "record.command", {"record": LEAD, "id": lead["id"], "verb": "convert"})
    assert (answer["status"], answer["body"]["status"]) == (202, "converting")
    assert answer["location"] == f"/v1/leads/{lead['id']}/saga"
    suite.settle()
    done = suite.get(LEAD, lead["id"])
    account, contact = suite.get(ACCOUNT, done["account_id"]), suite.get(CONTACT, done["contact_id"])
    asked = sales.opportunities[lead["id"]]
    assert (done["status"], done["reason"]) == ("converted", None)
    assert (account["name"], account["kind"], account["source"], account["owner_id"]) == (
        "Tea House",
        "prospect",
        "Fair",
        nancy,
    )
    assert (contact["name"], contact["email"], contact["title"]) == ("Ada Wong", "ada@example.org", "Buyer")
    assert (contact["account_id"], contact["owner_id"]) == (account["id"], nancy)
    assert (asked.account_id, asked.contact_id, asked.owner_id) == (account["id"], contact["id"], nancy)
    assert (asked.name, asked.value.amount, asked.value.currency) == ("Tea House", 900, "EUR")
    assert done["opportunity_id"] is not None
    assert [one["type"] for one in suite.events(LEAD)][-1] == f"{LEAD}.converted"
    assert saga(suite, lead)["state"] == "completed"
    assert suite.dead() == []


def test_converting_makes_one_account_and_one_contact_however_often_messages_come(suite, sales):
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    assert (len(suite.list(ACCOUNT)), len(suite.list(CONTACT)), len(sales.opportunities)) == (1, 1, 1)
    assert len(suite.events(f"{LEAD}.converted")) == 1


def test_a_lead_without_a_company_becomes_a_customer_of_its_own_name(suite, sales):
    lead = qualified(suite, company=None)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    assert suite.list(ACCOUNT)[0]["name"] == "Ada Wong"
    assert sales.opportunities[lead["id"]].name == "Ada Wong"


def test_a_lead_converts_into_an_account_that_exists(suite, sales):
    account = suite.create(ACCOUNT, {"name": "Old friend"})
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert", {"account_id": account["id"], "opportunity_name": "Second shop"})
    suite.settle()
    done = suite.get(LEAD, lead["id"])
    assert [one["id"] for one in suite.list(ACCOUNT)] == [account["id"]]
    assert done["account_id"] == suite.get(CONTACT, done["contact_id"])["account_id"] == account["id"]
    assert sales.opportunities[lead["id"]].name == "Second shop"


def test_converting_into_an_account_that_does_not_exist_is_refused_at_once(suite, sales):
    lead = qualified(suite)
    with pytest.raises(Problem) as refused:
        suite.run(LEAD, lead["id"], "convert", {"account_id": new_id()})
    assert (refused.value.status, refused.value.code) == (422, "unknown_reference")
    assert suite.get(LEAD, lead["id"])["status"] == "qualified"


def test_nobody_converts_into_an_account_that_he_may_not_read(suite, sales):
    account = suite.create(ACCOUNT, {"name": "Somebody else's"})
    seller = suite.context(grants={LEAD: {"*": "own"}, ACCOUNT: {"*": "own"}}, user_id=owner(suite))
    lead = suite.create(LEAD, {"name": "Ada"}, context=seller)
    suite.run(LEAD, lead["id"], "qualify", context=seller)
    with pytest.raises(Problem) as refused:
        suite.run(LEAD, lead["id"], "convert", {"account_id": account["id"]}, context=seller)
    assert (refused.value.status, refused.value.code) == (422, "unknown_reference")
    suite.settle()
    assert suite.list(CONTACT) == []


def test_an_account_deleted_meanwhile_leads_back_to_qualified(suite, sales):
    account = suite.create(ACCOUNT, {"name": "Gone"})
    suite.settle()
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": account["id"]})
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert", {"account_id": account["id"]})
    suite.settle()
    after = suite.get(LEAD, lead["id"])
    assert (after["status"], after["reason"]) == ("qualified", "unknown_account: The account does not exist.")
    assert (sales.opportunities, suite.list(CONTACT)) == ({}, [])


def test_a_refused_opportunity_takes_account_and_contact_back(suite, sales):
    sales.refuse = Refused("unknown_account", "Not heard of.")
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    after = suite.get(LEAD, lead["id"])
    assert (after["status"], after["reason"]) == ("qualified", "unknown_account: Not heard of.")
    assert (after["account_id"], after["contact_id"], after["opportunity_id"]) == (None, None, None)
    assert (suite.list(ACCOUNT), suite.list(CONTACT)) == ([], [])
    steps = [(one["name"], one["state"]) for one in saga(suite, lead)["steps"]]
    assert steps == [("create customer", "undone"), ("create opportunity", "refused"), ("mark converted", "pending")]
    assert suite.events(f"{LEAD}.converted") == []


def test_an_existing_account_survives_a_refused_conversion(suite, sales):
    sales.refuse = Refused("unknown_account")
    account = suite.create(ACCOUNT, {"name": "Old friend"})
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert", {"account_id": account["id"]})
    suite.settle()
    assert [one["id"] for one in suite.list(ACCOUNT)] == [account["id"]]
    assert suite.list(CONTACT) == []


def test_a_refused_conversion_can_be_tried_again(suite, sales):
    sales.refuse = Refused("unknown_account")
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    sales.refuse = None
    assert suite.run(LEAD, lead["id"], "convert")["reason"] is None
    suite.settle()
    assert suite.get(LEAD, lead["id"])["status"] == "converted"
    assert (len(suite.list(ACCOUNT)), len(suite.list(CONTACT))) == (1, 1)


def test_a_lead_is_not_left_converting_when_sales_is_silent(suite):
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    assert len(suite.list(ACCOUNT)) == 1
    suite.clock.forward(seconds=25)
    assert suite.runtime("marketing").sweep_sagas() == 1
    suite.settle()
    assert saga(suite, lead)["state"] == "compensating"
    # Sales comes back: what it is asked first is to undo what it never did.
    late = [one for one in suite.bus.seen if one.routing_key == "sales"]
    sales = Ledger()
    start_sales(suite, sales)
    suite.clock.forward(seconds=11)
    suite.runtime("marketing").sweep_sagas()
    suite.settle()
    after = suite.get(LEAD, lead["id"])
    assert (after["status"], after["reason"]) == ("qualified", "timeout: create opportunity did not answer in time")
    assert (suite.list(ACCOUNT), suite.list(CONTACT)) == ([], [])
    for message in late:
        suite.runtime("sales").message(message.body)
    suite.settle()
    assert (sales.opportunities, sales.removed) == ({}, [lead["id"]])
    assert suite.get(LEAD, lead["id"])["version"] == after["version"]


def test_no_answer_of_customer_leads_back_too(suite, sales):
    customer = suite.bus.runtimes.pop("customer")
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    suite.clock.forward(seconds=25)
    suite.runtime("marketing").sweep_sagas()
    suite.bus.runtimes["customer"] = customer
    suite.settle()
    after = suite.get(LEAD, lead["id"])
    assert (after["status"], after["reason"]) == ("qualified", "timeout: create customer did not answer in time")
    assert (suite.list(ACCOUNT), sales.opportunities) == ([], {})


def test_while_it_converts_and_afterwards_a_lead_is_neither_edited_nor_deleted_nor_led_elsewhere(suite, sales):
    lead = qualified(suite)
    suite.run(LEAD, lead["id"], "convert")
    for status in ("converting", "converted"):
        assert suite.get(LEAD, lead["id"])["status"] == status
        for attempt in (
            lambda: suite.update(LEAD, lead["id"], {"title": "Chief"}),
            lambda: suite.call("marketing", "record.delete", {"record": LEAD, "id": lead["id"]}),
            lambda: suite.run(LEAD, lead["id"], "disqualify", {"reason": "Late"}),
            lambda: suite.run(LEAD, lead["id"], "qualify"),
            lambda: suite.run(LEAD, lead["id"], "convert"),
        ):
            with pytest.raises(Problem) as refused:
                attempt()
            assert (refused.value.status, refused.value.code) == (409, "wrong_state")
        suite.settle()


def test_a_converted_lead_counts_as_converted_for_its_campaign(suite, sales):
    campaign = suite.create("marketing.campaign", {"name": "Fair"})
    lead = qualified(suite, campaign_id=campaign["id"])
    suite.create(LEAD, {"name": "Bo", "campaign_id": campaign["id"]})
    suite.run(LEAD, lead["id"], "convert")
    suite.settle()
    after = suite.get("marketing.campaign", campaign["id"])
    assert (after["leads_count"], after["converted_count"]) == (2, 1)


def test_many_are_converted_at_once_though_twins_among_them_were_merged_meanwhile(suite, sales):
    first, twin, other = (qualified(suite, name=name, campaign_id=None)["id"] for name in ("Ada", "Ada W.", "Bo"))
    chosen = {"field": "status", "value": "qualified"}
    seen = suite.call("marketing", "record.bulk_job", {"record": LEAD, "action": "convert", "filter": chosen})
    suite.run_jobs("marketing")
    suite.call("marketing", "record.merge", {"record": LEAD, "id": first, "data": {"losers": [twin]}})
    suite.settle()
    ran = suite.call("marketing", "job.run", {"id": seen["id"].partition("-")[2]})
    suite.run_jobs("marketing")
    suite.settle()
    ended = suite.call("marketing", "job.get", {"id": ran["id"].partition("-")[2]})
    # The one that is gone is reported and left alone; its survivor, who is as he was seen, becomes a customer.
    assert (ended["state"], ended["result"]["done"], ended["result"]["gone"]) == ("succeeded", 2, 1)
    assert [suite.get(LEAD, one)["status"] for one in (first, other)] == ["converted", "converted"]
    assert (len(suite.list(CONTACT)), suite.dead()) == (2, [])
