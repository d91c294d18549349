"""Alarms ring once."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chassis.errors import conflict
from chassis.tests.given import at_once
from chassis.timers import set_alarm


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("customer")
    suite.rung = []
    runtime = suite.runtime("customer")

    class WithAlarms(runtime.definition):  # type: ignore[name-defined, misc]
        alarms = {"remind": lambda key, work: suite.rung.append((key, work.tenant))}

    runtime.definition = WithAlarms
    return suite


def _set(suite: Any, key: str, seconds: float | None, name: str = "remind") -> None:
    with suite.work("customer") as work:
        due = None if seconds is None else work.now + dt.timedelta(seconds=seconds)
        set_alarm(work, name, key, due)


def test_an_alarm_rings_once_when_its_time_has_come(suite: Any) -> None:
    runtime = suite.runtime("customer")
    _set(suite, "a", 60)
    runtime.ring_alarms()
    assert suite.rung == []
    suite.clock.forward(seconds=61)
    runtime.ring_alarms()
    runtime.ring_alarms()
    assert suite.rung == [("a", suite.tenant)]


def test_an_alarm_can_be_moved_and_removed(suite: Any) -> None:
    _set(suite, "moved", 60)
    _set(suite, "moved", 120)
    _set(suite, "removed", 60)
    _set(suite, "removed", None)
    suite.clock.forward(seconds=61)
    suite.runtime("customer").ring_alarms()
    assert suite.rung == []
    suite.clock.forward(seconds=60)
    suite.runtime("customer").ring_alarms()
    assert suite.rung == [("moved", suite.tenant)]


def test_an_alarm_set_in_a_transaction_that_fails_never_rings(suite: Any) -> None:
    def fail() -> None:
        with suite.work("customer") as work:
            set_alarm(work, "remind", "a", work.now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    suite.runtime("customer").ring_alarms()
    assert suite.rung == []


@pytest.mark.parametrize("error", [RuntimeError("a bug"), conflict("busy", "Busy.")])
def test_an_alarm_that_fails_stays_due_and_silences_no_other(suite: Any, error: Exception) -> None:
    runtime = suite.runtime("customer")

    def ring(key: str, work: Any) -> None:
        if key == "bad" and error not in suite.rung:
            suite.rung.append(error)
            raise error
        suite.rung.append(key)

    runtime.definition.alarms = {"remind": ring}
    for key in ("bad", "good"):
        _set(suite, key, -1 if key == "bad" else 0)
    _set(suite, "x", 0, name="taken out of the code")
    runtime.ring_alarms()
    assert suite.rung == [error, "good"]
    runtime.ring_alarms()
    assert suite.rung == [error, "good", "bad"]
    _set(suite, "x", None, name="taken out of the code")


def test_two_processes_that_ring_at_once_let_one_have_the_effect(suite: Any) -> None:
    for key in "abcdef":
        _set(suite, key, -1)
    at_once(*[suite.runtime("customer").ring_alarms] * 3)
    assert sorted(key for key, _ in suite.rung) == list("abcdef")
