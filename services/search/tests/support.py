"""Search alone, fed with events as others publish them: twice, and in an order of chance."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import Any

from chassis.bus.wire import encode
from chassis.context import Context
from chassis.ids import new_id
from contracts.fields import instant
from contracts.registry import registry
from services.search import equipment
from services.search.elastic import ElasticIndex
from services.search.elastic_cluster import Cluster
from services.search.keeping import Keeper

JSON = dict[str, Any]
ACCOUNT, CONTACT, ORDER = "customer.account", "customer.contact", "sales.order"
_moments = itertools.count()


def event(tenant: str, record: str, data: JSON, *, version: int = 1, verb: str = "created") -> JSON:
    """An event of a record; its id is `data["id"]`, and each one is a second later than the one made before it."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=next(_moments))
    return {
        "id": new_id(),
        "type": f"{record}.{verb}",
        "subject": f"{registry.load().records[record].singular}/{data['id']}",
        "time": instant(at),
        "tenant": tenant,
        "version": version,
        "data": {**data, "version": version, "changed": [], "previous": {}},
    }


class Index:
    """The index of one tenant: put records in, ask as somebody."""

    def __init__(self, suite: Any) -> None:
        self.suite, self.runtime = suite, suite.runtime("search")
        self.elastic: ElasticIndex | None = None

    def use(self, cluster: Cluster) -> ElasticIndex:
        """Keep the index in this Elasticsearch as well; its indices are made where they are missing."""
        self.elastic = equipment.use(self.runtime, cluster)
        Keeper(self.runtime, self.elastic).make_missing(seen=0)
        return self.elastic

    def settle(self) -> None:
        """Let the whole suite come to rest, and let what was indexed be found."""
        self.suite.settle()
        self.refresh()

    def refresh(self) -> None:
        if self.elastic:
            self.elastic.generations.refresh([f"{self.elastic.cluster.prefix}-*"])

    def take(self, *events: JSON) -> None:
        """Deliver every event twice, shuffled, in batches of two sizes."""
        shuffled = [*events, *events]
        random.Random(len(events)).shuffle(shuffled)
        half = len(shuffled) // 2
        for part in (shuffled[:half], shuffled[half:], shuffled[:1]):
            self.runtime.events([encode(one) for one in part])
        self.refresh()

    def put(self, record: str, tenant: str | None = None, **data: Any) -> str:
        """Index one new record; returns its id."""
        made = {"id": new_id(), **data}
        self.take(event(tenant or self.suite.tenant, record, made))
        return str(made["id"])

    def answer(self, q: str, *, context: Context | None = None, degraded: bool = False, **params: Any) -> JSON:
        """What is answered, by the kind of index that the test is about unless it expects the other one."""
        found: JSON = self.suite.request("search", "search.query", {"q": q, **params}, context=context)
        assert found["body"]["freshness"]["degraded"] == degraded
        return found

    def ask(self, q: str, **params: Any) -> JSON:
        body: JSON = self.answer(q, **params)["body"]
        return body

    def titles(self, q: str, **params: Any) -> list[str]:
        """Titles of what was found exactly, best first; similar ones do not count."""
        body = self.ask(q, **params)
        return [] if body.get("fuzzy") else [item["title"] for item in body["items"]]
