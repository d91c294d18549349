"""Who writes and then searches with `min_version` finds what he wrote, always; or is told what is not there yet."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.flow import key
from tests.searching.stack import LONG, SearchingSuite
from tests.searching.traffic import mark

JSON = dict[str, Any]
TIMES, HANDS = (300 if LONG else 60), 4


def _firm(stack: SearchingSuite) -> tuple[str, JSON]:
    word = mark()
    made = stack.api().post("/v1/accounts", {"name": f"Firm {word}"}, key=key())
    return word, made


def _at_least(made: JSON, version: int) -> JSON:
    return {"types": "account", "min_version": f"account/{made['id']}:{version}"}


def _written_and_found(stack: SearchingSuite) -> tuple[str, float]:
    """Makes a firm, or renames or deletes it as well, and asks at once; returns who answered and after how long."""
    word, made = _firm(stack)
    version = made["version"]
    fate = int(made["id"][-1], 16) % 3
    if fate == 1:
        word = mark()
        answer = stack.api().send("PATCH", f"/v1/accounts/{made['id']}", {"name": f"Firm {word}"}, key=key())
        version = answer.ok()["version"]
    if fate == 2:
        stack.api().send("DELETE", f"/v1/accounts/{made['id']}", key=key()).ok()
        version += 1
    began = time.monotonic()
    answer = stack.api(timeout=15).send("GET", "/v1/search", q=word, **_at_least(made, version))
    seconds = time.monotonic() - began
    assert answer.status == 200, answer
    found = [] if answer.body.get("fuzzy") else [(item["id"], item["version"]) for item in answer.body["items"]]
    assert found == ([] if fate == 2 else [(made["id"], version)]), (word, answer.body)
    return answer.body["freshness"]["backend"], seconds


def test_what_was_just_written_is_always_found(stack: SearchingSuite):
    stack.await_elasticsearch()
    with ThreadPoolExecutor(HANDS) as hands:
        done = list(hands.map(lambda _: _written_and_found(stack), range(TIMES)))
    seconds = sorted(taken for _, taken in done)
    told = f"{seconds[TIMES // 2] * 1000:.0f} ms median, {seconds[-1] * 1000:.0f} ms at most"
    print(f"\nwritten and found {TIMES} times: {told}, by {dict(Counter(backend for backend, _ in done))}")
    # Nothing disturbed it, so it was Elasticsearch that answered, and not PostgreSQL in its place.
    assert {backend for backend, _ in done} == {"elasticsearch"}


def test_while_the_index_stands_still_it_is_said_after_five_seconds_what_is_missing(stack: SearchingSuite):
    before = _firm(stack)
    stack.search(before[0], **_at_least(before[1], 1))
    holder = stack.database_of_search()
    try:
        # Reading goes on; taking in waits.
        holder.cursor().execute("LOCK TABLE documents IN EXCLUSIVE MODE")
        _, made = _firm(stack)
        began = time.monotonic()
        answer = stack.api(timeout=15).send("GET", "/v1/search", q=before[0], **_at_least(made, 1))
        seconds = time.monotonic() - began
    finally:
        holder.rollback()
        holder.close()
    assert (answer.status, answer.body["missing"]) == (202, [f"account/{made['id']}"])
    # What there is, is answered.
    assert [item["id"] for item in answer.body["items"]] == [before[1]["id"]]
    assert 4.5 < seconds < 8.5
    stack.await_events()
    assert "missing" not in stack.search(before[0], **_at_least(made, 1))
