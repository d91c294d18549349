"""The AsyncAPI 3.0 document, and one self-contained JSON Schema for the data of each event.

Events are CloudEvents 1.0 in structured JSON, published to the topic exchange `<service>.events` under their type.
"""

from __future__ import annotations

import re
from typing import Any

from contracts import fields as f
from contracts.documents.schemas import Schemas, expandable, nullable
from contracts.records import Event, Record
from contracts.registry import Registry

JSON = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE = (
    "id",
    "source",
    "specversion",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "data",
    "tenant",
    "actor",
    "version",
)

DESCRIPTION = """Every change of a record is one event: CloudEvents 1.0 in structured JSON.

Delivery is at least once, in no promised order: drop repeats by `id`, ignore what is stale by `subject` and `version`.
`data` is the record after the change, with `changed` (names of fields) and `previous` (their values before).
Fields may be added: consumers ignore what they do not know. Fields hidden from a subscription's user are missing."""


def data_schema_name(event: Event) -> str:
    """The last part of `dataschema`: `sales.order.placed.v1`."""
    return f"{event.name}.v{event.schema_version}"


def asyncapi(registry: Registry, version: str = "1.0.0") -> JSON:
    """The document; `registry` must be loaded."""
    schemas = Schemas(registry)
    schemas.reference("Envelope", envelope)
    channels: JSON = {}
    operations: JSON = {}
    messages: JSON = {}
    for name in sorted(registry.events):
        event = registry.events[name]
        messages[name] = _message(event, schemas)
        channels[name] = _channel(event)
        operations[f"send.{name}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": f"{event.of.record_label[0]} {name.rsplit('.', 1)[1]}",
            "messages": [{"$ref": f"#/channels/{name}/messages/event"}],
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Guanxi events", "version": version, "description": DESCRIPTION},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.components.items()))},
    }


def event_schemas(registry: Registry) -> dict[str, JSON]:
    """The schema of each event's data, by event type. Each file stands alone: what it refers to is in its `$defs`."""
    found = {}
    for name, event in registry.events.items():
        schemas = Schemas(registry, ref="#/$defs/")
        body = event_data(event.of, schemas, gone=event.gone)
        schema: JSON = {"$schema": DIALECT, "$id": f"/events/{data_schema_name(event)}", "title": name, **body}
        if schemas.components:
            schema["$defs"] = dict(sorted(schemas.components.items()))
        found[name] = schema
    return found


def event_data(record: type[Record], schemas: Schemas, *, gone: bool = False) -> JSON:
    """A record's reply schema with what changed and what was there before; of one that is `gone` all may be null."""
    schema = schemas.record_reply(record)
    properties = {name: value for name, value in schema["properties"].items() if name not in expandable(record)}
    if gone:
        properties = {
            name: value if name in ("id", "version") or _may_be_null(value) else nullable(value)
            for name, value in properties.items()
        }
    properties["changed"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Names of the fields that changed.",
    }
    properties["previous"] = {"type": "object", "description": "The values before, by the names in `changed`."}
    return {**schema, "required": [*schema["required"], "changed", "previous"], "properties": properties}


def _may_be_null(schema: JSON) -> bool:
    kinds = [schema.get("type"), *(one.get("type") for one in schema.get("anyOf", ()))]
    return any("null" in kind if isinstance(kind, list) else kind == "null" for kind in kinds if kind)


def envelope() -> JSON:
    """What is the same in every event. `version` is the record's; `traceparent` is W3C trace context."""
    text: JSON = {"type": "string"}
    return {
        "type": "object",
        "required": list(ENVELOPE),
        "properties": {
            "id": {**f.Id().json_schema(), "description": "UUIDv7; a repeat has the same one."},
            "source": {**text, "description": "The service, such as `/sales`."},
            "specversion": {"type": "string", "enum": ["1.0"]},
            "type": text,
            "subject": {**text, "description": "The record, such as `order/<id>`."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"type": "string", "enum": ["application/json"]},
            "dataschema": {**text, "description": "Ends with the type and the version of the schema of `data`."},
            "data": {"type": "object"},
            "tenant": text,
            "actor": {**text, "description": "`user:<id>`, `key:<id>` or `service:<name>`."},
            "version": {"type": "integer", "description": "The version of the record after the change."},
            "correlationid": text,
            "causationid": {"type": ["string", "null"]},
            "traceparent": {"type": ["string", "null"]},
        },
    }


def _message(event: Event, schemas: Schemas) -> JSON:
    record = event.of
    name = f"{schemas.name(record)}{'Gone' if event.gone else 'Data'}"
    data = schemas.reference(name, lambda: event_data(record, schemas, gone=event.gone))
    specific: JSON = {
        "type": "object",
        "properties": {
            "source": {"const": f"/{record.service}"},
            "type": {"const": event.name},
            "subject": {"type": "string", "pattern": f"^{re.escape(record.singular)}/"},
            "dataschema": {"type": "string", "pattern": f"/events/{re.escape(data_schema_name(event))}$"},
            "data": data,
        },
    }
    return {
        "name": event.name,
        "title": f"{record.record_label[0]} {event.name.rsplit('.', 1)[1]}",
        "contentType": "application/cloudevents+json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Envelope"}, specific]},
    }


def _channel(event: Event) -> JSON:
    exchange = {
        "name": f"{event.of.service}.events",
        "type": "topic",
        "durable": True,
        "autoDelete": False,
        "vhost": "/",
    }
    return {
        "address": event.name,
        "messages": {"event": {"$ref": f"#/components/messages/{event.name}"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}},
    }
