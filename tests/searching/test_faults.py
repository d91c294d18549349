"""Whatever happens to Elasticsearch disturbs no write; searches are answered meanwhile, and it catches up afterwards.

With LONG set it is stopped for ten minutes and broken otherwise for one, and its disk is filled to the last byte as
well; `results.md` keeps the figures.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest

from tests.integration.support import until
from tests.searching.results import note
from tests.searching.stack import LONG, SearchingSuite
from tests.searching.traffic import Loop, Searcher, Writer, assert_found, assert_no_drift

AWAY = {"stopped": 600.0} if LONG else {"stopped": 8.0}
"""Seconds that it is broken, where that is not the usual `BROKEN`."""
UNDISTURBED, BROKEN = 4.0, 60.0 if LONG else 4.0
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
        usual, before = writer.median(), writer.told()
        writer.forget_times()
        searcher.backends.clear()
        began = time.monotonic()
        fault.cause(stack)
        # Only what was written since can be lacking.
        time.sleep(AWAY.get(what, BROKEN))
        meanwhile, told, backends = writer.median(), writer.told(), dict(searcher.backends)
        away, written = time.monotonic() - began, len(writer.seconds)
        fault.undo(stack)
        back = time.monotonic()
    assert writing.failures == asking.failures == []
    assert backends.get("postgresql", 0) > 0
    assert written > 5
    assert meanwhile < usual + SLOWER
    stack.await_events()
    stack.await_elasticsearch()
    whole = time.monotonic() - back
    assert_found(stack, writer)
    swept = assert_no_drift(stack)
    note(
        f"Elasticsearch {what}",
        f"{written:,} writes in {away:.0f} s",
        f"{told} (before: {before})",
        f"{sum(backends.values()):,}, by PostgreSQL {backends['postgresql']:,}",
        "0",
        f"{whole:.1f} s",
        swept,
    )


@pytest.mark.skipif(not LONG, reason="NOT TESTED: with LONG=1 the disk of Elasticsearch is filled to the last byte")
def test_a_disk_without_a_byte_of_room_disturbs_nobody(stack: SearchingSuite, searcher: Searcher):
    if stack.disk is None:
        pytest.skip("NOT TESTED: this user may not make a file system")
    writer = Writer(stack)
    searcher.backends.clear()
    with Loop(writer.write, 0.2) as writing, Loop(searcher.ask, 0.3) as asking:
        began = time.monotonic()
        with (stack.disk / "filler").open("wb") as file, suppress(OSError):
            while True:
                file.write(b"\0" * 2**20)
        time.sleep(30)
        away, told, backends = time.monotonic() - began, writer.told(), dict(searcher.backends)
        (stack.disk / "filler").unlink()
        with suppress(OSError, http.client.HTTPException):
            stack.elastic.restart()
        back = time.monotonic()
    assert writing.failures == asking.failures == []
    stack.await_events()
    stack.await_elasticsearch(300)
    whole = time.monotonic() - back
    assert_found(stack, writer)
    note(
        "Elasticsearch without a byte of room on its disk",
        f"{len(writer.seconds):,} writes in {away:.0f} s",
        told,
        f"{sum(backends.values()):,}, by PostgreSQL {backends.get('postgresql', 0):,}",
        "0",
        f"{whole:.1f} s",
        assert_no_drift(stack),
    )
