"""The part of the HTTP surface that no record declares: sign-in, search, the feed, metadata, administration, health."""

from __future__ import annotations

from typing import Any

from contracts.documents import imports, jobs, searching
from contracts.documents import parameters as p
from contracts.documents.answers import READING, answer, json, problems, ref
from contracts.documents.components import COMPONENTS, MAP, TEXT
from contracts.documents.schemas import Schemas
from contracts.registry import SERVICES

JSON = dict[str, Any]

OPEN: list[JSON] = []
POSITION: JSON = {"type": "integer", "minimum": 0, "maximum": 2**53 - 1, "default": 0}
TYPE_PATTERN_OF_WORK = r"^[a-z]+([.-][a-z]+){0,6}(\.\*)?$"
TYPE_PATTERN = r"[a-z]+(\.[a-z-]+){0,2}(\.\*)?"


def describe(schemas: Schemas, paths: dict[str, JSON]) -> None:
    """Add the fixed routes to `paths` and their schemas to the components."""
    for name, schema in (COMPONENTS | jobs.COMPONENTS | imports.COMPONENTS | searching.COMPONENTS).items():
        schemas.reference(name, lambda schema=schema: schema)  # type: ignore[misc]
    paths.update(_health())
    paths.update(_signing_in())
    paths.update(_reading(schemas))
    paths.update(searching.paths())
    paths.update(_administration())
    paths.update(jobs.paths(schemas.registry))


def _route(
    name: str, tag: str, summary: str, answers: JSON, errors: tuple[int, ...] = (), *, secured: bool = True, **more: Any
) -> JSON:
    operation: JSON = {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {**answers, **problems(*errors)},
    }
    return {**operation, **({} if secured else {"security": OPEN}), **more}


def _health() -> dict[str, JSON]:
    ready = {
        **answer(200, "What it cannot do without answers.", ref("Readiness")),
        **answer(503, "Not ready; `missing` says for want of what.", ref("Readiness")),
    }
    text, page_of_html = answer(200, "Prometheus text.", TEXT, "text/plain"), answer(200, "A page.", TEXT, "text/html")
    document = answer(200, "The document.", MAP)
    found = {
        "/livez": ("system.livez", "Is this process alive?", answer(200, "Alive.", ref("Health"))),
        "/readyz": ("system.readyz", "Can it serve? Each dependency by name", ready),
        "/metrics": ("system.metrics", "Measurements", text),
        "/openapi.json": ("system.openapi", "This document", document),
        "/asyncapi.json": ("system.asyncapi", "Every event", document),
        "/docs": ("system.docs", "A page to explore the interface", page_of_html),
    }
    return {
        path: {"get": _route(name, "system", summary, answers, secured=False)}
        for path, (name, summary, answers) in found.items()
    }


def _signing_in() -> dict[str, JSON]:
    tokens = answer(200, "Tokens; send `access_token` as bearer.", ref("Tokens"))
    errors = (400, 401, 406, 413, 415, 422, 429, 500, 503, 504)
    gone: JSON = {"204": {"description": "The session has ended."}}
    return {
        "/v1/auth/login": {
            "post": _route(
                "auth.login", "auth", "Sign in", tokens, errors, secured=False, requestBody=json(ref("Login"))
            )
        },
        "/v1/auth/refresh": {
            "post": _route(
                "auth.refresh", "auth", "New tokens", tokens, errors, secured=False, requestBody=json(ref("Refresh"))
            )
        },
        "/v1/auth/logout": {"post": _route("auth.logout", "auth", "Sign out", gone, (*READING, 413, 415))},
        "/v1/me": {
            "get": _route(
                "me.get", "auth", "Who am I, and what may I do?", answer(200, "The principal.", ref("Me")), READING
            )
        },
    }


