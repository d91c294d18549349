"""The routes of one collection. They are the same for all; which of them exist, its declaration says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon

from contracts.erasing import Purge, Reasoned
from contracts.merging import MOST_TWINS
from contracts.records import Command, Query, Record
from contracts.registry import Registry
from gateway import answers, bodies, languages, parameters, requests
from gateway.routes import Responder, Route
from gateway.rpc import Services

JSON = dict[str, Any]


class Collection:
    """Reads requests for one record, asks its service, and writes the answers."""

    def __init__(self, record: type[Record], registry: Registry, services: Services) -> None:
        self.record, self._services = record, services
        self.root = f"/v1/{record.collection}"
        self._name, self._service, self._what = record.record_name, record.service, record.singular
        self._listing = parameters.Listing(record)
        self._bodies = bodies.RecordBodies(record, self._listing)
        self._commands, self._queries = registry.commands_of(record), registry.queries_of(record)

    def routes(self) -> Iterator[Route]:
        """One route for each template that has any method."""
        found: dict[str, dict[str, Responder]] = {}
        for path, method, responder in self._responders():
            found.setdefault(path, {})[method] = responder
        for path, responders in found.items():
            yield Route(self.root + path, **responders)

    def _responders(self) -> Iterator[tuple[str, str, Responder]]:
        one, external = "/{id}", "/by-external/{system}/{key}"
        table: tuple[tuple[str, str, str, Responder], ...] = (
            ("list", "", "get", self.list),
            ("list", "/search", "post", self.search),
            ("create", "", "post", self.create),
            ("changes", "/changes", "get", self.changes),
            ("bulk", "/bulk", "post", self.bulk),
            ("aggregate", "/aggregate", "post", self.aggregate),
            ("export", "/export", "post", self.export),
            ("bulk", "/bulk-jobs", "post", self.bulk_job),
            ("upsert", external, "get", self.get_external),
            ("upsert", external, "put", self.put_external),
            ("get", one, "get", self.get),
            ("update", one, "patch", self.update),
            ("delete", one, "delete", self.delete),
            ("restore", one + "/restore", "post", self.restore),
            ("purge", one + "/purge", "post", self.purge),
            ("erase", one + "/erase", "post", self.erase),
            ("erase", one + "/erasure", "get", self.erasure),
            ("history", one + "/history", "get", self.history),
            ("merge", one + "/merge", "post", self.merge),
            ("merge", one + "/unmerge", "post", self.unmerge),
            ("merge", one + "/merges", "get", self.merges),
            ("merge", one + "/duplicates", "get", self.duplicates),
        )
        for operation, path, method, responder in table:
            if operation in self.record.operations:
                yield path, method, responder
        for command in self._commands:
            yield f"{one}/{command.verb}", "post", self._command(command)
        for query in self._queries:
            yield f"{one}/{query.path}", "get", self._query(query)
        if "merge" in self.record.operations or any(command.answers == 202 for command in self._commands):
            yield f"{one}/saga", "get", self.saga

    def list(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._read(req, resp, "record.list", query=self._listing.parse(req))

    def search(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        self._read(req, resp, "record.list", query=self._bodies.search(requests.json_body(req)))

    def aggregate(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        self._read(req, resp, "record.aggregate", **self._bodies.aggregate(requests.json_body(req)))

    def changes(self, req: falcon.Request, resp: falcon.Response) -> None:
        # The log has every service's changes in one gap-free order, deleted records included.
        params = {**parameters.page(req), "record": self._name}
        answers.send(resp, self._services.ask(req.context.caller, "eventlog", "record.changes", params))

    def get(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        if req.query_string:
            params |= self._listing.view(req)
        answers.send_record(resp, self._ask(req, "record.get", params), self.record.collection)

    def history(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        languages.send_history(req, resp, self._ask(req, "record.history", {**self._one(id), **parameters.page(req)}))

    def saga(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        parameters.none(req)
        self._read(req, resp, "record.saga", **self._one(id))

    def get_external(self, req: falcon.Request, resp: falcon.Response, system: str, key: str) -> None:
        parameters.none(req)
        ok = self._ask(req, "record.by_external", self._external(system, key))
        answers.send_record(resp, ok, self.record.collection)

    def create(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        params = {"data": self._bodies.create(requests.json_body(req))}
        self._write(req, resp, "record.create", params, self.root)

    def update(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        params["patch"] = self._bodies.patch(requests.json_body(req, requests.MERGE_PATCH))
        self._write(req, resp, "record.update", params | requests.seen(req), self.root + "/{id}")

    def delete(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        self._write(req, resp, "record.delete", params | requests.seen(req), self.root + "/{id}")

    def restore(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        bodies.empty(requests.json_body(req, optional=True))
        self._write(req, resp, "record.restore", params | requests.seen(req), self.root + "/{id}/restore")

    def purge(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        params |= bodies.checked(Purge(), requests.json_body(req, optional=True))
        self._write(req, resp, "record.purge", params | requests.seen(req), self.root + "/{id}/purge")

    def erase(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        params["data"] = bodies.checked(Reasoned(), requests.json_body(req))
        self._write(req, resp, "record.erase", params | requests.seen(req), self.root + "/{id}/erase")

    def erasure(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        parameters.none(req)
        self._read(req, resp, "record.erasure", **self._one(id))

    def merge(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._merging(req, resp, id, "merge", bodies.merge(requests.json_body(req)))

    def unmerge(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._merging(req, resp, id, "unmerge", bodies.unmerge(requests.json_body(req, optional=True)))

    def _merging(self, req: falcon.Request, resp: falcon.Response, id: str, verb: str, data: JSON) -> None:
        params = self._one(id) | {"data": data}
        parameters.none(req)
        self._write(req, resp, f"record.{verb}", params | requests.seen(req), f"{self.root}/{{id}}/{verb}")

    def merges(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        parameters.none(req)
        self._read(req, resp, "record.merges", **self._one(id))

    def duplicates(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        given = parameters.single(req, ("limit",))
        limit = parameters.whole("limit", given["limit"], 1, MOST_TWINS) if "limit" in given else None
        self._read(req, resp, "record.duplicates", **self._one(id), limit=limit)

    def put_external(self, req: falcon.Request, resp: falcon.Response, system: str, key: str) -> None:
        params = self._external(system, key)
        parameters.none(req)
        params["data"] = self._bodies.create(requests.json_body(req))
        self._write(req, resp, "record.upsert", params | requests.seen(req), self.root + "/by-external/{system}/{key}")

    def bulk(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        params = bodies.bulk(requests.json_body(req))
        answers.send(resp, self._ask(req, "record.bulk", params, requests.idempotency_key(req), self.root + "/bulk"))

    def bulk_job(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        params = self._bodies.bulk_job(requests.json_body(req), self._commands)
        key = requests.idempotency_key(req)
        answers.send(resp, self._ask(req, "record.bulk_job", params, key, self.root + "/bulk-jobs"))

    def export(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        params = self._bodies.export(requests.json_body(req, optional=True))
        key = requests.idempotency_key(req)
        answers.send(resp, self._ask(req, "record.export", params, key, self.root + "/export"))

    def _command(self, command: Command) -> Responder:
        template = f"{self.root}/{{id}}/{command.verb}"
        schema = command.request() if command.request else None

        def responder(req: falcon.Request, resp: falcon.Response, id: str) -> None:
            params = self._one(id)
            parameters.none(req)
            body = requests.json_body(req, optional=True)
            params["data"] = bodies.checked(schema, body) if schema else bodies.empty(body)
            params["verb"] = command.verb
            self._write(req, resp, "record.command", params | requests.seen(req), template)

        return responder

    def _query(self, query: Query) -> Responder:
        def responder(req: falcon.Request, resp: falcon.Response, id: str) -> None:
            parameters.none(req)
            self._read(req, resp, "record.query", name=query.path, **self._one(id))

        return responder

    def _one(self, id: str) -> JSON:
        return {"id": requests.record_id(id, self._what)}

    def _external(self, system: str, key: str) -> JSON:
        return dict(zip(("system", "key"), requests.external_key(system, key, self._what), strict=True))

    def _read(self, req: falcon.Request, resp: falcon.Response, method: str, **params: Any) -> None:
        answers.send(resp, self._ask(req, method, params))

    def _write(self, req: falcon.Request, resp: falcon.Response, method: str, params: JSON, template: str) -> None:
        ok = self._ask(req, method, params, requests.idempotency_key(req), template)
        answers.send_record(resp, ok, self.record.collection)

    def _ask(self, req: falcon.Request, method: str, params: JSON, key: str | None = None, template: str = "") -> JSON:
        params["record"] = self._name
        route = f"{req.method} {template}" if template else ""
        return self._services.ask(req.context.caller, self._service, method, params, key=key, route=route)
