"""Whatever happens to Elasticsearch disturbs no write; searches are answered meanwhile, and it catches up afterwards.

With LONG set it is away for ten minutes, and its disk is filled to the last byte as well.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.integration.support import until
from tests.searching.stack import LONG, SearchingSuite
from tests.searching.traffic import Loop, Searcher, Writer, assert_found, assert_no_drift

AWAY = 600.0 if LONG else 12.0
"""Seconds that it is stopped."""
UNDISTURBED = 4.0
SLOWER = 0.25
"""Seconds by which a write may take longer in the middle: others use this machine too."""


@dataclass
class Fault:
    """What is done to Elasticsearch, and undone; `degrades` where PostgreSQL must answer in between."""

    cause: Callable[[SearchingSuite], None]
    undo: Callable[[SearchingSuite], object]


def _delete_indices(stack: SearchingSuite) -> None:
    for name in stack.indices():
        if "customer" in name:
            stack.elastic.ask("DELETE", f"/{name}")


def _fill(stack: SearchingSuite) -> None:
    stack.fill_disk()
    until(stack.blocked, 60, every=0.5, what="Elasticsearch has made its indices read-only")


def _empty(stack: SearchingSuite) -> None:
    stack.empty_disk()
    until(lambda: not stack.blocked(), 60, every=0.5, what="Elasticsearch takes writes again")


FAULTS = {
    "stopped": Fault(lambda stack: stack.elastic.stop(), lambda stack: stack.elastic.start()),
    "killed": Fault(lambda stack: stack.elastic.kill(), lambda stack: stack.elastic.start()),
    "hanging": Fault(lambda stack: stack.elastic.pause(), lambda stack: stack.elastic.resume()),
    "its disk full": Fault(_fill, _empty),
    "an index deleted by hand": Fault(_delete_indices, lambda stack: None),
}


@pytest.fixture(scope="module")
def searcher(stack: SearchingSuite) -> Searcher:
    return Searcher.over(stack, 90)


@pytest.mark.parametrize("what", FAULTS)
def test_no_write_is_disturbed_and_no_answer_is_wrong_while_elasticsearch_is(
    stack: SearchingSuite, searcher: Searcher, what: str
):
    fault, writer = FAULTS[what], Writer(stack)
    stack.await_elasticsearch()
    with Loop(writer.write, 0.2) as writing, Loop(searcher.ask, 0.3) as asking:
        time.sleep(UNDISTURBED)
        usual = writer.median()
        writer.forget_times()
        searcher.backends.clear()
        fault.cause(stack)
        # Only what was written since can be lacking.
        time.sleep(AWAY if what == "stopped" else UNDISTURBED)
        meanwhile, backends = writer.median(), dict(searcher.backends)
        written = len(writer.seconds)
        fault.undo(stack)
    assert writing.failures == asking.failures == []
    assert backends.get("postgresql", 0) > 0
    assert written > 5
    assert meanwhile < usual + SLOWER
    stack.await_events()
    stack.await_elasticsearch()
    assert_found(stack, writer)
    assert_no_drift(stack)
    print(f"\n{what}: {written} writes, median {meanwhile * 1000:.0f} ms (before {usual * 1000:.0f} ms), by {backends}")


@pytest.mark.skipif(not LONG, reason="NOT TESTED: with LONG=1 the disk of Elasticsearch is filled to the last byte")
def test_a_disk_without_a_byte_of_room_disturbs_nobody(stack: SearchingSuite, searcher: Searcher):
    if stack.disk is None:
        pytest.skip("NOT TESTED: this user may not make a file system")
    writer = Writer(stack)
    with Loop(writer.write, 0.2) as writing, Loop(searcher.ask, 0.3) as asking:
        with (stack.disk / "filler").open("wb") as file, suppress(OSError):
            while True:
                file.write(b"\0" * 2**20)
        time.sleep(30)
        (stack.disk / "filler").unlink()
        with suppress(OSError, http.client.HTTPException):
            stack.elastic.restart()
    assert writing.failures == asking.failures == []
    stack.await_events()
    stack.await_elasticsearch(300)
    assert_found(stack, writer)
    assert_no_drift(stack)
