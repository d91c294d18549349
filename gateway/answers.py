"""Writing answers: orjson bodies and the headers that a reply of a service stands for."""

from __future__ import annotations

from typing import Any

import falcon
import orjson

JSON = dict[str, Any]


def send(resp: falcon.Response, ok: JSON) -> None:
    """The status and body of a reply. An answer from the idempotency store says so."""
    resp.status = ok["status"]
    body = ok.get("body")
    if body is not None and ok["status"] != 204:
        resp.data = orjson.dumps(body)
    location = ok.get("location")
    if location:
        resp.set_header("Location", location)
    if ok.get("replayed"):
        resp.set_header("Idempotency-Replayed", "true")


def send_record(resp: falcon.Response, ok: JSON, collection: str) -> None:
    """Like `send`, and for one record: its version as ETag and, when it was just made, its address."""
    send(resp, ok)
    body = ok.get("body") or {}
    etag = ok.get("etag", body.get("version"))
    if etag is not None:
        resp.set_header("ETag", f'"{str(etag).strip(chr(34))}"')
    if ok["status"] == 201 and not ok.get("location"):
        resp.set_header("Location", f"/v1/{collection}/{body['id']}")


def send_json(resp: falcon.Response, body: Any, status: int = 200) -> None:
    resp.status = status
    resp.data = orjson.dumps(body)
