"""The gateway over a bus that records what it is asked and answers what a test prepared."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import falcon.testing
import pytest

from chassis.context import Context, Signer
from chassis.errors import Problem
from gateway.app import create_app
from gateway.settings import Settings
from gateway.streams import Pace

JSON = dict[str, Any]

KEY = "a key of thirty-two bytes at least"
TOKEN = "gx_test"
ID = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
USER = "0199a1b2-c3d4-7e5f-8a6b-000000000001"
PRINCIPAL = {
    "tenant": "northwind",
    "actor": f"user:{USER}",
    "user_id": USER,
    "teams": ["0199a1b2-c3d4-7e5f-8a6b-000000000002"],
    "grants": {"*": {"*": "all"}, "sales.order": {"delete": "none", "place": "own"}},
    "masks": {"customer.account": {"hidden": ["credit_limit"]}},
    "zone": "Asia/Shanghai",
    "locale": "zh",
}


class FakeBus:
    """A `Caller`. Answers are prepared by method: an `ok` part, an exception to raise, or a function of the request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, JSON, float]] = []
        self.answers: dict[str, Any] = {"identity.authenticate": {"status": 200, "body": PRINCIPAL}}

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        self.requests.append((service, copy.deepcopy(request), timeout))
        answer = self.answers.get(request["method"], {"status": 200, "body": {"id": ID, "version": 3}})
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Problem):
            return {"error": answer.document()}
        if isinstance(answer, Exception):
            raise answer
        return {"ok": answer}

    def close(self) -> None:
        """Nothing is open."""

    def asked(self, method: str | None = None) -> list[tuple[str, JSON, float]]:
        """The requests of one method, or all but those that only ask who the caller is."""
        return [
            entry
            for entry in self.requests
            if (entry[1]["method"] == method if method else entry[1]["method"] != "identity.authenticate")
        ]

    @property
    def last(self) -> JSON:
        return self.asked()[-1][1]


class Clock:
    """Time that passes only when somebody sleeps or a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self) -> Pace:
        return Pace(lambda: self.now, self.sleep)


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def signer() -> Signer:
    return Signer(KEY)


@pytest.fixture
def make(bus: FakeBus, clock: Clock, signer: Signer) -> Callable[..., falcon.testing.TestClient]:
    """A client of an app with these settings; `create` goes to `create_app`."""

    def made(*, token: str | None = TOKEN, create: JSON | None = None, **settings: Any) -> falcon.testing.TestClient:
        app = create_app(bus, signer, Settings(**settings), pace=clock.pace(), **(create or {}))
        headers = {"Authorization": f"Bearer {token}"} if token else None
        return falcon.testing.TestClient(app, headers=headers)

    return made


@pytest.fixture
def client(make: Callable[..., falcon.testing.TestClient]) -> falcon.testing.TestClient:
    return make()


@pytest.fixture
def context_of(signer: Signer) -> Callable[[JSON], Context]:
    return lambda request: signer.verify(request["context"])
