"""From a route to the remote call and back to the answer."""

from __future__ import annotations

import pytest

from chassis.errors import Problem, conflict, invalid, not_found
from gateway.tests.conftest import ID, USER

OTHER = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4c"


def test_a_list_becomes_one_query(client, bus):
    bus.answers["record.list"] = {"status": 200, "body": {"items": [], "next": None}}
    answer = client.simulate_get(
        "/v1/accounts",
        query_string=f"kind.in=customer,partner&credit_limit.gte=1000&credit_limit.lt=2000&id.in={ID}&name=M%C3%BCller+%E5%85%B3"
        "&sort=-created_at&limit=10&after=abc&fields=name,city&expand=owner&count=exact&deleted=include",
    )
    assert answer.json == {"items": [], "next": None}
    assert "ETag" not in answer.headers
    service, request, _ = bus.asked()[0]
    assert (service, request["method"], request["key"], request["route"]) == ("customer", "record.list", None, "")
    assert request["params"] == {
        "record": "customer.account",
        "query": {
            "where": [
                ["kind", "in", "customer,partner"],
                ["credit_limit", "gte", "1000"],
                ["credit_limit", "lt", "2000"],
                ["id", "in", ID],
                ["name", "eq", "Müller 关"],
            ],
            "filter": None,
            "sort": "-created_at",
            "limit": 10,
            "after": "abc",
            "fields": ["name", "city"],
            "expand": ["owner"],
            "count": "exact",
            "deleted": "include",
        },
    }


@pytest.mark.parametrize(
    "query",
    [
        "created_at.gte=2026-01-01T00:00:00Z",
        "updated_at.lt=2026-01-01T00:00:00%2B08:00",
        "next_action_on.empty=true",
        "email.contains=@example",
        "name.starts=%E5%85%B3",
        f"owner_id={USER}",
        "created_at.within=this-quarter",
        "next_action_on.within=2026-01-01..2026-02-28",
        "phone.contains=49",
        "owner.name=Ann",
        "team.name.starts=S",
        "sort=-name",
        "sort=-city,name,phone,-kind",
        "limit=200",
        "",
    ],
)
def test_declared_and_standard_fields_can_be_filtered_and_sorted(client, bus, query):
    assert client.simulate_get("/v1/accounts", query_string=query).status_code == 200
    assert bus.last["method"] == "record.list"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/products", "discontinued=false"),
        ("/v1/orders", "number=SO-2026-00001&sort=number"),
        ("/v1/point-accounts", "balance.gt=-5"),
        ("/v1/stock-levels", "on_hand.gte=1.5"),
    ],
)
def test_flags_and_numbers_of_a_query_string_need_no_json_type(client, path, query):
    assert client.simulate_get(path, query_string=query).status_code == 200


def test_unencoded_utf8_in_a_query_string_is_read(client, bus):
    client.simulate_get("/v1/accounts", query_string="name=" + "关系".encode().decode("latin-1"))
    assert bus.last["params"]["query"]["where"] == [["name", "eq", "关系"]]


def test_a_search_body_becomes_the_same_query(client, bus):
    tree = {"field": "name", "op": "starts", "value": "关"}
    client.simulate_post(
        "/v1/accounts/search", json={"filter": tree, "sort": "name", "limit": 5, "fields": ["name"], "count": None}
    )
    query = bus.last["params"]["query"]
    assert (bus.last["method"], query["where"], query["filter"]) == ("record.list", [], tree)
    assert (query["sort"], query["limit"], query["fields"], query["count"]) == ("name", 5, ["name"], None)


def test_reading_one_gives_its_version_as_etag_and_is_never_stored(client, bus):
    bus.answers["record.get"] = {"status": 200, "body": {"id": ID, "version": 7, "name": "关系"}, "etag": "7"}
    answer = client.simulate_get(f"/v1/accounts/{ID.upper()}")
    assert bus.last["params"] == {"record": "customer.account", "id": ID}
    assert answer.headers["ETag"] == '"7"'
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.json["name"] == "关系"


