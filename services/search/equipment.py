"""Whether this process has an Elasticsearch. Its client is large, so that only those who have one load it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from services.search.elastic import ElasticIndex
    from services.search.elastic_cluster import Cluster
    from services.search.keeping import Keeper

_indices: WeakKeyDictionary[Any, ElasticIndex] = WeakKeyDictionary()
_keepers: WeakKeyDictionary[Any, Keeper] = WeakKeyDictionary()


def elastic_of(runtime: Any) -> ElasticIndex | None:
    """The index in Elasticsearch of this process; None where it is not set up."""
    found = _indices.get(runtime)
    if found is None and runtime.settings is not None and runtime.settings.elasticsearch:
        from services.search.elastic_cluster import cluster_of

        found = use(runtime, cluster_of(runtime.settings.elasticsearch, runtime.settings.database_prefix))
    return found


def use(runtime: Any, cluster: Cluster) -> ElasticIndex:
    """Keep the index of this process in a cluster."""
    from services.search.behind import Glance
    from services.search.elastic import ElasticIndex

    _indices[runtime] = ElasticIndex(runtime, cluster, Glance())
    return _indices[runtime]


def answers(runtime: Any) -> bool | None:
    """Whether Elasticsearch answered when it was asked last; None where it is not set up."""
    index = elastic_of(runtime)
    return None if index is None else not index.cluster.circuit.broken


def comparable(runtime: Any) -> bool | None:
    """Whether Elasticsearch can be compared: it answers, and its documents are of the form that is made here."""
    if not answers(runtime):
        return answers(runtime)
    from elasticsearch import ApiError

    from services.search.elastic_cluster import Away
    from services.search.form import form

    try:
        asked = elastic_of(runtime).generations.asked()
        return {one.form for several in asked.values() for one in several} == {form()}
    except (Away, ApiError):
        return False


def show(runtime: Any) -> None:
    """What Elasticsearch was given is found there from now on. While it is away, PostgreSQL answers."""
    index = elastic_of(runtime)
    if index is None:
        return
    from services.search.elastic_cluster import Away

    with suppress(Away):
        index.show()


def tend(runtime: Any) -> None:
    """The leader's turn, every second."""
    index = elastic_of(runtime)
    if index is not None:
        from services.search.keeping import Keeper

        if runtime not in _keepers:
            _keepers[runtime] = Keeper(runtime, index)
        _keepers[runtime].tend()


def measured(runtime: Any) -> bytes:
    """What this process measures of Elasticsearch, in the Prometheus text format."""
    index = elastic_of(runtime)
    if index is None:
        return b""
    from prometheus_client import generate_latest

    from services.search.elastic_cluster import registry

    return generate_latest(registry)
