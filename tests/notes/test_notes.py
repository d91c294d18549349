"""Notes of any record: what they hold, who may see and change them, and what happens to them with their record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.security.refusals import assert_refused
from tests.security.world import Api, World

JSON = dict[str, Any]


@pytest.fixture
def account(admin: Api) -> JSON:
    made: JSON = admin.post("/v1/accounts", {"name": "Alfreds"})
    return made


def root(account: JSON) -> str:
    return f"/v1/accounts/{account['id']}/notes"


def test_a_note_is_a_record_with_versions_and_a_history(world: World, admin: Api, account: JSON) -> None:
    made = admin.send("POST", root(account), {"text": "Prefers the phone.\n电话联系"})
    assert made.status == 201 and made.headers["ETag"] == '"1"', made
    one = made.headers["Location"]
    assert one == f"{root(account)}/{made.body['id']}"
    assert (made.body["about_type"], made.body["about_id"]) == ("account", account["id"])
    assert made.body["author_id"] == account["owner_id"] and made.body["edited_at"] is None
    changed = admin.send("PATCH", one, {"text": "Prefers mail."}, headers={"If-Match": '"1"'})
    assert changed.status == 200 and changed.headers["ETag"] == '"2"' and changed.body["edited_at"] is not None
    stale = admin.send("PATCH", one, {"text": "Writes letters."}, headers={"If-Match": '"1"'})
    assert_refused(stale, 412, "version_conflict", "text")
    versions = admin.get(f"{one}/history")["items"]
    assert [version["version"] for version in versions] == [2, 1]
    assert admin.get(f"{one}?as_of={made.body['updated_at']}")["text"] == "Prefers the phone.\n电话联系"
    assert admin.get(root(account))["items"] == [admin.get(one)]


def test_pinned_notes_come_first_where_they_are_asked_for_first(admin: Api, account: JSON) -> None:
    texts = ("first", "second", "third")
    notes = {text: admin.post(root(account), {"text": text, "pinned": text == "first"}) for text in texts}
    assert [note["text"] for note in admin.get(root(account))["items"]] == ["third", "second", "first"]
    pinned = admin.get(f"{root(account)}?sort=-pinned,-created_at&fields=text")["items"]
    assert [note["text"] for note in pinned] == ["first", "third", "second"]
    page = admin.get(f"{root(account)}?limit=2&count=exact")
    assert (len(page["items"]), page["count"]) == (2, 3)
    assert admin.get(f"{root(account)}?limit=2&after={page['next']}")["items"] == [notes["first"]]
