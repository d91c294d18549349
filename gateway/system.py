"""Health, measurements, the published contracts and the page that explores them. Nobody needs to be signed in here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import falcon

from gateway import answers, metrics

log = logging.getLogger(__name__)

Readiness = Callable[[], dict[str, bool]]

_ASSETS = Path(__file__).parent / "static" / "swagger"
_TYPES = {
    "swagger-ui.css": "text/css; charset=utf-8",
    # Without the charset browsers read the bundle as Latin-1 and stop at "Invalid or unexpected token".
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "init.js": "text/javascript; charset=utf-8",
}
# The explorer draws its icons from data: addresses in its own style sheet; nothing else may come from anywhere else.
DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class System:
    """`readiness` names each dependency and whether it answers; `published` is the folder of the contracts.

    Only the `essential` ones decide whether this process is ready; None means all of them.
    """

    def __init__(
        self, readiness: Readiness, essential: frozenset[str] | None, measured: metrics.Metrics, published: Path
    ) -> None:
        self._readiness, self._essential = readiness, essential
        self._metrics, self._published = measured, published
        self._documents: dict[str, bytes] = {}
        self._assets: dict[str, bytes] = {}

    def livez(self, req: falcon.Request, resp: falcon.Response) -> None:
        answers.send_json(resp, {"status": "alive"})

    def readyz(self, req: falcon.Request, resp: falcon.Response) -> None:
        try:
            found = self._readiness()
        except Exception:  # a probe that fails is an answer, too: not ready
            log.exception("the readiness of this process could not be found out")
            found = dict.fromkeys(self._essential or ("readiness",), False)
        missing = [
            name for name, up in found.items() if not up and (self._essential is None or name in self._essential)
        ]
        dependencies = {name: "up" if up else "down" for name, up in found.items()}
        body = {"status": "not_ready" if missing else "ready", "missing": missing, "dependencies": dependencies}
        answers.send_json(resp, body, 503 if missing else 200)

    def metrics(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.content_type = metrics.CONTENT_TYPE
        resp.data = self._metrics.text()

    def openapi(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._document(resp, "openapi.json")

    def asyncapi(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._document(resp, "asyncapi.json")

    def _document(self, resp: falcon.Response, name: str) -> None:
        if name not in self._documents:
            try:
                self._documents[name] = (self._published / name).read_bytes()
            except FileNotFoundError:
                raise falcon.HTTPNotFound(description=f"{name} has not been generated.") from None
        resp.data = self._documents[name]
        resp.set_header("Cache-Control", "no-cache")

    def docs(self, req: falcon.Request, resp: falcon.Response) -> None:
        self._asset(resp, "index.html", "text/html; charset=utf-8")

    def asset(self, req: falcon.Request, resp: falcon.Response, asset: str) -> None:
        kind = _TYPES.get(asset)
        if kind is None:
            raise falcon.HTTPNotFound(description="There is no such file.")
        self._asset(resp, asset, kind)

    def _asset(self, resp: falcon.Response, name: str, kind: str) -> None:
        if name not in self._assets:
            self._assets[name] = (_ASSETS / name).read_bytes()
        resp.data = self._assets[name]
        resp.content_type = kind
        resp.set_header("Content-Security-Policy", DOCS_POLICY)
        resp.set_header("Cache-Control", "no-cache")