def test_reading_one_passes_expand_fields_and_the_moment_on(client, bus):
    client.simulate_get(
        f"/v1/orders/{ID}", params={"expand": "account", "fields": "number,total", "as_of": "2026-01-01T00:00:00Z"}
    )
    assert bus.last["params"] == {
        "record": "sales.order",
        "id": ID,
        "expand": ["account"],
        "fields": ["number", "total"],
        "as_of": "2026-01-01T00:00:00Z",
    }


def test_a_create_passes_the_original_json_and_answers_location_and_etag(client, bus):
    bus.answers["record.create"] = {"status": 201, "body": {"id": ID, "version": 1}, "etag": 1}
    data = {"name": "Ångström 关系", "credit_limit": {"amount": "5", "currency": "JPY"}}
    answer = client.simulate_post("/v1/accounts", json=data, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, answer.headers["ETag"], answer.headers["Location"]) == (
        201,
        '"1"',
        f"/v1/accounts/{ID}",
    )
    assert bus.last["params"] == {"record": "customer.account", "data": data}
    assert (bus.last["key"], bus.last["route"]) == ("a", "POST /v1/accounts")
    assert "Idempotency-Replayed" not in answer.headers


def test_a_replayed_answer_says_so(client, bus):
    bus.answers["record.create"] = {"status": 201, "body": {"id": ID, "version": 1}, "replayed": True}
    answer = client.simulate_post("/v1/accounts", json={"name": "x"}, headers={"Idempotency-Key": "a"})
    assert answer.headers["Idempotency-Replayed"] == "true"


def test_a_merge_patch_may_empty_a_field_and_change_part_of_a_structure(client, bus):
    patch = {"industry": None, "address": {"city": "Köln"}, "credit_limit": {"amount": "9"}, "currencies": ["EUR"]}
    answer = client.simulate_patch(f"/v1/accounts/{ID}", json=patch, headers={"If-Match": '"3"'})
    assert answer.status_code == 200
    assert bus.last["params"] == {"record": "customer.account", "id": ID, "patch": patch, "if_match": "3"}
    assert bus.last["route"] == "PATCH /v1/accounts/{id}"


