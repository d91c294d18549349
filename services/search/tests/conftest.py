"""The index of one tenant, empty: in PostgreSQL alone, and in a real Elasticsearch. Both keep the same promises."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.search.elastic_cluster import Cluster
from services.search.tests.support import Index
from suite.servers import elasticsearch
from suite.servers.elasticsearch import Elasticsearch

BACKENDS = ("postgres", "elasticsearch")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    if not elasticsearch.available():
        if os.environ.get("CI"):
            pytest.fail("Elasticsearch is not installed, and CI must not pass without it")
        pytest.skip("NOT TESTED: no Elasticsearch here; `make elasticsearch` fetches it")
    started = Elasticsearch(Path(tmp_path_factory.mktemp("elasticsearch")) / "node", say=lambda _: None)
    started.start()
    yield started
    started.remove()


@pytest.fixture(scope="session")
def cluster(node: Elasticsearch) -> Cluster:
    """Asked with the patience of a machine that is busy with other tests."""
    return Cluster(node.url, "test", patience=30)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of index; tests of what one kind alone has say so by parametrising this."""
    return str(request.param)


@pytest.fixture
def searching(request: pytest.FixtureRequest, backend: str, suite_of: Callable[..., Any]) -> Callable[..., Index]:
    """`searching("customer", "search")` makes the index of a suite of these services, on either kind of index."""

    def make(*services: str) -> Index:
        made = Index(suite_of(*services))
        if backend == "elasticsearch":
            made.use(request.getfixturevalue("cluster"))
        return made

    return make


@pytest.fixture
def index(searching: Callable[..., Index]) -> Index:
    return searching("search")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the start of Elasticsearch, which a busy machine takes minutes for."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(600))
