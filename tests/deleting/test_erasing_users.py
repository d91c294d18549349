"""Erasing a user who has left: what he owned and did stays and counts, and nobody learns any more who that was."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.ids import new_id
from contracts.erasing import PARTICIPANTS
from services.notify import deliveries
from tests.deleting.given import ACCOUNT, ORDER, House, refused
from tests.deleting.test_erasing import MAIL, NAME, PHONE, erase, everywhere, house, receipt
from tests.deleting.test_erasing_written import note

__all__ = ["house"]
JSON = dict[str, Any]
USER, NOTIFICATION, DELIVERY = "identity.user", "notify.notification", "notify.delivery"


@pytest.fixture(autouse=True)
def a_mail_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUANXI_SMTP_URL", "smtp://127.0.0.1:9")
    monkeypatch.setenv("GUANXI_SMTP_FROM", "crm@tea.example")


def colleague(house: House, name: str = NAME, email: str = MAIL, **fields: Any) -> str:
    data = {"name": name, "email": email, "phone": PHONE, "title": "Zebulon's deputy", **fields}
    made = house.suite.create(USER, data, key=new_id())["id"]
    house.suite.settle()
    return str(made)


def himself(house: House, user: str) -> Any:
    return house.suite.context(user_id=user, grants={"*": {"*": "all"}})


def named_everywhere(house: House) -> str:
    """A colleague whose name stands in every service, and who has left."""
    suite, user = house.suite, colleague(house)
    as_him = himself(house, user)
    data = {"name": "Alfreds", "owner_id": user, "notes": f"Ask {NAME}"}
    account = suite.create(ACCOUNT, data, key=new_id())["id"]
    note(house, ACCOUNT, account, f"{NAME} has the key", context=as_him)
    note(house, ACCOUNT, house.account("Bolle"), f"Greetings, {NAME}", context=as_him)
    suite.create("inventory.supplier", {"name": f"{NAME}'s brother", "owner_id": user})
    suite.create("marketing.campaign", {"name": f"{NAME} on tour", "owner_id": user})
    suite.create("service.article", {"title": f"By {NAME}", "body": MAIL, "owner_id": user})
    target = {"name": f"What {NAME} sells", "starts_on": "2026-01-01", "ends_on": "2026-12-31"}
    suite.create("sales.target", {**target, "user_id": user, "value": {"amount": "10", "currency": "USD"}})
    suite.create(NOTIFICATION, {"user_id": user, "title": f"Welcome, {NAME}"}, key=new_id())
    hook = {"name": f"Hook of {NAME}", "url": "https://tea.example/hook", "user_id": user}
    suite.create("notify.webhook", hook)
    suite.create("eventlog.event-subscription", {"name": f"Feed of {NAME}", "user_id": user}, key=new_id())
    suite.create("identity.view", {"name": "His", "applies_to": "search", "where": {"q": NAME}}, context=as_him)
    suite.create("identity.view", {"name": "Hers", "applies_to": "search", "where": {"q": f"{NAME} tea"}})
    suite.settle()
    suite.call("search", "search.opened", {"type": "account", "id": account, "q": "tea"}, context=as_him)
    suite.call("search", "search.opened", {"type": "user", "id": user, "q": NAME})
    suite.run(USER, user, "reset-password", {"password": "quite a long password"})
    suite.run(USER, user, "deactivate")
    suite.settle()
    return user


def test_no_store_knows_an_erased_user_and_the_receipt_lists_each(house: House) -> None:
    user = named_everywhere(house)
    assert {service for service, _, _ in everywhere(house)} == set(PARTICIPANTS)
    assert erase(house, USER, user)["location"] == f"/v1/users/{user}/erasure"
    house.suite.settle()
    assert everywhere(house) == []
    told = receipt(house, USER, user)
    stores = {one["store"]: one["erased"] for one in told["stores"]}
    assert (told["state"], list(stores)) == ("erased", list(PARTICIPANTS))
    assert (stores["identity"]["users"], stores["identity"]["views"]) == (1, 2)
    assert (stores["customer"]["accounts"], stores["customer"]["notes"]) == (1, 2)
    assert (stores["inventory"]["suppliers"], stores["sales"]["targets"]) == (1, 1)
    assert (stores["marketing"]["campaigns"], stores["service"]["articles"]) == (1, 1)
    assert (stores["notify"]["notifications"], stores["notify"]["deliveries"], stores["notify"]["webhooks"]) == (
        1,
        1,
        1,
    )
    assert stores["eventlog"]["event-subscriptions"] == 1
    # His question, hers that names him, the account that he edited and opened, and whatever else he touched.
    assert stores["search"]["remembered searches"] >= 3
    assert house.suite.dead() == []
    with house.suite.work("identity") as work:
        kept = work.sql("SELECT count(*) FROM passwords WHERE tenant_id = %s AND user_id = %s", (work.tenant, user))
        assert kept.scalar() == 0
    with house.suite.work("search") as work:
        kept = work.sql(
            "SELECT count(*) FROM recent_records WHERE tenant_id = %s AND user_id = %s", (work.tenant, user)
        )
        assert kept.scalar() == 0


def test_what_he_owned_and_did_stays_and_counts(house: House) -> None:
    suite, user = house.suite, named_everywhere(house)
    order = house.order(house.account("Chop"), house.product(), context=himself(house, user))
    suite.settle()
    by_owner = {"record": ACCOUNT, "data": {"group_by": ["owner_id"], "measures": [{"fn": "count"}]}}
    before = suite.call("customer", "record.aggregate", by_owner)
    erase(house, USER, user)
    suite.settle()
    assert suite.call("customer", "record.aggregate", by_owner) == before
    assert [one["user_id"] for one in suite.list("sales.target")] == [user]
    left = suite.get(USER, user)
    assert (left["name"], left["phone"], left["title"], left["status"]) == ("—", None, None, "inactive")
    (first,) = house.history(ORDER, order)
    assert first["who"] == {"kind": "user", "id": user, "name": "—"}


def test_several_who_were_erased_do_not_stand_in_each_others_way_and_once_is_enough(house: House) -> None:
    users = [colleague(house, f"Zebulon {name}", f"zebulon.{name}@quist.example") for name in ("A", "B")]
    for user in users:
        house.suite.run(USER, user, "deactivate")
        erase(house, USER, user)
    house.suite.settle()
    assert everywhere(house) == []
    addresses = [house.suite.get(USER, user)["email"] for user in users]
    assert addresses == [f"{user}@erased.invalid" for user in users]
    first = receipt(house, USER, users[0])
    assert erase(house, USER, users[0], "once more")["body"] == first
    assert len(house.suite.events("identity.user.erased")) == 2


def test_whoever_can_sign_in_whose_keys_work_or_who_leads_others_is_not_erased(house: House) -> None:
    suite, user = house.suite, colleague(house)
    problem = refused(lambda: erase(house, USER, user))
    assert (problem.code, problem.extra["state"]) == ("wrong_state", "active")
    junior = colleague(house, "Nancy", "nancy@example.com", manager_id=user)
    key = suite.create("identity.api-key", {"name": "Scale", "user_id": user})["id"]
    suite.run(USER, user, "deactivate")
    problem = refused(lambda: erase(house, USER, user))
    standing = [{"collection": "api-keys", "count": 1}, {"collection": "users", "count": 1}]
    assert (problem.code, problem.extra["references"]) == ("referenced", standing)
    house.delete("identity.api-key", key)
    suite.update(USER, junior, {"manager_id": None})
    assert erase(house, USER, user)["status"] == 202


def test_nobody_gets_the_past_of_somebody_who_was_erased(house: House) -> None:
    suite, left, gone = house.suite, colleague(house), colleague(house, "Nancy", "nancy@example.com")
    suite.run(USER, left, "deactivate")
    house.delete(USER, gone)
    for user in (left, gone):
        erase(house, USER, user)
    suite.settle()
    house.restore(USER, gone)
    for user in (left, gone):
        assert suite.get(USER, user)["status"] == "inactive"
        problem = refused(lambda user=user: suite.run(USER, user, "activate"))  # type: ignore[misc]
        assert (problem.code, problem.extra["state"]) == ("wrong_state", "inactive")


def test_a_mail_that_waits_for_him_is_not_sent_any_more(house: House) -> None:
    suite, user = house.suite, named_everywhere(house)
    erase(house, USER, user)
    suite.settle()
    deliveries.send_due(suite.runtime("notify"))
    (delivery,) = [one for one in suite.list(DELIVERY) if one["owner_id"] == user]
    assert (delivery["to"], delivery["status"], delivery["attempts"]) == ("—", "failed", 1)


def test_a_name_that_was_not_declared_personal_when_it_was_written_is_found_too(house: House) -> None:
    """Rows of the history from before the declaration have it in their open part."""
    suite, user = house.suite, colleague(house)
    account = house.account("Alfreds", owner_id=user, notes=f"Ask {NAME}")
    suite.update(USER, user, {"name": "Zeb"})
    with suite.work("identity") as work:
        work.sql(
            "UPDATE changes SET snapshot = snapshot || (private->'snapshot'), private = '{}'"
            " WHERE tenant_id = %s AND record_id = %s AND version = 1",
            (work.tenant, user),
        )
    suite.run(USER, user, "deactivate")
    suite.settle()
    erase(house, USER, user)
    suite.settle()
    assert everywhere(house) == []
    assert suite.get(ACCOUNT, account)["notes"] == "Ask —"
