"""What is parked, dead or under way in one service; the service itself lets only administrators see it."""

from __future__ import annotations

import re
from typing import Any

import falcon

from contracts.registry import SERVICES
from gateway import answers, parameters
from gateway.rpc import Services

_STATE = re.compile(r"[a-z_]{1,40}", re.ASCII)


class Admin:
    """`GET /v1/admin/inbox`, `/sagas` and `/jobs`, each with `?service=`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def inbox(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.inbox")

    def sagas(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.sagas")

    def jobs(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.jobs")

    def _page(self, req: falcon.Request, resp: falcon.Response, method: str) -> None:
        given = parameters.single(req, ("service", "state", "limit", "after"))
        service = parameters.one_of("service", given.pop("service", ""), SERVICES)
        params: dict[str, Any] = parameters.page_of(given)
        if "state" in given:
            if not _STATE.fullmatch(given["state"]):
                raise parameters.bad("state", "Must be the name of a state.")
            params["state"] = given["state"]
        answers.send(resp, self._services.ask(req.context.caller, service, method, params))
