"""Operators see what is stuck, let it run again or give it up, and everything they did is written down for good."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from chassis.errors import unavailable
from chassis.ids import new_id
from chassis.inbox import MAX_ATTEMPTS, NotYet
from chassis.service import Reaction
from chassis.tests.given import event_of, refused, rows
from chassis.tests.play import Play

JSON = dict[str, Any]


class Shelf:
    """A reaction that counts what it took in, and fails as it is told."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.tenant = ""
        self.took: list[str] = []

    def __call__(self, event: JSON, work: Any) -> None:
        if self.failure:
            raise self.failure
        if work.tenant == self.tenant:
            self.took.append(event["subject"])


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def suite(suite_of: Any, shelf: Shelf) -> Any:
    suite = suite_of("customer")
    suite.runtime("customer").reactions = [Reaction("shelf", ("test.thing.*", "test.box.*"), shelf)]
    shelf.tenant = suite.tenant
    yield suite
    # The leader works for all tenants: what a test leaves parked would be tried again in the next.
    with suite.work("customer") as work:
        work.sql("DELETE FROM inbox")


def bury(suite: Any, shelf: Shelf, *subjects: str, kind: str = "test.thing.happened") -> None:
    """Events that fail until they are dead."""
    shelf.failure = ValueError("no such shelf")
    for subject in subjects:
        suite.runtime("customer").event(event_of(suite, subject, kind))
    for _ in range(MAX_ATTEMPTS):
        suite.clock.forward(minutes=15)
        suite.runtime("customer").retry_due()
    shelf.failure = None


def inbox(suite: Any, **params: Any) -> list[JSON]:
    found: list[JSON] = suite.call("customer", "admin.inbox", params)["items"]
    return found


def journal(suite: Any, service: str = "customer") -> list[JSON]:
    found: list[JSON] = suite.call(service, "admin.operations", {})["items"]
    return found


