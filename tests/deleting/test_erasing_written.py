"""What people wrote and attached: gone with whom it was about, cleaned elsewhere, and kept where somebody needs it."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest

from chassis import blobs
from chassis.ids import new_id
from tests.deleting.given import ACCOUNT, CONTACT, House
from tests.deleting.test_erasing import NAME, erase, everywhere, house, receipt
from tests.deleting.test_purging import _days as days
from tests.deleting.test_purging import _rows

__all__ = ["house"]
JSON = dict[str, Any]


def note(house: House, record: str, record_id: str, text: str, **options: Any) -> str:
    about = {"record": record, "id": record_id, "kind": "note", "data": {"text": text}}
    return str(house.suite.call(record.split(".")[0], "child.create", about, **options)["id"])


def attach(house: House, record: str, record_id: str, name: str, content: bytes) -> JSON:
    service = record.split(".")[0]
    blob = house.suite.blobs.of(service, house.suite.tenant).put(io.BytesIO(content))
    sent = {"data": {"name": name}, "blob": {"key": blob.key, "size": blob.size}}
    made: JSON = house.suite.call(service, "child.attach", {"record": record, "id": record_id, **sent})
    return made


def written(house: House, record: str, record_id: str, kind: str) -> list[JSON]:
    params = {"record": record, "id": record_id, "kind": kind, "query": {}}
    items: list[JSON] = house.suite.call(record.split(".")[0], "child.list", params)["items"]
    return items


def size(house: House, attachment: JSON) -> int | None:
    """What the store has of it, three days later."""
    suite, later = house.suite, dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    blobs.sweep(suite.blobs, suite.runtime("customer").database, "customer", later)
    found: int | None = suite.blobs.of("customer", suite.tenant).size(attachment["sha256"])
    return found


@pytest.mark.parametrize("how", ["purge", "erase"])
def test_a_file_goes_from_the_store_when_its_last_holder_goes_and_not_before(house: House, how: str) -> None:
    """Equal contents are one file, which each of those who have it holds for himself."""
    contact, account = house.suite.create(CONTACT, {"name": NAME})["id"], house.account()
    content = new_id().encode()
    mine, other = attach(house, CONTACT, contact, "a.txt", content), attach(house, ACCOUNT, account, "b.txt", content)
    assert mine["sha256"] == other["sha256"]
    go(house, how, CONTACT, contact)
    assert size(house, mine) == len(content), "the account still needs it"
    house.write("delete", ACCOUNT, account)
    house.suite.settle()
    assert size(house, mine) == len(content), "it can be restored"
    house.write("purge", ACCOUNT, account)
    house.suite.settle()
    assert size(house, mine) is None
    with house.suite.work("customer") as work:
        held = "SELECT count(*) FROM blob_holds WHERE tenant_id = %s AND key = %s"
        assert work.sql(held, (work.tenant, mine["sha256"])).scalar() == 0


def go(house: House, how: str, record: str, record_id: str) -> None:
    if how == "erase":
        erase(house, record, record_id)
    else:
        house.delete(record, record_id)
        house.write("purge", record, record_id)
    house.suite.settle()


@pytest.mark.parametrize("how", ["purge", "erase"])
def test_notes_and_files_of_who_goes_are_gone_everywhere_with_a_last_version(house: House, how: str) -> None:
    contact = house.suite.create(CONTACT, {"name": "Somebody"})["id"]
    note(house, CONTACT, contact, "Zebulon prefers the phone.")
    attach(house, CONTACT, contact, "Zebulon.txt", new_id().encode())
    house.suite.settle()
    assert _rows(house, "eventlog", "Zebulon")
    go(house, how, CONTACT, contact)
    assert everywhere(house) == []
    for kind in ("note", "attachment"):
        (event,) = house.suite.events(f"customer.{kind}.purged")
        assert event["data"]["about_id"] == contact
    assert house.suite.dead() == []


def test_a_deleted_note_and_a_deleted_file_go_for_good_after_90_days_and_restored_ones_stay(house: House) -> None:
    suite, account = house.suite, house.account()
    gone = note(house, ACCOUNT, account, "Zebulon prefers the phone.")
    kept = note(house, ACCOUNT, account, "Closed on Mondays.")
    file = attach(house, ACCOUNT, account, "Zebulon.txt", new_id().encode())
    for kind, one in (("note", gone), ("note", kept), ("attachment", file["id"])):
        suite.call("customer", "child.delete", {"record": ACCOUNT, "id": account, "kind": kind, "child": one})
    suite.call("customer", "child.restore", {"record": ACCOUNT, "id": account, "kind": "note", "child": kept})
    suite.settle()
    days(house, 85)
    assert size(house, file) == 36 and _rows(house, "customer", "Zebulon")
    days(house, 15)
    assert [one["text"] for one in written(house, ACCOUNT, account, "note")] == ["Closed on Mondays."]
    assert size(house, file) is None
    assert [table for service in ("customer", "eventlog") for table in _rows(house, service, "Zebulon")] == []
    for kind in ("note", "attachment"):
        (event,) = suite.events(f"customer.{kind}.purged")
        assert event["data"]["about_id"] == account
    assert suite.dead() == []


def test_notes_and_file_names_of_related_records_lose_the_words_and_files_stay_with_a_word_about_it(
    house: House,
) -> None:
    suite, account = house.suite, house.account()
    contact = suite.create(CONTACT, {"name": NAME, "account_id": account})["id"]
    call = suite.create("customer.activity", {"subject": "Call", "account_id": account, "contact_id": contact})["id"]
    opportunity = suite.create("sales.opportunity", {"name": "Tea", "account_id": account, "contact_id": contact})["id"]
    suite.settle()
    note(house, "customer.activity", call, f"{NAME} wants tea.")
    note(house, "sales.opportunity", opportunity, f"{NAME} decides.")
    file = attach(house, "customer.activity", call, f"Offer for {NAME}.txt", new_id().encode())
    suite.settle()
    erase(house, CONTACT, contact)
    suite.settle()
    assert everywhere(house) == []
    assert [one["text"] for one in written(house, "customer.activity", call, "note")] == ["— wants tea."]
    assert [one["text"] for one in written(house, "sales.opportunity", opportunity, "note")] == ["— decides."]
    assert [one["name"] for one in written(house, "customer.activity", call, "attachment")] == ["Offer for —.txt"]
    assert size(house, file) == 36
    stores = {one["store"]: one for one in receipt(house, CONTACT, contact)["stores"]}
    assert (
        stores["customer"]["kept"]["files"]
        == "files attached to records that name the person are for people to look at"
    )
    assert stores["customer"]["erased"]["notes"] == stores["sales"]["erased"]["notes"] == 1
    assert stores["customer"]["erased"]["attachments"] == 1


def test_what_was_looked_for_by_his_name_and_that_he_was_looked_at_is_forgotten(house: House) -> None:
    suite = house.suite
    contact = suite.create(CONTACT, {"name": NAME})["id"]
    suite.settle()
    for question in (NAME, f"{NAME} tea", "tea"):
        suite.call("search", "search.opened", {"type": "contact", "id": contact, "q": question})
    erase(house, CONTACT, contact)
    suite.settle()
    assert everywhere(house) == []
    kept = [one["q"] for one in suite.call("search", "search.recent", {})["items"]]
    assert kept == ["tea"]
    (search,) = [one for one in receipt(house, CONTACT, contact)["stores"] if one["store"] == "search"]
    assert search["erased"]["remembered searches"] == 2
