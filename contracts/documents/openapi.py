"""The OpenAPI 3.1 document of the gateway, made from the declarations."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from contracts.children import KINDS
from contracts.documents import imports, parameters, system
from contracts.documents.children import Children
from contracts.documents.longwork import LongWork
from contracts.documents.operations import Collection
from contracts.documents.schemas import Schemas
from contracts.registry import Registry

JSON = dict[str, Any]

DESCRIPTION = """One HTTP interface to every service of the suite.

Money is `{"amount": "12.34", "currency": "CNY"}`, quantities are decimal strings, instants are RFC 3339 in UTC.
Every write takes `Idempotency-Key`, every change of a record `If-Match`. Errors are RFC 9457 problems with a `code`.
A field that is hidden from whoever asks is missing from the answer."""

PROBLEMS = {
    400: "The request cannot be read, or a parameter is unknown or wrong.",
    401: "Not signed in, or no longer.",
    403: "Signed in, but not allowed to do this.",
    404: "There is no such record, or it may not be seen.",
    406: "JSON is all there is.",
    409: "The record's state does not allow it, a key is taken, or a request with this key is still running.",
    412: "The record was changed meanwhile: with base, mine and theirs.",
    413: "The body is larger than 1 MiB.",
    416: "The file ends before the range begins: its size is in `Content-Range`.",
    415: "The body is not of a type that is taken here.",
    422: "Fields are wrong (`errors`), the filter is too dear, or the key was used with another body.",
    428: "The tenant demands `If-Match` or `Idempotency-Key`.",
    429: "Too many requests: `Retry-After` tells when to come back.",
    500: "A fault of the server; `correlation_id` finds it in the log.",
    503: "Something needed is not there. Nothing was written; `Retry-After` tells when to come back.",
    504: "The outcome is unknown: repeat with the same `Idempotency-Key` to learn it.",
}

HEADERS: JSON = {
    "ETag": {"description": "The record's version, for `If-Match`.", "schema": {"type": "string"}},
    "Location": {
        "description": "Where the record, or the progress of the work, is found.",
        "schema": {"type": "string"},
    },
    "RetryAfter": {"description": "Seconds.", "schema": {"type": "integer"}},
}


def openapi(registry: Registry, version: str = "1.0.0") -> JSON:
    """The document; `registry` must be loaded."""
    schemas = Schemas(registry)
    paths: dict[str, JSON] = {}
    system.describe(schemas, paths)
    for collection in sorted(registry.collections):
        for part in (Collection, LongWork):
            part(registry.collections[collection], schemas, paths).describe()
        if "import" in registry.collections[collection].operations:
            paths.update(imports.paths(registry.collections[collection]))
    for kind in KINDS:
        Children(kind, schemas, paths).describe()
    return {
        "openapi": "3.1.0",
        "info": {"title": "Guanxi", "version": version, "description": DESCRIPTION},
        "servers": [{"url": "/"}],
        "security": [{"bearerAuth": []}],
        "tags": [
            {"name": name} for name in dict.fromkeys(o["tags"][0] for path in paths.values() for o in path.values())
        ],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearerAuth": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of `/v1/auth/login`, or an API key (`gx_…`).",
                }
            },
            "parameters": parameters.SHARED,
            "headers": HEADERS,
            "responses": {f"Problem{status}": _problem(status, text) for status, text in PROBLEMS.items()},
            "schemas": dict(sorted(schemas.components.items())),
        },
    }


def _problem(status: int, text: str) -> JSON:
    response: JSON = {
        "description": f"{HTTPStatus(status).phrase}. {text}",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}
    return response
