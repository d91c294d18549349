"""The OpenAPI document: valid, complete, and exact about parameters and answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from contracts.documents.openapi import PROBLEMS, openapi
from contracts.registry import registry

registry.load()
DOCUMENT = openapi(registry)
METHODS = ("get", "put", "post", "patch", "delete")
FIXED = {
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/asyncapi.json",
    "/docs",
    "/v1/metadata",
    "/v1/metadata/{collection}",
    "/v1/auth/login",
    "/v1/auth/refresh",
    "/v1/auth/logout",
    "/v1/me",
    "/v1/search",
    "/v1/events",
    "/v1/events/stream",
    "/v1/admin/inbox",
    "/v1/admin/inbox/replay",
    "/v1/admin/inbox/{id}",
    "/v1/admin/inbox/{id}/replay",
    "/v1/admin/inbox/{id}/discard",
    "/v1/admin/sagas",
    "/v1/admin/jobs",
    "/v1/jobs",
    "/v1/jobs/{id}",
    "/v1/jobs/{id}/cancel",
    "/v1/jobs/{id}/run",
    "/v1/jobs/{id}/undo",
    "/v1/jobs/{id}/result",
    "/v1/jobs/{id}/errors",
    "/v1/admin/sagas/{id}",
    "/v1/admin/sagas/{id}/push",
    "/v1/admin/sagas/{id}/compensate",
    "/v1/admin/operations",
}
OF_EVERY_RECORD = {
    ("get", "/notes"),
    ("post", "/notes"),
    ("get", "/notes/{child}"),
    ("patch", "/notes/{child}"),
    ("delete", "/notes/{child}"),
    ("post", "/notes/{child}/restore"),
    ("get", "/notes/{child}/history"),
    ("post", "/notes/export"),
    ("get", "/attachments"),
    ("post", "/attachments"),
    ("get", "/attachments/{child}"),
    ("patch", "/attachments/{child}"),
    ("delete", "/attachments/{child}"),
    ("post", "/attachments/{child}/restore"),
    ("get", "/attachments/{child}/history"),
    ("post", "/attachments/export"),
    ("get", "/attachments/{child}/content"),
}
OF_AN_OPERATION = {
    "list": [("get", ""), ("post", "/search")],
    "create": [("post", "")],
    "get": [("get", "/{id}")],
    "update": [("patch", "/{id}")],
    "delete": [("delete", "/{id}")],
    "restore": [("post", "/{id}/restore")],
    "purge": [("post", "/{id}/purge")],
    "erase": [("post", "/{id}/erase"), ("get", "/{id}/erasure")],
    "history": [("get", "/{id}/history")],
    "bulk": [("post", "/bulk"), ("post", "/bulk-jobs")],
    "upsert": [("get", "/by-external/{system}/{key}"), ("put", "/by-external/{system}/{key}")],
    "changes": [("get", "/changes")],
    "aggregate": [("post", "/aggregate")],
    "export": [("post", "/export")],
    "import": [
        ("post", "/import"),
        ("get", "/import/mappings"),
        ("get", "/import/mappings/{name}"),
        ("put", "/import/mappings/{name}"),
        ("delete", "/import/mappings/{name}"),
    ],
    "merge": [
        ("post", "/{id}/merge"),
        ("post", "/{id}/unmerge"),
        ("get", "/{id}/merges"),
        ("get", "/{id}/duplicates"),
        ("get", "/{id}/saga"),
    ],
}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def parameters(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    shared = DOCUMENT["components"]["parameters"]
    found = [shared[p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p for p in operation.get("parameters", ())]
    return {parameter["name"]: parameter for parameter in found}


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_every_fixed_route_is_described() -> None:
    assert DOCUMENT["paths"].keys() >= FIXED


@pytest.mark.parametrize("collection", sorted(registry.collections))
def test_a_collection_has_exactly_the_routes_that_it_declares(collection: str) -> None:
    record = registry.collections[collection]
    base = f"/v1/{collection}"
    expected = {(method, base + path) for name in record.operations for method, path in OF_AN_OPERATION[name]}
    commands = registry.commands_of(record)
    expected |= {("post", f"{base}/{{id}}/{command.verb}") for command in commands}
    expected |= {("get", f"{base}/{{id}}/{query.path}") for query in registry.queries_of(record)}
    if any(command.answers == 202 for command in commands):
        expected.add(("get", f"{base}/{{id}}/saga"))
    found = {(method, path) for path, method, _ in operations() if path == base or path.startswith(base + "/")}
    assert found == expected


def test_notes_and_attachments_are_described_once_for_every_collection() -> None:
    base = "/v1/{collection}/{id}"
    found = {(method, path.removeprefix(base)) for path, method, _ in operations() if path.startswith(base)}
    assert found == OF_EVERY_RECORD
    for path, _, operation in operations():
        if path.startswith(base):
            assert parameters(operation)["collection"]["schema"]["enum"] == sorted(registry.collections)


def test_work_across_services_shows_its_saga() -> None:
    assert "/v1/orders/{id}/saga" in DOCUMENT["paths"]
    assert "/v1/leads/{id}/saga" in DOCUMENT["paths"]
    assert "/v1/accounts/{id}/saga" in DOCUMENT["paths"]
    assert "/v1/warehouses/{id}/saga" not in DOCUMENT["paths"]


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    assert {"orders.list", "orders.create", "orders.place", "accounts.overview"} <= set(ids)


def test_every_operation_under_v1_says_what_happens_to_strangers_and_when_services_are_away() -> None:
    for path, method, operation in operations():
        if path.startswith("/v1/"):
            assert {"400", "401", "429", "503", "504"} <= operation["responses"].keys(), (method, path)
        if "{id}" in path:
            assert "404" in operation["responses"], (method, path)
        if "requestBody" in operation:
            assert {"413", "415", "422"} <= operation["responses"].keys(), (method, path)


def test_only_health_documents_and_signing_in_need_no_token() -> None:
    assert {path for path, _, operation in operations() if operation.get("security") == []} == {
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/asyncapi.json",
        "/docs",
        "/v1/auth/login",
        "/v1/auth/refresh",
    }


def test_every_refusal_is_a_problem_document() -> None:
    for status in PROBLEMS:
        response = DOCUMENT["components"]["responses"][f"Problem{status}"]
        assert list(response["content"]) == ["application/problem+json"]
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400 and path != "/readyz":
                assert response == {"$ref": f"#/components/responses/Problem{status}"}, (method, path)


def test_every_write_takes_an_idempotency_key() -> None:
    reads = ("search", "aggregate")
    for path, method, operation in operations():
        if (
            path.startswith("/v1/")
            and path.split("/")[2] in (*registry.collections, "{collection}")
            and method != "get"
        ):
            taken = "Idempotency-Key" in parameters(operation)
            assert taken == (path.rsplit("/", 1)[1] not in reads), (method, path)


def test_every_change_of_a_record_takes_if_match_and_may_clash() -> None:
    for path, method, operation in operations():
        creates = path.endswith(("/notes", "/attachments", "/export"))
        if "{id}" in path and method != "get" and not creates and not path.startswith(("/v1/jobs/", "/v1/admin/")):
            assert "If-Match" in parameters(operation), (method, path)
            assert "412" in operation["responses"], (method, path)


def test_a_list_takes_one_parameter_for_each_filterable_field_and_operator() -> None:
    taken = parameters(DOCUMENT["paths"]["/v1/orders"]["get"])
    assert {
        "status",
        "status.ne",
        "status.in",
        "total.gte",
        "ordered_on.lt",
        "account_id",
        "created_at.gte",
    } <= taken.keys()
    assert taken["status"]["schema"]["enum"][0] == "draft"
    assert taken["status.in"]["explode"] is False
    assert "lines" not in taken
    assert "required_on" not in taken
    assert "status.gt" not in taken


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("-created_at", True),
        ("total", True),
        ("-total,ordered_on", True),
        ("-total,ordered_on,reason,number", True),
        ("total,lines", False),
        ("total,ordered_on,reason,number,id", False),
        ("status_of", False),
        ("", False),
        ("total\n", False),
    ],
)
def test_sorting_names_up_to_four_sortable_fields(value: str, good: bool) -> None:
    schema = parameters(DOCUMENT["paths"]["/v1/orders"]["get"])["sort"]["schema"]
    assert jsonschema_rs.Draft202012Validator(schema).is_valid(value) == good


@pytest.mark.parametrize(
    ("tree", "good"),
    [
        ({"field": "status", "value": "draft"}, True),
        ({"field": "status", "op": "in", "value": ["draft", "placed"]}, True),
        ({"field": "total", "op": "gte", "value": "1000"}, True),
        ({"field": "account_id", "op": "empty"}, True),
        (
            {
                "and": [
                    {"not": {"field": "status", "op": "eq", "value": "draft"}},
                    {"or": [{"field": "currency", "value": "CNY"}]},
                ]
            },
            True,
        ),
        ({"field": "status", "value": "unknown"}, False),
        ({"field": "status", "op": "gt", "value": "draft"}, False),
        ({"field": "status", "op": "in", "value": "draft"}, False),
        ({"field": "reason_detail", "value": "x"}, True),
        ({"field": "placed_at", "op": "within", "value": "last-7-days"}, True),
        ({"field": "placed_at", "op": "within", "value": "soon"}, False),
        ({"field": "lines", "value": "x"}, False),
        ({"and": []}, False),
        ({"and": [{"field": "status", "value": "draft"}], "or": []}, False),
        ({}, False),
    ],
)
def test_a_filter_tree_is_typed_by_its_fields(tree: dict[str, Any], good: bool) -> None:
    document = {"$ref": "#/components/schemas/OrderFilter", "components": DOCUMENT["components"]}
    assert jsonschema_rs.Draft202012Validator(document, validate_formats=True).is_valid(tree) == good


def test_a_page_has_at_most_200_records() -> None:
    limit = parameters(DOCUMENT["paths"]["/v1/orders"]["get"])["limit"]["schema"]
    assert (limit["minimum"], limit["maximum"]) == (1, 200)


def test_the_id_of_a_new_record_leads_to_what_can_be_done_with_it() -> None:
    links = DOCUMENT["paths"]["/v1/orders"]["post"]["responses"]["201"]["links"]
    assert {"get", "update", "delete", "place", "cancel", "ship"} <= links.keys()
    known = {operation["operationId"] for _, _, operation in operations()}
    for path, _, operation in operations():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                assert link["operationId"] in known, path


def test_accepted_work_says_where_its_progress_is() -> None:
    accepted = DOCUMENT["paths"]["/v1/orders/{id}/place"]["post"]["responses"]["202"]
    assert set(accepted["headers"]) == {"ETag", "Location"}