def test_a_delete_answers_204_without_a_body(client, bus):
    bus.answers["record.delete"] = {"status": 204, "body": None}
    answer = client.simulate_delete(f"/v1/accounts/{ID}", headers={"Idempotency-Key": "d"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (bus.last["key"], bus.last["route"]) == ("d", "DELETE /v1/accounts/{id}")


def test_a_restore_and_a_command_need_no_body(client, bus):
    client.simulate_post(f"/v1/accounts/{ID}/restore")
    assert bus.last["method"] == "record.restore"
    client.simulate_post(f"/v1/accounts/{ID}/claim", json={})
    assert bus.last["params"] == {"record": "customer.account", "verb": "claim", "id": ID, "data": {}}


def test_a_command_that_starts_a_saga_answers_202_with_its_location(client, bus):
    bus.answers["record.command"] = {
        "status": 202,
        "body": {"id": ID, "version": 2, "status": "placed"},
        "location": f"/v1/orders/{ID}/saga",
    }
    answer = client.simulate_post(f"/v1/orders/{ID}/place", headers={"If-Match": "*"})
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/v1/orders/{ID}/saga")
    assert answer.headers["ETag"] == '"2"'
    assert bus.last["params"] == {"record": "sales.order", "verb": "place", "id": ID, "data": {}, "if_match": "*"}


def test_queries_sagas_history_and_changes_ask_their_methods(client, bus):
    client.simulate_get(f"/v1/accounts/{ID}/overview")
    assert bus.last["params"] == {"record": "customer.account", "name": "overview", "id": ID}
    client.simulate_get(f"/v1/orders/{ID}/saga")
    assert (bus.last["method"], bus.last["params"]) == ("record.saga", {"record": "sales.order", "id": ID})
    client.simulate_get(f"/v1/orders/{ID}/history", params={"limit": "2", "after": "9"})
    assert bus.last["params"] == {"record": "sales.order", "id": ID, "limit": 2, "after": "9"}
    client.simulate_get("/v1/orders/changes")
    assert bus.last["params"] == {"record": "sales.order", "limit": 50, "after": None}


def test_an_external_key_is_read_and_written_at_its_own_address(client, bus):
    client.simulate_get("/v1/accounts/by-external/northwind/%E5%85%B3%20ALFKI")
    assert bus.last["params"] == {"record": "customer.account", "system": "northwind", "key": "关 ALFKI"}
    bus.answers["record.upsert"] = {"status": 201, "body": {"id": ID, "version": 1}}
    answer = client.simulate_put("/v1/accounts/by-external/northwind/ALFKI", json={"name": "Alfreds Futterkiste"})
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/accounts/{ID}")
    assert bus.last["params"]["data"] == {"name": "Alfreds Futterkiste"}
    assert bus.last["route"] == "PUT /v1/accounts/by-external/{system}/{key}"


def test_bulk_passes_its_items_on_even_when_one_is_invalid_by_contract(client, bus):
    items = [
        {"op": "create", "data": {"colour": 1}, "ref": "a"},
        {"op": "update", "id": ID, "data": {}, "if_match": "2"},
        {"op": "delete", "id": ID},
        {"op": "upsert", "system": "erp", "key": "7", "data": {}},
    ]
    client.simulate_post("/v1/accounts/bulk", json={"items": items, "atomic": True}, headers={"Idempotency-Key": "b"})
    assert bus.last["params"] == {"record": "customer.account", "items": items, "atomic": True}
    assert (bus.last["key"], bus.last["route"]) == ("b", "POST /v1/accounts/bulk")


def test_an_aggregate_passes_groups_and_measures_on(client, bus):
    body = {
        "group_by": ["status", "ordered_on:month"],
        "measures": [{"fn": "count"}, {"fn": "sum", "field": "total"}],
        "order": ["-sum_total"],
        "limit": 10,
    }
    client.simulate_post("/v1/orders/aggregate", json=body)
    assert bus.last["params"] == {
        "record": "sales.order",
        "where": [],
        "filter": None,
        **body,
    }


def test_a_refusal_of_a_service_keeps_its_code_its_fields_and_its_further_members(client, bus):
    bus.answers["record.update"] = Problem(
        412,
        "version_conflict",
        "Changed meanwhile.",
        errors=[{"field": "name", "message": "Changed by both."}],
        extra={"base": {"name": "a"}, "mine": {"name": "b"}, "theirs": {"name": "c"}, "status": "stolen"},
    )
    answer = client.simulate_patch(f"/v1/accounts/{ID}", json={"name": "b"}, headers={"If-Match": "1"})
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json == {
        "type": "about:blank",
        "title": "Precondition Failed",
        "status": 412,
        "code": "version_conflict",
        "detail": "Changed meanwhile.",
        "instance": f"/v1/accounts/{ID}",
        "correlation_id": answer.headers["X-Correlation-Id"],
        "errors": [{"field": "name", "message": "Changed by both."}],
        "base": {"name": "a"},
        "mine": {"name": "b"},
        "theirs": {"name": "c"},
    }


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (not_found("account"), 404, "not_found"),
        (conflict("account_owned", "Somebody else has it."), 409, "account_owned"),
        (invalid({"name": "No."}), 422, "invalid"),
        (Problem(428, "precondition_required", "Send If-Match."), 428, "precondition_required"),
    ],
)
def test_every_status_of_a_service_arrives(client, bus, problem, status, code):
    bus.answers["record.command"] = problem
    answer = client.simulate_post(f"/v1/accounts/{ID}/claim")
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_a_merged_id_is_308_to_its_survivor_and_never_stored(client, bus):
    location = f"/v1/accounts/{OTHER}"
    bus.answers["record.get"] = Problem(308, "merged", "Merged into another.", extra={"location": location})
    answer = client.simulate_get(f"/v1/accounts/{ID}")
    assert (answer.status_code, answer.headers["Location"]) == (308, location)
    assert "no-store" in answer.headers["Cache-Control"]


