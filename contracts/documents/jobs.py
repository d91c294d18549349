"""Long work in the OpenAPI document: jobs, their files, and the operations of a collection that start them."""

from __future__ import annotations

from typing import Any

from contracts.documents import parameters as p
from contracts.documents.answers import READING, answer, job, json, problems, ref
from contracts.documents.schemas import page
from contracts.registry import SERVICES, Registry

JSON = dict[str, Any]
STATES = ["queued", "running", "succeeded", "failed", "cancelled"]
TEXT: JSON = {"type": "string"}
MAYBE_TEXT: JSON = {"type": ["string", "null"]}
MAYBE_INSTANT: JSON = {"type": ["string", "null"], "format": "date-time"}
COUNT: JSON = {"type": "integer", "minimum": 0}
ID_PATTERN = rf"^({'|'.join(SERVICES)})-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$"
FILES = (("result", "What a job made"), ("errors", "What a job refused, with the reasons"))

JOB_PROPERTIES: JSON = {
    "id": {"type": "string", "pattern": ID_PATTERN},
    "kind": TEXT,
    "collection": MAYBE_TEXT,
    "state": {"type": "string", "enum": STATES},
    "cancel_requested": {"type": "boolean"},
    "done": {**COUNT, "description": "How many records it has been through."},
    "total": {"type": ["integer", "null"], "minimum": 0, "description": "Of how many, once that is known."},
    "result": {"type": ["object", "null"], "description": "Counts, by the kind of job; also of a cancelled one."},
    "result_url": {**MAYBE_TEXT, "description": "Where the file is that it made."},
    "errors_url": {**MAYBE_TEXT, "description": "Where the file is that tells what was refused."},
    "error": {"type": ["object", "null"], "description": "Why it failed: `status`, `code`, `detail`, `errors`."},
    "created_at": {"type": "string", "format": "date-time"},
    "started_at": MAYBE_INSTANT,
    "ended_at": MAYBE_INSTANT,
}
JOB: JSON = {"type": "object", "required": list(JOB_PROPERTIES), "properties": JOB_PROPERTIES}
COMPONENTS: JSON = {"Job": JOB, "Jobs": page(ref("Job"))}
ID: JSON = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": ID_PATTERN}}
FILE: JSON = {"type": "string", "contentMediaType": "application/octet-stream"}


def paths(registry: Registry) -> dict[str, JSON]:
    """`/v1/jobs` and what lies below it."""
    collection: JSON = {
        "name": "collection",
        "in": "query",
        "required": True,
        "description": "Jobs on these records.",
        "schema": {"type": "string", "enum": sorted(registry.collections)},
    }
    state: JSON = {"name": "state", "in": "query", "schema": {"type": "string", "enum": STATES}}
    found = {
        "/v1/jobs": {
            "get": _route(
                "list",
                "One's own jobs, the latest first",
                answer(200, "A page of them.", ref("Jobs")),
                READING,
                parameters=[collection, state, *p.shared("Limit", "After")],
            )
        },
        "/v1/jobs/{id}": {
            "get": _route(
                "get", "How far is it?", answer(200, "The job.", ref("Job")), (*READING, 404), parameters=[ID]
            )
        },
        "/v1/jobs/{id}/cancel": {"post": _command("cancel", "Stop after the batch under way", 200)},
        "/v1/jobs/{id}/run": {"post": _command("run", "Run a bulk job on exactly the previewed set", 202)},
        "/v1/jobs/{id}/undo": {"post": _command("undo", "Undo a bulk job, within seven days", 202)},
    }
    for which, summary in FILES:
        kinds = "text/csv", "application/jsonl", "application/octet-stream"
        file: JSON = {"200": {"description": "The file.", "content": {kind: {"schema": FILE} for kind in kinds}}}
        found[f"/v1/jobs/{{id}}/{which}"] = {
            "get": _route(which, summary, file, (*READING, 404), parameters=[ID]),
        }
    return found


def _command(verb: str, summary: str, status: int) -> JSON:
    return _route(
        verb,
        summary,
        job("The job that does it.") if status == 202 else answer(status, "The job.", ref("Job")),
        (*READING, 404, 409, 413, 415, 422),
        parameters=[ID, *p.shared("IdempotencyKey")],
        requestBody=json(ref("Nothing"), required=False),
    )


def _route(name: str, summary: str, answers: JSON, errors: tuple[int, ...], **more: Any) -> JSON:
    responses = {**answers, **problems(*errors)}
    return {"operationId": f"jobs.{name}", "tags": ["jobs"], "summary": summary, "responses": responses, **more}
