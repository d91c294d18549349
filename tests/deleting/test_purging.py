"""What is deleted goes for good: after its retention by itself, before that by an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.ids import new_id
from suite.check.command import check
from tests.deleting.given import ACCOUNT, CONTACT, OPPORTUNITY, ORDER, House, refused

EVENT = "customer.contact.purged"


@pytest.fixture
def house(suite_of: Callable[..., Any]) -> House:
    return House(suite_of())


def _days(house: House, days: int) -> None:
    """Alarms ring once a week until a record's time is over."""
    for _ in range(0, days, 5):
        house.suite.clock.forward(days=5)
        house.suite.settle()


def _rows(house: House, service: str, word: str) -> list[str]:
    """Tables of a service in which a word still stands."""
    found = []
    with house.suite.work(service) as work:
        tables = work.sql(
            "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND EXISTS (SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')"
        ).scalars()
        for table in tables:
            if table not in ("unsent",):
                row = work.sql(f'SELECT 1 FROM "{table}" AS x WHERE x::text LIKE %s LIMIT 1', (f"%{word}%",)).first()
                found += [table] if row is not None else []
    return found


def test_a_deleted_record_is_purged_when_its_retention_is_over(house: House) -> None:
    contact = house.suite.create(CONTACT, {"name": "Xanthippe", "external_ids": {"erp": "7"}, "custom": {}})["id"]
    house.delete(CONTACT, contact)
    _days(house, 85)
    house.restore(CONTACT, contact)
    house.delete(CONTACT, contact)
    _days(house, 85)
    house.restore(CONTACT, contact)
    house.delete(CONTACT, contact)
    _days(house, 100)
    assert refused(lambda: house.restore(CONTACT, contact)).status == 404
    for service in ("customer", "sales", "search", "eventlog", "service"):
        assert _rows(house, service, "Xanthippe") == [], service
    (event,) = house.suite.events(EVENT)
    assert (event["data"]["id"], event["data"]["name"]) == (contact, None)
    assert house.suite.dead() == []


def test_history_says_who_did_what_to_a_purged_record_and_no_longer_what_was_personal(house: House) -> None:
    contact = house.suite.create(CONTACT, {"name": "Xanthippe", "title": "Buyer"})["id"]
    house.delete(CONTACT, contact)
    house.write("purge", CONTACT, contact)
    items = house.history(CONTACT, contact)
    assert [item["type"].rsplit(".", 1)[1] for item in items] == ["purged", "deleted", "created"]
    assert "Xanthippe" not in str(items)
    stranger = house.suite.context(user_id=new_id(), grants={CONTACT: {"*": "own"}})
    params = {"record": CONTACT, "id": contact}
    assert refused(lambda: house.suite.call("customer", "record.history", params, context=stranger)).status == 404


def test_the_feed_keeps_a_tombstone(house: House) -> None:
    contact = house.suite.create(CONTACT, {"name": "Xanthippe"})["id"]
    house.delete(CONTACT, contact)
    house.write("purge", CONTACT, contact)
    house.suite.settle()
    changes = house.suite.call("eventlog", "record.changes", {"record": CONTACT, "after": "0"})["items"]
    assert [(one["id"], one["deleted"], one["record"]) for one in changes if one["id"] == contact] == [
        (contact, True, None)
    ]


def test_a_purged_records_external_id_and_key_are_free(house: House) -> None:
    contact = house.suite.create(CONTACT, {"name": "Ann", "external_ids": {"erp": "7"}})["id"]
    house.delete(CONTACT, contact)
    house.write("purge", CONTACT, contact)
    assert house.suite.create(CONTACT, {"name": "Bo", "external_ids": {"erp": "7"}})["id"] != contact


def test_only_administrators_purge_and_only_what_is_deleted(house: House) -> None:
    contact = house.suite.create(CONTACT, {"name": "Ann"})["id"]
    assert refused(lambda: house.write("purge", CONTACT, contact)).code == "not_deleted"
    house.delete(CONTACT, contact)
    manager = house.suite.context(user_id=new_id(), grants={CONTACT: {"*": "all"}})
    assert refused(lambda: house.write("purge", CONTACT, contact, context=manager)).status == 403
    house.write("purge", CONTACT, contact)
    with house.suite.work("customer") as work:
        row = work.sql("SELECT action, subject, actor FROM operations WHERE tenant_id = %s", (work.tenant,)).one()
    assert tuple(row) == ("purge", f"contact/{contact}", f"user:{house.suite.user_id}")


