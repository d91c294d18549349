"""What is stuck in one service, and what an administrator does about it; the service itself checks who asks."""

from __future__ import annotations

import re
from typing import Any

import falcon

from chassis.errors import invalid, not_found
from contracts.registry import SERVICES
from gateway import answers, parameters, requests
from gateway.routes import Route
from gateway.rpc import Services

JSON = dict[str, Any]
MOST_REASON = 500
_WORD = re.compile(r"[a-z_]{1,40}", re.ASCII)
_ACTION = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)
_TYPE = re.compile(r"[a-z]+(?:[.-][a-z]+){0,6}(?:\.\*)?", re.ASCII)
_ENTRY = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
FILTERS = {
    "state": (_WORD, "Must be the name of a state."),
    "name": (_WORD, "Must be the name of a saga."),
    "consumer": (_WORD, "Must be the name of a consumer."),
    "type": (_TYPE, "Must be a type such as sales.order.confirmed or sales.order.*."),
    "action": (_ACTION, "Must be an action such as inbox.replay."),
}


class Admin:
    """Each route is about one service, which `?service=` names."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def routes(self) -> list[Route]:
        root = "/v1/admin"
        return [
            Route(f"{root}/inbox", get=self.inbox),
            # A fixed word and not an id: the replay of all that a filter chooses.
            Route(f"{root}/inbox/replay", post=self.replay_chosen),
            Route(f"{root}/inbox/{{id}}", get=self.entry),
            Route(f"{root}/inbox/{{id}}/replay", post=self.replay),
            Route(f"{root}/inbox/{{id}}/discard", post=self.discard),
            Route(f"{root}/sagas", get=self.sagas),
            Route(f"{root}/sagas/{{id}}", get=self.saga),
            Route(f"{root}/sagas/{{id}}/push", post=self.push),
            Route(f"{root}/sagas/{{id}}/compensate", post=self.compensate),
            Route(f"{root}/operations", get=self.operations),
            Route(f"{root}/jobs", get=self.jobs),
        ]

    def inbox(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.inbox", ("state", "consumer", "type"))

    def sagas(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.sagas", ("state", "name"))

    def operations(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.operations", ("action",))

    def jobs(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._page(req, resp, "admin.jobs", ("state",))

    def entry(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.inbox_entry", {"entry": _entry(id)})

    def saga(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.saga", {"id": requests.record_id(id, "saga")})

    def replay(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.replay", {"entry": _entry(id), **_reason(req, optional=True)})

    def discard(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.discard", {"entry": _entry(id), **_reason(req)})

    def replay_chosen(self, req: falcon.Request, resp: falcon.Response) -> None:
        params, given = self._given(req, ("state", "consumer", "type"))
        self._send(req, resp, params, "admin.replay_chosen", {"filter": given, **_reason(req, optional=True)})

    def push(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.push", {"id": requests.record_id(id, "saga"), **_reason(req, optional=True)})

    def compensate(self, req: falcon.Request, resp: falcon.Response, id: str) -> None:
        self._ask(req, resp, "admin.compensate", {"id": requests.record_id(id, "saga"), **_reason(req)})

    def _page(self, req: falcon.Request, resp: falcon.Response, method: str, filters: tuple[str, ...]) -> None:
        service, given = self._given(req, (*filters, "limit", "after"))
        page = parameters.page_of({name: given.pop(name) for name in ("limit", "after") if name in given})
        self._send(req, resp, service, method, {**page, **given})

    def _ask(self, req: falcon.Request, resp: falcon.Response, method: str, params: JSON) -> None:
        service, _ = self._given(req, ())
        self._send(req, resp, service, method, params)

    def _given(self, req: falcon.Request, allowed: tuple[str, ...]) -> tuple[str, dict[str, str]]:
        given = parameters.single(req, ("service", *allowed))
        service = parameters.one_of("service", given.pop("service", ""), SERVICES)
        for name, text in given.items():
            if name in FILTERS and not FILTERS[name][0].fullmatch(text):
                raise parameters.bad(name, FILTERS[name][1])
        return service, given

    def _send(self, req: falcon.Request, resp: falcon.Response, service: str, method: str, params: JSON) -> None:
        key = requests.idempotency_key(req) if req.method == "POST" else None
        route = f"{req.method} {req.uri_template}"
        answers.send(resp, self._services.ask(req.context.caller, service, method, params, key=key, route=route))


def _entry(text: str) -> int:
    if not _ENTRY.fullmatch(text):
        raise not_found("waiting event")
    return int(text)


def _reason(req: falcon.Request, *, optional: bool = False) -> JSON:
    """The body `{"reason": …}`: a text of up to 500 characters that says why."""
    body = requests.json_body(req, optional=optional)
    if not isinstance(body, dict) or body.keys() - {"reason"}:
        raise invalid({"reason": "The body takes a reason and nothing else."})
    reason = body.get("reason")
    if reason is None and optional:
        return {}
    if not isinstance(reason, str) or not reason.strip() or len(reason) > MOST_REASON:
        raise invalid({"reason": f"Must be a text of 1 to {MOST_REASON} characters."})
    return {"reason": reason.strip()}
