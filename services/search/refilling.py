"""A rebuild's part in Elasticsearch: new indices beside those that are asked, switched to once they hold everything.

From the moment that they are made every writer writes to both. Most of what they need comes from the event log, which
the rebuild reads; what was taken in just before it began is found by comparing them with what PostgreSQL keeps.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elasticsearch import ApiError

from chassis.errors import unavailable
from chassis.operators import ZERO
from services.search import behind, kept, tenants
from services.search.elastic import ElasticIndex
from services.search.elastic_cluster import Away
from services.search.elastic_digest import Comparison, Pair
from services.search.elastic_documents import families, family_of
from services.search.generations import alone
from services.search.index import Key
from services.search.mapping import searchables

log = logging.getLogger("guanxi")
AT_ONCE = 500
Progress = tuple[int, int]
"""How many comparisons of how many are done."""


@contextmanager
def answered() -> Iterator[None]:
    """What Elasticsearch does not do now is a Problem: the rebuild waits."""
    try:
        yield
    except (Away, ApiError) as error:
        raise unavailable(f"Elasticsearch does not do its part: {error}") from error


def begin(runtime: Any, index: ElasticIndex) -> None:
    """Make an empty index of each family. What an earlier rebuild left is deleted. Raises Away."""
    for one in index.generations.list():
        if one.filling:
            index.generations.drop(one.name)
    _make(runtime, index, families())


def _make(runtime: Any, index: ElasticIndex, needed: tuple[str, ...]) -> None:
    names = {family: index.generations.create(family) for family in needed}
    # Whoever looked at the indices before commits first, so that what he wrote is found when the new ones are compared.
    with runtime.database.work(runtime.principal(ZERO, "timer:rebuild")) as work:
        alone(work)
        index.generations.fill(names)


def fill(runtime: Any, index: ElasticIndex) -> Iterator[Progress]:
    """Write what the new indices lack of what PostgreSQL keeps, in small steps; then have them asked from now on.

    They are switched to after a round that found nothing to write. Raises Away.
    """
    if lost := tuple(family for family in families() if family not in index.generations.being_filled()):
        _make(runtime, index, lost)
    rounds = [(tenant, record) for tenant in tenants.known(runtime) for record in searchables()]
    names, found = index.generations.being_filled(), True
    while found:
        found = False
        for number, (tenant, record) in enumerate(rounds):
            for written in _supplement(runtime, index, tenant, record, names[family_of(record)]):
                found = found or written > 0
                yield number, len(rounds)
    index.generations.switch(names)
    log.warning("questions go to %s from now on", ", ".join(sorted(names.values())))


def _supplement(runtime: Any, index: ElasticIndex, tenant: str, record: str, name: str) -> Iterator[int]:
    """Write what one index lacks of a record of a tenant; yields how many were written, again and again."""
    principal = runtime.principal(tenant, "timer:rebuild")
    with runtime.database.reading(principal) as work:
        for some in Comparison(work, index.cluster, name, record).differing(lacking=True):
            wanted = [(record, id) for id, pair in some.items() if _lacks(pair)]
            noted = behind.among(work, wanted) if wanted else set()
            wanted = [key for key in wanted if key not in noted]
            for start in range(0, len(wanted), AT_ONCE):
                yield _write(runtime, index, principal, name, wanted[start : start + AT_ONCE])
        yield 0


def _write(runtime: Any, index: ElasticIndex, principal: Any, name: str, keys: list[Key]) -> int:
    with runtime.database.reading(principal) as work:
        documents = kept.documents(work, keys)
    lacking, refused = index.write(principal.tenant, documents, {family_of(keys[0][0]): (name,)})
    if refused:
        with runtime.database.work(principal) as work:
            behind.note(work, [one for one in documents if (one.record, one.id) in refused], refused)
    if len(lacking) > len(refused):
        raise Away(f"{name} takes no documents now")
    return len(documents)


def _lacks(pair: Pair) -> bool:
    """Whether PostgreSQL keeps something newer or other. What it does not keep yet is being written at this moment."""
    mine, theirs = pair
    return mine is not None and (theirs is None or theirs.version <= mine.version)
