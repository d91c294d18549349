"""Files from clients: streamed from the socket into the blobs, never held in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon

from chassis.blobs import Blob, Blobs, Source
from chassis.errors import Problem, bad_request
from chassis.files import HEAD

Judge = Callable[[bytes], object]


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


class Judged:
    """A stream whose first bytes are shown to `judge`, which refuses it by raising, before any of it is read on."""

    def __init__(self, stream: Source, judge: Judge) -> None:
        self._stream, self._first = stream, b""
        while len(self._first) < HEAD and (part := stream.read(HEAD - len(self._first))):
            self._first += part
        judge(self._first)

    def read(self, size: int, /) -> bytes:
        if self._first:
            part, self._first = self._first[:size], self._first[size:]
            return part
        return self._stream.read(size)


def receive(req: falcon.Request, into: Blobs, at_most: int, judge: Judge | None = None) -> Blob:
    """Store the whole body. Raises Problem 413 above `at_most` bytes, 400 `incomplete_body` when it breaks off."""
    body = Body(req)
    if body.expected is not None and body.expected > at_most:
        raise Problem(413, "body_too_large", f"A file may have at most {at_most} bytes here.")
    blob = store(body, into, at_most, judge)
    if body.expected is not None and blob.size != body.expected:
        raise bad_request("incomplete_body", "The body ended before its announced length.")
    return blob


def store(stream: Source, into: Blobs, at_most: int, judge: Judge | None = None) -> Blob:
    """Store a stream. Raises Problem 413 above `at_most` bytes, 400 `empty_body` where there is nothing."""
    blob = into.put(Judged(stream, judge) if judge else stream, at_most=at_most)
    if not blob.size:
        raise bad_request("empty_body", "The file is empty.", "file")
    return blob
