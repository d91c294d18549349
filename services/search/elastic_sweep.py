"""The sweep's other side: Elasticsearch, compared with the documents that PostgreSQL keeps."""

from __future__ import annotations

from typing import Any

from elasticsearch import ApiError

from chassis.errors import unavailable
from services.search import behind
from services.search.elastic import ElasticIndex
from services.search.elastic_cluster import Away
from services.search.elastic_digest import Comparison, Pair
from services.search.elastic_documents import family_of
from services.search.equipment import elastic_of
from services.search.keeping import PORTION, drain_portion
from services.search.sweeping import MOST_SUSPECTS, Settled


def look(runtime: Any, principal: Any, record: str) -> tuple[int, dict[str, Pair]]:
    """How many documents PostgreSQL keeps, and what differs. Raises Problem where Elasticsearch cannot be asked."""
    pairs: dict[str, Pair] = {}
    try:
        with runtime.database.reading(principal) as work:
            comparison = _comparison(runtime, work, record)
            for some in comparison.differing():
                pairs |= _unnoted(work, record, some)
                if len(pairs) >= MOST_SUSPECTS:
                    break
    except (Away, ApiError) as error:
        raise unavailable(f"Elasticsearch cannot be compared: {error}") from error
    return comparison.looked, pairs


def settle(runtime: Any, principal: Any, record: str, pairs: dict[str, Pair]) -> Settled:
    """Look again at what differed; what still does is noted as lacking, and written by the same hand as all of that.

    Until it is there, which may take some seconds, PostgreSQL answers.
    """
    try:
        still = _still(runtime, principal, record, pairs)
        if not still:
            return Settled()
        with runtime.database.work(principal) as work:
            older = {id: kept for id, (kept, there) in still.items() if _older(kept, there)}
            behind.note(work, [behind.Lack(record, id, kept.version) for id, kept in older.items()])
            # What it has too new, or too much, must be taken out first.
            wrong = [
                behind.Lack(record, id, kept.version if kept else there.version)
                for id, (kept, there) in still.items()
                if id not in older
            ]
            behind.note(work, wrong, forced=True)
        index = _index(runtime)
        index.tell(principal.tenant)
        for _ in range(0, len(still), PORTION):
            drain_portion(runtime, index, principal.tenant)
    except (Away, ApiError) as error:
        raise unavailable(f"Elasticsearch cannot be repaired: {error}") from error
    return Settled(len(still), len(still))


def _still(runtime: Any, principal: Any, record: str, pairs: dict[str, Pair]) -> dict[str, Pair]:
    with runtime.database.reading(principal) as work:
        found = _comparison(runtime, work, record).of(list(pairs))
        return _unnoted(work, record, {id: pair for id, pair in found.items() if pairs[id] == pair})


def _older(kept: Any, there: Any) -> bool:
    """Whether writing the document is enough: Elasticsearch takes the version over the one that it has."""
    return kept is not None and (there is None or there.version <= kept.version)


def _unnoted(work: Any, record: str, pairs: dict[str, Pair]) -> dict[str, Pair]:
    """Without what is known to be lacking."""
    noted = behind.among(work, [(record, id) for id in pairs]) if pairs else set()
    return {id: pair for id, pair in pairs.items() if (record, id) not in noted}


def _comparison(runtime: Any, work: Any, record: str) -> Comparison:
    index = _index(runtime)
    return Comparison(work, index.cluster, index.generations.alias(family_of(record)), record)


def _index(runtime: Any) -> ElasticIndex:
    index = elastic_of(runtime)
    assert index is not None
    return index
