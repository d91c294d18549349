"""Each rule of the gate with a change that breaks it, and the changes that break nobody."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from contracts.documents.compatibility import REPLY, REQUEST, compare, compare_schema
from contracts.publish import baselines, documents, findings_since

OLD = {
    "type": "object",
    "required": ["id"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": "string", "maxLength": 100, "minLength": 1, "pattern": "^a"},
        "note": {"type": ["string", "null"]},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "count": {"type": "integer", "minimum": 0, "maximum": 10},
        "tags": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "minItems": 1, "maxItems": 5},
        "line": {"$ref": "#/$defs/Line"},
        "total": {"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]},
    },
    "$defs": {"Line": {"type": "object", "required": ["net"], "properties": {"net": {"type": "string"}}}},
}
OPEN_OLD = {key: value for key, value in OLD.items() if key != "additionalProperties"}
Change = Callable[[dict[str, Any]], Any]


def changed(base: dict[str, Any], change: Change) -> dict[str, Any]:
    new = copy.deepcopy(base)
    change(new)
    return new


def properties(schema: dict[str, Any]) -> dict[str, Any]:
    return schema["properties"]


BREAKS_READERS: dict[str, tuple[Change, str]] = {
    "a lost field": (lambda s: properties(s).pop("note"), "x.note: is gone"),
    "a new null": (lambda s: properties(s)["name"].update(type=["string", "null"]), "x.name: may be null now"),
    "a new type": (lambda s: properties(s)["count"].update(type="string"), "x.count: may be string now"),
    "an integer that becomes a number": (lambda s: properties(s)["count"].update(type="number"), "may be number now"),
    "a new enum value": (lambda s: properties(s)["kind"].update(enum=["a", "b", "c"]), 'x.kind: may be "c" now'),
    "an enum that is given up": (lambda s: properties(s)["kind"].pop("enum"), "no longer bound to its choices"),
    "a field that may be missing": (lambda s: s.update(required=[]), "x.id: may be missing now"),
    "a lost format": (lambda s: properties(s)["id"].pop("format"), "x.id: format is another"),
    "a new null in a part": (
        lambda s: s["$defs"]["Line"]["properties"]["net"].update(type=["string", "null"]),
        "Line (reply).net: may be null now",
    ),
    "a lost field in a part": (
        lambda s: s["$defs"]["Line"].update(properties={}, required=[]),
        "Line (reply).net: is gone",
    ),
    "a new enum value in a list": (
        lambda s: properties(s)["tags"]["items"].update(enum=["x", "y", "z"]),
        'x.tags[]: may be "z" now',
    ),
    "one more shape": (
        lambda s: properties(s)["total"]["anyOf"].append({"type": "string"}),
        "may be string of another",
    ),
    "a reference that may be null": (
        lambda s: properties(s).update(line={"anyOf": [{"$ref": "#/$defs/Line"}, {"type": "null"}]}),
        "x.line: may be null of another shape now",
    ),
}

BREAKS_WRITERS: dict[str, tuple[Change, str]] = {
    "a demanded field": (lambda s: s.update(required=["id", "name"]), "x.name: is demanded now"),
    "a field that is no longer taken": (lambda s: properties(s).pop("note"), "x.note: is no longer taken"),
    "a null that is no longer taken": (
        lambda s: properties(s)["note"].update(type="string"),
        "may not be null any more",
    ),
    "another type": (lambda s: properties(s)["count"].update(type="string"), "x.count: may not be integer any more"),
    "a lost enum value": (lambda s: properties(s)["kind"].update(enum=["a"]), 'x.kind: may not be "b" any more'),
    "new choices": (lambda s: properties(s)["name"].update(enum=["a"]), "x.name: is bound to choices now"),
    "a shorter text": (lambda s: properties(s)["name"].update(maxLength=50), "x.name: maxLength is tighter"),
    "a longer minimum": (lambda s: properties(s)["name"].update(minLength=2), "x.name: minLength is tighter"),
    "a new pattern": (lambda s: properties(s)["name"].update(pattern="^b"), "x.name: pattern is another"),
    "a smaller maximum": (lambda s: properties(s)["count"].update(maximum=9), "x.count: maximum is tighter"),
    "a higher minimum": (lambda s: properties(s)["count"].update(minimum=1), "x.count: minimum is tighter"),
    "a shorter list": (lambda s: properties(s)["tags"].update(maxItems=4), "x.tags: maxItems is tighter"),
    "a longer list": (lambda s: properties(s)["tags"].update(minItems=2), "x.tags: minItems is tighter"),
    "lists without repeats": (lambda s: properties(s)["tags"].update(uniqueItems=True), "uniqueItems is another"),
    "a demanded field in a part": (
        lambda s: s["$defs"]["Line"].update(required=["net", "tax"]),
        "Line (request).tax: is demanded now",
    ),
    "a part that is closed": (lambda s: s["$defs"]["Line"].update(additionalProperties=False), "takes no other fields"),
    "one shape fewer": (lambda s: properties(s)["total"]["anyOf"].pop(), "x.total: may not be null of one shape"),
}

HARMS_NO_READER: dict[str, Change] = {
    "a new field": lambda s: properties(s).update(more={"type": "string"}),
    "a lost null": lambda s: properties(s)["note"].update(type="string"),
    "a lost enum value": lambda s: properties(s)["kind"].update(enum=["a"]),
    "a field that is always there": lambda s: s.update(required=["id", "name"]),
    "another label": lambda s: properties(s)["name"].update(title="Name", description="…"),
    "another name of a part": lambda s: (
        s["$defs"].update(Row=s["$defs"]["Line"]),
        properties(s)["line"].update({"$ref": "#/$defs/Row"}),
    ),
}
HARMS_NO_WRITER: dict[str, Change] = {
    "a new optional field": lambda s: properties(s).update(more={"type": "string"}),
    "a new null": lambda s: properties(s)["name"].update(type=["string", "null"]),
    "a new enum value": lambda s: properties(s)["kind"].update(enum=["a", "b", "c"]),
    "a field that may be missing": lambda s: s.update(required=[]),
    "a longer text": lambda s: properties(s)["name"].update(maxLength=200),
    "a lost pattern": lambda s: properties(s)["name"].pop("pattern"),
    "a number for an integer": lambda s: properties(s)["count"].update(type="number"),
    "one more shape": lambda s: properties(s)["total"]["anyOf"].append({"type": "string"}),
    "any further field": lambda s: s.pop("additionalProperties"),
}


def found(old: Any, new: Any, side: str) -> list[str]:
    return [str(finding) for finding in compare_schema(old, new, side, "x")]


@pytest.mark.parametrize("rule", BREAKS_READERS)
def test_a_reply_must_not_come_with(rule: str) -> None:
    change, finding = BREAKS_READERS[rule]
    lines = found(OPEN_OLD, changed(OPEN_OLD, change), REPLY)
    assert any(finding in line for line in lines), lines


@pytest.mark.parametrize("rule", BREAKS_WRITERS)
def test_a_request_must_not_come_with(rule: str) -> None:
    change, finding = BREAKS_WRITERS[rule]
    lines = found(OLD, changed(OLD, change), REQUEST)
    assert any(finding in line for line in lines), lines


@pytest.mark.parametrize("rule", HARMS_NO_READER)
def test_a_reply_may_come_with(rule: str) -> None:
    assert found(OPEN_OLD, changed(OPEN_OLD, HARMS_NO_READER[rule]), REPLY) == []


@pytest.mark.parametrize("rule", HARMS_NO_WRITER)
def test_a_request_may_come_with(rule: str) -> None:
    assert found(OLD, changed(OLD, HARMS_NO_WRITER[rule]), REQUEST) == []


def test_a_schema_that_contains_itself_is_compared_in_the_end() -> None:
    tree: Any = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/Tree"}}]}
    old = {"$ref": "#/$defs/Tree", "$defs": {"Tree": tree}}
    new = changed(old, lambda s: s["$defs"]["Tree"]["anyOf"].insert(0, {"type": "integer"}))
    assert found(old, new, REQUEST) == []
    assert found(old, new, REPLY)


DOCUMENTS = documents()


def order(document: dict[str, Any], method: str = "get", path: str = "/v1/orders") -> dict[str, Any]:
    return document["openapi.json"]["paths"][path][method]


BREAKING: dict[str, tuple[Change, str]] = {
    "a lost route": (
        lambda d: d["openapi.json"]["paths"].pop("/v1/orders/{id}/place"),
        "POST /v1/orders/{id}/place: is gone",
    ),
    "a lost method": (lambda d: d["openapi.json"]["paths"]["/v1/orders"].pop("post"), "POST /v1/orders: is gone"),
    "another operation id": (lambda d: order(d).update(operationId="o"), "GET /v1/orders: is called o instead"),
    "a lost filter": (lambda d: order(d)["parameters"].pop(), "is no longer taken"),
    "a demanded parameter": (lambda d: order(d)["parameters"][-1].update(required=True), "is demanded now"),
    "a smaller page": (
        lambda d: d["openapi.json"]["components"]["parameters"]["Limit"]["schema"].update(maximum=100),
        "parameter limit: maximum is tighter",
    ),
    "a lost sort": (
        lambda d: [
            p["schema"].update({"pattern": "^x$", "x-sortable": ["number"]})
            for p in order(d)["parameters"]
            if p.get("name") == "sort"
        ],
        "no longer sorts by total",
    ),
    "another status": (
        lambda d: order(d, "post")["responses"].update({"200": order(d, "post")["responses"].pop("201")}),
        "POST /v1/orders: no longer answers 201",
    ),
    "a sign-in where none was needed": (lambda d: order(d, path="/livez").pop("security"), "demands to sign in now"),
    "a demanded body": (
        lambda d: order(d, "post", "/v1/orders/{id}/cancel")["requestBody"].update(required=True),
        "demands a body now",
    ),
    "a lost media type": (
        lambda d: order(d, "patch", "/v1/orders/{id}")["requestBody"]["content"].pop("application/json"),
        "no longer takes application/json",
    ),
    "a demanded request field": (
        lambda d: d["openapi.json"]["components"]["schemas"]["OrderCreate"]["required"].append("freight"),
        "OrderCreate (request).freight: is demanded now",
    ),
    "a new state in a reply": (
        lambda d: d["openapi.json"]["components"]["schemas"]["Order"]["properties"]["status"]["enum"].append("lost"),
        'Order (reply).status: may be "lost" now',
    ),
    "a lost event": (
        lambda d: d.pop("events/sales.order.placed.schema.json"),
        "events/sales.order.placed.schema.json: is gone",
    ),
    "a lost channel": (
        lambda d: d["asyncapi.json"]["channels"].pop("sales.order.placed"),
        "channel sales.order.placed: is gone",
    ),
    "another exchange": (
        lambda d: d["asyncapi.json"]["channels"]["sales.order.placed"]["bindings"]["amqp"]["exchange"].update(name="x"),
        "channel sales.order.placed: has other bindings",
    ),
    "a lost word of the envelope": (
        lambda d: d["asyncapi.json"]["components"]["schemas"]["Envelope"]["properties"].pop("tenant"),
        "Envelope (reply).tenant: is gone",
    ),
    "a new null in an event": (
        lambda d: d["events/sales.order.placed.schema.json"]["properties"]["currency"].update(type=["string", "null"]),
        "events/sales.order.placed.currency: may be null now",
    ),
    "a lost field in an event": (
        lambda d: d["events/sales.order.placed.schema.json"]["properties"].pop("total"),
        "events/sales.order.placed.total: is gone",
    ),
}

HARMLESS: dict[str, Change] = {
    "nothing": lambda d: None,
    "a new route": lambda d: d["openapi.json"]["paths"].update({"/v1/more": order(d)}),
    "a new event": lambda d: d.update({"events/sales.order.lost.schema.json": {"type": "object"}}),
    "a new filter": lambda d: order(d)["parameters"].append(
        {"name": "more", "in": "query", "schema": {"type": "string"}}
    ),
    "a new sort": lambda d: [
        p["schema"].update({"pattern": "^x$", "x-sortable": [*p["schema"]["x-sortable"], "more"]})
        for p in order(d)["parameters"]
        if p.get("name") == "sort"
    ],
    "a new refusal": lambda d: order(d)["responses"].update({"451": {"description": "Refused."}}),
    "a new field in an event": lambda d: d["events/sales.order.placed.schema.json"]["properties"].update(more={}),
}


@pytest.mark.parametrize("rule", BREAKING)
def test_published_documents_must_not_come_with(rule: str) -> None:
    change, finding = BREAKING[rule]
    lines = [str(line) for line in compare(DOCUMENTS, changed(DOCUMENTS, change))]
    assert any(finding in line for line in lines), lines


@pytest.mark.parametrize("rule", HARMLESS)
def test_published_documents_may_come_with(rule: str) -> None:
    assert compare(DOCUMENTS, changed(DOCUMENTS, HARMLESS[rule])) == []


def test_a_document_that_was_not_published_before_promised_nothing() -> None:
    assert compare({}, DOCUMENTS) == []


def test_the_published_documents_break_nobody_who_knows_a_release_or_the_main_branch() -> None:
    revisions = baselines()
    if not revisions:
        pytest.skip("there is no earlier revision to compare with")
    for revision in revisions:
        assert [str(finding) for finding in findings_since(revision)] == [], f"since {revision}"
