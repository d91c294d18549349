"""Notes and attachments below every record: `/v1/{c}/{id}/notes` and `/v1/{c}/{id}/attachments`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import falcon

from contracts.children import DECLARED
from contracts.records import Record
from gateway import answers, bodies, languages, parameters, requests
from gateway.routes import Route
from gateway.rpc import Services

JSON = dict[str, Any]


class Children:
    """The routes of one kind of child, the same for each kind of record."""

    def __init__(self, kind: str, services: Services) -> None:
        self.kind, self.declared, self._services = kind, DECLARED[kind], services
        self._listing = parameters.Listing(self.declared)
        self._bodies = bodies.RecordBodies(self.declared, self._listing)

    def routes(self, record: type[Record]) -> Iterator[Route]:
        """The routes below the records of one collection."""
        yield from Below(self, record).routes()

    def listing(self, req: falcon.Request) -> JSON:
        return self._listing.parse(req)

    def view(self, req: falcon.Request) -> JSON:
        return self._listing.view(req) if req.query_string else {}

    def body(self, req: falcon.Request) -> JSON:
        return self._bodies.create(requests.json_body(req))

    def export(self, req: falcon.Request) -> JSON:
        return self._bodies.export(requests.json_body(req, optional=True))

    def patch(self, req: falcon.Request) -> JSON:
        return self._bodies.patch(requests.json_body(req, requests.MERGE_PATCH))

    def ask(self, req: falcon.Request, record: type[Record], method: str, params: JSON, template: str = "") -> JSON:
        """One call to the record's service. With the template of its route it is a write, and has a key."""
        key = requests.idempotency_key(req) if template else None
        route = f"{req.method} {template}" if template else ""
        params = {**params, "record": record.record_name, "kind": self.kind}
        return self._services.ask(req.context.caller, record.service, f"child.{method}", params, key=key, route=route)


class Below:
    """What of one kind lies below the records of one collection."""

    def __init__(self, children: Children, record: type[Record]) -> None:
        self._children, self._record = children, record
        self.root = f"/v1/{record.collection}/{{id}}/{children.declared.collection}"
        self.one = f"{self.root}/{{child}}"

    def routes(self) -> Iterator[Route]:
        # An attachment is made of a file, which `gateway.attachments` takes.
        yield Route(self.root, get=self.list, **({"post": self.create} if self._children.kind == "note" else {}))
        yield Route(self.one, get=self.get, patch=self.update, delete=self.delete)
        yield Route(f"{self.one}/restore", post=self.restore)
        yield Route(f"{self.one}/history", get=self.history)
        yield Route(f"{self.root}/export", post=self.export)

    def list(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        query = self._children.listing(req)
        answers.send(resp, self._ask(req, "list", {**self._one(id), "query": query}))

    def create(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        params["data"] = self._children.body(req)
        answers.send_record(resp, self._ask(req, "create", params, self.root), "")

    def export(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        params = self._one(id)
        parameters.none(req)
        params |= self._children.export(req)
        answers.send(resp, self._ask(req, "export", params, f"{self.root}/export"))

    def get(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        params = self._one(id, child) | self._children.view(req)
        answers.send_record(resp, self._ask(req, "get", params), "")

    def history(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        languages.send_history(req, resp, self._ask(req, "history", self._one(id, child) | parameters.page(req)))

    def update(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        params = self._one(id, child)
        parameters.none(req)
        params["patch"] = self._children.patch(req)
        answers.send_record(resp, self._ask(req, "update", params | requests.seen(req), self.one), "")

    def delete(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        params = self._one(id, child)
        parameters.none(req)
        answers.send(resp, self._ask(req, "delete", params | requests.seen(req), self.one))

    def restore(self, req: falcon.Request, resp: falcon.Response, id: str, child: str) -> None:
        params = self._one(id, child)
        parameters.none(req)
        bodies.empty(requests.json_body(req, optional=True))
        answers.send_record(resp, self._ask(req, "restore", params | requests.seen(req), f"{self.one}/restore"), "")

    def _one(self, id: str, child: str | None = None) -> JSON:
        params = {"id": requests.record_id(id, self._record.singular)}
        if child is not None:
            params["child"] = requests.record_id(child, self._children.kind)
        return params

    def _ask(self, req: falcon.Request, method: str, params: JSON, template: str = "") -> JSON:
        return self._children.ask(req, self._record, method, params, template)
