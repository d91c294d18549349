"""`GET /v1/metadata`: every collection and what the caller may do with it, enough to draw lists and forms.

The tenant's custom fields and numbering rules are asked of identity. Labels come in both languages, with the one that
`Accept-Language` asks for beside them; the `ETag` changes with anything that the caller would see.
"""

from __future__ import annotations

import hashlib
from typing import Any

import falcon
import orjson

from chassis import files
from chassis.context import Context
from chassis.errors import not_found
from chassis.permissions import hidden, read_only, scope
from contracts.children import DECLARED
from contracts.documents.metadata import child_metadata, collection_metadata
from contracts.records import Record
from contracts.registry import Registry
from gateway import languages, parameters
from gateway.rpc import Services
from gateway.settings import Settings

JSON = dict[str, Any]

# Bulk and upsert ask for the grants of the writes that they consist of.
WRITES = ("create", "update", "delete", "restore")
BRIEF = ("path", "access")
CUSTOM, NUMBERING = "identity.custom-field", "identity.numbering-rule"


class Metadata:
    def __init__(self, registry: Registry, services: Services, settings: Settings) -> None:
        self._collections, self._services = registry.collections, services
        self._upload = {"most_bytes": settings.upload_limit, "endings": sorted(files.TYPES)}
        self._actions = {
            record.record_name: (
                "read",
                *(write for write in WRITES if write in record.operations),
                *(command.verb for command in registry.commands_of(record)),
            )
            for record in registry.records.values()
        }

    def list(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        caller = req.context.caller
        defined = self._definitions(caller)
        found = [self._describe(record, caller, defined, brief=True) for record in self._collections.values()]
        _send(req, resp, {"items": found})

    def one(self, req: falcon.Request, resp: falcon.Response, collection: str) -> None:
        parameters.none(req)
        record = self._collections.get(collection)
        if record is None:
            raise not_found("collection")
        caller = req.context.caller
        _send(req, resp, self._describe(record, caller, self._definitions(caller)))

    def _definitions(self, caller: Context) -> JSON:
        body: JSON = self._services.ask(caller, "identity", "identity.definitions", {})["body"]
        return body

    def _describe(self, record: type[Record], caller: Context, defined: JSON, *, brief: bool = False) -> JSON:
        name = record.record_name
        custom, rules = (
            [one for one in defined.get(kind, ()) if one["applies_to"] == record.collection]
            for kind in (CUSTOM, NUMBERING)
        )
        access = {action: scope(caller, name, action) for action in self._actions[name]}
        described = collection_metadata(
            record,
            access,
            hidden=hidden(caller, name),
            read_only=read_only(caller, name),
            custom=custom,
            numbering=rules[0] if rules else None,
        )
        # The same for every collection but for grants, so the page with all of them leaves the fields out.
        for kind, child in DECLARED.items():
            below = f"{record.service}.{kind}"
            about = child_metadata(
                record, kind, access, hidden=hidden(caller, below), read_only=read_only(caller, below)
            )
            about |= {"upload": self._upload} if kind == "attachment" else {}
            described[child.collection] = {name: about[name] for name in BRIEF} if brief else about
        return described


def _send(req: falcon.Request, resp: falcon.Response, body: JSON) -> None:
    language = languages.asked(req)
    data = orjson.dumps(languages.labelled(body, language))
    etag = hashlib.sha256(data).hexdigest()[:32]
    languages.answered(resp, language)
    resp.set_header("ETag", f'"{etag}"')
    known = (req.get_header("If-None-Match") or "").replace("W/", "")
    if known == "*" or f'"{etag}"' in known.split(", "):
        resp.status = 304
        return
    resp.data = data