def test_a_dead_event_is_listed_by_its_last_line_and_shown_with_all_of_its_error(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1")
    [one] = inbox(suite, state="dead")
    assert (one["consumer"], one["state"], one["attempts"]) == ("shelf", "dead", MAX_ATTEMPTS)
    assert one["error"] == "ValueError: no such shelf"
    shown = suite.call("customer", "admin.inbox_entry", {"entry": int(one["id"])})
    assert "Traceback" in shown["error"]
    assert shown["event"]["subject"] == "thing/1"


def test_a_replayed_event_has_its_effect_and_twelve_attempts_before_it(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1")
    [one] = inbox(suite)
    moved = suite.call("customer", "admin.replay", {"entry": int(one["id"]), "reason": "the shelf was built"})
    assert (moved["state"], moved["attempts"]) == ("parked", 0)
    suite.runtime("customer").retry_due()
    assert shelf.took == ["thing/1"]
    assert inbox(suite) == []
    with refused(404):
        suite.call("customer", "admin.replay", {"entry": int(one["id"])})
    assert shelf.took == ["thing/1"]


def test_what_a_filter_chooses_is_replayed_together_and_nothing_else(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1", "thing/2")
    bury(suite, shelf, "box/1", kind="test.box.closed")
    for chosen, count in (({"type": "test.thing.*"}, 2), ({"type": "test.box.closed"}, 1), ({"consumer": "other"}, 0)):
        found = suite.call("customer", "admin.replay_chosen", {"filter": {"state": "dead", **chosen}})
        assert found == {"replayed": count}
    suite.runtime("customer").retry_due()
    assert sorted(shelf.took) == ["box/1", "thing/1", "thing/2"]


def test_a_discarded_event_is_given_up_for_a_reason_and_lets_later_ones_go_on(suite: Any, shelf: Shelf) -> None:
    runtime = suite.runtime("customer")
    shelf.failure = ValueError("never")
    for _ in range(2):
        runtime.event(event_of(suite, "thing/1"))
    shelf.failure = None
    first, _second = inbox(suite)
    for reason in ("", "  "):
        with refused(422, "invalid", "reason"):
            suite.call("customer", "admin.discard", {"entry": int(first["id"]), "reason": reason})
    suite.call("customer", "admin.discard", {"entry": int(first["id"]), "reason": "a test order"})
    suite.clock.forward(minutes=1)
    runtime.retry_due()
    assert shelf.took == ["thing/1"]
    assert [one["state"] for one in inbox(suite, state="discarded")] == ["discarded"]
    with refused(409, "wrong_state"):
        suite.call("customer", "admin.discard", {"entry": int(first["id"]), "reason": "again"})


def test_what_was_discarded_by_mistake_can_run_after_all(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1")
    entry = int(inbox(suite)[0]["id"])
    suite.call("customer", "admin.discard", {"entry": entry, "reason": "a mistake"})
    suite.call("customer", "admin.replay", {"entry": entry})
    suite.runtime("customer").retry_due()
    assert shelf.took == ["thing/1"]
    assert [one["action"] for one in journal(suite)] == ["inbox.replay", "inbox.discard"]


def test_the_journal_says_who_did_what_and_why_and_cannot_be_rewritten(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1")
    [dead] = inbox(suite)
    suite.call("customer", "admin.discard", {"entry": int(dead["id"]), "reason": "the shelf was sold"})
    [one] = journal(suite)
    assert (one["actor"], one["action"], one["reason"]) == (
        f"user:{suite.user_id}",
        "inbox.discard",
        "the shelf was sold",
    )
    assert one["subject"] == f"shelf {dead['event_id']}"
    assert (one["detail"]["state"], one["detail"]["attempts"]) == ("dead", MAX_ATTEMPTS)
    for statement in ("UPDATE operations SET reason = 'x'", "DELETE FROM operations"):
        with pytest.raises(DBAPIError, match="permission denied"), suite.work("customer") as work:
            work.sql(statement)


def test_the_journal_is_read_page_by_page(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, *(f"thing/{number}" for number in range(5)))
    suite.call("customer", "admin.replay_chosen", {"filter": {}})
    seen: list[str] = []
    after = None
    while True:
        page = suite.call("customer", "admin.operations", {"limit": 2, "after": after})
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("admin.inbox", {}),
        ("admin.inbox_entry", {"entry": 1}),
        ("admin.sagas", {}),
        ("admin.saga", {"id": new_id()}),
        ("admin.operations", {}),
        ("admin.replay", {"entry": 1}),
        ("admin.replay_chosen", {"filter": {}}),
        ("admin.discard", {"entry": 1, "reason": "x"}),
        ("admin.push", {"id": new_id()}),
        ("admin.compensate", {"id": new_id(), "reason": "x"}),
    ],
)
def test_only_who_was_granted_it_sees_or_moves_stuck_work(suite: Any, method: str, params: JSON) -> None:
    for grants in ({}, {"customer.account": {"*": "all"}}, {"*": {"*": "own"}}):
        with refused(403, "forbidden"):
            suite.call("customer", method, params, context=suite.context(grants=grants))


def test_another_tenants_events_are_not_there(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, "thing/1")
    entry = int(inbox(suite)[0]["id"])
    stranger = suite.context(tenant=new_id())
    for method in ("admin.inbox_entry", "admin.replay", "admin.discard"):
        with refused(404):
            suite.call("customer", method, {"entry": entry, "reason": "mine?"}, context=stranger)
    assert suite.call("customer", "admin.inbox", {}, context=stranger)["items"] == []
    assert [one["state"] for one in inbox(suite)] == ["dead"]


# --- failures of the world


@pytest.mark.parametrize("failure", [NotYet("the order is not here"), unavailable("The database is busy.")])
def test_while_most_events_fail_from_outside_nobodys_attempts_are_used_up(
    suite: Any, shelf: Shelf, failure: Exception
) -> None:
    runtime = suite.runtime("customer")
    shelf.failure = failure
    for number in range(15):
        runtime.event(event_of(suite, f"thing/{number}"))
    for _ in range(20):
        suite.clock.forward(minutes=11)
        runtime.retry_due()
    assert max(one["attempts"] for one in inbox(suite)) < MAX_ATTEMPTS
    assert suite.dead() == []
    shelf.failure = None
    while inbox(suite):
        suite.clock.forward(minutes=11)
        runtime.retry_due()
    assert len(shelf.took) == 15


def test_one_event_that_fails_from_outside_is_dead_after_twelve_attempts_as_any_other(suite: Any, shelf: Shelf) -> None:
    shelf.failure = NotYet("it never comes")
    suite.runtime("customer").event(event_of(suite, "thing/1"))
    for _ in range(MAX_ATTEMPTS):
        suite.clock.forward(minutes=15)
        suite.runtime("customer").retry_due()
    assert [one["state"] for one in inbox(suite)] == ["dead"]


def test_events_that_fail_of_themselves_are_not_spared_however_many_they_are(suite: Any, shelf: Shelf) -> None:
    bury(suite, shelf, *(f"thing/{number}" for number in range(12)))
    assert {one["state"] for one in inbox(suite)} == {"dead"}


def test_after_a_day_waiting_counts_again(suite: Any, shelf: Shelf) -> None:
    runtime = suite.runtime("customer")
    shelf.failure = NotYet("it never comes")
    for number in range(12):
        runtime.event(event_of(suite, f"thing/{number}"))
    suite.clock.forward(days=2)
    for _ in range(30):
        suite.clock.forward(minutes=11)
        runtime.retry_due()
    assert {one["state"] for one in inbox(suite)} == {"dead"}


# --- sagas


@pytest.fixture
def play(suite_of: Any) -> Play:
    return Play(suite_of("customer", "inventory"))


def under_way(play: Play) -> JSON:
    [found] = play.suite.call("customer", "admin.sagas", {})["items"]
    return dict(found)


def test_a_pushed_saga_asks_again_at_once_and_has_one_effect(play: Play) -> None:
    play.start()
    play.go_on(4)
    [lost] = play.sent("customer")
    saga = under_way(play)
    pushed = play.suite.call("customer", "admin.push", {"id": saga["id"], "reason": "inventory is back"})
    assert [one["error"] for one in pushed["steps"][4]["tries"]] == ["No answer in time.", None]
    play.go_on()
    play.deliver(lost)
    assert play.log.count("finish second") == 1
    assert play.state()["state"] == "completed"
    [noted] = journal(play.suite)
    assert (noted["action"], noted["subject"], noted["reason"]) == ("saga.push", saga["id"], "inventory is back")
    with refused(409, "saga_ended"):
        play.suite.call("customer", "admin.push", {"id": saga["id"]})


def test_a_pushed_step_gets_its_time_anew(play: Play) -> None:
    play.start()
    play.sent("customer")
    play.suite.clock.forward(minutes=5)
    play.suite.call("customer", "admin.push", {"id": under_way(play)["id"]})
    play.later(19)
    assert play.state()["state"] == "running"
    play.go_on()
    assert play.state()["state"] == "completed"


def test_an_operator_turns_a_saga_back_before_its_pivot(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    saga = under_way(play)["id"]
    with refused(422, "invalid", "reason"):
        play.suite.call("customer", "admin.compensate", {"id": saga, "reason": " "})
    play.suite.call("customer", "admin.compensate", {"id": saga, "reason": "the customer rang"})
    play.go_on()
    shown = play.state()
    assert (shown["state"], shown["reason"], shown["detail"]) == ("compensated", "operator", "the customer rang")
    assert play.log == ["ask first", "undo first", ("otherwise", "operator")]
    assert [one["action"] for one in journal(play.suite)] == ["saga.compensate"]


def test_a_saga_behind_its_pivot_is_not_turned_back(play: Play) -> None:
    play.start()
    play.go_on(4)
    saga = under_way(play)["id"]
    with refused(409, "too_late"):
        play.suite.call("customer", "admin.compensate", {"id": saga, "reason": "too late"})
    assert journal(play.suite) == []


def test_an_undoing_that_is_stuck_can_be_pushed(play: Play) -> None:
    play.start()
    play.deliver(*play.sent("customer"))
    play.later(21)
    play.sent("customer")
    play.suite.call("customer", "admin.push", {"id": under_way(play)["id"]})
    play.go_on()
    assert play.state()["state"] == "compensated"


def test_nobody_elses_saga_is_pushed(play: Play) -> None:
    play.start()
    saga = under_way(play)["id"]
    for verb in ("push", "compensate"):
        params, stranger = {"id": saga, "reason": "mine?"}, play.suite.context(tenant=new_id())
        with refused(404):
            play.suite.call("customer", f"admin.{verb}", params, context=stranger)
    assert len(rows(play.suite, "customer", "SELECT 1 FROM sagas WHERE tenant_id = %s AND ended_at IS NULL")) == 1
