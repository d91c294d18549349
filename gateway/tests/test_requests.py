"""What the gateway refuses to read, before any service is asked."""

from __future__ import annotations

import io

import falcon.testing
import pytest

from gateway.requests import MAX_BODY
from gateway.tests.conftest import ID, TOKEN

JSON_TYPE = {"Content-Type": "application/json"}
DEEP = b'{"custom": ' + b"[" * 70 + b"]" * 70 + b"}"

BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "a key twice": b'{"name": "a", "name": "b"}',
    "a key twice behind an escape": b'{"name": "a", "n\\u0061me": "b"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "too deep": DEEP,
    "not UTF-8": '{"name": "é"}'.encode("latin-1"),
    "an integer beyond 64 bit": b'{"name": 123456789012345678901234567890}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_is_not_strict_json_is_400_and_nothing_is_asked(client, bus, body):
    answer = client.simulate_post("/v1/accounts", body=body, headers=JSON_TYPE)
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_json")
    assert not bus.asked()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/merge-patch+json", "application/json; charset=latin-1", None]
)
def test_a_create_takes_json_in_utf8_only(client, bus, kind):
    answer = client.simulate_post("/v1/accounts", body=b'{"name": "x"}', headers={"Content-Type": kind} if kind else {})
    assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")
    assert not bus.asked()


@pytest.mark.parametrize(
    "kind", ["application/json", "application/merge-patch+json", "Application/JSON; charset=UTF-8"]
)
def test_a_patch_takes_json_and_merge_patch(client, kind):
    answer = client.simulate_patch(f"/v1/accounts/{ID}", body=b'{"name": "x"}', headers={"Content-Type": kind})
    assert answer.status_code == 200


def test_a_body_above_one_mebibyte_is_413(client, bus):
    body = b'{"notes": "' + b"x" * MAX_BODY + b'"}'
    answer = client.simulate_post("/v1/accounts", body=body, headers=JSON_TYPE)
    assert (answer.status_code, answer.json["code"]) == (413, "body_too_large")
    assert not bus.asked()


def chunked(client: falcon.testing.TestClient, body: bytes) -> tuple[str, bytes]:
    """A request as a server hands it over whose client named no length."""
    headers = {**JSON_TYPE, "Authorization": f"Bearer {TOKEN}"}
    env = falcon.testing.create_environ("/v1/accounts", method="POST", headers=headers)
    env.pop("CONTENT_LENGTH", None)
    env["wsgi.input"], env["wsgi.input_terminated"] = io.BytesIO(body), True
    start = falcon.testing.StartResponseMock()
    answer = b"".join(client.app(env, start))
    return start.status, answer


def test_a_chunked_body_is_read_to_its_end(client, bus):
    bus.answers["record.create"] = {"status": 201, "body": {"id": ID, "version": 1}}
    assert chunked(client, '{"name": "关系"}'.encode())[0] == "201 Created"
    assert bus.last["params"]["data"] == {"name": "关系"}


def test_a_chunked_body_above_one_mebibyte_is_413(client, bus):
    status, answer = chunked(client, b" " * (MAX_BODY + 1))
    assert status.startswith("413")
    assert b"body_too_large" in answer
    assert not bus.asked()


def test_a_body_of_exactly_one_mebibyte_is_read(client):
    body = b'{"name": "x"' + b" " * (MAX_BODY - 13) + b"}"
    assert len(body) == MAX_BODY
    assert client.simulate_post("/v1/accounts", body=body, headers=JSON_TYPE).status_code == 200
    assert chunked(client, body)[0].startswith("200")


