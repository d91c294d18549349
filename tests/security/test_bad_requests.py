"""Malformed requests: bytes, headers, ids and queries that are refused before or instead of any write."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from chassis.ids import new_id
from contracts.registry import registry
from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import World

JSON = dict[str, Any]
MISSING = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
MEBIBYTE = 1024 * 1024

MALFORMED: dict[str, bytes] = {
    "NaN": b'{"name": NaN}',
    "Infinity": b'{"name": Infinity}',
    "minus Infinity": b'{"name": -Infinity}',
    "a number beyond every float": b'{"name": 1e999}',
    "an integer beyond 64 bits": b'{"name": 18446744073709551616}',
    "a repeated key": b'{"name": "a", "name": "b"}',
    "a repeated key behind an escape": b'{"name": "a", "n\\u0061me": "b"}',
    "a repeated key in a part": b'{"name": "a", "address": {"city": "x", "city": "y"}}',
    "NUL": b'{"name": "a\\u0000b"}',
    "a raw NUL": b'{"name": "a\x00b"}',
    "NUL in a key": b'{"na\\u0000me": "b"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "UTF-8 cut short": b'{"name": "\xe5\x85"}',
    "Latin-1": b'{"name": "caf\xe9"}',
    "an overlong UTF-8 form": b'{"name": "\xc0\xaf"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "10,000 lists in each other": b'{"name": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "10,000 objects in each other": b'{"a": ' * 10_000 + b"1" + b"}" * 10_000,
    "65 levels": b"[" * 65 + b"]" * 65,
    "a trailing comma": b'{"name": "a",}',
    "a comment": b'{"name": "a"} // b',
    "two values": b'{"name": "a"}{"name": "b"}',
    "single quotes": b"{'name': 'a'}",
    "an unfinished object": b'{"name": "a"',
    "nothing": b"",
    "blanks": b"  \n",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
    "a form": b"name=a",
    "XML": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>',
}


@pytest.mark.parametrize("name", MALFORMED)
def test_only_strict_json_is_read(world: World, shop: Shop, name: str) -> None:
    with world.untouched():
        assert_refused(shop.api.send("POST", "/v1/accounts", raw=MALFORMED[name]), 400, "malformed_json")


@pytest.mark.parametrize("body", [None, [], "name", 7, True, [{"name": "a"}]], ids=repr)
def test_a_body_is_an_object(world: World, shop: Shop, body: Any) -> None:
    with world.untouched():
        for method, path in (("POST", "/v1/accounts"), ("PATCH", f"/v1/accounts/{shop.account['id']}")):
            answer = shop.api.send(method, path, raw=orjson.dumps(body))
            assert_refused(answer, 422, "invalid")


def test_a_body_has_at_most_a_mebibyte(world: World, shop: Shop) -> None:
    frame = len(orjson.dumps({"name": ""}))
    with world.untouched():
        for size in (MEBIBYTE + 1, 5 * MEBIBYTE):
            answer = shop.api.send("POST", "/v1/accounts", {"name": "x" * (size - frame)})
            assert_refused(answer, 413, "body_too_large")
        just_fits = shop.api.send("POST", "/v1/accounts", {"name": "x" * (MEBIBYTE - frame)})
        assert_refused(just_fits, 422, "invalid", "name")


TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", ""]
TYPES += ["application/json; charset=utf-16", "application/merge-patch+json", "application/jsonl", "json"]


@pytest.mark.parametrize("kind", TYPES)
def test_another_content_type_is_refused(world: World, shop: Shop, kind: str) -> None:
    with world.untouched():
        answer = shop.api.send("POST", "/v1/accounts", {"name": "a"}, headers={"Content-Type": kind})
    assert_refused(answer, 415, "unsupported_media_type")


# --- ids

NO_IDS = [
    "1",
    "undefined",
    "null",
    "ALFKI",
    "%27%20OR%201%3D1--",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "0" * 36,
    "%EF%BC%91",
]
NO_IDS += [
    f"{{{MISSING}}}",
    f"urn:uuid:{MISSING}",
    MISSING.replace("-", ""),
    MISSING + "%0a",
    "%20" + MISSING,
    "9" * 4000,
]


@pytest.mark.parametrize("text", NO_IDS, ids=lambda text: text[:40])
def test_what_is_no_id_names_no_record(world: World, shop: Shop, text: str) -> None:
    with world.untouched():
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            assert_refused(shop.api.send(method, f"/v1/accounts/{text}", body), 404, "not_found")


def test_unknown_paths_verbs_and_methods_are_refused(world: World, shop: Shop) -> None:
    one = f"/v1/orders/{shop.draft['id']}"
    with world.untouched():
        for method, path in (
            ("POST", f"{one}/explode"),
            ("GET", "/v1/secrets"),
            ("GET", "/v2/orders"),
            ("GET", "/.env"),
        ):
            assert_refused(shop.api.send(method, path), 404, "not_found")
        for method, path in (
            ("PUT", "/v1/orders"),
            ("DELETE", "/v1/orders"),
            ("POST", one),
            ("PATCH", "/v1/tenants/1"),
        ):
            answer = shop.api.send(method, path, {})
            assert_refused(answer, 405, "method_not_allowed")
            assert answer.headers["allow"]
        overridden = shop.api.send(
            "GET", one, headers={"X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE"}
        )
        assert overridden.status == 200


# --- headers


@pytest.mark.parametrize("value", ["abc", '"1", "2"', "W/", '"-1"', '"1', "1.0", '"' + "9" * 19 + '"', "１", ""])
def test_if_match_is_one_version_or_any(world: World, shop: Shop, value: str) -> None:
    one = f"/v1/accounts/{shop.account['id']}"
    with world.untouched():
        for method, body in (("PATCH", {"name": "b"}), ("DELETE", None)):
            answer = shop.api.send(method, one, body, headers={"If-Match": value})
            assert_refused(answer, 400, "bad_header", "If-Match")


def test_a_stale_or_future_version_writes_nothing(world: World, shop: Shop) -> None:
    made = shop.api.post("/v1/accounts", {"name": "first"})
    one = f"/v1/accounts/{made['id']}"
    shop.api.patch(one, {"name": "second"})
    world.settle()
    with world.untouched():
        for version in ('"1"', '"0"', '"3"', '"999999999999999999"', 'W/"1"', "1"):
            answer = shop.api.send("PATCH", one, {"name": "third"}, headers={"If-Match": version})
            assert_refused(answer, 412, "version_conflict")
            assert_refused(shop.api.send("DELETE", one, headers={"If-Match": version}), 412, "version_conflict")
        both = shop.api.send("PATCH", one, {"name": "third"}, headers={"If-Match": '"1"'}).body
        assert [both[side]["name"] for side in ("base", "mine", "theirs")] == ["first", "third", "second"]


@pytest.mark.parametrize("key", ["", '""', "two words", "x" * 256, "é", "\x7f"])
def test_an_idempotency_key_is_1_to_255_visible_characters(world: World, shop: Shop, key: str) -> None:
    with world.untouched():
        answer = shop.api.send("POST", "/v1/accounts", {"name": "a"}, headers={"Idempotency-Key": key})
    assert_refused(answer, 400, "bad_header", "Idempotency-Key")


def test_a_used_idempotency_key_does_nothing_new(world: World, shop: Shop) -> None:
    """The same request is answered again, another body or another record with the key is refused."""
    key = {"Idempotency-Key": new_id()}
    first = shop.api.send("POST", "/v1/accounts", {"name": "once"}, headers=key)
    done = {"Idempotency-Key": new_id()}
    shop.api.send("POST", f"/v1/accounts/{first.body['id']}/release", headers=done)
    world.settle()
    with world.untouched():
        again = shop.api.send("POST", "/v1/accounts", {"name": "once"}, headers=key)
        assert (again.status, again.body, again.headers["idempotency-replayed"]) == (201, first.body, "true")
        other = shop.api.send("POST", "/v1/accounts", {"name": "twice"}, headers=key)
        assert_refused(other, 422, "idempotency_mismatch")
        elsewhere = shop.api.send("POST", f"/v1/accounts/{shop.account['id']}/release", headers=done)
        assert_refused(elsewhere, 422, "idempotency_mismatch")


CRLF = "a\r\nX-Injected: yes\r\n\r\n<script>"


@pytest.mark.parametrize("name", ["If-Match", "Idempotency-Key", "Authorization"])
def test_line_breaks_in_a_header_are_refused(world: World, shop: Shop, name: str) -> None:
    with world.untouched():
        answer = shop.api.send("PATCH", f"/v1/accounts/{shop.account['id']}", {"name": "b"}, headers={name: CRLF})
    status, code = (401, "unauthenticated") if name == "Authorization" else (400, "bad_header")
    assert_refused(answer, status, code)


@pytest.mark.parametrize("name", ["X-Correlation-Id", "X-Request-Id", "traceparent", "Origin", "Accept", "User-Agent"])
def test_line_breaks_in_a_header_never_reach_the_answer(shop: Shop, name: str) -> None:
    answer = shop.api.send("GET", "/v1/me", headers={name: CRLF})
    assert answer.status in (200, 406)
    assert "x-injected" not in answer.headers
    assert not any("\r" in value or "\n" in value or "script" in value for value in answer.headers.values())


# --- queries

QUERIES: list[tuple[str, str, str | None]] = [
    ("orders?colour=red", "unknown_parameter", "colour"),
    ("orders?status.like=draft", "unknown_parameter", "status.like"),
    ("orders?total.contains=1", "unknown_parameter", "total.contains"),
    ("orders?tenant_id=" + MISSING, "unknown_parameter", "tenant_id"),
    ("accounts?address=late", "unknown_parameter", "address"),
    ("orders?limit=0", "bad_parameter", "limit"),
    ("orders?limit=201", "bad_parameter", "limit"),
    ("orders?limit=-1", "bad_parameter", "limit"),
    ("orders?limit=1e2", "bad_parameter", "limit"),
    ("orders?limit=", "bad_parameter", "limit"),
    ("orders?limit=1&limit=2", "bad_parameter", "limit"),
    ("orders?after=garbage", "bad_cursor", "after"),
    ("orders?after=%22", "bad_parameter", "after"),
    ("orders?after=WzEsMl0", "bad_cursor", "after"),
    ("orders?sort=colour", "bad_parameter", "sort"),
    ("orders?sort=lines", "bad_parameter", "sort"),
    ("orders?sort=total;drop%20table%20orders", "bad_parameter", "sort"),
    ("orders?fields=colour", "bad_parameter", "fields"),
    ("orders?expand=lines", "bad_parameter", "expand"),
    ("orders?count=yes", "bad_parameter", "count"),
    ("orders?deleted=yes", "bad_parameter", "deleted"),
    ("orders?created_at.gte=yesterday", "bad_parameter", "created_at.gte"),
    ("orders?ordered_on=2026-02-30", "bad_parameter", "ordered_on"),
    ("orders?total.gte=NaN", "bad_parameter", "total.gte"),
    ("orders?account_id=ALFKI", "bad_parameter", "account_id"),
    ("orders?account_id.empty=maybe", "bad_parameter", "account_id.empty"),
    ("orders?account_id.in=", "bad_parameter", "account_id.in"),
    ("accounts?name=a%00b", "bad_parameter", "name"),
    ("accounts?name=%FF", "bad_parameter", None),
    ("accounts?name.contains=", "bad_parameter", "name.contains"),
    ("accounts?name.contains=" + "x" * 201, "bad_parameter", "name.contains"),
    ("accounts?" + "&".join(f"name.ne={n}" for n in range(101)), "bad_parameter", None),
    ("events?limit=501", "bad_parameter", "limit"),
    ("events?after=-1", "bad_parameter", "after"),
    ("events?wait=31", "bad_parameter", "wait"),
    ("events?types=DROP", "bad_parameter", "types"),
    ("search?q=a%0Bb", "bad_parameter", "q"),
    ("search?q=a&after=garbage", "bad_cursor", "after"),
    ("search?q=a&after=WzEsMl0", "bad_cursor", "after"),
    ("search?q=a&facets=colour", "bad_parameter", "facets"),
    ("search?q=a&colour=red", "unknown_parameter", "colour"),
    ("search?q=a&types=contact&status=placed", "unknown_parameter", "status"),
    ("search?q=a&status=nowhere", "bad_parameter", "status"),
    ("search?q=a&explain=yes", "bad_parameter", "explain"),
    ("search?q=a&limit=101", "bad_parameter", "limit"),
    ("search?q=a&types=secrets", "bad_parameter", "types"),
    ("search?q=a&min_version=x", "bad_parameter", "min_version"),
    ("admin/inbox", "bad_parameter", "service"),
    ("admin/inbox?service=kernel", "bad_parameter", "service"),
    ("orders/changes?limit=201", "bad_parameter", "limit"),
    ("me?verbose=1", "unknown_parameter", "verbose"),
]


@pytest.mark.parametrize(("path", "code", "field"), QUERIES, ids=lambda value: str(value)[:60])
def test_a_query_is_understood_or_refused(shop: Shop, path: str, code: str, field: str | None) -> None:
    assert_refused(shop.api.send("GET", f"/v1/{path}"), 400, code, field)


def test_a_write_takes_no_parameters(world: World, shop: Shop) -> None:
    with world.untouched():
        for method, path in (("POST", "orders?force=1"), ("PATCH", f"orders/{shop.draft['id']}?total=1")):
            assert_refused(shop.api.send(method, f"/v1/{path}", {}), 400, "unknown_parameter")


def _nested(levels: int) -> JSON:
    tree: JSON = {"field": "status", "value": "draft"}
    for _ in range(levels):
        tree = {"not": tree}
    return tree


TREES: dict[str, tuple[Any, int, str]] = {
    "an unknown field": ({"field": "colour", "value": 1}, 400, "unknown_parameter"),
    "a field that is a list": ({"field": ["status"], "value": 1}, 400, "unknown_parameter"),
    "an unknown operator": ({"field": "status", "op": "~", "value": "x"}, 400, "unknown_operator"),
    "an operator that is an object": ({"field": "status", "op": {}, "value": "x"}, 400, "unknown_operator"),
    "a column of the table": ({"field": "tenant_id", "value": MISSING}, 400, "unknown_parameter"),
    "a structure": ({"field": "lines", "value": "x"}, 400, "not_filterable"),
    "a field that is not copied here": ({"field": "account.industry", "value": "x"}, 400, "not_filterable"),
    "a field of no reference": ({"field": "status.city", "value": "x"}, 400, "unknown_parameter"),
    "two references": ({"field": "account.owner.name", "value": "x"}, 400, "unknown_parameter"),
    "days that nobody knows": ({"field": "ordered_on", "op": "within", "value": "soon"}, 400, "bad_parameter"),
    "an extra member": ({"field": "status", "value": "draft", "raw": "1=1"}, 400, "bad_filter"),
    "an empty or": ({"or": []}, 400, "bad_filter"),
    "and beside or": ({"and": [], "or": []}, 400, "bad_filter"),
    "comparison with null": ({"field": "status", "value": None}, 400, "bad_parameter"),
    "a value of a wrong type": ({"field": "ordered_on", "value": {"$gt": ""}}, 400, "bad_parameter"),
    "201 values": ({"field": "status", "op": "in", "value": ["draft"] * 201}, 400, "bad_parameter"),
    "nine levels": (_nested(9), 400, "filter_too_large"),
    "101 conditions": ({"or": [{"field": "status", "value": "draft"}] * 100}, 400, "filter_too_large"),
    "a list": ([], 422, "invalid"),
}


@pytest.mark.parametrize("name", TREES)
def test_a_filter_tree_is_understood_or_refused(shop: Shop, name: str) -> None:
    tree, status, code = TREES[name]
    assert_refused(shop.api.send("POST", "/v1/orders/search", {"filter": tree}), status, code)


@pytest.mark.parametrize("collection", sorted(registry.load().collections))
def test_every_collection_refuses_unknown_fields_and_parameters(world: World, shop: Shop, collection: str) -> None:
    operations = registry.collections[collection].operations
    with world.untouched():
        assert_refused(shop.api.send("GET", f"/v1/{collection}?colour=red"), 400, "unknown_parameter", "colour")
        assert_refused(shop.api.send("GET", f"/v1/{collection}?limit=201"), 400, "bad_parameter", "limit")
        assert_refused(shop.api.send("GET", f"/v1/{collection}/{MISSING}"), 404, "not_found")
        if "create" in operations:
            answer = shop.api.send("POST", f"/v1/{collection}", {"colour": "red", "tenant_id": MISSING})
            assert_refused(answer, 422, "invalid", "colour")
            assert "tenant_id" in answer.fields
        if "update" in operations:
            answer = shop.api.send("PATCH", f"/v1/{collection}/{MISSING}", {"colour": "red"})
            assert_refused(answer, 422, "invalid", "colour")