def test_what_went_with_a_record_is_purged_with_it_in_every_service(house: House) -> None:
    account = house.account("Xanthippe Ltd")
    contact = house.suite.create(CONTACT, {"name": "Xanthippe", "account_id": account})["id"]
    deal = house.suite.create(OPPORTUNITY, {"name": "Xanthippe buys", "account_id": account})["id"]
    earlier = house.suite.create(CONTACT, {"name": "Xanthippe too", "account_id": account})["id"]
    house.delete(CONTACT, earlier)
    house.delete(ACCOUNT, account)
    house.suite.settle()
    house.write("purge", ACCOUNT, account)
    house.suite.settle()
    for record, one in ((CONTACT, contact), (CONTACT, earlier), (OPPORTUNITY, deal)):
        assert refused(lambda record=record, one=one: house.restore(record, one)).status == 404
    assert house.suite.dead() == []


def test_what_the_law_wants_kept_is_kept_until_then(house: House) -> None:
    order = house.order(house.account(), house.product())
    house.delete(ORDER, order)
    problem = refused(lambda: house.write("purge", ORDER, order))
    assert (problem.status, problem.code) == (409, "kept")
    _days(house, 120)
    house.restore(ORDER, order)


def test_a_tenant_says_how_long_deleted_records_of_a_collection_are_kept(house: House) -> None:
    rule = house.suite.create("identity.retention-rule", {"applies_to": "contacts", "days": 10})
    assert (
        refused(lambda: house.suite.create("identity.retention-rule", {"applies_to": "contacts", "days": 5})).status
        == 409
    )
    for applies_to, days in (("orders", 3649), ("users", 10), ("payments", 10), ("nothing", 10)):
        body = {"applies_to": applies_to, "days": days}
        assert refused(lambda body=body: house.suite.create("identity.retention-rule", body)).status == 422
    house.suite.settle()
    contact = house.suite.create(CONTACT, {"name": "Ann"})["id"]
    house.delete(CONTACT, contact)
    _days(house, 20)
    assert refused(lambda: house.restore(CONTACT, contact)).status == 404
    assert rule["days"] == 10


def test_a_survivor_takes_those_that_were_merged_into_it_along(house: House) -> None:
    winner, loser = (house.suite.create(CONTACT, {"name": name})["id"] for name in ("Xanthippe", "Xantippe"))
    house.suite.settle()
    house.suite.request("customer", "record.merge", {"record": CONTACT, "id": winner, "data": {"losers": [loser]}})
    house.suite.settle()
    house.delete(CONTACT, winner)
    house.write("purge", CONTACT, winner)
    house.suite.settle()
    assert _rows(house, "customer", "Xant") == []


def test_a_purge_that_something_deleted_still_refers_to_waits_for_it(house: House) -> None:
    suite = house.suite
    campaign = suite.create("marketing.campaign", {"name": "Spring"})["id"]
    lead = suite.create("marketing.lead", {"name": "Wu", "campaign_id": campaign})["id"]
    house.delete("marketing.lead", lead)
    house.delete("marketing.campaign", campaign)
    problem = refused(lambda: house.write("purge", "marketing.campaign", campaign))
    assert (problem.status, problem.code) == (409, "referenced")
    house.write("purge", "marketing.lead", lead)
    house.write("purge", "marketing.campaign", campaign)
    suite.settle()
    assert suite.dead() == []


def test_the_check_is_content_with_what_was_purged_and_what_still_refers_to_it(house: House, databases: Any) -> None:
    contact = house.suite.create(CONTACT, {"name": "Ann"})["id"]
    note = house.suite.create(
        "customer.interaction", {"summary": "x", "account_id": house.account(), "contact_id": contact}
    )
    house.delete(CONTACT, contact)
    house.write("purge", CONTACT, contact)
    house.suite.settle()
    assert house.suite.get("customer.interaction", note["id"])["contact_id"] == contact
    results = check(Checked(databases), house.suite.tenant, wait=lambda seconds: None, pauses=())
    assert [f"{one.rule.says}: {one.seen.faults}" for one in results if one.state == "violated"] == []


class Checked:
    """The test's databases as the check asks for them; without a broker."""

    bus = blobs = ""
    management = None

    def __init__(self, databases: Any) -> None:
        self._databases = databases

    def database_url(self, service: str, role: str) -> str:
        return str(self._databases.url(service, role))
