"""Long work over HTTP: how far it is, stopping it, and the files that came of it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import falcon

from chassis import blobs
from chassis.errors import not_found
from contracts.fields import parse_uuid
from contracts.registry import SERVICES, Registry
from gateway import answers, bodies, parameters, requests
from gateway.routes import Responder
from gateway.rpc import Services

JSON = dict[str, Any]
_ID = re.compile(rf"({'|'.join(SERVICES)})-([0-9a-fA-F]{{8}}(?:-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}})", re.ASCII)


class Jobs:
    """`/v1/jobs` and what lies below it. A job's id names its service."""

    def __init__(self, services: Services, registry: Registry, store: blobs.Store) -> None:
        self._services, self._registry, self._store = services, registry, store

    def list(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = parameters.single(req, ("collection", "state", "limit", "after"))
        name = parameters.one_of("collection", given.pop("collection", ""), self._registry.collections)
        params: JSON = parameters.page_of(given)
        if "state" in given:
            params["state"] = parameters.one_of("state", given["state"], STATES)
        record = self._registry.collections[name]
        params["record"] = record.record_name
        answers.send(resp, self._services.ask(req.context.caller, record.service, "job.list", params))

    def get(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        parameters.none(req)
        service, params = _owner(id)
        answers.send(resp, self._services.ask(req.context.caller, service, "job.get", params))

    def command(self, verb: str) -> Responder:
        """`POST /v1/jobs/{id}/{verb}`, without a body."""

        def responder(req: falcon.Request, resp: falcon.Response, id: str) -> None:
            parameters.none(req)
            service, params = _owner(id)
            bodies.empty(requests.json_body(req, optional=True))
            key, route = requests.idempotency_key(req), f"POST /v1/jobs/{{id}}/{verb}"
            answers.send(
                resp, self._services.ask(req.context.caller, service, f"job.{verb}", params, key=key, route=route)
            )

        return responder

    def file(self, which: str) -> Responder:
        """`GET /v1/jobs/{id}/result` and `/errors`: streamed, never shown within a page of this origin."""

        def responder(req: falcon.Request, resp: falcon.Response, id: str) -> None:
            parameters.none(req)
            service, params = _owner(id)
            params["which"] = which
            entry = self._services.ask(req.context.caller, service, "job.file", params)["body"]
            stream = self._store.of(service, req.context.caller.tenant).open(entry["key"])
            resp.set_stream(stream, entry["size"])
            resp.content_type = entry["type"]
            resp.set_header("Content-Disposition", f"attachment; filename*=UTF-8''{quote(entry['name'], safe='')}")

        return responder


STATES = ("queued", "running", "succeeded", "failed", "cancelled")


def _owner(job_id: str) -> tuple[str, JSON]:
    """The service and the id there; what is no job's id names none: 404."""
    found = _ID.fullmatch(job_id)
    if not found:
        raise not_found("job")
    return found[1], {"id": parse_uuid(found[2])}
