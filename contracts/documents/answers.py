"""Request bodies, answers and problems: the parts that every operation of the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]

READING = (400, 401, 403, 406, 429, 500, 503, 504)
WRITING = (*READING, 409, 413, 415, 422, 428)


def ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def json(schema: JSON, *types: str, required: bool = True) -> JSON:
    """A request body."""
    return {"required": required, "content": {kind: {"schema": schema} for kind in types or ("application/json",)}}


def answer(status: int, text: str, schema: JSON | None = None, kind: str = "application/json") -> JSON:
    response: JSON = {"description": text}
    if schema is not None:
        response["content"] = {kind: {"schema": schema}}
    return {str(status): response}


def job(text: str) -> JSON:
    """202 with the job that does the work."""
    found = answer(202, text, ref("Job"))
    found["202"]["headers"] = {"Location": {"$ref": "#/components/headers/Location"}}
    return found


def problems(*statuses: int) -> JSON:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(set(statuses))}
