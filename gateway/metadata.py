"""`GET /v1/metadata`: every collection and what the caller may do with it, enough to draw lists and forms."""

from __future__ import annotations

from typing import Any

import falcon

from chassis.context import Context
from chassis.errors import not_found
from chassis.permissions import scope
from contracts.documents.metadata import collection_metadata
from contracts.records import Record
from contracts.registry import Registry
from gateway import answers, parameters

JSON = dict[str, Any]

# Bulk and upsert ask for the grants of the writes that they consist of.
WRITES = ("create", "update", "delete", "restore")


class Metadata:
    def __init__(self, registry: Registry) -> None:
        self._collections = registry.collections
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
        answers.send_json(resp, {"items": [self._describe(record, caller) for record in self._collections.values()]})

    def one(self, req: falcon.Request, resp: falcon.Response, collection: str) -> None:
        parameters.none(req)
        record = self._collections.get(collection)
        if record is None:
            raise not_found("collection")
        answers.send_json(resp, self._describe(record, req.context.caller))

    def _describe(self, record: type[Record], caller: Context) -> JSON:
        name = record.record_name
        return collection_metadata(record, {action: scope(caller, name, action) for action in self._actions[name]})
