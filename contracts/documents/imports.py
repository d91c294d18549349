"""The OpenAPI operations of a collection that take files in."""

from __future__ import annotations

from typing import Any

from contracts.documents import parameters as p
from contracts.documents.answers import READING, WRITING, answer, json, problems, ref
from contracts.records import Record

JSON = dict[str, Any]
FILE: JSON = {"type": "string", "contentMediaType": "application/octet-stream"}
TEXTS: JSON = {"type": "object", "additionalProperties": {"type": "string"}}
TYPES = (
    "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/jsonl",
)
MAPPING: JSON = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "columns": {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
        "formats": TEXTS,
        "constants": TEXTS,
        "empty": {"type": "string", "enum": ["keep", "clear"]},
    },
}
SAVED_PROPERTIES: JSON = {
    "name": {"type": "string"},
    "mapping": ref("ImportMapping"),
    "updated_at": {"type": "string", "format": "date-time"},
    "updated_by": {"type": "string"},
}
SAVED: JSON = {"type": "object", "required": list(SAVED_PROPERTIES), "properties": SAVED_PROPERTIES}
COMPONENTS: JSON = {
    "ImportMapping": MAPPING,
    "SavedMapping": SAVED,
    "SavedMappings": {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": ref("SavedMapping")}},
    },
}


def _query(name: str, schema: JSON, text: str) -> JSON:
    return {"name": name, "in": "query", "description": text, "schema": schema}


PARAMETERS = [
    _query(
        "mode", {"type": "string", "enum": ["create", "update", "upsert"], "default": "create"}, "What rows may do."
    ),
    _query(
        "match",
        {"type": "string", "minLength": 1, "maxLength": 100},
        "How records are found: `id`, `number`, `external:<system>`, or a field that lists filter by.",
    ),
    _query("dry_run", {"type": "boolean", "default": False}, "Judge every row and write none."),
    _query("mapping", {"type": "string", "minLength": 1, "maxLength": 100}, "The name of a saved mapping."),
]
NAME: JSON = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": r"^[^\x00-\x1f\x7f/]*[^\x00-\x20\x7f/]$"},
}


def paths(record: type[Record]) -> dict[str, JSON]:
    """`/v1/{c}/import` and its saved mappings."""
    form: JSON = {
        "type": "object",
        "required": ["file"],
        "additionalProperties": False,
        "properties": {"file": FILE, "mapping": ref("ImportMapping")},
    }
    content: JSON = {kind: {"schema": FILE} for kind in TYPES}
    content["multipart/form-data"] = {"schema": form, "encoding": {"mapping": {"contentType": "application/json"}}}
    accepted = answer(202, "The job; its result is `{created, updated, unchanged, rejected, errors_url}`.", ref("Job"))
    accepted["202"]["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
    root, label = f"/v1/{record.collection}/import", record.record_label[0]
    one = f"{root}/mappings/{{name}}"
    saved = answer(200, "The mapping.", ref("SavedMapping"))

    def route(name: str, summary: str, answers: JSON, errors: tuple[int, ...], **more: Any) -> JSON:
        responses = {**answers, **problems(*errors)}
        operation = f"{record.collection}.{name}"
        said = f"{summary}: {label}"
        return {"operationId": operation, "tags": [record.collection], "summary": said, "responses": responses, **more}

    return {
        root: {
            "post": route(
                "import",
                "Import a file of CSV, XLSX or JSON Lines",
                accepted,
                (*WRITING, 404),
                parameters=[*PARAMETERS, *p.shared("IdempotencyKey")],
                requestBody={"required": True, "content": content},
            )
        },
        f"{root}/mappings": {
            "get": route(
                "import_mappings", "Saved mappings", answer(200, "All of them.", ref("SavedMappings")), (*READING, 404)
            )
        },
        one: {
            "get": route("import_mapping", "A saved mapping", saved, (*READING, 404), parameters=[NAME]),
            "put": route(
                "save_import_mapping",
                "Save a mapping",
                saved,
                (*WRITING, 404),
                parameters=[NAME, *p.shared("IdempotencyKey")],
                requestBody=json(ref("ImportMapping")),
            ),
            "delete": route(
                "delete_import_mapping",
                "Forget a mapping",
                {"204": {"description": "Forgotten."}},
                (*WRITING, 404),
                parameters=[NAME, *p.shared("IdempotencyKey")],
            ),
        },
    }
