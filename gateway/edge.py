"""What happens around every request: correlation, hosts, origins, signing in, security headers and counting."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import falcon

from chassis.errors import Problem
from gateway import requests
from gateway.authentication import Authenticator
from gateway.metrics import Metrics
from gateway.settings import Settings

API_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": API_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "private, no-store",
}
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "Authorization, Content-Type, If-Match, Idempotency-Key, Last-Event-ID, X-Correlation-Id, X-Request-Id, traceparent"
)
_RESPONSE_HEADERS = "ETag, Location, Retry-After, Idempotency-Replayed, X-Correlation-Id"
# Probes come by a pod's address, not by a name.
_ANY_HOST = ("/livez", "/readyz", "/metrics")


class Edge:
    """Falcon middleware. A resource needs a signed-in caller unless it says `public = True`."""

    def __init__(self, settings: Settings, authenticator: Authenticator, metrics: Metrics) -> None:
        self._authenticator, self._metrics = authenticator, metrics
        self._origins, self._hosts = frozenset(settings.cors_origins), frozenset(settings.allowed_hosts)
        self._headers = dict(_ALWAYS)
        if settings.https:
            self._headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"

    def process_request(self, req: falcon.Request, resp: falcon.Response) -> None:
        req.context.started = perf_counter()
        self._metrics.begin()
        req.context.correlation_id = requests.correlation_id(req)
        resp.set_headers(self._headers)
        if self._hosts and req.host.lower() not in self._hosts and req.path not in _ANY_HOST:
            raise Problem(421, "unknown_host", "This host name is not served here.")
        origin = req.get_header("Origin")
        if origin is not None:
            self._cross_origin(req, resp, origin)

    def _cross_origin(self, req: falcon.Request, resp: falcon.Response, origin: str) -> None:
        """Only origins of the list may read answers; a preflight is answered here, before anybody signs in."""
        preflight = req.method == "OPTIONS" and req.get_header("Access-Control-Request-Method") is not None
        resp.append_header("Vary", "Origin")
        if origin in self._origins:
            resp.set_header("Access-Control-Allow-Origin", origin)
            resp.set_header("Access-Control-Expose-Headers", _RESPONSE_HEADERS)
            resp.set_header("Cross-Origin-Resource-Policy", "cross-origin")
            if preflight:
                resp.set_header("Access-Control-Allow-Methods", _METHODS)
                resp.set_header("Access-Control-Allow-Headers", _REQUEST_HEADERS)
                resp.set_header("Access-Control-Max-Age", "600")
        if preflight:
            resp.status = 204
            resp.complete = True

    def process_resource(
        self, req: falcon.Request, resp: falcon.Response, resource: Any, params: dict[str, Any]
    ) -> None:
        if not getattr(resource, "public", False) and req.method != "OPTIONS":
            req.context.caller = self._authenticator.context(req)

    def process_response(self, req: falcon.Request, resp: falcon.Response, resource: Any, succeeded: bool) -> None:
        resp.set_header("X-Correlation-Id", req.context.correlation_id)
        template = req.uri_template or "unmatched"
        self._metrics.end(req.method, template, resp.status_code, perf_counter() - req.context.started)
