"""Signing in and out. The only routes that take no token are login and refresh, and failing there is limited."""

from __future__ import annotations

import hashlib
import math
import time

import falcon
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from chassis.errors import Problem
from contracts import fields as f
from contracts.records import Part
from gateway import answers, bodies, parameters, requests
from gateway.authentication import Authenticator
from gateway.rpc import Services
from gateway.settings import Settings


class Credentials(Part):
    tenant = f.Text(required=True, max=64)
    email = f.Text(required=True, max=254)
    password = f.Text(required=True, max=256)


class Refresh(Part):
    refresh_token = f.Text(required=True, max=2000)


class Attempts:
    """Failed attempts per account and address. Each is counted before it is tried, so that parallel guesses count."""

    def __init__(self, settings: Settings) -> None:
        self._limit = parse(settings.login_limit)
        self._limiter = MovingWindowRateLimiter(storage_from_string(settings.rate_limit_storage))

    def begin(self, key: str) -> None:
        """Raises Problem 429 `too_many_attempts` while too many have failed."""
        if not self._limiter.hit(self._limit, key):
            reset = self._limiter.get_window_stats(self._limit, key).reset_time
            wait = max(1, math.ceil(reset - time.time()))
            raise Problem(429, "too_many_attempts", "Too many failed attempts. Wait and try again.", retry_after=wait)

    def forgive(self, key: str) -> None:
        self._limiter.clear(self._limit, key)


class SignIn:
    """`POST /v1/auth/login` and `/refresh`."""

    def __init__(
        self, services: Services, authenticator: Authenticator, settings: Settings, attempts: Attempts
    ) -> None:
        self._services, self._authenticator, self._settings, self._attempts = (
            services,
            authenticator,
            settings,
            attempts,
        )
        self._credentials, self._refresh = Credentials(), Refresh()

    def login(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        body = bodies.checked(self._credentials, requests.json_body(req))
        self._exchange(req, resp, "identity.login", body, (body["tenant"].lower(), body["email"].lower()))

    def refresh(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        body = bodies.checked(self._refresh, requests.json_body(req))
        self._exchange(req, resp, "identity.refresh", body, (body["refresh_token"],))

    def _exchange(
        self, req: falcon.Request, resp: falcon.Response, method: str, body: dict[str, str], account: tuple[str, ...]
    ) -> None:
        address = requests.client_address(req, self._settings.trusted_proxies)
        key = hashlib.sha256("\x1f".join((method, *account, address)).encode()).hexdigest()
        self._attempts.begin(key)
        refused = False
        try:
            ok = self._services.ask(self._authenticator.gateway(req), "identity", method, body)
        except Problem as problem:
            refused = problem.status < 500
            raise
        finally:
            # A broken bus is no wrong password, and a right one ends the counting.
            if not refused:
                self._attempts.forgive(key)
        answers.send(resp, ok)


class Session:
    """`POST /v1/auth/logout` and `GET /v1/me`."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._services, self._authenticator = services, authenticator

    def logout(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        try:
            token = req.get_header("Authorization", default="").partition(" ")[2].strip()
            answers.send(resp, self._services.ask(req.context.caller, "identity", "identity.logout", {"token": token}))
        finally:
            self._authenticator.forget(req)

    def me(self, req: falcon.Request, resp: falcon.Response) -> None:
        parameters.none(req)
        answers.send(resp, self._services.ask(req.context.caller, "identity", "identity.me", {}))
