"""`min_version` waits for what the asker just wrote, and says what did not come."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, event


def _hurried(index, **options):
    """Somebody who waits a tenth of a second beyond what is kept for the answer itself."""
    return replace(index.suite.context(**options), deadline=time.time() + 0.6)


def test_a_version_that_is_there_is_answered_at_once(index):
    one = index.put(ACCOUNT, name="Alfreds")
    answer = index.answer("alf", min_version={f"account/{one}": 1})
    assert answer["status"] == 200
    assert "missing" not in answer["body"]


def test_a_question_waits_until_the_version_is_indexed(index):
    one = new_id()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(index.answer, "alf", min_version={f"account/{one}": 2})
        index.take(event(index.suite.tenant, ACCOUNT, {"id": one, "name": "Alfreds"}, version=2))
        answer = waiting.result(timeout=8)
    assert answer["status"] == 200
    assert [item["title"] for item in answer["body"]["items"]] == ["Alfreds"]


def test_what_does_not_come_in_time_is_named_and_the_rest_is_answered(index):
    one = index.put(ACCOUNT, name="Alfreds")
    wanted = {f"account/{one}": 2, f"account/{new_id()}": 1}
    answer = index.answer("alf", context=_hurried(index), min_version=wanted)
    assert answer["status"] == 202
    assert sorted(answer["body"]["missing"]) == sorted(wanted)
    assert len(answer["body"]["items"]) == 1


@pytest.mark.parametrize("verb", ["deleted", "updated"])
def test_a_deleted_record_counts_as_indexed_too(index, verb):
    one = new_id()
    data = {"id": one, "name": "Alfreds", "deleted_at": "2026-01-02T00:00:00Z"}
    index.take(event(index.suite.tenant, ACCOUNT, data, version=2, verb=verb))
    assert index.answer("alf", min_version={f"account/{one}": 2})["status"] == 200


def test_waiting_does_not_tell_of_records_that_one_may_not_read(index):
    one = index.put(ACCOUNT, name="Alfreds", owner_id=new_id())
    asker = _hurried(index, grants={ACCOUNT: {"read": "own"}})
    assert index.answer("alf", context=asker, min_version={f"account/{one}": 1})["status"] == 202
