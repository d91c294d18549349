"""Health, measurements, documents, search and administration, and the routes as a whole."""

from __future__ import annotations

import json
import re

import falcon.inspect
import pytest

from contracts.documents.openapi import openapi
from contracts.registry import SERVICES, registry
from contracts.search import filters
from gateway.app import PUBLISHED
from gateway.parameters import LIST_WORDS
from gateway.tests.conftest import ID, USER


def served(app):
    """Every pair of method and template, the explorer's files left out."""
    return {
        (method.method, route.path)
        for route in falcon.inspect.inspect_routes(app)
        for method in route.methods
        if not method.internal and route.path != "/docs/{asset}"
    }


def documented(document):
    """Notes and attachments are described once, with the collection as a parameter."""
    collections = registry.load().collections
    return {
        (method.upper(), path.replace("/v1/{collection}/", f"/v1/{collection}/"))
        for path, operations in document["paths"].items()
        for method in operations
        for collection in (collections if path.startswith("/v1/{collection}/") else [""])
    }


def test_routes_are_exactly_those_of_the_contract(client):
    assert served(client.app) == documented(openapi(registry.load()))


@pytest.mark.skipif(not (PUBLISHED / "openapi.json").exists(), reason="nothing has been published yet")
def test_routes_are_exactly_those_that_are_published(client):
    assert served(client.app) == documented(json.loads((PUBLISHED / "openapi.json").read_bytes()))


def test_every_command_and_query_of_the_registry_has_its_route(client):
    found = served(client.app)
    for command in registry.commands.values():
        assert ("POST", f"/v1/{command.on.collection}/{{id}}/{command.verb}") in found
    for query in registry.queries.values():
        assert ("GET", f"/v1/{query.on.collection}/{{id}}/{query.path}") in found


def test_no_field_has_the_name_of_a_list_parameter():
    for record in registry.load().records.values():
        assert not set(LIST_WORDS) & {name for name, field in record.declared().items() if field.filter}


def test_the_process_is_alive_without_anything_else(client, bus):
    assert client.simulate_get("/livez").json == {"status": "alive"}
    assert not bus.requests


def test_readiness_names_each_dependency(make):
    client = make(create={"readiness": lambda: {"rabbitmq": True, "sales": True}})
    answer = client.simulate_get("/readyz")
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "ready", "missing": [], "dependencies": {"rabbitmq": "up", "sales": "up"}},
    )


def test_one_missing_dependency_makes_it_unready(make):
    answer = make(create={"readiness": lambda: {"rabbitmq": False, "sales": True}}).simulate_get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not_ready")
    assert answer.json["missing"] == ["rabbitmq"]
    assert answer.json["dependencies"] == {"rabbitmq": "down", "sales": "up"}


def test_a_probe_that_fails_is_not_ready_and_tells_no_inside(make):
    def broken():
        raise RuntimeError("password=hunter2")

    answer = make(create={"readiness": broken}).simulate_get("/readyz")
    assert answer.status_code == 503
    assert "hunter2" not in answer.text


def test_requests_are_counted_by_method_template_and_status(client):
    client.simulate_get(f"/v1/accounts/{ID}")
    client.simulate_get("/v1/accounts/7")
    client.simulate_get("/random/one")
    client.simulate_get("/random/two")
    text = client.simulate_get("/metrics").text
    assert 'guanxi_http_requests_total{method="GET",route="/v1/accounts/{id}",status="200"} 1.0' in text
    assert 'guanxi_http_requests_total{method="GET",route="/v1/accounts/{id}",status="404"} 1.0' in text
    assert 'guanxi_http_requests_total{method="GET",route="unmatched",status="404"} 2.0' in text
    assert 'guanxi_http_request_seconds_count{method="GET",route="/v1/accounts/{id}"} 2.0' in text
    assert "guanxi_http_requests_in_flight 1.0" in text


def test_documents_are_served_as_published(make, tmp_path):
    (tmp_path / "openapi.json").write_text('{"openapi": "3.1.0", "x": "关系"}', encoding="utf-8")
    client = make(token=None, create={"published": tmp_path})
    assert client.simulate_get("/openapi.json").json["x"] == "关系"
    assert client.simulate_get("/asyncapi.json").json["code"] == "not_found"
    (tmp_path / "asyncapi.json").write_text('{"asyncapi": "3.0.0"}', encoding="utf-8")
    assert client.simulate_get("/asyncapi.json").json == {"asyncapi": "3.0.0"}


def test_the_explorer_needs_nothing_from_outside_and_no_inline_script(make):
    client = make(token=None)
    page = client.simulate_get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(sources) == 3
    for source in sources:
        assert source.startswith("/docs/")
        asset = client.simulate_get(source)
        assert asset.status_code == 200
        assert asset.headers["Content-Type"].endswith("charset=utf-8")
    assert not re.search(r"<script(?![^>]*src=)|<style| on\w+=", page.text)
    assert "validatorUrl: null" in client.simulate_get("/docs/init.js").text
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy


def test_nothing_but_the_explorers_own_files_is_served_from_its_folder(make):
    client = make(token=None)
    for asset in ("LICENSE", "index.html", "..%2F..%2Fapp.py", "%2e%2e"):
        assert client.simulate_get(f"/docs/{asset}").status_code == 404


def test_search_passes_its_question_on(client, bus):
    client.simulate_get(
        "/v1/search",
        params={"q": "关系 Müller", "types": "account,order", "limit": "5", "min_version": f"account/{ID}:3"},
    )
    assert bus.asked()[0][0] == "search"
    assert bus.last["method"] == "search.query"
    assert bus.last["params"] == {
        "q": "关系 Müller",
        "types": ["account", "order"],
        "limit": 5,
        "min_version": {f"account/{ID}": 3},
    }
    for query in ("", "q=", "q=%20"):
        client.simulate_get("/v1/search", query_string=query)
        assert bus.last["params"] == {"q": "", "types": None, "limit": 20, "min_version": None}


def test_search_takes_pages_facets_and_the_filters_of_lists(client, bus):
    client.simulate_get(
        "/v1/search",
        query_string="q=a&types=order,account&status.in=placed,confirmed&city=Berlin&tags.has=vip,new&after=abc"
        f"&owner_id={USER}&facets=status,city&explain=true&suggest=false",
    )
    assert bus.last["params"] == {
        "q": "a",
        "types": ["order", "account"],
        "limit": 20,
        "min_version": None,
        "after": "abc",
        "facets": ["status", "city"],
        "explain": True,
        "suggest": False,
        "filters": {"status.in": "placed,confirmed", "city": "Berlin", "tags.has": "vip,new", "owner_id": USER},
    }


def test_search_takes_bounds_as_lists_do_and_leaves_custom_fields_to_the_service(client, bus):
    filters = {
        "ordered_on.gte": "2026-01-01",
        "total.lt": "1000.50",
        "created_at.within": "last-30-days",
        "custom.colour": "red",
        "custom.size.gte": "anything",
        "custom.in.in": "a,b",
    }
    client.simulate_get("/v1/search", params={"q": "a", "facets": "city,custom.colour", **filters}, params_csv=False)
    assert (bus.last["params"]["filters"], bus.last["params"]["facets"]) == (filters, ["city", "custom.colour"])


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("ordered_on.gte=2026-02-30", "bad_parameter", "ordered_on.gte"),
        ("ordered_on.gte=today", "bad_parameter", "ordered_on.gte"),
        ("ordered_on.within=soon", "bad_parameter", "ordered_on.within"),
        ("created_at.lt=2026-01-01", "bad_parameter", "created_at.lt"),
        ("total.gt=1e3", "bad_parameter", "total.gt"),
        ("types=account&total.gt=1", "unknown_parameter", "total.gt"),
        ("birthday.gte=2000-01-01", "unknown_parameter", "birthday.gte"),
        ("custom.Colour=red", "unknown_parameter", "custom.Colour"),
        ("custom.colour.near=red", "unknown_parameter", "custom.colour.near"),
        ("custom.colour=a&custom.colour=b", "bad_parameter", "custom.colour"),
        ("facets=custom.colour.in", "bad_parameter", "facets"),
        ("colour=red", "unknown_parameter", "colour"),
        ("status.gte=placed", "unknown_parameter", "status.gte"),
        ("types=contact&status=placed", "unknown_parameter", "status"),
        ("status=somewhere", "bad_parameter", "status"),
        ("types=order&status=resolved", "bad_parameter", "status"),
        ("status.in=placed,,draft", "bad_parameter", "status.in"),
        ("owner_id=me", "bad_parameter", "owner_id"),
        ("discontinued=yes", "bad_parameter", "discontinued"),
        ("tags.has=" + ",".join("abcdefghijklmnopqrstu"), "bad_parameter", "tags.has"),
        ("facets=colour", "bad_parameter", "facets"),
        ("after=%22", "bad_parameter", "after"),
        ("explain=yes", "bad_parameter", "explain"),
        ("suggest=1", "bad_parameter", "suggest"),
        ("city=a&city=b", "bad_parameter", "city"),
    ],
)
def test_a_question_that_nobody_can_answer_names_what_is_wrong(client, bus, query, code, field):
    answer = client.simulate_get("/v1/search", query_string=f"q=a&{query}")
    assert (answer.status_code, answer.json["code"]) == (400, code)
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert not bus.asked()


def test_no_filter_has_the_name_of_another_parameter_of_search():
    words = {"q", "types", "limit", "after", "facets", "explain", "suggest", "min_version"}
    assert not words & {name.partition(".")[0] for name in filters()}


