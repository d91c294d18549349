"""Counting requests for Prometheus, by method, route template and status."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"})
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """`folder` is where worker processes leave their values for each other; without, this process speaks for itself.

    `also` gives what else is measured in this process, in the same format: the services of an embedded suite.
    """

    def __init__(self, folder: str | None = None, also: Callable[[], bytes] = bytes) -> None:
        self._folder, self._also = folder, also
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "guanxi_http_requests", "Answers sent.", ("method", "route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "guanxi_http_request_seconds",
            "Time to the head of the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "guanxi_http_requests_in_flight",
            "Requests being answered.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        # Looking children up by label costs more than counting; there are only as many as routes, methods and statuses.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def begin(self) -> None:
        self._in_flight.inc()

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        self._in_flight.dec()
        method = method if method in _METHODS else "other"
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def text(self) -> bytes:
        """The Prometheus text format."""
        registry = self._registry
        if self._folder:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)
        return generate_latest(registry) + self._also()
