"""`GET /v1/search`: everything that the caller may see, by a few letters; and what he looked for and opened lately."""

from __future__ import annotations

import re
from typing import Any

import falcon
from marshmallow import ValidationError

from chassis.errors import invalid
from contracts import fields as f
from contracts import search
from gateway import answers, parameters, requests
from gateway.routes import Route
from gateway.rpc import Services

JSON = dict[str, Any]
MOST_HITS = 100
MOST_VERSIONS = 50
_VERSION = re.compile(r"([a-z-]{1,60})/([0-9a-fA-F-]{36}):([0-9]{1,18})", re.ASCII)
_PHRASE = f.Text(max=search.LONGEST_QUESTION)


class Search:
    """Filters are parameters named as in lists, `status.in=`, for what searched records declare as such.

    Those of custom fields are passed on: only the service knows the tenant's definitions."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._types, self._filters, self._facets = search.kinds(), search.filters(), search.facet_fields()
        self._words = ("q", "types", "limit", "after", "facets", "explain", "suggest", "min_version")

    def routes(self) -> list[Route]:
        return [
            Route("/v1/search", get=self.query),
            Route("/v1/search/recent", get=self.recent, post=self.finished, delete=self.clear),
            Route("/v1/search/opened", post=self.opened),
        ]

    def query(self, req: falcon.Request, resp: falcon.Response) -> None:
        own = [name for name, _ in parameters.pairs(req) if search.is_custom(name)]
        given = parameters.single(req, (*self._words, *self._filters, *own))
        params: JSON = {
            "q": _phrase(given.get("q", "")),
            "types": parameters.names("types", given["types"], self._types) if "types" in given else None,
            "limit": parameters.whole("limit", given.get("limit", "20"), 1, MOST_HITS),
            "min_version": self._versions(given["min_version"]) if "min_version" in given else None,
        }
        if "after" in given:
            params["after"] = parameters.cursor("after", given["after"])
        if "facets" in given:
            listed = [name for name in given["facets"].split(",") if search.CUSTOM.fullmatch(name)]
            params["facets"] = parameters.names("facets", given["facets"], (*self._facets, *listed))
        for word in ("explain", "suggest"):
            if word in given:
                params[word] = parameters.one_of(word, given[word], ("true", "false")) == "true"
        filters = {name: text for name, text in given.items() if name not in self._words}
        if filters:
            params["filters"] = _checked(params["types"], filters)
        self._send(req, resp, "search.query", params)

    def recent(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        self._send(req, resp, "search.recent", {})

    def finished(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._tell(req, resp, "search.finished", ("q", "types", "filters"))

    def opened(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._tell(req, resp, "search.opened", ("type", "id", "q", "types", "filters"))

    def clear(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        requests.idempotency_key(req)
        self._send(req, resp, "search.clear", {})

    def _tell(self, req: falcon.Request, resp: falcon.Response, method: str, allowed: tuple[str, ...]) -> None:
        """What the client tells is kept once however often it is told, so that a repeat needs no kept answer."""
        parameters.none(req)
        requests.idempotency_key(req)
        body = requests.json_body(req)
        if not isinstance(body, dict):
            raise invalid({"": "Must be an object."})
        unknown = sorted(body.keys() - set(allowed))
        if unknown:
            raise invalid({unknown[0]: "Unknown field."})
        self._send(req, resp, method, body)

    def _send(self, req: falcon.Request, resp: falcon.Response, method: str, params: JSON) -> None:
        answers.send(resp, self._services.ask(req.context.caller, "search", method, params))

    def _versions(self, text: str) -> dict[str, int]:
        """`account/<id>:3,order/<id>:1` as `{"account/<id>": 3, …}`."""
        entries = text.split(",")
        if len(entries) > MOST_VERSIONS:
            raise parameters.bad("min_version", f"At most {MOST_VERSIONS} records.")
        versions: dict[str, int] = {}
        for entry in entries:
            found = _VERSION.fullmatch(entry)
            if not found or found[1] not in self._types:
                raise parameters.bad("min_version", "Must be a list such as account/<id>:3.")
            try:
                versions[f"{found[1]}/{f.parse_uuid(found[2])}"] = int(found[3])
            except ValidationError as error:
                raise parameters.bad("min_version", error.messages[0]) from None
        return versions


def _phrase(text: str) -> str:
    """What was typed; blanks alone are nothing."""
    try:
        return str(_PHRASE.deserialize(text)).strip()
    except ValidationError as error:
        raise parameters.bad("q", error.messages[0]) from None


def _checked(types: list[str] | None, filters: dict[str, str]) -> dict[str, str]:
    try:
        search.conditions(types, filters)
    except search.UnknownFilter as error:
        raise parameters.unknown(str(error)) from None
    except ValidationError as error:
        ((name, messages),) = error.messages_dict.items()
        raise parameters.bad(name, search.first(messages)) from None
    return filters
