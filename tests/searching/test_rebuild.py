"""A rebuild under writes: whoever searches all the while misses nothing and sees nothing twice."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.integration.support import until
from tests.searching.results import note
from tests.searching.stack import SearchingSuite
from tests.searching.traffic import Loop, Searcher, Writer, assert_found, assert_no_drift


@pytest.fixture(scope="module")
def searcher(stack: SearchingSuite) -> Searcher:
    return Searcher.over(stack, 90)


@pytest.mark.parametrize("killed", [False, True], ids=["undisturbed", "its process killed"])
def test_nothing_is_missing_or_double_at_any_moment(stack: SearchingSuite, searcher: Searcher, killed: bool):
    stack.await_elasticsearch()
    before, writer = stack.indices(), Writer(stack)
    told: list[Any] = []
    began = time.monotonic()
    searcher.answers = 0
    searcher.backends.clear()
    with Loop(writer.write, 0.1) as writing, Loop(searcher.ask, 0.0) as asking:
        rebuilding = threading.Thread(target=lambda: told.append(stack.command("search", "rebuild")))
        rebuilding.start()
        if killed:
            stack.kill("search")
            until(lambda: stack.pid("search") is not None, 60, what="search was started again")
        rebuilding.join()
        took, backends = time.monotonic() - began, dict(searcher.backends)
    assert "The rebuild is done" in told[0]
    assert writing.failures == []
    if killed:
        # While its only process starts, the gateway says that search is away; wrong it never is.
        assert [one for one in asking.failures if "503" not in one and "504" not in one] == []
    else:
        assert asking.failures == []
    assert searcher.answers > 20
    assert set(stack.indices()).isdisjoint(before)
    back = time.monotonic()
    stack.await_events()
    stack.await_elasticsearch()
    whole = time.monotonic() - back
    assert_found(stack, writer)
    swept = assert_no_drift(stack)
    until(lambda: not _left(stack, before), 60, every=0.5, what="the old indices are deleted")
    note(
        f"A rebuild, {'its process killed' if killed else 'undisturbed'}",
        f"{len(writer.seconds):,} writes in {took:.0f} s",
        writer.told(),
        f"{sum(backends.values()):,}, by PostgreSQL {backends.get('postgresql', 0):,}",
        f"{len(asking.failures)} while no process answers" if killed else "0",
        f"{whole:.1f} s",
        swept,
    )


def _left(stack: SearchingSuite, names: list[str]) -> set[str]:
    return set(names) & set(stack.elastic.ask("GET", "/guanxi-*/_alias"))
