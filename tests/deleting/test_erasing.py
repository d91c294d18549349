"""Erasing a person: afterwards no table of any service knows his words, and everything that is counted is as before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.reconcile import publish_latest
from contracts.erasing import PARTICIPANTS
from tests.deleting.given import ACCOUNT, CONTACT, ORDER, REQUEST, House, refused
from tests.deleting.test_purging import _rows

LEAD = "marketing.lead"
SERVICES = ("identity", "customer", "inventory", "sales", "marketing", "service", "notify", "search", "eventlog")
NAME, MAIL, PHONE, STREET = "Zebulon Quist", "zebulon@quist.example", "+49 30 5550199", "Quistgasse 7"
CANARIES = ("Zebulon", "zebulon", "5550199", "Quistgasse", "ZEBULON")


@pytest.fixture
def house(suite_of: Callable[..., Any]) -> House:
    return House(suite_of())


def erase(house: House, record: str, record_id: str, reason: str = "Asked by letter", **options: Any) -> Any:
    params = {"record": record, "id": record_id, "data": {"reason": reason}}
    return house.suite.request(record.split(".")[0], "record.erase", params, **options)


def receipt(house: House, record: str, record_id: str, **options: Any) -> Any:
    params = {"record": record, "id": record_id}
    return house.suite.call(record.split(".")[0], "record.erasure", params, **options)


def told_everywhere(house: House, account: str) -> str:
    """A contact whose words stand in every service that can have any."""
    suite = house.suite
    data = {"name": NAME, "email": MAIL, "phone": PHONE, "home_address": {"street": STREET, "city": "Berlin"}}
    contact = suite.create(CONTACT, {**data, "account_id": account, "tags": ["vip-zebulon"]}, key=new_id())["id"]
    suite.update(CONTACT, contact, {"hobbies": "Chess with Zebulon the elder"})
    about = {"account_id": account, "contact_id": contact}
    call = suite.create("customer.activity", {"subject": f"Call {NAME}", **about})["id"]
    suite.run("customer.activity", call, "complete", {"outcome": f"{NAME} will think about it"})
    suite.create("sales.opportunity", {"name": f"Tea for {NAME}", **about})
    suite.create(REQUEST, {"subject": "Cold", "description": f"Write to {MAIL}, {STREET}", **about})
    suite.create(
        "notify.notification", {"user_id": suite.user_id, "title": f"{NAME} called", "about": f"contact/{contact}"}
    )
    suite.settle()
    return str(contact)


def everywhere(house: House) -> list[tuple[str, str, str]]:
    return [
        (service, table, word) for service in SERVICES for word in CANARIES for table in _rows(house, service, word)
    ]


def test_no_store_knows_an_erased_contact_and_the_receipt_tells_what_each_let_go_of(house: House) -> None:
    account = house.account("Alfreds")
    contact = told_everywhere(house, account)
    assert {service for service, _, _ in everywhere(house)} >= {"customer", "sales", "service", "notify", "search"}
    answer = erase(house, CONTACT, contact)
    assert (answer["status"], answer["location"]) == (202, f"/v1/contacts/{contact}/erasure")
    house.suite.settle()
    assert everywhere(house) == []
    told = receipt(house, CONTACT, contact)
    assert (told["state"], told["reason"], told["asked_by"]) == (
        "erased",
        "Asked by letter",
        f"user:{house.suite.user_id}",
    )
    stores = {one["store"]: one for one in told["stores"]}
    assert list(stores) == list(PARTICIPANTS)
    assert stores["customer"]["erased"]["activities"] == 1
    assert stores["sales"]["erased"]["opportunities"] == 1
    assert stores["service"]["erased"]["service-requests"] == 1
    assert stores["notify"]["erased"]["notifications"] == 1
    assert stores["eventlog"]["erased"]["events of the record"] == 2
    assert house.suite.dead() == []


def test_what_is_counted_stays_as_it_was(house: House) -> None:
    account = house.account("Alfreds")
    contact = told_everywhere(house, account)
    counts = [len(house.suite.list(record)) for record in (CONTACT, "customer.interaction", REQUEST)]
    page = {"record": ACCOUNT, "name": "overview", "id": account}
    before = house.suite.call("customer", "record.query", page)
    erase(house, CONTACT, contact)
    house.suite.settle()
    assert [len(house.suite.list(record)) for record in (CONTACT, "customer.interaction", REQUEST)] == counts
    after = house.suite.call("customer", "record.query", page)
    for name in ("contacts_count", "opportunities_open", "requests_open", "activities_open"):
        assert after[name] == before[name]
    left = house.suite.get(CONTACT, contact)
    assert (left["name"], left["email"], left["home_address"], left["account_id"]) == ("—", None, None, account)


def test_erasing_twice_gives_the_same_receipt(house: House) -> None:
    contact = told_everywhere(house, house.account())
    first = erase(house, CONTACT, contact)["body"]
    house.suite.settle()
    again = erase(house, CONTACT, contact, "once more")["body"]
    assert again == receipt(house, CONTACT, contact)
    assert again["erasure_id"] == first["erasure_id"]
    assert len(house.suite.events("customer.contact.erased")) == 1


def test_neither_replaying_changes_nor_rebuilding_the_index_brings_anything_back(house: House) -> None:
    contact = told_everywhere(house, house.account())
    erase(house, CONTACT, contact)
    house.suite.settle()
    with house.suite.work("search") as work:
        for table in ("words", "keys", "documents"):
            work.sql(f"DELETE FROM {table} WHERE tenant_id = %s", (work.tenant,))
    with house.suite.work("eventlog") as work:
        events = work.sql("SELECT envelope FROM events WHERE tenant_id = %s AND record_id = %s", (work.tenant, contact))
        versions = [row.envelope["version"] for row in events]
    assert sorted(versions) == [1, 2, 3]
    for service in SERVICES[:7]:
        with house.suite.work(service) as work:
            work.sql(
                "INSERT INTO unsent (tenant_id, record_id, version, at)"
                " SELECT tenant_id, record_id, version, at FROM changes WHERE tenant_id = %s",
                (work.tenant,),
            )
    house.suite.settle()
    assert everywhere(house) == []
    assert publish_latest.__doc__


def test_an_event_that_reaches_the_log_after_the_erasure_is_emptied(house: House) -> None:
    contact = told_everywhere(house, house.account())
    early = [
        one.body for one in house.suite.bus.seen if b"zebulon@quist" in one.body and b"contact.created" in one.body
    ]
    assert early
    with house.suite.work("eventlog") as work:
        work.sql("SELECT 1")
    erase(house, CONTACT, contact)
    house.suite.settle()
    for service in ("eventlog", "search", "service", "sales"):
        house.suite.runtime(service).events(early)
    assert everywhere(house) == []


def test_an_erased_lead_still_counts_for_its_campaign(house: House) -> None:
    suite = house.suite
    campaign = suite.create("marketing.campaign", {"name": "Spring"})["id"]
    lead = suite.create(LEAD, {"name": NAME, "email": MAIL, "phone": PHONE, "campaign_id": campaign, "source": "fair"})
    suite.settle()
    erase(house, LEAD, lead["id"])
    suite.settle()
    assert everywhere(house) == []
    assert suite.get("marketing.campaign", campaign)["leads_count"] == 1
    assert suite.get(LEAD, lead["id"])["source"] == "fair"
    assert suite.dead() == []


def test_a_private_persons_account_is_erased_on_his_orders_too_but_not_while_business_is_open(house: House) -> None:
    suite, product = house.suite, house.product()
    person = {"phone": PHONE, "address": {"street": STREET, "city": "Berlin"}, "person": True}
    account = house.account(NAME, **person)
    order = suite.create(
        ORDER,
        {
            "account_id": account,
            "currency": "USD",
            "ordered_on": "2026-11-23",
            "ship_name": NAME,
            "ship_to": {"street": STREET, "city": "Berlin"},
            "lines": [{"product_id": product, "quantity": "1"}],
        },
    )["id"]
    suite.settle()
    problem = refused(lambda: erase(house, ACCOUNT, account))
    assert (problem.code, problem.extra["references"]) == ("referenced", [{"collection": "orders", "count": 1}])
    house.cancel(order)
    erase(house, ACCOUNT, account)
    suite.settle()
    assert everywhere(house) == []
    kept = suite.get(ORDER, order)
    assert (kept["account_id"], kept["account_name"], kept["ship_name"], kept["total"]["amount"]) == (
        account,
        "—",
        "—",
        "10.00",
    )
    assert suite.get(ACCOUNT, account)["city"] == "Berlin"
    assert suite.dead() == []


def test_documents_of_trade_keep_what_they_were_issued_with_and_the_receipt_says_so(house: House) -> None:
    suite, product = house.suite, house.product()
    account = house.account(NAME, person=True)
    note = {"currency": "USD", "issued_on": "2026-11-23", "settled_on": "2026-11-23", "reason": "Broken"}
    lines = [{"product_id": product, "quantity": "1"}]
    suite.create("sales.credit-note", {**note, "account_id": account, "lines": lines})
    suite.settle()
    erase(house, ACCOUNT, account)
    suite.settle()
    (sales,) = [one for one in receipt(house, ACCOUNT, account)["stores"] if one["store"] == "sales"]
    assert sales["kept"] == {"credit-notes": "documents of trade are kept as they were issued"}


def test_a_company_is_no_person(house: House) -> None:
    assert refused(lambda: erase(house, ACCOUNT, house.account("Alfreds"))).code == "not_a_person"


def test_whoever_was_merged_into_the_person_is_erased_with_him(house: House) -> None:
    contact = told_everywhere(house, house.account())
    twin = house.suite.create(CONTACT, {"name": "Zebulon Q.", "email": "zebulon@other.example"})["id"]
    house.suite.settle()
    house.suite.request("customer", "record.merge", {"record": CONTACT, "id": contact, "data": {"losers": [twin]}})
    house.suite.settle()
    erase(house, CONTACT, contact)
    house.suite.settle()
    assert everywhere(house) == []


def test_erasing_is_an_action_of_its_own_and_its_receipt_is_for_who_may_read_the_record(house: House) -> None:
    contact = told_everywhere(house, house.account())
    clerk = house.suite.context(user_id=new_id(), grants={CONTACT: {"*": "all", "erase": "none"}})
    stranger = house.suite.context(user_id=new_id(), grants={CONTACT: {"*": "own"}})
    assert refused(lambda: erase(house, CONTACT, contact, context=clerk)).status == 403
    assert refused(lambda: erase(house, CONTACT, contact, context=stranger)).status == 404
    assert refused(lambda: receipt(house, CONTACT, contact)).status == 404
    erase(house, CONTACT, contact, f"{NAME} wrote to us")
    house.suite.settle()
    assert receipt(house, CONTACT, contact, context=clerk)["reason"] == "— wrote to us"
    assert refused(lambda: receipt(house, CONTACT, contact, context=stranger)).status == 404
    for reason in ("", " ", "x" * 501):
        assert refused(lambda reason=reason: erase(house, CONTACT, contact, reason)).status == 422
