"""Files for import: streamed into the blobs of the record's service, then one call that queues the job."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import falcon
from falcon.media import MultipartFormHandler
from falcon.media.multipart import MultipartParseError

from chassis import blobs
from chassis.blobs import Blob
from chassis.bus import wire
from chassis.context import Context
from chassis.errors import Problem, bad_request, forbidden
from chassis.permissions import scope
from chassis.records.importing.encodings import KNOWN
from chassis.records.importing.limits import XLSX_FILE
from contracts.records import Record
from gateway import answers, parameters, requests, uploads
from gateway.routes import Route
from gateway.rpc import Services
from gateway.settings import Settings

JSON = dict[str, Any]
MODES = ("create", "update", "upsert")
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMATS = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    XLSX: "xlsx",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
}
_ENDINGS = {"csv": "csv", "tsv": "csv", "txt": "csv", "xlsx": "xlsx", "jsonl": "jsonl", "ndjson": "jsonl"}
MULTIPART = "multipart/form-data"
MAPPING = 256 * 1024
_CHARSET = re.compile(r'(?:^|;)\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


class Imports:
    """`POST /v1/{c}/import` and the saved mappings below it, of one record."""

    def __init__(self, record: type[Record], services: Services, store: blobs.Store, settings: Settings) -> None:
        self._record, self._services, self._store = record, services, store
        self._most, self._seconds = settings.import_limit, settings.request_timeout
        self._root = f"/v1/{record.collection}/import"

    def routes(self) -> Iterator[Route]:
        if "import" in self._record.operations:
            yield Route(self._root, post=self.post)
            yield Route(f"{self._root}/mappings", get=self.mappings)
            one = f"{self._root}/mappings/{{name}}"
            yield Route(one, get=self.mapping, put=self.put_mapping, delete=self.delete_mapping)

    def post(self, req: falcon.Request, resp: falcon.Response) -> None:
        params = self._parameters(req)
        key = requests.idempotency_key(req)
        caller: Context = req.context.caller
        self._refuse_early(caller, params["mode"])
        kind, _, rest = (req.content_type or "").partition(";")
        kind = kind.strip().lower()
        space = self._store.of(self._record.service, caller.tenant)
        if kind == MULTIPART:
            params |= self._form(req, space)
        elif kind in FORMATS:
            found = _CHARSET.search(rest)
            params |= {"format": FORMATS[kind], "encoding": _encoding(found[1]) if found else None}
            params["blob"] = uploads.receive(req, space, self._bytes(params["format"])).key
        else:
            raise Problem(415, "unsupported_media_type", f"The body must be {', '.join(FORMATS)} or {MULTIPART}.")
        # A large file takes its time to arrive; what is asked of the service begins only now.
        caller = replace(caller, deadline=time.time() + self._seconds)
        ok = self._services.ask(
            caller, self._record.service, "record.import", self._named(params), key=key, route=f"POST {self._root}"
        )
        answers.send(resp, ok)

    def _parameters(self, req: falcon.Request) -> JSON:
        given = parameters.single(req, ("mode", "match", "dry_run", "mapping"))
        params: JSON = {"mode": parameters.one_of("mode", given.get("mode", "create"), MODES)}
        params["dry_run"] = parameters.one_of("dry_run", given.get("dry_run", "false"), ("true", "false")) == "true"
        for word, name in (("match", "match"), ("mapping", "saved")):
            if word in given:
                if not 1 <= len(given[word]) <= 100:
                    raise parameters.bad(word, "Must have 1 to 100 characters.")
                params[name] = given[word]
        return params

    def _refuse_early(self, caller: Context, mode: str) -> None:
        """Nobody uploads for nothing; the service judges again."""
        needed = {"create": ("create",), "update": ("update",)}.get(mode, ("create", "update"))
        if all(scope(caller, self._record.record_name, action) == "none" for action in needed):
            raise forbidden("import", self._record.collection)

    def _form(self, req: falcon.Request, space: blobs.Blobs) -> JSON:
        """The parts `file` and `mapping` of a form, in either order; the file is stored as it comes."""
        if req.content_length is None:
            raise bad_request("bad_header", "A form must say its length.", "Content-Length")
        if req.content_length > self._most + MAPPING:
            raise Problem(413, "body_too_large", f"A file may have at most {self._most} bytes here.")
        found: JSON = {}
        try:
            for part in MultipartFormHandler().deserialize(req.bounded_stream, req.content_type, req.content_length):
                if part.name in found:
                    raise bad_request("malformed_form", f"Two parts are called {part.name}.", part.name)
                if part.name == "file":
                    found["file"] = True
                    found |= self._file(part, space)
                elif part.name == "mapping":
                    found["mapping"] = _mapping(part.stream.read(MAPPING + 1))
                else:
                    raise bad_request("malformed_form", "The parts are file and mapping.", part.name)
        except (MultipartParseError, falcon.HTTPInvalidHeader, falcon.MediaMalformedError):
            raise bad_request("malformed_form", "The form cannot be read.") from None
        if not found.pop("file", None):
            raise bad_request("malformed_form", "There is no part file.", "file")
        return found

    def _file(self, part: Any, space: blobs.Blobs) -> JSON:
        name = str(part.filename or "")
        kind, _, rest = (part.content_type or "").partition(";")
        form = FORMATS.get(kind.strip().lower()) or _ENDINGS.get(name.lower().rpartition(".")[2])
        if form is None:
            raise Problem(415, "unsupported_media_type", "The file must be CSV, XLSX or JSON Lines.")
        charset = _CHARSET.search(rest)
        blob: Blob = space.put(part.stream, at_most=self._bytes(form))
        if not blob.size:
            raise bad_request("empty_body", "The file is empty.", "file")
        return {"format": form, "encoding": _encoding(charset[1]) if charset else None, "blob": blob.key}

    def _bytes(self, form: str) -> int:
        return min(self._most, XLSX_FILE) if form == "xlsx" else self._most

    def mappings(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        answers.send(resp, self._ask(req, "import.mappings", {}))

    def mapping(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        parameters.none(req)
        answers.send(resp, self._ask(req, "import.mapping", {"name": name}))

    def put_mapping(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        parameters.none(req)
        params = {"name": name, "mapping": requests.json_body(req)}
        answers.send(resp, self._ask(req, "import.save_mapping", params, requests.idempotency_key(req)))

    def delete_mapping(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        parameters.none(req)
        answers.send(resp, self._ask(req, "import.delete_mapping", {"name": name}, requests.idempotency_key(req)))

    def _ask(self, req: falcon.Request, method: str, params: JSON, key: str | None = None) -> JSON:
        if "\0" in params.get("name", ""):
            raise parameters.bad("name", "NUL is not allowed.")
        route = f"{req.method} {self._root}/mappings/{{name}}"
        return self._services.ask(
            req.context.caller, self._record.service, method, self._named(params), key=key, route=route
        )

    def _named(self, params: JSON) -> JSON:
        return {**params, "record": self._record.record_name}


def _encoding(name: str) -> str:
    known = name.lower().replace("_", "-").replace("utf8", "utf-8").replace("iso-8859-1", "latin-1")
    known = {"windows-1252": "cp1252", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}.get(known, known)
    if known not in KNOWN:
        raise Problem(415, "unsupported_media_type", f"The charset must be one of {', '.join(KNOWN)}.")
    return known


def _mapping(raw: bytes) -> Any:
    if len(raw) > MAPPING:
        raise Problem(413, "body_too_large", f"A mapping may have at most {MAPPING} bytes.")
    try:
        return wire.decode(raw)
    except wire.Undecodable as error:
        raise bad_request("malformed_json", f"The mapping is not acceptable JSON: {error}.", "mapping") from None