BAD_REQUESTS = [
    ("POST", "/v1/accounts", {"name": "x", "colour": "red"}, 422, "colour"),
    ("POST", "/v1/accounts", {"name": "x", "number": "AC-1"}, 422, "number"),
    ("POST", "/v1/accounts", {"name": "x", "version": 7}, 422, "version"),
    ("POST", "/v1/accounts", {}, 422, "name"),
    ("POST", "/v1/accounts", [], 422, ""),
    ("POST", "/v1/accounts", {"credit_limit": {"amount": "1", "currency": "?"}}, 422, "credit_limit.currency"),
    ("POST", "/v1/orders", {"lines": [{"product_id": ID, "quantity": "0"}]}, 422, "lines.0.quantity"),
    ("PATCH", f"/v1/accounts/{ID}", [], 422, ""),
    ("PATCH", f"/v1/accounts/{ID}", {"colour": 1}, 422, "colour"),
    ("PATCH", f"/v1/accounts/{ID}", {"city": "Berlin"}, 422, "city"),
    ("PATCH", f"/v1/accounts/{ID}", {"payment_days": "ten"}, 422, "payment_days"),
    ("PATCH", f"/v1/accounts/{ID}", {"name": None}, 422, "name"),
    ("PATCH", f"/v1/accounts/{ID}", {"name": {}}, 422, "name"),
    ("PATCH", f"/v1/api-keys/{ID}", {"user_id": ID}, 422, "user_id"),
    ("POST", f"/v1/orders/{ID}/place", {"now": True}, 422, "now"),
    ("POST", f"/v1/orders/{ID}/restore", {"now": True}, 422, "now"),
    ("POST", f"/v1/leads/{ID}/disqualify", {}, 422, "reason"),
    ("POST", "/v1/accounts/search", {"colour": 1}, 422, "colour"),
    ("POST", "/v1/accounts/search", {"filter": []}, 422, "filter"),
    ("POST", "/v1/accounts/search", {"limit": 201}, 422, "limit"),
    ("POST", "/v1/accounts/search", {"limit": True}, 422, "limit"),
    ("POST", "/v1/accounts/search", {"fields": ["colour"]}, 422, "fields"),
    ("POST", "/v1/accounts/search", {"fields": ["name,id"]}, 422, "fields"),
    ("POST", "/v1/accounts/search", {"sort": "colour"}, 422, "sort"),
    ("POST", "/v1/accounts/aggregate", {}, 422, "measures"),
    ("POST", "/v1/accounts/aggregate", {"measures": [{"fn": "median", "field": "name"}]}, 422, "measures.0"),
    ("POST", "/v1/accounts/aggregate", {"measures": [{"fn": "sum"}]}, 422, "measures.0"),
    ("POST", "/v1/accounts/aggregate", {"measures": [{"fn": "count"}], "group_by": ["colour"]}, 422, "group_by"),
    ("POST", "/v1/accounts/aggregate", {"measures": [{"fn": "count"}], "order": "count"}, 422, "order"),
    ("POST", "/v1/accounts/aggregate", {"measures": [{"fn": "count"}], "limit": 1001}, 422, "limit"),
    ("POST", "/v1/accounts/bulk", {"items": []}, 422, "items"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "delete", "id": ID}] * 501}, 422, "items"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "purge", "id": ID}]}, 422, "items.0"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": ["delete"], "id": ID}]}, 422, "items.0"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "delete", "id": ID}, {"op": "delete", "id": "7"}]}, 422, "items.1"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "create"}]}, 422, "items.0"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "create", "data": []}]}, 422, "items.0"),
    ("POST", "/v1/accounts/bulk", {"items": [{"op": "create", "data": {}}], "atomic": "yes"}, 422, "atomic"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status", "field"), BAD_REQUESTS)
def test_a_body_against_its_contract_names_the_field_and_reaches_no_service(
    client, bus, method, path, body, status, field
):
    answer = client.simulate_request(method, path, json=body)
    assert (answer.status_code, answer.json["code"]) == (status, "invalid")
    assert field in [error["field"] for error in answer.json["errors"]]
    assert not bus.asked()


def test_the_list_of_errors_is_bounded(client):
    answer = client.simulate_post("/v1/accounts", json={f"field{n}": 1 for n in range(5000)})
    assert len(answer.json["errors"]) == 100


BAD_QUERIES = [
    ("colour=red", "unknown_parameter", "colour"),
    ("status=open", "unknown_parameter", "status"),
    ("notes.gt=1", "unknown_parameter", "notes.gt"),
    ("address=1", "unknown_parameter", "address"),
    ("owner.shoes=1", "unknown_parameter", "owner.shoes"),
    ("owner.name.gt=1", "unknown_parameter", "owner.name.gt"),
    ("owner.manager.name=1", "unknown_parameter", "owner.manager.name"),
    ("owner=1", "unknown_parameter", "owner"),
    ("name.within=today", "unknown_parameter", "name.within"),
    ("created_at.within=soon", "bad_parameter", "created_at.within"),
    ("next_action_on.within=2026-02-01..2026-01-01", "bad_parameter", "next_action_on.within"),
    ("name.like=a", "unknown_parameter", "name.like"),
    ("name.=a", "unknown_parameter", "name."),
    ("created_at.in=2026-01-01T00:00:00Z", "unknown_parameter", "created_at.in"),
    ("kind=friend", "bad_parameter", "kind"),
    ("kind.in=customer,friend", "bad_parameter", "kind.in"),
    ("credit_limit.gte=lots", "bad_parameter", "credit_limit.gte"),
    ("credit_limit.gte=1e3", "bad_parameter", "credit_limit.gte"),
    ("owner_id=me", "bad_parameter", "owner_id"),
    ("id.in=" + ID + ",x", "bad_parameter", "id.in"),
    ("created_at.gte=yesterday", "bad_parameter", "created_at.gte"),
    ("next_action_on=2026-02-30", "bad_parameter", "next_action_on"),
    ("industry.empty=maybe", "bad_parameter", "industry.empty"),
    ("name=", "bad_parameter", "name"),
    ("name=a%00b", "bad_parameter", "name"),
    ("name.in=" + ",".join("a" * 201), "bad_parameter", "name.in"),
    ("name.in=a,,b", "bad_parameter", "name.in"),
    ("email=nobody", "bad_parameter", "email"),
    ("limit=0", "bad_parameter", "limit"),
    ("limit=201", "bad_parameter", "limit"),
    ("limit=ten", "bad_parameter", "limit"),
    ("limit=%D9%A1", "bad_parameter", "limit"),
    ("limit=1&limit=2", "bad_parameter", "limit"),
    ("sort=address", "bad_parameter", "sort"),
    ("sort=name,city,phone,kind,id", "bad_parameter", "sort"),
    ("sort=name,-name", "bad_parameter", "sort"),
    ("sort=", "bad_parameter", "sort"),
    ("fields=colour", "bad_parameter", "fields"),
    ("fields=", "bad_parameter", "fields"),
    ("expand=team_id", "bad_parameter", "expand"),
    ("count=about", "bad_parameter", "count"),
    ("deleted=yes", "bad_parameter", "deleted"),
    ("after=a%20b", "bad_parameter", "after"),
]


@pytest.mark.parametrize(("query", "code", "name"), BAD_QUERIES)
def test_a_list_refuses_what_it_does_not_know_and_names_it(client, bus, query, code, name):
    answer = client.simulate_get("/v1/accounts", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert [error["field"] for error in answer.json["errors"]] == [name]
    assert not bus.asked()


@pytest.mark.parametrize("query", ["name=%ff", "&".join(f"name.ne={n}" for n in range(101))])
def test_a_query_string_that_is_not_utf8_or_too_long_is_400(client, query):
    answer = client.simulate_get("/v1/accounts", query_string=query)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_parameter")


def test_deleted_is_unknown_where_nothing_can_be_deleted(client):
    assert client.simulate_get("/v1/payments", params={"deleted": "only"}).json["code"] == "unknown_parameter"


def test_as_of_is_unknown_where_there_is_no_history(client):
    answer = client.simulate_get(f"/v1/stock-levels/{ID}", params={"as_of": "2026-01-01T00:00:00Z"})
    assert answer.json["code"] == "unknown_parameter"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/me"),
        ("GET", f"/v1/accounts/{ID}/overview"),
        ("GET", f"/v1/orders/{ID}/saga"),
        ("DELETE", f"/v1/accounts/{ID}"),
        ("POST", f"/v1/orders/{ID}/place"),
        ("GET", "/v1/metadata"),
    ],
)
def test_routes_without_parameters_refuse_all(client, bus, method, path):
    answer = client.simulate_request(method, path, params={"debug": "1"})
    assert (answer.status_code, answer.json["code"]) == (400, "unknown_parameter")
    assert not bus.asked()


