"""What others have of a new record: readers with their grants, search, followers, webhooks, twins, documents."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from contracts.erasing import PARTICIPANTS
from contracts.publish import documents
from contracts.registry import registry
from services.notify.followings import follow_records
from services.notify.service import Notify
from services.notify.tests.helpers import Receiver
from services.notify.webhook_sending import Sender
from tests.layer import test_a_new_record
from tests.layer.given import eur, fits, job, look, names, refused, shows, site, three
from tests.layer.given import file as exported
from tests.security.world import Api, Tenant, World

JSON = dict[str, Any]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GUANXI_EGRESS_OPEN", "127.0.0.0/8")
    made = Receiver()
    yield made
    made.close()


def own(route: str) -> bool:
    """A route of the record itself. Notes and attachments are records of their own below it, with own tests."""
    pieces = route.split("/")
    return pieces[2:3] == ["sites"] and pieces[4:5] not in (["notes"], ["attachments"])


def of_team(world: World, api: Api, user_id: str) -> str:
    team = api.post("/v1/teams", {"name": "North"})["id"]
    api.patch(f"/v1/users/{user_id}", {"member_of": [team]})
    world.settle()
    return str(team)


def test_grants_of_own_team_and_all_bound_every_way_of_reading_and_writing(world: World, tenant: Tenant) -> None:
    api = tenant.api
    all_read = {"read": "all", "create": "own", "update": "own"}
    ann_id, ann = world.person(api, "ann", grants={"customer.site": {"read": "own", "create": "own", "update": "own"}})
    bob_id, bob = world.person(api, "bob", grants={"customer.site": {"read": "team", "update": "none"}})
    _, all_seeing = world.person(api, "cyd", grants={"customer.site": all_read})
    _, nobody = world.person(api, "dan", grants={})
    team = of_team(world, api, bob_id)
    anns, teams, third = site(ann, "Ann's"), site(api, "Team's", team_id=team), site(api, "Third", seats=5)
    world.settle()
    for reader, seen in ((ann, ["Ann's"]), (bob, ["Team's"]), (all_seeing, ["Ann's", "Team's", "Third"]), (nobody, [])):
        assert names(reader.get("/v1/sites?sort=name")) == seen
        assert reader.get("/v1/sites?count=exact&limit=1")["count"] == len(seen)
        assert [one["measures"]["count"] for one in reader.post("/v1/sites/aggregate", {"measures": [{"fn": "count"}]})["items"]] in ([len(seen)], [])  # fmt: skip  # noqa: E501
        readable = [one for one in (anns, teams, third) if reader.send("GET", f"/v1/sites/{one['id']}").status == 200]
        assert [one["name"] for one in readable] == seen
        told = {event["data"]["name"] for event in reader.get("/v1/events?after=0&types=customer.site.*")["items"]}
        assert told == set(seen)
    assert ann_id == anns["owner_id"]
    refused(all_seeing.send("PATCH", f"/v1/sites/{third['id']}", {"seats": 1}), 403, "forbidden")
    refused(ann.send("PATCH", f"/v1/sites/{third['id']}", {"seats": 1}), 404, "not_found")
    refused(nobody.send("POST", "/v1/sites", {"name": "X"}), 403, "forbidden")
    denied = bob.post("/v1/sites/bulk", {"items": [{"op": "update", "id": teams["id"], "data": {"seats": 1}}]})
    assert denied["items"][0]["status"] == 403


def test_hidden_and_read_only_fields_are_so_everywhere(world: World, tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "A", rent=eur("9"), email="a@example.com")
    masks = {"customer.site": {"hidden": ["rent"], "read_only": ["email"]}}
    _, ann = world.person(api, "ann", grants={"customer.site": {"*": "all"}}, masks=masks)
    path = f"/v1/sites/{made['id']}"
    assert "rent" not in ann.get(path) and ann.get(path)["email"] == "a@example.com"
    assert "rent" not in ann.get("/v1/sites")["items"][0]
    for query in ("rent.gt=1", "sort=rent", "fields=rent"):
        assert ann.send("GET", f"/v1/sites?{query}").status == 400, query
    assert all(change["field"] != "rent" for one in ann.get(f"{path}/history")["items"] for change in one["changes"])
    refused(ann.send("PATCH", path, {"email": "b@example.com"}), 422, "field_read_only", "email")
    (event,) = ann.get("/v1/events?after=0&types=customer.site.created")["items"]
    assert "rent" not in event["data"]
    done = job(world, ann, ann.post("/v1/sites/export", {"format": "csv", "style": "machine"}))
    fields = {one["name"]: one for one in ann.get("/v1/metadata/sites")["fields"]}
    assert "rent" not in fields and done["state"] == "succeeded"
    assert not fields["email"]["writable"]["update"]


def test_another_tenant_sees_nothing_of_it(world: World, tenant: Tenant) -> None:
    made = site(tenant.api, "Mine")
    other = world.tenant("other").api
    refused(other.send("GET", f"/v1/sites/{made['id']}"), 404, "not_found")
    refused(other.send("PATCH", f"/v1/sites/{made['id']}", {"name": "X"}), 404, "not_found")
    assert names(other.get("/v1/sites")) == []
    assert world.rows("customer", f"SELECT name FROM sites WHERE id = '{made['id']}'") == [("Mine",)]


def test_search_finds_it_by_what_its_declaration_weighs(world: World, tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "北京中关村店", email="hello@zgc.example")
    site(api, "Elsewhere", notes="中关村")
    world.settle()
    for words in ("中关村", "hello@zgc.example", "zhongguancun"):
        (hit,) = api.get(f"/v1/search?q={quote(words)}")["items"]
        assert (hit["type"], hit["id"], hit["title"], hit["version"]) == ("site", made["id"], "北京中关村店", 1), words
    api.send("DELETE", f"/v1/sites/{made['id']}")
    world.settle()
    assert api.get(f"/v1/search?q={quote('中关村')}")["items"] == []


def test_each_change_is_one_event_with_what_changed(world: World, tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "A", seats=1)
    api.patch(f"/v1/sites/{made['id']}", {"seats": 2})
    api.post(f"/v1/sites/{made['id']}/open")
    api.send("DELETE", f"/v1/sites/{made['id']}")
    world.settle()
    # Order is not promised: a consumer goes by the versions.
    events = sorted(api.get("/v1/events?after=0&types=customer.site.*")["items"], key=lambda one: one["version"])
    assert [(one["type"], one["version"]) for one in events] == [
        ("customer.site.created", 1),
        ("customer.site.updated", 2),
        ("customer.site.opened", 3),
        ("customer.site.deleted", 4),
    ]
    assert (events[1]["data"]["changed"], events[1]["data"]["previous"]) == (["seats"], {"seats": 1})
    assert events[0]["subject"] == f"site/{made['id']}" and events[0]["actor"].startswith("key:")


def test_a_webhook_and_a_follower_are_told_of_it(world: World, tenant: Tenant, receiver: Receiver) -> None:
    api = tenant.api
    made = site(api, "A")
    world.settle()
    _, ann = world.person(api, "ann", grants={"customer.site": {"read": "all"}, "notify.following": {"*": "own"}, "notify.notification": {"read": "own"}})  # fmt: skip  # noqa: E501
    ann.post("/v1/followings", {"about": f"site/{made['id']}"})
    hook = {"name": "ERP", "url": receiver.url, "types": ["customer.site.*"], "user_id": tenant.user_id}
    hook = api.post("/v1/webhooks", hook)
    api.patch(f"/v1/sites/{made['id']}", {"seats": 4})
    world.settle()
    notify, sender = world.suite.runtime("notify"), Sender(Notify.following)
    Notify.following.follow(notify)
    while sender.deliver_next(notify, tenant.id, hook["id"]):
        pass
    follow_records(notify)
    assert [(one["type"], one["data"]["seats"]) for one in receiver.events()] == [("customer.site.updated", 4)]
    assert [one["title"] for one in ann.get("/v1/notifications")["items"]] == ["Site A: changed Seats"]


def test_it_is_tagged_and_looked_at_through_saved_views(tenant: Tenant) -> None:
    api = tenant.api
    made = three(api)[0]
    api.patch(f"/v1/sites/{made['id']}", {"tags": ["vip", "北京"]})
    assert names(look(api, "tags.has=vip,北京")) == ["Ämter"]
    view = {"name": "Large", "applies_to": "sites", "columns": ["name", "account.city"], "sort": "-seats",
            "where": {"field": "seats", "op": "gte", "value": 5}}  # fmt: skip
    kept = api.post("/v1/views", view)
    seen = api.post("/v1/sites/search", {"filter": kept["where"], "sort": f"{kept['sort']},name"})
    assert names(seen) == ["Ämter", "Café Ｘ"]
    refused(api.send("POST", "/v1/views", {**view, "columns": ["shoe"]}), 422, "invalid", "columns.0")


@shows(
    "GET /{id}/duplicates",
    "POST /{id}/merge",
    "POST /{id}/unmerge",
    "GET /{id}/merges",
    "GET /{id}/saga",
)
def test_twins_are_found_merged_and_parted_again(world: World, tenant: Tenant) -> None:
    api = tenant.api
    winner = site(api, "Zimt GmbH", email="a@zimt.example", external_ids={"erp": "1"})
    loser = site(api, "ZIMT", seats=8, external_ids={"shop": "2"})
    part = site(api, "Hall", parent_id=loser["id"])
    world.settle()
    path, lost, held = (f"/v1/sites/{one['id']}" for one in (winner, loser, part))
    before = {one: api.get(one) for one in (path, lost, held)}
    (twin,) = api.get(f"{path}/duplicates")["items"]
    assert (twin["record"]["id"], twin["reasons"][0]["field"]) == (loser["id"], "name")
    merge_id = api.post(f"{path}/merge", {"losers": [loser["id"]]})["merge_id"]
    world.settle()
    survivor = api.get(path)
    assert (survivor["seats"], survivor["external_ids"]) == (8, {"erp": "1", "shop": "2"})
    answer = api.send("GET", lost)
    assert (answer.status, answer.headers["location"], answer.headers["cache-control"]) == (308, path, "no-store")
    assert api.get(held)["parent_id"] == winner["id"]
    assert api.get(f"{path}/merges")["items"][0]["state"] == "merged"
    assert api.get(f"{path}/saga")["state"]
    api.post(f"{path}/unmerge", {"merge_id": merge_id})
    world.settle()
    moving = ("version", "updated_at", "updated_by")
    for one, document in before.items():
        after = api.get(one)
        assert {n: v for n, v in after.items() if n not in moving} == {
            n: v for n, v in document.items() if n not in moving
        }


@shows("POST /{id}/erase", "GET /{id}/erasure")
def test_the_person_behind_it_is_erased_with_a_receipt(world: World, tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "Zora's", email="zora@quist.example", notes="Zora lives here", seats=4)
    world.settle()
    path = f"/v1/sites/{made['id']}"
    assert api.send("POST", f"{path}/erase", {"reason": "She asked"}).status == 202
    world.settle()
    told = api.get(f"{path}/erasure")
    assert (told["state"], [one["store"] for one in told["stores"]]) == ("erased", list(PARTICIPANTS))
    left = api.get(path)
    assert (left["name"], left["email"], left["notes"], left["seats"]) == ("Zora's", None, None, 4)
    assert "zora@quist" not in str(api.get(f"{path}/history")) + str(
        api.get("/v1/events?after=0&types=customer.site.*")
    )


def test_notes_and_files_hang_on_it_and_follow_its_permissions(world: World, tenant: Tenant) -> None:
    api = tenant.api
    path = f"/v1/sites/{site(api, 'A')['id']}"
    note = api.post(f"{path}/notes", {"text": "The key is next door."})
    assert api.patch(f"{path}/notes/{note['id']}", {"pinned": True})["version"] == 2
    sent = {"raw": b"ground floor", "headers": {"Content-Type": "text/plain"}, "query": "name=plan.txt"}
    file = api.send("POST", f"{path}/attachments", **sent)
    assert (file.status, file.body["content_type"]) == (201, "text/plain")
    assert api.send("GET", f"{path}/attachments/{file.body['id']}/content").text == "ground floor"
    _, stranger = world.person(api, "ann", grants={"customer.site": {"read": "own"}})
    _, reader = world.person(api, "bob", grants={"customer.site": {"read": "all"}})
    refused(stranger.send("GET", f"{path}/notes"), 404, "not_found")
    assert [one["text"] for one in reader.get(f"{path}/notes")["items"]] == ["The key is next door."]
    refused(reader.send("POST", f"{path}/notes", {"text": "Mine"}), 403, "forbidden")
    world.settle()
    ended = job(world, reader, reader.post(f"{path}/notes/export", {"format": "jsonl", "style": "machine"}))
    assert b"The key is next door." in exported(reader, ended["result_url"])


def test_its_forms_lists_and_refusals_are_described_in_two_languages(tenant: Tenant) -> None:
    api = tenant.api
    chinese = {"Accept-Language": "zh-CN,en;q=0.5"}
    about = api.get("/v1/metadata/sites", headers=chinese)
    fields = {one["name"]: one for one in about["fields"]}
    assert (about["label"]["text"], fields["seats"]["label"]["text"]) == ("场所", "座位数")
    assert [one["label"]["text"] for one in fields["kind"]["choices"]] == ["店铺", "办公室", "仓库"]
    assert fields["name"]["required"] and fields["account_id"]["target"] == "customer.account"
    answer = api.send("POST", "/v1/sites", {"name": "X", "seats": -1}, headers=chinese)
    refused(answer, 422, "invalid", "seats")
    assert answer.headers["content-language"] == "zh" and not answer.body["errors"][0]["message"].isascii()


def test_it_is_in_the_published_documents(world: World) -> None:
    made = documents()
    paths = made["openapi.json"]["paths"]
    routed = {route for route in world.routes() if own(route)}
    assert routed == {path for path in paths if path.split("/")[2:3] == ["sites"]}
    assert "customer.site.opened" in str(made["asyncapi.json"]["channels"])
    assert {f"events/customer.site.{verb}.schema.json" for verb in ("created", "opened", "merged")} <= made.keys()
    assert set(made["events/customer.site.created.schema.json"]["properties"]) >= {"rooms"}


def test_every_route_of_it_is_shown_by_a_test(world: World) -> None:
    modules = (test_a_new_record, __import__(__name__, fromlist=["x"]))
    shown = {
        tuple(one.split(" "))
        for module in modules
        for test in vars(module).values()
        for mark in getattr(test, "pytestmark", ())
        if mark.name == "shows"
        for one in mark.args
    }
    routed = {(method, route) for route, methods in world.routes().items() for method in methods if own(route)}
    assert {
        one for one in routed if not any(one[0] == method and fits(path, one[1]) for method, path in shown)
    } == set()
    assert registry.collections["sites"].operations >= {"merge", "import"}
