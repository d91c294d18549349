"""Files of records: taken in as streams, and sent as what they are, never as a page of this origin."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import falcon
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseError

from chassis import blobs, files
from chassis.errors import Problem, bad_request
from contracts.children import DECLARED
from contracts.records import Record
from gateway import answers, bodies, parameters, requests, uploads
from gateway.children import Below, Children
from gateway.routes import Route
from gateway.rpc import Services
from gateway.settings import Settings

JSON = dict[str, Any]
FORM = "multipart/form-data"
FIELDS = 64 * 1024
"""Bytes of everything in a form but its file."""
SANDBOX = "default-src 'none'; sandbox; frame-ancestors 'none'"
_SCHEMA = DECLARED["attachment"]()
_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))", re.ASCII)
_PLAIN = re.compile(r"[^\x20-\x7e]|[\"\\%]")


class Attachments(Children):
    def __init__(self, services: Services, store: blobs.Store, settings: Settings) -> None:
        super().__init__("attachment", services)
        self.store, self.most, self.seconds = store, settings.upload_limit, settings.request_timeout

    def routes(self, record: type[Record]) -> Iterator[Route]:
        yield from Files(self, record).routes()


class Files(Below):
    """The attachments of one collection's records."""

    def __init__(self, attachments: Attachments, record: type[Record]) -> None:
        super().__init__(attachments, record)
        self._files = attachments

    def routes(self) -> Iterator[Route]:
        for route in super().routes():
            if route.path == self.root:
                yield Route(self.root, get=self.list, post=self.upload)
            else:
                yield route
        yield Route(f"{self.one}/content", get=self.content)

    def upload(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        """A form with the part `file`, or the file as the body and its name as `?name=`."""
        params = self._one(id)
        form = (req.content_type or "").partition(";")[0].strip().lower() == FORM
        given = parameters.single(req, () if form else ("name", "description"))
        requests.idempotency_key(req)
        self._ask(req, "admit", {**params, "size": req.content_length or 0})
        space = self._files.store.of(self._record.service, req.context.caller.tenant)
        data, blob = self._form(req, space) if form else self._body(req, space, given)
        # A large file takes its time to arrive; what is asked of the service begins only now.
        req.context.caller = replace(req.context.caller, deadline=time.time() + self._files.seconds)
        params |= {"data": data, "blob": {"key": blob.key, "size": blob.size}}
        answers.send_record(resp, self._ask(req, "attach", params, self.root), "")

    def _body(self, req: falcon.Request, space: blobs.Blobs, given: JSON) -> tuple[JSON, blobs.Blob]:
        if "name" not in given:
            raise bad_request("bad_parameter", "Say the file's name as ?name=, or send a form.", "name")
        data = _checked(given)
        return data, uploads.receive(req, space, self._files.most, lambda head: files.type_of(data["name"], head))

    def _form(self, req: falcon.Request, space: blobs.Blobs) -> tuple[JSON, blobs.Blob]:
        """The part `file` with its name, and before or behind it `description`."""
        most = self._files.most
        if req.content_length is None:
            raise bad_request("bad_header", "A form must say its length.", "Content-Length")
        if req.content_length > most + FIELDS:
            raise Problem(413, "body_too_large", f"A file may have at most {most} bytes here.")
        data: JSON = {}
        blob: blobs.Blob | None = None
        try:
            for part in MultipartFormHandler().deserialize(req.bounded_stream, req.content_type, req.content_length):
                if part.name in data or (part.name == "file" and blob is not None):
                    raise bad_request("malformed_form", f"Two parts are called {part.name}.", part.name)
                if part.name == "file":
                    data["name"] = _checked({"name": part.filename or ""})["name"]
                    blob = uploads.store(part.stream, space, most, lambda head: files.type_of(data["name"], head))
                elif part.name == "description":
                    data["description"] = part.stream.read(FIELDS).decode()
                else:
                    raise bad_request("malformed_form", "The parts are file and description.", part.name)
        except (MultipartParseError, falcon.HTTPInvalidHeader, falcon.MediaMalformedError, UnicodeDecodeError):
            raise bad_request("malformed_form", "The form cannot be read.") from None
        if blob is None:
            raise bad_request("malformed_form", "There is no part file.", "file")
        return _checked(data), blob

    def content(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        """The file, or the part of it that `Range` asks for. It is saved, not shown: that is what it is sent for."""
        parameters.none(req)
        entry = self._ask(req, "content", self._one(id, child))["body"]
        if not entry["sha256"] or entry["size"] is None:
            # A role may hide them; then there is nothing to find the file by.
            raise Problem(404, "not_found", "There is no such file.")
        etag = f'"{entry["sha256"]}"'
        resp.set_header("ETag", etag)
        resp.set_header("Accept-Ranges", "bytes")
        resp.set_header("Content-Security-Policy", SANDBOX)
        if _has(req.get_header("If-None-Match"), etag):
            resp.status = 304
            return
        size = entry["size"]
        asked = req.get_header("Range") if req.get_header("If-Range") in (None, etag) else None
        try:
            first, last = byte_range(asked, size) or (0, size - 1)
        except Unsatisfiable:
            resp.set_header("Content-Range", f"bytes */{size}")
            raise Problem(416, "range_not_satisfiable", f"The file has {size} bytes.") from None
        space, whole = self._files.store.of(self._record.service, req.context.caller.tenant), (0, size - 1)
        part = () if (first, last) == whole else (first, last - first + 1)
        stream = space.open(entry["sha256"], *part)
        if part:
            resp.status = 206
            resp.set_header("Content-Range", f"bytes {first}-{last}/{size}")
        resp.set_stream(stream, last - first + 1)
        resp.content_type = entry["content_type"] or files.OCTETS
        resp.set_header("Content-Disposition", disposition(entry["name"] or "file"))


def _checked(data: JSON) -> JSON:
    """What its author says about a file: a clean name, and perhaps a description, as the contract has them."""
    data = {**data, "name": files.clean_name(data["name"])}
    return bodies.checked(_SCHEMA, data)


class Unsatisfiable(Exception):
    """A range that begins behind the end."""


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte of a `Range` (RFC 9110, 14.2); None where the whole is to be sent.

    What is no single range of bytes is ignored, as the RFC allows.
    """
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None:
        return None
    if found[3] is not None:
        length = int(found[3])
        if not length or not size:
            raise Unsatisfiable
        return max(0, size - length), size - 1
    first, last = int(found[1]), int(found[2]) if found[2] else size - 1
    if found[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1)


def disposition(name: str) -> str:
    """`Content-Disposition` of a download (RFC 6266): the name in UTF-8 (RFC 8187), and in ASCII for old clients."""
    return f"attachment; filename=\"{_PLAIN.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"


def _has(header: str | None, etag: str) -> bool:
    return header is not None and (
        header.strip() == "*" or etag in header.replace("W/", "").replace(" ", "").split(",")
    )