def test_what_was_opened_and_finished_is_passed_on(client, bus):
    client.simulate_post("/v1/search/opened", json={"type": "account", "id": ID, "q": "alf"})
    assert (bus.last["method"], bus.last["params"]) == ("search.opened", {"type": "account", "id": ID, "q": "alf"})
    client.simulate_post("/v1/search/recent", json={"q": "alf", "types": ["account"]})
    assert (bus.last["method"], bus.last["params"]) == ("search.finished", {"q": "alf", "types": ["account"]})
    client.simulate_get("/v1/search/recent")
    assert bus.last["method"] == "search.recent"
    client.simulate_delete("/v1/search/recent")
    assert bus.last["method"] == "search.clear"


@pytest.mark.parametrize("body", [[], "alf", {"q": "a", "page": 2}])
def test_only_what_is_known_is_told_to_search(client, bus, body):
    for path in ("opened", "recent"):
        assert client.simulate_post(f"/v1/search/{path}", json=body).status_code == 422
    assert not bus.asked()


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "x" * 201,
        "q=a%00",
        "q=a&limit=101",
        "q=a&types=unicorn",
        "q=a&min_version=account/7:1",
        f"q=a&min_version=unicorn/{ID}:1",
        f"q=a&min_version=account/{ID}",
        "q=a&min_version=account/" + "-" * 36 + ":1",
        "q=a&min_version=" + ",".join([f"account/{ID}:1"] * 51),
        "q=a&page=2",
    ],
)
def test_bad_searches_are_400(client, bus, query):
    assert client.simulate_get("/v1/search", query_string=query).status_code == 400
    assert not bus.asked()


@pytest.mark.parametrize("what", ["inbox", "sagas"])
def test_administration_asks_one_service(client, bus, what):
    client.simulate_get(f"/v1/admin/{what}", params={"service": "sales", "state": "dead", "limit": "5", "after": "7"})
    assert bus.asked()[0][0] == "sales"
    assert (bus.last["method"], bus.last["params"]) == (f"admin.{what}", {"limit": 5, "after": "7", "state": "dead"})
    for service in SERVICES:
        assert client.simulate_get(f"/v1/admin/{what}", params={"service": service}).status_code == 200
    for query in ("", "service=mainframe", "service=sales&state=Dead", "service=sales&limit=201"):
        assert client.simulate_get(f"/v1/admin/{what}", query_string=query).status_code == 400


def test_administration_is_filtered_by_what_stuck_work_has(client, bus):
    chosen = {"service": "sales", "state": "dead", "consumer": "on_order_placed", "type": "sales.order.*"}
    client.simulate_get("/v1/admin/inbox", params=chosen)
    page = {"limit": 50, "after": None}
    assert bus.last["params"] == {**page, "state": "dead", "consumer": "on_order_placed", "type": "sales.order.*"}
    client.simulate_get("/v1/admin/operations", params={"service": "sales", "action": "inbox.replay"})
    assert (bus.last["method"], bus.last["params"]) == ("admin.operations", {**page, "action": "inbox.replay"})
    for query in ("consumer=Drop", "type=sales..order", "type=*", "name=x"):
        assert client.simulate_get("/v1/admin/inbox", query_string=f"service=sales&{query}").status_code == 400


@pytest.mark.parametrize(
    ("path", "method", "params"),
    [
        ("inbox/7/replay", "admin.replay", {"entry": 7}),
        ("inbox/7/discard", "admin.discard", {"entry": 7}),
        (f"sagas/{ID}/push", "admin.push", {"id": ID}),
        (f"sagas/{ID}/compensate", "admin.compensate", {"id": ID}),
        ("inbox/replay", "admin.replay_chosen", {"filter": {}}),
    ],
)
def test_an_intervention_takes_a_reason_and_a_key(client, bus, path, method, params):
    answer = client.simulate_post(
        f"/v1/admin/{path}", params={"service": "sales"}, json={"reason": " mended "}, headers={"Idempotency-Key": "k1"}
    )
    assert answer.status_code == 200
    assert (bus.last["method"], bus.last["params"]) == (method, {**params, "reason": "mended"})
    assert bus.last["key"] == "k1" and bus.last["route"].startswith("POST /v1/admin/")
    for body in ({"reason": ""}, {"reason": 5}, {"reason": "x" * 501}, {"why": "x"}, ["x"]):
        refusal = client.simulate_post(f"/v1/admin/{path}", params={"service": "sales"}, json=body)
        assert (refusal.status_code, refusal.json["errors"][0]["field"]) == (422, "reason")
    required = path.endswith(("discard", "compensate"))
    bare = client.simulate_post(f"/v1/admin/{path}", params={"service": "sales"})
    assert bare.status_code == (415 if required else 200)
    assert client.simulate_post(f"/v1/admin/{path}", json={"reason": "x"}).status_code == 400


@pytest.mark.parametrize("path", ["inbox/0", "inbox/x", "inbox/-1", f"inbox/{'9' * 19}", "sagas/7"])
def test_what_is_no_id_is_nothing_that_is_stuck(client, bus, path):
    assert client.simulate_get(f"/v1/admin/{path}", params={"service": "sales"}).status_code == 404
    assert not bus.asked()