def test_metadata_says_what_this_caller_may_do(client, bus):
    order = client.simulate_get("/v1/metadata/orders").json
    assert order["access"] == {
        "read": "all",
        "create": "all",
        "update": "all",
        "delete": "none",
        "restore": "all",
        "place": "own",
        "cancel": "all",
        "ship": "all",
    }
    assert order["label"] == {"en": "Order", "zh": "订单", "text": "Order"}
    names = [item["collection"] for item in client.simulate_get("/v1/metadata").json["items"]]
    assert "accounts" in names
    assert client.simulate_get("/v1/metadata/unicorns").json["code"] == "not_found"
    # A collection's own document names the tenant's fields and numbers, which identity knows.
    assert {request["method"] for _, request, _ in bus.asked()} == {"identity.definitions"}


def test_candidates_for_twins_are_asked_for_with_a_bounded_limit(client, bus):
    bus.answers["record.duplicates"] = {"status": 200, "body": {"items": [], "skipped": []}}
    assert client.simulate_get(f"/v1/accounts/{ID}/duplicates?limit=50").json == {"items": [], "skipped": []}
    assert bus.last["params"] == {"record": "customer.account", "id": ID, "limit": 50}
    client.simulate_get(f"/v1/accounts/{ID}/duplicates")
    assert bus.last["params"]["limit"] is None
    for query in ("limit=51", "limit=0", "limit=x", "after=x", "limit=1&limit=2"):
        assert client.simulate_get(f"/v1/accounts/{ID}/duplicates?{query}").status_code == 400
    assert client.simulate_get(f"/v1/orders/{ID}/duplicates").status_code == 404


def test_merging_and_unmerging_are_accepted_and_say_where_they_are_told(client, bus):
    other, accepted = (
        ID.replace("0", "1"),
        {"status": 202, "body": {"merge_id": ID}, "location": "/v1/accounts/x/merges"},
    )
    bus.answers["record.merge"] = bus.answers["record.unmerge"] = accepted
    answer = client.simulate_post(f"/v1/accounts/{ID}/merge", json={"losers": [other], "choices": {"name": other}})
    assert (answer.status_code, answer.headers["Location"], answer.json) == (
        202,
        "/v1/accounts/x/merges",
        {"merge_id": ID},
    )
    data = {"losers": [other], "choices": {"name": other}}
    assert bus.last["params"] == {"record": "customer.account", "id": ID, "data": data}
    assert client.simulate_post(f"/v1/accounts/{ID}/unmerge").status_code == 202
    assert bus.last["params"] == {"record": "customer.account", "id": ID, "data": {}}
    for body in ({}, {"losers": "all"}, {"losers": [other], "more": 1}):
        assert client.simulate_post(f"/v1/accounts/{ID}/merge", json=body).status_code == 422
    assert client.simulate_post(f"/v1/orders/{ID}/merge", json={"losers": [other]}).status_code == 404


def test_what_is_asked_of_a_merged_id_is_asked_of_its_survivor(client, bus):
    survivor = ID.replace("0", "1")
    extra = {"id": survivor, "merged_id": ID, "location": f"/v1/accounts/{survivor}"}
    bus.answers["record.query"] = Problem(308, "merged", "Merged into another.", extra=extra)
    answer = client.simulate_get(f"/v1/accounts/{ID}/overview")
    assert (answer.status_code, answer.headers["Location"]) == (308, f"/v1/accounts/{survivor}/overview")
    assert answer.headers["Cache-Control"] == "no-store"
