"""A record that no service had yesterday has everything on its first day: each test asks for one part of it.

`site.py` and one line in the service are all that was written for sites. What is added to every record later is asked
here, or in `test_a_new_record_among_others.py`, by one test more: a route that no test shows fails there.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from chassis import migrations
from chassis.ids import new_id
from contracts.fields import instant
from tests.layer.given import file, job, look, names, refused, shows, site, three
from tests.security.world import Tenant, World

JSON = dict[str, Any]
KINDS = {
    "csv": "text/csv",
    "jsonl": "application/jsonl",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def test_its_migration_makes_the_table_that_its_declaration_wants(world: World) -> None:
    url = world.databases.url("customer", "owner")
    assert migrations.differences(url, "customer") == []


@shows("GET /")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=ÄMTER", ["Ämter"]),
        ("name.starts=cafe x", ["Café Ｘ"]),
        ("name.contains=京", ["北京店"]),
        ("kind.ne=office", ["Ämter", "北京店"]),
        ("kind.in=office,store", ["Café Ｘ"]),
        ("seats.gte=10", ["Ämter", "Café Ｘ"]),
        ("area.lt=13", ["北京店"]),
        ("rent.gt=20.5", ["Ämter", "北京店"]),
        ("opened_on.within=2026-01-01..2026-03-31", ["Ämter"]),
        ("opened_on.empty=true", ["Café Ｘ"]),
        ("languages.has=de,fr", ["Café Ｘ"]),
        ("account.city=berlin", ["Ämter"]),
        ("status=planned&heated=false", ["Ämter", "Café Ｘ", "北京店"]),
    ],
)
def test_lists_filter_by_every_kind_of_field(tenant: Tenant, query: str, found: list[str]) -> None:
    three(tenant.api)
    assert sorted(names(look(tenant.api, query))) == sorted(found)


@shows("GET /")
def test_lists_sort_by_several_fields_page_count_choose_fields_and_expand(tenant: Tenant) -> None:
    api = tenant.api
    three(api)
    query = "sort=-seats,name&limit=1&count=exact&fields=name&expand=account"
    first = api.get(f"/v1/sites?{query}")
    assert (names(first), first["count"], first["items"][0]["account"]["name"]) == (["Ämter"], 3, "Adler")
    assert set(first["items"][0]) == {"id", "version", "name", "account"}
    site(api, "Before it", seats=99)
    second = api.get(f"/v1/sites?{query}&after={first['next']}")
    assert names(second) == ["Café Ｘ"]
    assert names(api.get(f"/v1/sites?{query}&after={second['next']}")) == ["北京店"]
    refused(api.send("GET", "/v1/sites?colour=red"), 400, "unknown_parameter", "colour")
    refused(api.send("GET", "/v1/sites?seats.contains=1"), 400, "unknown_parameter", "seats.contains")


@shows("POST /search", "POST /aggregate")
def test_trees_of_conditions_and_sums_by_group(tenant: Tenant) -> None:
    api = tenant.api
    three(api)
    tree = {"or": [{"field": "seats", "op": "lt", "value": 5}, {"not": {"field": "kind", "value": "shop"}}]}
    assert names(api.post("/v1/sites/search", {"filter": tree, "sort": "name"})) == ["Café Ｘ", "北京店"]
    asked = {
        "filter": {"field": "seats", "op": "gte", "value": 1},
        "group_by": ["opened_on:quarter"],
        "measures": [{"fn": "count"}, {"fn": "sum", "field": "rent"}, {"fn": "avg", "field": "seats"}],
        "order": ["-sum_rent"],
    }
    rows = api.post("/v1/sites/aggregate", asked)["items"]
    assert [(row["group"]["opened_on:quarter"], row["measures"]["sum_rent"]) for row in rows] == [
        ("2026-04-01", "300.00"),
        ("2026-01-01", "100.00"),
        (None, "20.50"),
    ]
    assert [row["measures"]["count"] for row in rows] == [1, 1, 1]


@shows("POST /", "GET /{id}", "PATCH /{id}")
def test_it_is_made_read_and_changed_and_two_writers_meet(tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "Depot", rooms=[{"name": "Hall", "area": "80"}], address={"city": "Kiel", "street": "Am Kai"})
    path, version = f"/v1/sites/{made['id']}", {"If-Match": '"1"'}
    assert api.send("GET", path).headers["etag"] == '"1"'
    (hall,) = made["rooms"]
    mine = {"seats": 5, "rooms": [{"id": hall["id"], "area": "81"}], "address": {"city": "Lübeck"}}
    api.patch(path, mine, headers=version)
    # Another field, another cell of the same line, another member of the address: both edits stay.
    theirs = {"heated": True, "rooms": [{"id": hall["id"], "name": "Great hall"}], "address": {"street": "Am Markt"}}
    both = api.patch(path, theirs, headers=version)
    assert (both["version"], both["seats"], both["heated"]) == (3, 5, True)
    assert both["rooms"] == [{"id": hall["id"], "name": "Great hall", "area": "81"}]
    assert (both["address"]["city"], both["address"]["street"]) == ("Lübeck", "Am Markt")
    clash = refused(api.send("PATCH", path, {"seats": 6}, headers=version), 412, "version_conflict", "seats")
    assert [clash.body[side]["seats"] for side in ("base", "mine", "theirs")] == [None, 6, 5]
    assert api.patch(path, {"seats": 5})["version"] == 3, "what changes nothing makes no version"
    refused(api.send("PATCH", path, {"seats": -1}), 422, "invalid", "seats")
    refused(api.send("POST", "/v1/sites", {}), 422, "invalid", "name")
    refused(api.send("PATCH", path, {"account_id": new_id()}), 422, "unknown_reference", "account_id")


@shows("PATCH /{id}")
@pytest.mark.parametrize("meanwhile", [False, True])
def test_an_edit_of_a_line_means_the_same_whether_or_not_another_line_was_changed_meanwhile(
    tenant: Tenant, meanwhile: bool
) -> None:
    api = tenant.api
    made = site(api, "Depot", rooms=[{"name": "Hall", "area": "80"}, {"name": "Yard", "area": "9"}, {"name": "Attic"}])
    hall, yard, attic = (room["id"] for room in made["rooms"])
    path = f"/v1/sites/{made['id']}"
    if meanwhile:
        api.patch(path, {"rooms": [{"id": hall}, {"id": yard}, {"id": attic, "name": "Loft"}]})
    # The hall keeps its name, the area of the yard is taken away, and a line that is missing is removed.
    mine = [{"id": hall, "area": "81"}, {"id": yard, "area": None}, *([{"id": attic}] if meanwhile else [])]
    changed = api.patch(path, {"rooms": mine}, headers={"If-Match": '"1"'})
    assert [(room["name"], room["area"]) for room in changed["rooms"]] == [
        ("Hall", "81"),
        ("Yard", None),
        *([("Loft", None)] if meanwhile else []),
    ]


@shows("POST /")
def test_a_repeated_request_has_one_effect_and_the_same_answer(tenant: Tenant) -> None:
    key = {"Idempotency-Key": new_id()}
    first, second = (tenant.api.send("POST", "/v1/sites", {"name": "Once"}, headers=key) for _ in range(2))
    assert (first.status, second.status, first.text) == (201, 201, second.text)
    assert second.headers["idempotency-replayed"] == "true"
    assert len(names(tenant.api.get("/v1/sites"))) == 1
    refused(tenant.api.send("POST", "/v1/sites", {"name": "Two"}, headers=key), 422, "idempotency_mismatch")


@shows("POST /bulk")
def test_many_are_written_at_once_all_or_each_for_itself(tenant: Tenant) -> None:
    api = tenant.api
    items = [{"op": "create", "data": {"name": "Good"}}, {"op": "create", "data": {"name": "Bad", "seats": -1}}]
    refused(api.send("POST", "/v1/sites/bulk", {"atomic": True, "items": items}), 422, "invalid", "items.1.seats")
    assert names(api.get("/v1/sites")) == []
    answer = api.post("/v1/sites/bulk", {"items": items})
    assert [item["status"] for item in answer["items"]] == [201, 422]
    assert names(api.get("/v1/sites")) == ["Good"]


@shows("POST /bulk-jobs")
def test_a_filter_changes_exactly_the_previewed_set_and_it_is_undone(world: World, tenant: Tenant) -> None:
    api = tenant.api
    old, other = site(api, "Old", seats=1), site(api, "Other", seats=2)
    where = {"field": "seats", "value": 1}
    change = {"action": "update", "filter": where, "patch": {"seats": 7}}
    seen = job(world, api, api.post("/v1/sites/bulk-jobs", change))
    assert (seen["result"]["count"], seen["result"]["sample"][0]["id"]) == (1, old["id"])
    late = site(api, "Late", seats=1)
    ran = job(world, api, api.post(f"/v1/jobs/{seen['id']}/run"))
    assert ran["result"]["done"] == 1
    seats = {one["name"]: one["seats"] for one in api.get("/v1/sites")["items"]}
    assert seats == {"Old": 7, "Other": 2, "Late": 1}, (other, late)
    job(world, api, api.post(f"/v1/jobs/{ran['id']}/undo"))
    assert api.get(f"/v1/sites/{old['id']}")["seats"] == 1


@shows("POST /export", "POST /import")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_exported_is_imported_as_it_was(world: World, tenant: Tenant, kind: str) -> None:
    api = tenant.api
    made = three(api)[1]
    api.patch(f"/v1/sites/{made['id']}", {"rooms": [{"name": "Salle"}], "external_ids": {"erp": "7"}, "tags": ["vip"]})
    before = api.get(f"/v1/sites/{made['id']}")
    done = job(world, api, api.post("/v1/sites/export", {"format": kind, "style": "machine"}))
    content = file(api, done["result_url"])
    changed = {"name": "Gone", "rent": None, "rooms": [], "languages": [], "tags": [], "account_id": None, "seats": 1}
    api.patch(f"/v1/sites/{made['id']}", changed)
    path = "/v1/sites/import?mode=update&match=id"
    sent = api.send("POST", path, raw=content, headers={"Content-Type": KINDS[kind]})
    result = job(world, api, sent.body)["result"]
    assert [result[word] for word in ("created", "updated", "unchanged", "rejected")] == [0, 1, 2, 0]
    after = api.get(f"/v1/sites/{made['id']}")
    moving = ("version", "updated_at", "updated_by")
    assert {name: value for name, value in after.items() if name not in moving} == {
        name: value for name, value in before.items() if name not in moving
    }


@shows(
    "POST /import",
    "GET /import/mappings",
    "PUT /import/mappings/{name}",
    "GET /import/mappings/{name}",
    "DELETE /import/mappings/{name}",
)
def test_a_strangers_file_is_imported_by_a_saved_mapping_and_its_bad_rows_come_back(
    world: World, tenant: Tenant
) -> None:
    api = tenant.api
    api.post("/v1/accounts", {"name": "Adler"})
    mapping = {"columns": {"Firma": "account_id"}, "formats": {"opened_on": "DD.MM.YYYY"}}
    api._good(api.send("PUT", "/v1/sites/import/mappings/old", mapping))
    assert api.get("/v1/sites/import/mappings/old")["mapping"]["columns"] == mapping["columns"]
    assert [one["name"] for one in api.get("/v1/sites/import/mappings")["items"]] == ["old"]
    content = "名称;座位数;Firma;Opened on\n北京店;12;Adler;24.12.2026\nBad;many;Adler;\n".encode("gb18030")
    path = "/v1/sites/import?mode=create&mapping=old"
    sent = api.send("POST", path, raw=content, headers={"Content-Type": "text/csv"})
    done = job(world, api, sent.body)
    assert (done["result"]["created"], done["result"]["rejected"]) == (1, 1)
    (made,) = api.get("/v1/sites?expand=account")["items"]
    assert (made["name"], made["seats"], made["opened_on"]) == ("北京店", 12, "2026-12-24")
    assert made["account"]["name"] == "Adler"
    (bad,) = csv.DictReader(io.StringIO(file(api, done["errors_url"]).decode("utf-8-sig")))
    assert (bad["名称"], bad["#line"]) == ("Bad", "3")
    assert api.send("DELETE", "/v1/sites/import/mappings/old").status == 204


def test_a_tenants_own_field_is_filtered_sorted_kept_in_history_searched_and_masked(
    world: World, tenant: Tenant
) -> None:
    api = tenant.api
    field = {"applies_to": "sites", "name": "colour", "type": "text", "searchable": True, "label": {"en": "Colour"}}
    api.post("/v1/custom-fields", field)
    world.settle()
    made = site(api, "A", custom={"colour": "Zinnober"})
    site(api, "B", custom={"colour": "Azure"})
    world.settle()
    assert names(api.get("/v1/sites?custom.colour=ZINNOBER")) == ["A"]
    assert names(api.get("/v1/sites?sort=custom.colour")) == ["B", "A"]
    api.patch(f"/v1/sites/{made['id']}", {"custom": {"colour": "Red"}})
    (latest, _) = api.get(f"/v1/sites/{made['id']}/history")["items"]
    assert latest["changes"] == [{"field": "custom.colour", "from": "Zinnober", "to": "Red"}]
    assert [hit["title"] for hit in api.get("/v1/search?q=azure&types=site")["items"]] == ["B"]
    assert "colour" in [one["name"].rpartition(".")[2] for one in api.get("/v1/metadata/sites")["custom_fields"]]


@shows("GET /{id}/history", "GET /{id}", "DELETE /{id}", "POST /{id}/restore", "POST /{id}/purge", "GET /changes")
def test_its_past_is_read_and_outlives_it_and_it_comes_back(world: World, tenant: Tenant) -> None:
    api = tenant.api
    made = site(api, "Before", email="a@example.com")
    path = f"/v1/sites/{made['id']}"
    world.suite.clock.forward(seconds=5)
    api.patch(path, {"name": "After"})
    world.suite.clock.forward(seconds=5)
    refused(api.send("DELETE", path, headers={"If-Match": '"1"'}), 412, "version_conflict")
    assert api.send("DELETE", path, headers={"If-Match": '"2"'}).status == 204
    refused(api.send("GET", path), 404, "not_found")
    world.settle()
    history = api.get(f"{path}/history")["items"]
    assert [one["type"].rpartition(".")[2] for one in history] == ["deleted", "updated", "created"]
    assert history[1]["actor"].startswith("key:") and history[1]["cause"].startswith("request")
    assert history[1]["changes"] == [{"field": "name", "from": "Before", "to": "After"}]
    assert names(api.get("/v1/sites")) == [] and names(api.get("/v1/sites?deleted=only")) == ["After"]
    (tombstone,) = api.get("/v1/sites/changes?after=0")["items"]
    assert (tombstone["id"], tombstone["deleted"], tombstone["record"]) == (made["id"], True, None)
    assert api.post(f"{path}/restore")["version"] == 4
    then = api.get(f"{path}?as_of={made['created_at']}")
    assert (then["name"], then["email"], then["version"]) == ("Before", "a@example.com", 1)
    refused(api.send("POST", f"{path}/purge"), 409, "not_deleted")
    assert api.send("DELETE", path).status == 204
    assert api.send("POST", f"{path}/purge", {"reason": "asked for"}).status == 204
    assert names(api.get("/v1/sites?deleted=only")) == []


def test_what_it_refers_to_takes_it_along_stays_for_it_or_goes_alone(world: World, tenant: Tenant) -> None:
    api = tenant.api
    account = api.post("/v1/accounts", {"name": "Adler"})["id"]
    contact = api.post("/v1/contacts", {"name": "Ada"})["id"]
    whole = site(api, "Whole", account_id=account, contact_id=contact)
    part = site(api, "Part", parent_id=whole["id"])
    refusal = refused(api.send("DELETE", f"/v1/sites/{whole['id']}"), 409, "referenced")
    assert refusal.body["references"] == [{"collection": "sites", "count": 1}]
    assert api.send("DELETE", f"/v1/contacts/{contact}").status == 204
    world.settle()
    shown = look(api, f"id={whole['id']}&expand=contact")["items"][0]
    assert (shown["contact_id"], shown["contact"]["deleted"]) == (contact, True)
    api.patch(f"/v1/sites/{part['id']}", {"parent_id": None})
    assert api.send("DELETE", f"/v1/accounts/{account}").status == 204
    world.settle()
    assert names(api.get("/v1/sites")) == ["Part"]
    (deleted, *_) = api.get(f"/v1/sites/{whole['id']}/history")["items"]
    assert (deleted["type"], deleted["cause"]) == ("customer.site.deleted", f"delete:account/{account}")
    api.post(f"/v1/accounts/{account}/restore")
    world.settle()
    assert sorted(names(api.get("/v1/sites"))) == ["Part", "Whole"]


def test_its_list_is_read_as_it_was_by_its_fields(world: World, tenant: Tenant) -> None:
    api = tenant.api
    first = site(api, "Before", seats=3)
    site(api, "Small", seats=1)
    world.suite.clock.forward(seconds=5)
    then = instant(world.suite.clock.now())
    world.suite.clock.forward(seconds=5)
    api.patch(f"/v1/sites/{first['id']}", {"name": "After", "seats": 1})
    site(api, "New", seats=9)
    assert names(look(api, f"as_of={then}&seats.gte=2&sort=name")) == ["Before"]
    assert names(look(api, "seats.gte=2&sort=name")) == ["New"]


@shows("GET /by-external/{system}/{key}", "PUT /by-external/{system}/{key}")
def test_other_systems_find_and_write_it_by_their_key(tenant: Tenant) -> None:
    api, path = tenant.api, "/v1/sites/by-external/erp/S-1"
    assert [api.send("PUT", path, {"name": name}).status for name in ("New", "Known")] == [201, 200]
    assert api.get(path)["name"] == "Known"
    refused(api.send("POST", "/v1/sites", {"name": "X", "external_ids": {"erp": "S-1"}}), 409, "external_id_taken")


@shows("POST /{id}/open")
def test_its_command_moves_its_state_and_gives_a_number_by_the_tenants_rule(world: World, tenant: Tenant) -> None:
    api = tenant.api
    first, second = site(api, "A"), site(api, "B")
    opened = api.post(f"/v1/sites/{first['id']}/open")
    year = world.suite.clock.now().year
    assert (opened["status"], opened["number"]) == ("open", f"ST-{year}-0001")
    refused(api.send("POST", f"/v1/sites/{first['id']}/open"), 409, "wrong_state")
    (rule,) = api.get("/v1/numbering-rules?applies_to=sites")["items"]
    api.patch(f"/v1/numbering-rules/{rule['id']}", {"pattern": "S{yy}/{seq:03}"})
    world.settle()
    assert api.post(f"/v1/sites/{second['id']}/open")["number"] == f"S{year % 100}/002"
