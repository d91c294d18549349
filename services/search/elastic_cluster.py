"""The connection to Elasticsearch: one client in each process, and a circuit that keeps a dead server cheap.

Only what the minimal distribution has is used, and `GET /` is not part of it: so `info()` is never called.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import orjson
from elasticsearch import ApiError, Elasticsearch, TransportError
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

log = logging.getLogger("guanxi")
JSON = dict[str, Any]
Answer = TypeVar("Answer")

QUESTION_SECONDS = 1.0
BULK_SECONDS = 5.0
REST_SECONDS = 5.0
CONNECTIONS = 32
NDJSON = {"content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=8", "accept": "application/json"}

registry = CollectorRegistry()
bulk_seconds = Histogram("guanxi_search_bulk_seconds", "Time of one bulk request to Elasticsearch", registry=registry)
circuit_open = Gauge("guanxi_search_circuit_open", "1 while Elasticsearch is left alone", registry=registry)
failures = Counter("guanxi_search_failures", "Requests that Elasticsearch did not answer", registry=registry)


class Away(Exception):
    """Elasticsearch cannot be asked now; the text says why."""


class Circuit:
    """After a failure nobody asks for `rest` seconds, then one asks on trial while the others still go without.

    So a server that hangs costs one caller its time limit now and then, and nobody else anything.
    """

    def __init__(self, rest: float) -> None:
        self.rest = rest
        self._closed_at = 0.0
        self.broken = False

    @property
    def open(self) -> bool:
        return self.broken and time.monotonic() < self._closed_at

    def call(self, ask: Callable[[], Answer]) -> Answer:
        """The answer of `ask`. Raises Away where the server does not answer, or is busy or broken (429, 5xx)."""
        if self.open:
            raise Away("Elasticsearch failed a moment ago")
        if self.broken:
            self._closed_at = time.monotonic() + self.rest
        try:
            answer = ask()
        except TransportError as error:
            raise self._break(error) from error
        except ApiError as error:
            if error.status_code == 429 or error.status_code >= 500:
                raise self._break(error) from error
            self._mend()
            raise
        self._mend()
        return answer

    def _break(self, error: Exception) -> Away:
        if not self.broken:
            log.warning("Elasticsearch does not answer, PostgreSQL answers instead: %s", error)
        self.broken, self._closed_at = True, time.monotonic() + self.rest
        circuit_open.set(1)
        failures.inc()
        return Away(str(error))

    def _mend(self) -> None:
        if self.broken:
            log.info("Elasticsearch answers again")
            self.broken = False
            circuit_open.set(0)


class Cluster:
    """What is asked of Elasticsearch. `prefix` begins the name of every index of this installation.

    `patience` is the seconds after which an answer is no longer waited for, and `rest` those until the next trial.
    """

    def __init__(
        self, url: str, prefix: str, *, patience: float = QUESTION_SECONDS, rest: float = REST_SECONDS
    ) -> None:
        self.prefix, self.patience = prefix, patience
        self.circuit = Circuit(rest)
        # Repeating is left to whoever asks: an answer that comes late is answered by PostgreSQL.
        self._client = Elasticsearch(
            url,
            request_timeout=patience,
            max_retries=0,
            retry_on_timeout=False,
            connections_per_node=CONNECTIONS,
        )
        self._patient: dict[float, Elasticsearch] = {}

    def _waiting(self, seconds: float) -> Elasticsearch:
        """The client with a time limit; to make one costs as much as to ask."""
        if seconds <= self.patience:
            return self._client
        if seconds not in self._patient:
            self._patient[seconds] = self._client.options(request_timeout=seconds)
        return self._patient[seconds]

    def ask(self, method: str, path: str, body: JSON | None = None, *, seconds: float = 0, **params: Any) -> Any:
        """The JSON answer to one request, within the usual patience or `seconds` where that is more.

        Raises Away, or ApiError where the request itself was refused (4xx).
        """
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body is not None else {})
        return self.circuit.call(
            lambda: (
                self._waiting(seconds)
                .perform_request(method, path, params=params or None, headers=headers, body=body)
                .body
            )
        )

    def search(self, indices: Sequence[str], body: JSON, **params: Any) -> JSON:
        """A search in which every shard of every index must answer: half an answer would pass for a whole one."""
        try:
            found: JSON = self.ask(
                "POST", f"/{','.join(indices)}/_search", body, allow_partial_search_results="false", **params
            )
        except ApiError as error:
            if error.status_code == 404:
                raise Away("an index is missing") from error
            raise
        return found

    def searches(
        self, indices: Sequence[str], bodies: Sequence[JSON], *, routing: str, explain: bool = False
    ) -> list[JSON]:
        """The answers to several searches of the same indices, by one request; whole ones, as of `search`.

        With `explain`, hits tell what each named condition has scored.
        """
        where = dumps({"index": list(indices), "routing": routing, "allow_partial_search_results": False})
        payload = b"".join(b"%b\n%b\n" % (where, dumps(body)) for body in bodies)
        params = {"include_named_queries_score": "true"} if explain else None

        def ask() -> list[JSON]:
            found: list[JSON] = self._client.perform_request(
                "POST", "/_msearch", params=params, headers=NDJSON, body=payload
            ).body["responses"]
            for one in found:
                if one["status"] == 429 or one["status"] >= 500:
                    raise TransportError(f"{one['error']['type']}: {one['error']['reason']}")
            return found

        answers = self.circuit.call(ask)
        for one in answers:
            if one["status"] == 404:
                raise Away("an index is missing")
            if one["status"] >= 400:
                raise ValueError(f"Elasticsearch refuses a question: {one['error']}")
        return answers

    def bulk(self, lines: Iterable[bytes]) -> list[JSON]:
        """What became of each action, in order: `{index: {status, error?}}`. `lines` are actions and their sources.

        Raises Away, also where a shard is not there: each request would wait for it anew.
        """
        payload = b"\n".join(lines) + b"\n"

        def ask() -> list[JSON]:
            items: list[JSON] = (
                self._waiting(BULK_SECONDS)
                .perform_request("POST", "/_bulk", params=BULK, headers=NDJSON, body=payload)
                .body["items"]
            )
            for item in items:
                (done,) = item.values()
                if done["status"] == UNAVAILABLE:
                    raise TransportError(f"{done['error']['type']}: {done['error']['reason']}")
            return items

        with bulk_seconds.time():
            return self.circuit.call(ask)


UNAVAILABLE = 503
BULK = {"filter_path": "items.*.status,items.*.error.type,items.*.error.reason", "timeout": "2s"}


@lru_cache(maxsize=4)
def cluster_of(url: str, prefix: str) -> Cluster:
    """This process's connection, made at the first question: after a fork, and after patching for green threads."""
    return Cluster(url, prefix)


def dumps(value: Any) -> bytes:
    return orjson.dumps(value)
