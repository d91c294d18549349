"""Who is asking: bearer tokens and API keys, resolved by the identity service and remembered for seconds."""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import falcon

from chassis.context import Context
from chassis.errors import Problem
from gateway import requests
from gateway.rpc import Services
from gateway.settings import Settings

JSON = dict[str, Any]

# No token that identity issues is nearly as long; what is longer is no token, rather than a question that it refuses.
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]{1,300})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Principal:
    """What identity knows of a token: `grants` is record → action → scope, `masks` record → kind → fields."""

    tenant: str
    actor: str
    user_id: str | None
    teams: tuple[str, ...]
    grants: JSON
    masks: JSON
    zone: str


class Authenticator:
    """Resolves tokens. A principal is believed for at most 5 s, so that a logout or a changed role counts within 5 s.

    Tokens are kept as their SHA-256 only, so that a dump of this process holds none.
    """

    def __init__(self, services: Services, settings: Settings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._services, self._settings, self._monotonic = services, settings, monotonic
        self._cache: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._lock = Lock()

    def gateway(self, req: falcon.Request, deadline: float | None = None) -> Context:
        """The gateway's own context, for what happens before anybody is known; its deadline starts now."""
        return Context(
            tenant="",
            actor="service:gateway",
            deadline=deadline or time.time() + self._settings.request_timeout,
            correlation_id=req.context.correlation_id,
            traceparent=requests.traceparent(req),
        )

    def context(self, req: falcon.Request) -> Context:
        """The caller's context; its deadline starts now, and resolving the token counts. Raises Problem 401."""
        deadline = time.time() + self._settings.request_timeout
        principal = self._principal(req, deadline)
        return Context(
            tenant=principal.tenant,
            actor=principal.actor,
            user_id=principal.user_id,
            teams=principal.teams,
            grants=principal.grants,
            masks=principal.masks,
            deadline=deadline,
            correlation_id=req.context.correlation_id,
            traceparent=requests.traceparent(req),
            zone=principal.zone,
        )

    def forget(self, req: falcon.Request) -> None:
        """Resolve this request's token anew next time."""
        with self._lock:
            self._cache.pop(_digest(bearer(req)), None)

    def _principal(self, req: falcon.Request, deadline: float) -> Principal:
        token, now = bearer(req), self._monotonic()
        digest = _digest(token)
        with self._lock:
            found = self._cache.get(digest)
            if found and found[0] > now:
                self._cache.move_to_end(digest)
                return found[1]
        own = self.gateway(req, deadline)
        body = self._services.ask(own, "identity", "identity.authenticate", {"token": token})["body"]
        principal = Principal(
            tenant=body["tenant"],
            actor=body["actor"],
            user_id=body.get("user_id"),
            teams=tuple(body.get("teams") or ()),
            grants=body.get("grants") or {},
            masks=body.get("masks") or {},
            zone=body.get("zone") or "UTC",
        )
        with self._lock:
            # Counted from before the question, since the answer may be as old as that.
            self._cache[digest] = (now + self._settings.principal_seconds, principal)
            self._cache.move_to_end(digest)
            while len(self._cache) > self._settings.principals_cached:
                self._cache.popitem(last=False)
        return principal


def bearer(req: falcon.Request) -> str:
    """The token of the Authorization header. Raises Problem 401 `unauthenticated`."""
    header = req.get_header("Authorization")
    if header is None:
        raise Problem(401, "unauthenticated", "Sign in, and send Authorization: Bearer <token>.")
    found = _BEARER.fullmatch(header.strip())
    if not found:
        raise Problem(401, "unauthenticated", "The Authorization header must be Bearer <token>.")
    return found[1]


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
