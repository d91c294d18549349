"""Reading what a client sent: bodies, headers and ids, each strictly, so that services see only what is well formed."""

from __future__ import annotations

import re
from typing import Any

import falcon
from marshmallow import ValidationError

from chassis.bus import wire
from chassis.errors import Problem, bad_request, not_found
from chassis.ids import GENERATED_KEY, new_id
from contracts.fields import parse_uuid

MAX_BODY = 1024 * 1024
JSON_ONLY = frozenset({"application/json"})
MERGE_PATCH = frozenset({"application/json", "application/merge-patch+json"})

_CORRELATION = re.compile(r"[A-Za-z0-9._-]{8,128}", re.ASCII)
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"([0-9]{1,18})"|([0-9]{1,18})|\*', re.ASCII)
_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ufffd]")
_CHARSET = re.compile(r'(?:^|;)\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


def json_body(req: falcon.Request, types: frozenset[str] = JSON_ONLY, *, optional: bool = False) -> Any:
    """The body's value. With `optional`, no body is `{}`.

    Raises Problem 413 `body_too_large` above 1 MiB, 415 `unsupported_media_type`, and 400 `malformed_json` for anything
    but strict JSON: also for NaN, repeated keys, NUL, lone surrogates and more than 64 levels.
    """
    body = _read(req)
    if not body and optional:
        return {}
    kind, _, parameters = (req.content_type or "").partition(";")
    charset = _CHARSET.search(parameters)
    if kind.strip().lower() not in types or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        allowed = " or ".join(sorted(types))
        raise Problem(415, "unsupported_media_type", f"The body must be {allowed}, in UTF-8.")
    if not body:
        raise bad_request("malformed_json", "The body is empty.")
    try:
        return wire.decode(body)
    except wire.Undecodable as error:
        raise bad_request("malformed_json", f"The body is not acceptable JSON: {error}.") from None


def _read(req: falcon.Request) -> bytes:
    length = req.content_length
    if length is not None:
        if length > MAX_BODY:
            raise _too_large()
        return req.bounded_stream.read()
    if not req.env.get("wsgi.input_terminated") and req.env.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return b""
    # A chunked body names no length, and Falcon's bounded stream would take it for empty. The server ends the input.
    parts, room = [], MAX_BODY + 1
    while room > 0 and (part := req.stream.read(room)):
        parts.append(part)
        room -= len(part)
    if room <= 0:
        raise _too_large()
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, "body_too_large", f"A body may have at most {MAX_BODY} bytes.")


def record_id(text: str, what: str) -> str:
    """The id in its canonical form; what is no UUID names no record: 404."""
    try:
        return parse_uuid(text)
    except ValidationError:
        raise not_found(what) from None


def external_key(system: str, key: str, what: str) -> tuple[str, str]:
    """System and key of `by-external`, within the bounds that `external_ids` has."""
    if not _SYSTEM.fullmatch(system) or not 1 <= len(key) <= 200 or _CONTROL.search(key) or key != key.strip():
        raise not_found(what)
    return system, key


def if_match(req: falcon.Request) -> str | None:
    """The version that the client has seen, `*` for any, None without the header. Several versions are refused."""
    header = req.get_header("If-Match")
    if header is None:
        return None
    found = _ETAG.fullmatch(header.strip())
    if not found:
        raise bad_request("bad_header", 'If-Match must be one ETag of this record, such as "3", or *.', "If-Match")
    return found[1] or found[2] or "*"


def seen(req: falcon.Request) -> dict[str, str]:
    """`{if_match}` for the parameters of a call, nothing without the header."""
    version = if_match(req)
    return {} if version is None else {"if_match": version}


def idempotency_key(req: falcon.Request) -> str:
    """1 to 255 visible ASCII characters; the quoted form of a structured field means the same key.

    Without the header a key of this request alone, which no client can name: when a service dies between its commit
    and its acknowledgement, the broker delivers the request again, and then it must not have a second effect.
    """
    header = req.get_header("Idempotency-Key")
    if header is None:
        return GENERATED_KEY + new_id()
    key = header.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        raise bad_request("bad_header", "Idempotency-Key must be 1 to 255 visible ASCII characters.", "Idempotency-Key")
    return key


def correlation_id(req: falcon.Request) -> str:
    """The client's own id if it is harmless in logs, else a new one."""
    given = req.get_header("X-Correlation-Id") or req.get_header("X-Request-Id")
    return given if given and _CORRELATION.fullmatch(given) else new_id()


def traceparent(req: falcon.Request) -> str:
    """The W3C trace context, or nothing when it is absent or malformed."""
    given = req.get_header("traceparent")
    return given if given and _TRACEPARENT.fullmatch(given) else ""


def client_address(req: falcon.Request, trusted_proxies: int) -> str:
    """Who is connected; behind proxies, the entry that the outermost trusted one appended to `X-Forwarded-For`."""
    if trusted_proxies:
        entries = [entry.strip() for entry in (req.get_header("X-Forwarded-For") or "").split(",") if entry.strip()]
        if len(entries) >= trusted_proxies:
            return entries[-trusted_proxies]
    return req.remote_addr
