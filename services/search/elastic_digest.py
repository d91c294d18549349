"""Comparing what Elasticsearch holds with what PostgreSQL keeps: by count and hash first, one by one where they differ.

Every document has a hash of its id, its version and whether it is deleted, in two halves, made when it is indexed. A
sum of halves is a whole number below 2^53 for two million documents, so Elasticsearch adds it up exactly. Ids are
UUIDv7: `bucket`, the beginning of an id, is a stretch of time, and `part`, its end, cuts a busy one into 256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from chassis.database import Work
from chassis.records.comparing import BUCKET, bounds

if TYPE_CHECKING:
    from services.search.elastic_cluster import Cluster

JSON = dict[str, Any]
PART = 2
MOST_BUCKETS, MOST_ROWS = 5_000, 5_000
SECONDS = 10.0

_HASH = "md5(id || ' ' || version || ' ' || deleted::int)"
_LOW, _HIGH = (f"('x' || substr({_HASH}, {at}, 8))::bit(32)::bigint" for at in (1, 9))
_SUMS = f"count(*) AS rows, sum({_LOW})::bigint AS low, sum({_HIGH})::bigint AS high"
_WHERE = "FROM documents WHERE tenant_id = %(tenant)s AND record = %(record)s"
_WITHIN = f"{_WHERE} AND id > %(first)s AND id <= %(last)s"
_BUCKETS = f"SELECT left(id::text, {BUCKET}) AS name, {_SUMS} {_WHERE} GROUP BY 1"
_PARTS = f"SELECT right(id::text, {PART}) AS name, {_SUMS} {_WITHIN} GROUP BY 1"
_ROWS = f"SELECT id, version, {_LOW} AS low, {_HIGH} AS high {_WITHIN} AND right(id::text, {PART}) = ANY(%(parts)s)"
_NAMED = f"SELECT id, version, {_LOW} AS low, {_HIGH} AS high {_WHERE} AND id = ANY(%(ids)s::uuid[])"


class Sum(NamedTuple):
    """How many documents there are, and the sums of the halves of their hashes."""

    rows: int
    low: int
    high: int


class State(NamedTuple):
    """A document as it is told apart: by its version and both halves of its hash."""

    version: int
    low: int
    high: int


Pair = tuple[State | None, State | None]
"""The document in PostgreSQL, and the one in Elasticsearch."""


def halves(id: str, version: int, deleted: bool) -> tuple[int, int]:
    """The hash of a document in two halves, as `_LOW` and `_HIGH` compute it in PostgreSQL."""
    # Told apart and not protected: nobody gains by making two documents look alike.
    digest = hashlib.md5(f"{id} {version} {int(deleted)}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4]), int.from_bytes(digest[4:8])


def told_by(id: str, version: int, deleted: bool) -> JSON:
    """The fields by which a document is compared."""
    low, high = halves(id, version, deleted)
    return {"bucket": id[:BUCKET], "part": id[-PART:], "low": low, "high": high}


class Comparison:
    """One record of one tenant, in one index and in PostgreSQL."""

    def __init__(self, work: Work, cluster: Cluster, name: str, record: str) -> None:
        self._work, self._cluster, self._name = work, cluster, name
        self._tenant, self._record = work.tenant, record
        self.looked = 0
        """How many documents PostgreSQL keeps of it, known when `differing` has begun."""

    def differing(self, *, lacking: bool = False) -> Iterator[dict[str, Pair]]:
        """What differs by id, a few thousand at a time. What is being written at this moment may be among it.

        With `lacking`, what PostgreSQL does not keep is of no interest. Raises Away.
        """
        kept = self._kept(_BUCKETS)
        if lacking and not kept:
            return
        self.looked = sum(one.rows for one in kept.values())
        # In this order: what is kept was written to Elasticsearch before, so that nothing seems lacking which is not.
        indexed = self._indexed("bucket")
        for bucket in _unequal(kept, indexed):
            low, high = bounds(bucket)
            within = {"first": low, "last": high}
            parts = _unequal(self._kept(_PARTS, **within), self._indexed("part", {"term": {"bucket": bucket}}))
            for some in _portions(parts, max(kept.get(bucket, _NONE).rows, indexed.get(bucket, _NONE).rows)):
                mine = self._states(_ROWS, **within, parts=some)
                theirs = self._found({"term": {"bucket": bucket}}, {"terms": {"part": some}})
                yield pairs(mine, theirs)

    def of(self, ids: Sequence[str]) -> dict[str, Pair]:
        """Those of these that differ now. Raises Away."""
        found: dict[str, Pair] = {}
        for start in range(0, len(ids), MOST_ROWS):
            some = list(ids[start : start + MOST_ROWS])
            found |= pairs(self._states(_NAMED, ids=some), self._found({"terms": {"id": some}}))
        return found

    def _kept(self, statement: str, **more: Any) -> dict[str, Sum]:
        rows = self._work.sql(statement, {"tenant": self._tenant, "record": self._record, **more})
        return {row.name: Sum(row.rows, row.low, row.high) for row in rows}

    def _states(self, statement: str, **more: Any) -> dict[str, State]:
        rows = self._work.sql(statement, {"tenant": self._tenant, "record": self._record, **more})
        return {row.id: State(row.version, row.low, row.high) for row in rows}

    def _indexed(self, field: str, *conditions: JSON) -> dict[str, Sum]:
        self._refresh()
        found: dict[str, Sum] = {}
        groups: JSON = {"size": MOST_BUCKETS, "sources": [{"name": {"terms": {"field": field}}}]}
        counted = {"low": {"sum": {"field": "low"}}, "high": {"sum": {"field": "high"}}}
        while True:
            body = {"size": 0, "aggs": {"groups": {"composite": groups, "aggs": counted}}}
            told = self._ask(body, conditions)["aggregations"]["groups"]
            for one in told["buckets"]:
                sums = Sum(one["doc_count"], int(one["low"]["value"]), int(one["high"]["value"]))
                found[one["key"]["name"]] = sums
            if len(told["buckets"]) < MOST_BUCKETS:
                return found
            groups["after"] = told["after_key"]

    def _found(self, *conditions: JSON) -> dict[str, State]:
        self._refresh()
        found: dict[str, State] = {}
        body: JSON = {"size": MOST_ROWS, "version": True, "_source": False, "sort": [{"id": "asc"}]}
        body["docvalue_fields"] = ["low", "high"]
        while True:
            hits = self._ask(body, conditions)["hits"]["hits"]
            for hit in hits:
                fields = hit.get("fields", {})
                low, high = (fields.get(half, [-1])[0] for half in ("low", "high"))
                found[hit["_id"].rpartition("/")[2]] = State(hit["_version"], low, high)
            if len(hits) < MOST_ROWS:
                return found
            body["search_after"] = hits[-1]["sort"]

    def _refresh(self) -> None:
        self._cluster.ask("POST", f"/{self._name}/_refresh", seconds=SECONDS)

    def _ask(self, body: JSON, conditions: Sequence[JSON]) -> JSON:
        mine = [{"term": {"tenant": self._tenant}}, {"term": {"record": self._record}}]
        asked = {**body, "track_total_hits": False, "query": {"bool": {"filter": [*mine, *conditions]}}}
        return self._cluster.search([self._name], asked, routing=self._tenant, seconds=SECONDS)


_NONE = Sum(0, 0, 0)


def pairs(kept: dict[str, State], indexed: dict[str, State]) -> dict[str, Pair]:
    """What differs, by id."""
    return {
        id: (kept.get(id), indexed.get(id))
        for id in sorted(kept.keys() | indexed.keys())
        if kept.get(id) != indexed.get(id)
    }


def _unequal(kept: dict[str, Sum], indexed: dict[str, Sum]) -> list[str]:
    return sorted(name for name in kept.keys() | indexed.keys() if kept.get(name) != indexed.get(name))


def _portions(parts: list[str], rows: int) -> Iterator[list[str]]:
    """Parts of a bucket of so many rows, together about as many as are looked at in one go."""
    size = max(1, MOST_ROWS * 16**PART // max(1, rows))
    for start in range(0, len(parts), size):
        yield parts[start : start + size]
