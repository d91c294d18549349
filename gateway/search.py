"""`GET /v1/search`: everything that the caller may see, by a few letters."""

from __future__ import annotations

import re

import falcon
from marshmallow import ValidationError

from contracts import fields as f
from contracts.registry import Registry
from gateway import answers, parameters
from gateway.rpc import Services

MOST_HITS = 100
_VERSION = re.compile(r"([a-z-]{1,60})/([0-9a-fA-F-]{36}):([0-9]{1,18})", re.ASCII)
MOST_VERSIONS = 50
_PHRASE = f.Text(max=200, min=1)


class Search:
    def __init__(self, services: Services, registry: Registry) -> None:
        self._services = services
        self._types = frozenset(
            record.singular
            for record in registry.records.values()
            if any(field.search for field in record.declared().values())
        )

    def query(self, req: falcon.Request, resp: falcon.Response) -> None:
        given = parameters.single(req, ("q", "types", "limit", "min_version"))
        params = {
            "q": _phrase(given.get("q", "")),
            "types": parameters.names("types", given["types"], self._types) if "types" in given else None,
            "limit": parameters.whole("limit", given.get("limit", "20"), 1, MOST_HITS),
            "min_version": self._versions(given["min_version"]) if "min_version" in given else None,
        }
        answers.send(resp, self._services.ask(req.context.caller, "search", "search.query", params))

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
    try:
        return _PHRASE.deserialize(text)
    except ValidationError as error:
        raise parameters.bad("q", error.messages[0]) from None
