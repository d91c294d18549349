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


def test_who_may_not_read_the_record_finds_no_notes_and_who_may_only_read_it_writes_none(
    world: World, admin: Api, account: JSON
) -> None:
    note = admin.post(root(account), {"text": "Secret."})
    one = f"{root(account)}/{note['id']}"
    _, nobody = world.person(admin, "nobody", grants={"customer.account": {"read": "own"}})
    _, reader = world.person(admin, "reader", grants={"customer.account": {"read": "all"}})
    with world.untouched():
        for method, path, body in (
            ("GET", root(account), None),
            ("GET", one, None),
            ("GET", f"{one}/history", None),
            ("POST", root(account), {"text": "x"}),
            ("PATCH", one, {"text": "x"}),
            ("DELETE", one, None),
        ):
            assert_refused(nobody.send(method, path, body), 404, "not_found")
            answer = reader.send(method, path, body)
            assert answer.status == 200 if method == "GET" else assert_refused(answer, 403, "forbidden") is None
    elsewhere = admin.post("/v1/accounts", {"name": "Other"})
    assert_refused(admin.send("GET", f"{root(elsewhere)}/{note['id']}"), 404, "not_found")


def test_others_notes_are_changed_by_who_may_delete_the_record(world: World, admin: Api, account: JSON) -> None:
    grants = {"customer.account": {"read": "all", "update": "all"}}
    _, ada = world.person(admin, "ada", grants=grants)
    _, bob = world.person(admin, "bob", grants=grants)
    one = f"{root(account)}/{ada.post(root(account), {'text': 'Mine.'})['id']}"
    assert_refused(bob.send("PATCH", one, {"text": "His."}), 403, "forbidden")
    assert_refused(bob.send("DELETE", one), 403, "forbidden")
    assert ada.patch(one, {"text": "Still mine."})["version"] == 2
    assert admin.send("DELETE", one).status == 204
    assert admin.post(f"{one}/restore")["text"] == "Still mine."


def test_a_deleted_record_hides_its_notes_until_it_is_restored(admin: Api, account: JSON) -> None:
    note = admin.post(root(account), {"text": "Kept."})
    admin.send("DELETE", f"/v1/accounts/{account['id']}")
    assert_refused(admin.send("GET", root(account)), 404, "not_found")
    assert_refused(admin.send("GET", f"{root(account)}/{note['id']}"), 404, "not_found")
    admin.post(f"/v1/accounts/{account['id']}/restore")
    assert admin.get(root(account))["items"] == [note]


def test_a_merge_takes_notes_along_and_unmerging_brings_them_back(world: World, admin: Api, account: JSON) -> None:
    twin = admin.post("/v1/accounts", {"name": "Alfred's"})
    mine, his = admin.post(root(account), {"text": "mine"}), admin.post(root(twin), {"text": "his"})
    admin.post(f"/v1/accounts/{account['id']}/merge", {"losers": [twin["id"]]})
    world.settle()
    assert {note["id"] for note in admin.get(root(account))["items"]} == {mine["id"], his["id"]}
    moved = admin.send("GET", f"{root(twin)}/{his['id']}")
    assert (moved.status, moved.headers["Location"]) == (308, f"{root(account)}/{his['id']}")
    assert_refused(admin.send("POST", root(twin), {"text": "late"}), 409, "merged")
    later = admin.post(root(account), {"text": "later"})
    admin.post(f"/v1/accounts/{account['id']}/unmerge")
    world.settle()
    assert [note["text"] for note in admin.get(root(twin))["items"]] == ["his"]
    assert {note["id"] for note in admin.get(root(account))["items"]} == {mine["id"], later["id"]}


def test_the_feed_shows_notes_to_who_may_read_the_record(world: World, admin: Api, account: JSON) -> None:
    admin.post(root(account), {"text": "Told."})
    _, outsider = world.person(admin, "outsider", grants={"customer.account": {"read": "own"}, "*": {"read": "all"}})
    _, reader = world.person(admin, "reader", grants={"customer.account": {"read": "all"}})
    path = "/v1/events?types=customer.note.*"
    assert [event["data"]["text"] for event in admin.get(path)["items"]] == ["Told."]
    assert [event["type"] for event in reader.get(path)["items"]] == ["customer.note.created"]
    assert outsider.get(path)["items"] == []
    assert not [event for event in outsider.get("/v1/events?limit=500")["items"] if ".note." in event["type"]]


def test_a_mask_hides_the_text_of_notes(world: World, admin: Api, account: JSON) -> None:
    note = admin.post(root(account), {"text": "Hidden."})
    masks = {"customer.note": {"hidden": ["text"]}}
    _, api = world.person(admin, "masked", grants={"*": {"*": "all"}}, masks=masks)
    for path in (root(account), f"{root(account)}/{note['id']}", f"{root(account)}/{note['id']}/history"):
        assert "Hidden." not in api.send("GET", path).text
    assert_refused(api.send("POST", root(account), {"text": "x"}), 422, "field_read_only", "text")


def test_metadata_tells_how_notes_and_attachments_are_drawn_and_who_may_what(world: World, admin: Api) -> None:
    found = admin.get("/v1/metadata/accounts")
    notes, files = found["notes"], found["attachments"]
    assert notes["path"] == "/v1/accounts/{id}/notes"
    kinds = {field["name"]: field["type"] for field in notes["fields"]}
    assert (kinds["text"], kinds["pinned"], kinds["author_id"]) == ("text", "boolean", "ref")
    assert files["upload"]["most_bytes"] == 25 * 1024**2 and "pdf" in files["upload"]["endings"]
    (scan,) = [field for field in files["fields"] if field["name"] == "scan"]
    assert [choice["value"] for choice in scan["choices"]] == ["pending", "clean", "rejected"]
    grants = {"customer.account": {"read": "all", "update": "own"}}
    masks = {"customer.note": {"hidden": ["text"]}, "customer.attachment": {"read_only": ["description"]}}
    _, seller = world.person(admin, "seller", grants=grants, masks=masks)
    found = seller.get("/v1/metadata/accounts")
    assert found["notes"]["access"] == {
        "read": "all",
        "create": "own",
        "update": "own",
        "delete": "own",
        "others": "none",
    }
    assert "text" not in {field["name"] for field in found["notes"]["fields"]}
    description = next(one for one in found["attachments"]["fields"] if one["name"] == "description")
    assert description["writable"] == {"create": False, "update": False}
    everything = {one["collection"]: one for one in seller.get("/v1/metadata")["items"]}
    assert everything["accounts"]["notes"] == {name: found["notes"][name] for name in ("path", "access")}
    in_chinese = admin.send("GET", "/v1/metadata/accounts", headers={"Accept-Language": "zh"}).body
    assert in_chinese["notes"]["label"]["text"] == "备注"


def test_a_repeated_request_makes_one_note(admin: Api, account: JSON) -> None:
    first, second = (
        admin.send("POST", root(account), {"text": "Once."}, headers={"Idempotency-Key": "k-1"}) for _ in range(2)
    )
    assert first.text == second.text and second.headers["Idempotency-Replayed"] == "true"
    assert len(admin.get(root(account))["items"]) == 1
