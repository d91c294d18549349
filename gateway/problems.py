"""The one place where errors become answers: `application/problem+json` after RFC 9457, with a stable `code`."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import falcon
import orjson

from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.errors import Problem, unavailable
from gateway import languages

log = logging.getLogger(__name__)

MOST_ERRORS = 100
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    416: "range_not_satisfiable",
}
_TITLES = {status.value: status.phrase for status in HTTPStatus}


def install(app: falcon.App) -> None:
    """Let every error of the app, Falcon's own included, be answered by `answer`."""
    app.add_error_handler(falcon.HTTPError, answer)
    app.add_error_handler(Exception, answer)


def answer(req: falcon.Request, resp: falcon.Response, error: Exception, params: dict[str, Any]) -> None:
    correlation_id = req.context.get("correlation_id", "")
    problem = _problem(req, error, correlation_id)
    if isinstance(error, falcon.HTTPError) and error.headers:
        resp.set_headers(error.headers)
    if problem.status == 401:
        resp.set_header("WWW-Authenticate", "Bearer")
    if problem.retry_after is not None:
        resp.set_header("Retry-After", str(problem.retry_after))
    if problem.status == 308:
        resp.set_header("Location", _moved(req, problem.extra))
        resp.set_header("Cache-Control", "no-store")
    resp.status = problem.status
    resp.stream = None
    resp.text = None
    resp.content_type = "application/problem+json"
    members = document(problem, req.path, correlation_id)
    language = languages.asked(req)
    languages.answered(resp, language)
    resp.data = orjson.dumps(languages.problem(members) if language == "zh" else members)


def _moved(req: falcon.Request, extra: dict[str, Any]) -> str:
    """The same address with the id of the survivor; the record itself where the old id was not in it."""
    old = extra.get("merged_id", "")
    if old and f"/{old}" in req.path.lower():
        return str(req.relative_uri.lower().replace(old, extra["id"], 1))
    return str(extra["location"])


def document(problem: Problem, instance: str, correlation_id: str) -> dict[str, Any]:
    """The problem as JSON. `extra` adds members and never replaces one."""
    members: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "instance": instance,
        "correlation_id": correlation_id,
    }
    if problem.errors:
        members["errors"] = problem.errors[:MOST_ERRORS]
    return {**problem.extra, **members}


def _problem(req: falcon.Request, error: Exception, correlation_id: str) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, falcon.HTTPError):
        status = error.status_code
        detail = error.description or _TITLES.get(status, "Error")
        return Problem(status, _CODES.get(status, "http_error"), detail)
    if isinstance(error, BusUnavailable):
        return unavailable("The service behind this cannot be reached. Nothing was written.")
    if isinstance(error, OutcomeUnknown):
        repeat = (
            "Repeat it." if req.method == "GET" else "Repeat it with the same Idempotency-Key to learn the outcome."
        )
        return Problem(504, "outcome_unknown", f"The request was sent, but no answer came in time. {repeat}")
    log.error("request %s failed: %s %s", correlation_id, req.method, req.path, exc_info=error)
    return Problem(500, "internal", "Something went wrong here. The correlation id finds it in the log.")
