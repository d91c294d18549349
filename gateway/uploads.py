"""Files from clients: streamed from the socket into the blobs, never held in memory."""

from __future__ import annotations

from typing import Any

import falcon

from chassis.blobs import Blob, Blobs
from chassis.errors import Problem, bad_request


class Body:
    """The body of a request as a stream of the bytes that were announced, chunked or not."""

    def __init__(self, req: falcon.Request) -> None:
        self.expected = req.content_length
        chunked = req.env.get("wsgi.input_terminated") or req.env.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
        # Falcon's bounded stream would take a chunked body, which names no length, for empty.
        self._stream: Any = req.bounded_stream if self.expected is not None or not chunked else req.stream

    def read(self, size: int, /) -> bytes:
        part: bytes = self._stream.read(size)
        return part


def receive(req: falcon.Request, into: Blobs, at_most: int) -> Blob:
    """Store the whole body. Raises Problem 413 above `at_most` bytes, 400 `incomplete_body` when it breaks off."""
    body = Body(req)
    if body.expected is not None and body.expected > at_most:
        raise Problem(413, "body_too_large", f"A file may have at most {at_most} bytes here.")
    blob = into.put(body, at_most=at_most)
    if body.expected is not None and blob.size != body.expected:
        raise bad_request("incomplete_body", "The body ended before its announced length.")
    if not blob.size:
        raise bad_request("empty_body", "The body is empty.")
    return blob
