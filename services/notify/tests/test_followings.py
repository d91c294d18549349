"""Followers are told of what others change, as far as they may see it."""

from __future__ import annotations

import io

import pytest

from chassis.context import EVERYTHING
from chassis.errors import Problem
from chassis.ids import new_id
from services.notify.followings import follow_records
from services.notify.tests.helpers import user


@pytest.fixture
def suite(suite_of):
    made = suite_of("customer", "eventlog", "notify")
    yield made
    with made.work("notify") as work:
        work.sql("DELETE FROM following_positions WHERE tenant_id = %s", (made.tenant,))


@pytest.fixture
def nancy(suite):
    return suite.context(user_id=user(suite))


def told(suite):
    suite.settle()
    follow_records(suite.runtime("notify"))
    return [one["title"] for one in suite.list("notify.notification", sort="created_at")]


def test_a_follower_is_told_once_of_what_another_changes(suite, nancy):
    account = suite.create("customer.account", {"name": "Alfreds"})
    suite.settle()
    suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    suite.update("customer.account", account["id"], {"phone": "030-1", "address": {"city": "Berlin"}})
    assert told(suite) == ["Account Alfreds: changed Phone, Address"]
    assert told(suite) == ["Account Alfreds: changed Phone, Address"]
    suite.update("customer.account", account["id"], {"phone": "030-2"}, context=nancy)
    assert len(told(suite)) == 1, "he knows what he did himself"


def test_a_follower_is_told_of_a_new_note_and_a_new_file_of_others(suite, nancy):
    account = suite.create("customer.account", {"name": "Alfreds"})
    suite.settle()
    suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    about = {"record": "customer.account", "id": account["id"]}
    text = "Prefers the phone. " * 20
    note = suite.call("customer", "child.create", {**about, "kind": "note", "data": {"text": text}})
    blob = suite.blobs.of("customer", suite.tenant).put(io.BytesIO(b"signed"))
    sent = {"data": {"name": "报价.txt"}, "blob": {"key": blob.key, "size": blob.size}}
    suite.call("customer", "child.attach", {**about, **sent})
    first, second = told(suite)
    assert first.startswith("Note Prefers the phone. Prefers") and first.endswith("…: created")
    assert second == "Attachment 报价.txt: created"
    suite.call("customer", "child.update", {**about, "kind": "note", "child": note["id"], "patch": {"pinned": True}})
    assert told(suite)[2:] == [first.replace("created", "changed Pinned")]
    mine = {"kind": "note", "data": {"text": "mine"}}
    suite.call("customer", "child.create", {**about, **mine}, context=nancy)
    assert len(told(suite)) == 3, "he knows what he wrote himself"
    assert {one["about"] for one in suite.list("notify.notification")} == {f"account/{account['id']}"}


def test_who_does_not_see_the_text_of_notes_is_told_without_it(suite, nancy):
    account = suite.create("customer.account", {"name": "Alfreds"})
    suite.settle()
    suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    suite.context(user_id=nancy.user_id, grants=EVERYTHING, masks={"customer.note": {"hidden": ["text"]}})
    about = {"record": "customer.account", "id": account["id"], "kind": "note"}
    suite.call("customer", "child.create", {**about, "data": {"text": "Secret."}})
    assert told(suite) == ["Note : created"]


def test_who_may_not_see_it_any_more_is_not_told(suite, nancy):
    account = suite.create("customer.account", {"name": "Alfreds"})
    suite.settle()
    suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    suite.context(user_id=nancy.user_id, grants={"customer.account": {"read": "own"}})
    suite.update("customer.account", account["id"], {"phone": "030-1"})
    assert told(suite) == []


def test_what_is_not_followed_or_no_longer_followed_is_silent(suite, nancy):
    account = suite.create("customer.account", {"name": "Alfreds"})
    other = suite.create("customer.account", {"name": "Other"})
    suite.settle()
    following = suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    with pytest.raises(Problem) as twice:
        suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)
    assert twice.value.code == "duplicate"
    suite.update("customer.account", other["id"], {"phone": "1"})
    suite.call("notify", "record.delete", {"record": "notify.following", "id": following["id"]}, context=nancy)
    suite.update("customer.account", account["id"], {"phone": "1"})
    assert told(suite) == []
    suite.create("notify.following", {"about": f"account/{account['id']}"}, context=nancy)


def test_who_follows_a_merged_record_follows_its_survivor_once_until_the_merge_is_taken_back(suite_of):
    # Each service that may refer to accounts takes part in a merge.
    suite = suite_of()
    nancy = suite.context(user_id=user(suite))
    winner, loser, low = (suite.create("customer.account", {"name": name})["id"] for name in ("Top", "Twin", "Low"))
    suite.settle()
    for one in (winner, loser, low):
        suite.create("notify.following", {"about": f"account/{one}"}, context=nancy)
    ned = suite.context(user_id=user(suite, email="ned@example.com"))
    suite.create("notify.following", {"about": f"account/{low}"}, context=ned)
    for into, one in ((loser, low), (winner, loser)):
        data = {"losers": [one]}
        suite.call("customer", "record.merge", {"record": "customer.account", "id": into, "data": data})
        suite.settle()
    follow_records(suite.runtime("notify"))
    before = len(suite.list("notify.notification"))
    suite.update("customer.account", winner, {"phone": "1"})
    assert len(told(suite)) == before + 2, "Nancy, who followed all of them, once; and Ned"
    suite.call("customer", "record.unmerge", {"record": "customer.account", "id": winner, "data": {}})
    told(suite)
    before = len(suite.list("notify.notification"))
    suite.update("customer.account", winner, {"phone": "2"})
    assert len(told(suite)) == before + 1, "Ned does not follow it any more"
    suite.update("customer.account", loser, {"phone": "3"})
    assert len(told(suite)) == before + 3, "Low is still merged into Twin"
    with suite.work("notify") as work:
        work.sql("DELETE FROM following_positions WHERE tenant_id = %s", (suite.tenant,))


def test_an_unknown_kind_and_following_for_others_are_refused(suite, nancy):
    with pytest.raises(Problem) as unknown:
        suite.create("notify.following", {"about": f"unicorn/{new_id()}"}, context=nancy)
    assert unknown.value.status == 422
    with pytest.raises(Problem) as others:
        suite.create("notify.following", {"about": f"account/{new_id()}", "owner_id": new_id()}, context=nancy)
    assert others.value.status in (403, 422)
