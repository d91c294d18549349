"""Somebody who writes and somebody who searches, all the while, and what became of each request."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

from tests.integration.flow import key
from tests.integration.support import until
from tests.searching.stack import SearchingSuite

JSON = dict[str, Any]
_marks = itertools.count()


def mark() -> str:
    """A word that nothing else holds."""
    number = next(_marks)
    return "zq" + "".join("bcdfghjklm"[int(digit)] for digit in f"{number:05}")


@dataclass
class Loop:
    """Does one thing again and again in a thread of its own; `with` starts and ends it, and tells what failed."""

    do: Callable[[], None]
    pause: float
    failures: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.do()
            except (AssertionError, OSError, http.client.HTTPException, KeyError) as error:
                self.failures.append(repr(error)[:500])
            self._stop.wait(self.pause)


class Writer:
    """Makes accounts, changes every second one and deletes every third; keeps how long each request took."""

    def __init__(self, stack: SearchingSuite) -> None:
        self._api, self.seconds = stack.api(), list[float]()
        self.living: dict[str, tuple[str, int]] = {}
        """The name and the version of each account, by id."""
        self.gone: dict[str, str] = {}
        self._number = 0

    def write(self) -> None:
        self._number += 1
        word = mark()
        made = self._timed("POST", "/v1/accounts", {"name": f"Firm {word}"})
        self.living[made["id"]] = (word, 1)
        if self._number % 2 == 0:
            word = mark()
            changed = self._timed("PATCH", f"/v1/accounts/{made['id']}", {"name": f"Firm {word}"})
            self.living[made["id"]] = (word, changed["version"])
        if self._number % 3 == 0:
            self._timed("DELETE", f"/v1/accounts/{made['id']}")
            self.gone[made["id"]] = self.living.pop(made["id"])[0]

    def _timed(self, method: str, path: str, body: JSON | None = None) -> JSON:
        began = time.monotonic()
        answer = self._api.send(method, path, body, key=key())
        self.seconds.append(time.monotonic() - began)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.body}"
        return answer.body if isinstance(answer.body, dict) else {}

    def median(self) -> float:
        return sorted(self.seconds)[len(self.seconds) // 2]

    def told(self) -> str:
        return f"{self.median() * 1000:.0f} ms, {max(self.seconds) * 1000:.0f} ms"

    def forget_times(self) -> None:
        self.seconds = []


class Searcher:
    """Asks for accounts that are known to be there, each of which must be found exactly once."""

    def __init__(self, stack: SearchingSuite, words: list[str], together: str) -> None:
        self._stack, self._words, self._together = stack, itertools.cycle(words), together
        self._all = len(words)
        self.answers = 0
        self.backends: dict[str, int] = {}

    @classmethod
    def over(cls, stack: SearchingSuite, count: int) -> Searcher:
        """Make so many accounts, which share one word and have one each."""
        together, words = mark(), [mark() for _ in range(count)]
        items = [{"op": "create", "data": {"name": f"{together} {word}"}} for word in words]
        done = stack.api().post("/v1/accounts/bulk", {"atomic": True, "items": items}, key=key())
        assert len(done["items"]) == count
        # The log may not have all of their events yet, and so its end says nothing of them.
        whole = {"types": "account", "limit": 100}
        until(lambda: len(stack.search(together, **whole)["items"]) == count, 60, every=0.2, what="all are found")
        stack.await_events()
        return cls(stack, words, together)

    def ask(self) -> None:
        word = next(self._words)
        self._titles(word, [f"{self._together} {word}"])
        # One page: what was edited lately moves up, and might do so between two.
        titles = [item["title"] for item in self._counted(self._together, limit=100)["items"]]
        hits, firms = len(titles), len(set(titles))
        assert (hits, firms) == (self._all, self._all), f"{hits} hits of {firms} firms"

    def _titles(self, q: str, expected: list[str]) -> None:
        body = self._counted(q)
        titles = [] if body.get("fuzzy") else [item["title"] for item in body["items"]]
        assert titles == expected, f"{q}: {titles} by {body['freshness']}"

    def _counted(self, q: str, **params: Any) -> JSON:
        body = self._stack.search(q, types="account", **params)
        backend = body["freshness"]["backend"]
        assert body["freshness"]["degraded"] == (backend == "postgresql"), body["freshness"]
        self.backends[backend] = self.backends.get(backend, 0) + 1
        self.answers += 1
        return body


def assert_found(stack: SearchingSuite, writer: Writer) -> None:
    """Whatever was written is found as it is now, and what was deleted is not."""

    def living(one: tuple[str, tuple[str, int]]) -> None:
        id, (word, version) = one
        items = stack.search(word, types="account", min_version=f"account/{id}:{version}")["items"]
        assert [(item["id"], item["version"]) for item in items][:1] == [(id, version)], word

    def gone(word: str) -> None:
        body = stack.search(word, types="account")
        assert body.get("fuzzy") or body["items"] == [], word

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(living, writer.living.items()))
        list(hands.map(gone, writer.gone.values()))


def assert_no_drift(stack: SearchingSuite) -> str:
    """`guanxi search sweep` compares databases, kept documents and Elasticsearch, and finds no difference.

    Returns what it says.
    """
    told = stack.command("search", "sweep")
    assert ": 0 had drifted, 0 are repaired, of 0 the event log" in told, told
    assert stack.lacking() == 0
    return told.split(", of 0")[0].strip()
