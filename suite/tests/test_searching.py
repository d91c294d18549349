"""`guanxi search`, as typed, while the timers of the search service run beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from services.search import sweep as sweeping
from services.search.following import Follower
from services.search.rebuild import Rebuilder
from services.search.sweep import Sweeper
from suite import searching
from suite.tests.test_operating import Settings

ACCOUNT = "customer.account"


@pytest.fixture
def suite(suite_of: Callable[..., Any]) -> Any:
    suite = suite_of()
    for name in ("Alfreds", "Bergs"):
        suite.create(ACCOUNT, {"name": name})
    suite.settle()
    return suite


@pytest.fixture
def leading(suite: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A leader of search at work, without its rests."""
    monkeypatch.setattr(sweeping, "PATIENCE", 0.0)
    monkeypatch.setattr(sweeping, "REST", 0.0)
    monkeypatch.setattr(sweeping, "LEAST_REST", 0.0)
    runtime, stop = suite.runtime("search"), threading.Event()
    timers = (Follower().follow, Sweeper().sweep, Rebuilder().advance)

    def lead() -> None:
        while not stop.is_set():
            for timer in timers:
                timer(runtime)

    thread = threading.Thread(target=lead)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def guanxi(suite: Any) -> Callable[..., Result]:
    main = click.Group("guanxi")
    searching.add_to(main, lambda: Settings(suite.databases))

    def run(*arguments: str, code: int = 0) -> Result:
        done = CliRunner().invoke(main, ["search", *arguments], catch_exceptions=False)
        assert done.exit_code == code, done.output
        return done

    return run


def _status(guanxi: Any, suite: Any) -> Any:
    return json.loads(guanxi("status", "--tenant", suite.tenant, "--json").output)[0]


def test_the_status_says_how_far_the_index_is(suite, guanxi):
    assert _status(guanxi, suite)["position"] is None
    Follower().follow(suite.runtime("search"))
    told = _status(guanxi, suite)
    assert told["position"] == 2
    assert told["lag"] == 0


def test_before_anything_was_swept_a_sweep_says_so(suite, guanxi):
    assert "is the search service running?" in guanxi("sweep", "--tenant", suite.tenant, code=1).output


def test_a_sweep_that_is_asked_for_repairs_what_has_drifted_and_says_so(suite, guanxi):
    runtime = suite.runtime("search")
    Sweeper().next(runtime)
    Follower().follow(runtime)
    with suite.work("search") as work:
        work.sql("DELETE FROM documents WHERE tenant_id = %s AND data->>'name' = 'Bergs'", (work.tenant,))
    done: list[Result] = []
    asking = threading.Thread(target=lambda: done.append(guanxi("sweep", "--tenant", suite.tenant)))
    asking.start()
    sweeper = Sweeper()
    while asking.is_alive():
        for suspect in list(sweeper.suspects):
            sweeper.settle(runtime, suspect)
        sweeper.look(runtime, sweeper.next(runtime))
    asking.join()
    assert "1 had drifted, 1 are repaired" in done[0].output
    assert _status(guanxi, suite)["repaired"] == 1


def test_a_difference_that_no_event_explains_is_an_error(suite, leading, guanxi):
    with suite.work("customer") as work:
        work.sql("UPDATE accounts SET version = 7 WHERE tenant_id = %s AND name = 'Bergs'", (work.tenant,))
    Sweeper().next(suite.runtime("search"))
    said = guanxi("sweep", "--tenant", suite.tenant, code=1).output
    assert "0 had drifted" in said
    assert "of 1 the event log" in said


def test_a_rebuild_is_asked_for_waited_for_and_told(suite, leading, guanxi):
    with suite.work("search") as work:
        work.sql("UPDATE documents SET words = '', tokens = '' WHERE tenant_id = %s", (work.tenant,))
        work.sql("DELETE FROM keys WHERE tenant_id = %s", (work.tenant,))
    assert "The rebuild is done" in guanxi("rebuild").output
    found = suite.call("search", "search.query", {"q": "alfreds"})["items"]
    assert [item["title"] for item in found] == ["Alfreds"]
    assert "There is none" in guanxi("rebuild", "--cancel").output


def test_a_tenant_that_is_no_id_is_refused(suite, guanxi):
    assert "nobody is no id." in guanxi("status", "--tenant", "nobody", code=1).output