def _reading(schemas: Schemas) -> dict[str, JSON]:
    events = sorted(schemas.registry.events)
    collections = sorted(schemas.registry.collections)
    types = _query(
        "types",
        _items({"type": "string", "pattern": f"^{TYPE_PATTERN}$"}),
        "Only these event types; `sales.order.*` is a whole record.",
        listed=True,
        example=[events[0]],
    )
    after = _query("after", POSITION, "The position of the last event that was handled; 0 is the beginning.")
    limit = _query(
        "limit", {"type": "integer", "minimum": 1, "maximum": 500, "default": 100}, "How many events at most."
    )
    wait = _query(
        "wait", {"type": "integer", "minimum": 0, "maximum": 30, "default": 0}, "Seconds to wait for the next event."
    )
    collection: JSON = {
        "name": "collection",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "enum": collections},
    }
    elsewhere: JSON = {"307": {"description": "Waiting is done by another process: its address is in `Location`."}}
    stream = {**answer(200, "Server-sent events.", TEXT, "text/event-stream"), **elsewhere}
    feed = {**answer(200, "Events in the order of their positions.", ref("Feed")), **elsewhere}
    return {
        "/v1/metadata": {
            "get": _route(
                "metadata.list", "metadata", "Every collection", answer(200, "All of them.", ref("Metadata")), READING
            )
        },
        "/v1/metadata/{collection}": {
            "get": _route(
                "metadata.get",
                "metadata",
                "Fields, labels, choices, and who may do what",
                answer(200, "One collection.", ref("CollectionMetadata")),
                (*READING, 404),
                parameters=[collection],
            )
        },
        "/v1/events": {
            "get": _route(
                "events.list",
                "events",
                "The feed, without gaps",
                feed,
                READING,
                parameters=[after, types, limit, wait],
            )
        },
        "/v1/events/stream": {
            "get": _route(
                "events.stream", "events", "The feed as server-sent events", stream, READING, parameters=[after, types]
            )
        },
    }


def _administration() -> dict[str, JSON]:
    which = _query("service", {"type": "string", "enum": list(SERVICES)}, "Of this service.", required=True)
    word: JSON = {"type": "string", "pattern": "^[a-z_]{1,40}$"}
    state, name = _query("state", word, "Only in this state."), _query("name", word, "Only sagas of this name.")
    chosen = [
        state,
        _query("consumer", word, "Only of this consumer."),
        _query("type", {"type": "string", "pattern": TYPE_PATTERN_OF_WORK}, "Only this type; `sales.order.*` too."),
    ]
    action = _query(
        "action", {"type": "string", "pattern": r"^[a-z_]{1,40}\.[a-z_]{1,40}$"}, "Only this, `inbox.replay`."
    )
    entry: JSON = {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"},
    }
    found: dict[str, JSON] = {}

    def page(path: str, summary: str, *filters: JSON) -> None:
        parameters = [which, *filters, *p.shared("Limit", "After")]
        answers = answer(200, "A page of them.", ref("WorkList"))
        one = _route(f"admin.{path}", "admin", summary, answers, READING, parameters=parameters)
        found[f"/v1/admin/{path}"] = {"get": one}

    def look(path: str, name: str, summary: str, parameters: list[JSON]) -> None:
        answers = answer(200, "What is known of it.", ref("Work"))
        one = _route(name, "admin", summary, answers, (*READING, 404), parameters=[which, *parameters])
        found[f"/v1/admin/{path}"] = {"get": one}

    def act(path: str, name: str, summary: str, parameters: list[JSON], *, reason: bool, result: str = "Work") -> None:
        body = {**json(ref("Reason" if reason else "MaybeReason")), "required": reason}
        answers = answer(200, "What it is now.", ref(result))
        given = [which, *parameters, *p.shared("IdempotencyKey")]
        errors = (*READING, 404, 409, 413, 415, 422)
        one = _route(name, "admin", summary, answers, errors, parameters=given, requestBody=body)
        found[f"/v1/admin/{path}"] = {"post": one}

    page("inbox", "Events that are parked or dead", *chosen)
    act("inbox/replay", "admin.replayAll", "Try all that are chosen again", chosen, reason=False, result="Replayed")
    look("inbox/{id}", "admin.event", "A waiting event, with its error", [entry])
    act("inbox/{id}/replay", "admin.replay", "Try an event again now", [entry], reason=False)
    act("inbox/{id}/discard", "admin.discard", "Give an event up, and say why", [entry], reason=True)
    page("sagas", "Work across services", state, name)
    look("sagas/{id}", "admin.saga", "A saga, with every attempt", p.shared("Id"))
    act("sagas/{id}/push", "admin.push", "Repeat what a saga waits for now", p.shared("Id"), reason=False)
    act("sagas/{id}/compensate", "admin.compensate", "Turn a saga back, and say why", p.shared("Id"), reason=True)
    page("operations", "What operators did, when and why", action)
    page("jobs", "Long work of everybody", state)
    return found


def _items(item: JSON) -> JSON:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": 50}


def _query(
    name: str, schema: JSON, description: str, *, required: bool = False, listed: bool = False, **more: Any
) -> JSON:
    parameter: JSON = {"name": name, "in": "query", "description": description, "schema": schema, **more}
    if required:
        parameter["required"] = True
    return {**parameter, "style": "form", "explode": False} if listed else parameter