@pytest.mark.parametrize(
    "path", ["/v1/accounts/7", "/v1/accounts/7/history", "/v1/orders/by-external", "/v1/orders/x/saga"]
)
def test_an_id_that_is_no_uuid_is_404(client, bus, path):
    answer = client.simulate_get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert not bus.asked()


@pytest.mark.parametrize(
    "place", ["NORTH/1", "north%20wind/1", "northwind/%20", "northwind/" + "x" * 201, "northwind/%ff"]
)
def test_an_external_key_out_of_bounds_is_404(client, bus, place):
    assert client.simulate_get(f"/v1/accounts/by-external/{place}").status_code == 404
    assert not bus.asked()


@pytest.mark.parametrize("value", ["abc", '"1", "2"', '"', "-1", "1.5", "", '"١"'])
def test_an_if_match_that_is_no_version_is_400(client, bus, value):
    answer = client.simulate_delete(f"/v1/accounts/{ID}", headers={"If-Match": value})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_header")
    assert not bus.asked()


@pytest.mark.parametrize(("value", "version"), [('"3"', "3"), ('W/"3"', "3"), ("3", "3"), ("*", "*")])
def test_if_match_passes_on_as_the_bare_version(client, bus, value, version):
    client.simulate_delete(f"/v1/accounts/{ID}", headers={"If-Match": value})
    assert bus.last["params"]["if_match"] == version


@pytest.mark.parametrize("value", ["", "a b", "x" * 256, "schlüssel", '""'])
def test_an_idempotency_key_out_of_bounds_is_400(client, bus, value):
    answer = client.simulate_post("/v1/accounts", json={"name": "x"}, headers={"Idempotency-Key": value})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_header")
    assert not bus.asked()


def test_a_write_without_a_key_gets_one_of_its_own_that_no_client_can_name(client, bus):
    keys = []
    for _ in range(2):
        client.simulate_post("/v1/accounts", json={"name": "Alpha"})
        keys.append(bus.last["key"])
    assert len(set(keys)) == 2
    assert all(" " in key for key in keys)
    copied = client.simulate_post("/v1/accounts", json={"name": "A"}, headers={"Idempotency-Key": keys[0]})
    assert copied.status_code == 400


@pytest.mark.parametrize("value", ["k-1", '"k-1"'])
def test_the_quoted_and_the_bare_idempotency_key_are_the_same(client, bus, value):
    client.simulate_post(f"/v1/orders/{ID}/place", headers={"Idempotency-Key": value})
    assert (bus.last["key"], bus.last["route"]) == ("k-1", "POST /v1/orders/{id}/place")
