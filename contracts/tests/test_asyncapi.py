"""The event documents: complete, valid, and open for consumers."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from contracts.documents.asyncapi import asyncapi, data_schema_name, event_schemas
from contracts.registry import registry

registry.load()
DOCUMENT = asyncapi(registry)
SCHEMAS = event_schemas(registry)
ID = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
STAMPS = {
    "created_at": "2026-01-31T08:00:00Z",
    "created_by": "user:x",
    "updated_at": "2026-01-31T08:00:00Z",
    "updated_by": "user:x",
}
GROUP = {
    "id": ID,
    "version": 3,
    **STAMPS,
    "name": "VIP",
    "account_ids": [],
    "changed": ["name"],
    "previous": {"name": "vip"},
}
EVENT: dict[str, Any] = {
    "id": ID,
    "source": "/customer",
    "specversion": "1.0",
    "type": "customer.group.updated",
    "subject": f"group/{ID}",
    "time": "2026-01-31T08:00:00Z",
    "datacontenttype": "application/json",
    "dataschema": "https://crm.example/events/customer.group.updated.v1",
    "data": GROUP,
    "tenant": "northwind",
    "actor": "user:x",
    "version": 3,
}


def message(name: str) -> Any:
    payload = {**DOCUMENT["components"]["messages"][name]["payload"], "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(payload, validate_formats=True)


def test_every_event_has_a_channel_on_the_exchange_of_its_service() -> None:
    assert DOCUMENT["channels"].keys() == registry.events.keys()
    for name, channel in DOCUMENT["channels"].items():
        assert channel["address"] == name
        binding = channel["bindings"]["amqp"]
        assert binding["is"] == "routingKey"
        assert binding["exchange"]["name"] == f"{name.split('.')[0]}.events"
        assert (binding["exchange"]["type"], binding["exchange"]["durable"]) == ("topic", True)


def test_the_document_has_the_shape_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert DOCUMENT.keys() == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] == "send"
        event = name.removeprefix("send.")
        assert operation["channel"] == {"$ref": f"#/channels/{event}"}
        assert operation["messages"] == [{"$ref": f"#/channels/{event}/messages/event"}]
        assert DOCUMENT["channels"][event]["messages"]["event"] == {"$ref": f"#/components/messages/{event}"}
        assert event in DOCUMENT["components"]["messages"]


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT):
        node = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            node = node[step]


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for inner in node.values() for found in _references(inner)]
    return [found for inner in node for found in _references(inner)] if isinstance(node, list) else []


@pytest.mark.parametrize("name", sorted(registry.events))
def test_every_event_schema_is_valid_and_stands_alone(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"/events/{data_schema_name(registry.events[name])}"
    for reference in _references(schema):
        assert reference.removeprefix("#/$defs/") in schema["$defs"]


@pytest.mark.parametrize("name", sorted(registry.events))
def test_an_event_carries_the_record_with_what_changed(name: str) -> None:
    properties = SCHEMAS[name]["properties"]
    assert registry.events[name].of.declared().keys() | {"changed", "previous"} == properties.keys()
    assert {"id", "version", "changed", "previous"} <= set(SCHEMAS[name]["required"])


def test_consumers_may_meet_fields_that_they_do_not_know() -> None:
    assert '"additionalProperties": false' not in json.dumps([SCHEMAS, DOCUMENT])


def test_an_event_fits_its_message() -> None:
    assert message("customer.group.updated").is_valid(EVENT)


@pytest.mark.parametrize(
    "fault",
    [
        {"type": "customer.group.created"},
        {"source": "/sales"},
        {"subject": f"account/{ID}"},
        {"version": "3"},
        {"dataschema": "/events/customer.group.updated.v2"},
        {"data": {**GROUP, "changed": None}},
        {"data": {**GROUP, "name": None}},
        {"tenant": None},
    ],
)
def test_an_event_that_breaks_its_contract_does_not_fit(fault: dict[str, Any]) -> None:
    assert not message("customer.group.updated").is_valid({**EVENT, **fault})
