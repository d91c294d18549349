"""Errors that a caller can act on. One class crosses every border: rule, service, bus and HTTP (RFC 9457)."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError

JSON = dict[str, Any]


class Problem(Exception):
    """A refusal with an HTTP status and a stable `code`.

    `errors` lists `{"field": "lines.0.quantity", "message": …}`; `extra` holds further members of the problem document.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: list[JSON] | None = None,
        extra: JSON | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.extra, self.retry_after = errors or [], extra or {}, retry_after

    def document(self) -> JSON:
        """The plain JSON that travels in replies; `Problem.read` is its inverse."""
        document: JSON = {"status": self.status, "code": self.code, "detail": self.detail}
        if self.errors:
            document["errors"] = self.errors
        if self.extra:
            document["extra"] = self.extra
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return document

    @classmethod
    def read(cls, document: JSON) -> Problem:
        return cls(
            document["status"],
            document["code"],
            document["detail"],
            errors=document.get("errors"),
            extra=document.get("extra"),
            retry_after=document.get("retry_after"),
        )


def not_found(what: str = "record") -> Problem:
    return Problem(404, "not_found", f"There is no such {what}.")


def forbidden(action: str, record: str) -> Problem:
    return Problem(403, "forbidden", f"You may not {action} {record}.")


def conflict(code: str, detail: str, *, field: str | None = None, **extra: Any) -> Problem:
    """409: the state of things is against it. `field` is the one whose present value is, such as `status`."""
    if field is None:
        return Problem(409, code, detail, extra=extra)
    return Problem(409, code, detail, errors=[{"field": field, "message": detail}], extra={"field": field, **extra})


def invalid(
    errors: dict[str, str] | list[JSON], detail: str = "Some fields are not valid.", code: str = "invalid"
) -> Problem:
    """422 with the fields at fault: `invalid({"currency": "The account may not order in JPY."})`."""
    listed = (
        [{"field": field, "message": message} for field, message in errors.items()]
        if isinstance(errors, dict)
        else errors
    )
    return Problem(422, code, detail, errors=listed)


def bad_request(code: str, detail: str, field: str | None = None) -> Problem:
    return Problem(400, code, detail, errors=[{"field": field, "message": detail}] if field else None)


def unavailable(detail: str, retry_after: int = 2) -> Problem:
    return Problem(503, "unavailable", detail, retry_after=retry_after)


def is_unavailable(error: BaseException) -> bool:
    """Whether something outside is away, or left before its answer: no fault of the code, and a repeat may work."""
    return isinstance(error, Problem) and error.status in (503, 504)


def from_validation(error: ValidationError) -> Problem:
    """marshmallow's nested messages, flattened to dotted paths."""
    return invalid(list(_flatten(error.messages, "")))


def _flatten(messages: Any, path: str) -> list[JSON]:
    if isinstance(messages, dict):
        found: list[JSON] = []
        for key, inner in messages.items():
            found += _flatten(inner, path if key == "_schema" else f"{path}.{key}" if path else str(key))
        return found
    return [
        {"field": path, "message": str(message)} for message in (messages if isinstance(messages, list) else [messages])
    ]
