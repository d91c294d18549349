"""Events take effect once: repeats do nothing, failures wait with what is behind them, hopeless ones are set aside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import create_engine

from chassis.bus.handling import handle, handle_batch
from chassis.bus.wire import decode, encode
from chassis.database import Database
from chassis.errors import Problem, unavailable
from chassis.inbox import MAX_ATTEMPTS, NotYet
from chassis.service import Reaction
from chassis.tests.given import at_once, event_of, rows

JSON = dict[str, Any]


class Ledger:
    """A reaction that appends to a table of the service and can be told to fail."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.statement = ""

    def __call__(self, event: JSON, work: Any) -> None:
        work.sql(
            "INSERT INTO counters (tenant_id, name, value) VALUES (%s, %s, 1)"
            " ON CONFLICT (tenant_id, name) DO UPDATE SET value = counters.value + 1",
            (work.tenant, f"{event['subject']}:{event['version']}"),
        )
        if self.statement:
            work.sql(self.statement)
        if self.failure:
            raise self.failure


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def suite(suite_of: Any, ledger: Ledger) -> Any:
    suite = suite_of("customer")
    suite.runtime("customer").reactions = [Reaction("ledger", ("test.thing.*",), ledger)]
    return suite


def _event(suite: Any, version: int = 1, subject: str = "thing/1") -> bytes:
    return event_of(suite, subject, version=version)


def _effects(suite: Any) -> dict[str, int]:
    return {
        row.name: row.value for row in rows(suite, "customer", "SELECT name, value FROM counters WHERE tenant_id = %s")
    }


def _waiting(suite: Any) -> list[Any]:
    return rows(suite, "customer", "SELECT * FROM inbox WHERE tenant_id = %s AND state <> 'done' ORDER BY seq")


def test_an_event_that_comes_twice_has_one_effect(suite: Any) -> None:
    event = _event(suite)
    for _ in range(3):
        suite.runtime("customer").event(event)
    assert _effects(suite) == {"thing/1:1": 1}


def test_an_event_that_two_threads_take_at_once_has_one_effect(suite: Any) -> None:
    for version in range(1, 6):
        event = _event(suite, version)
        assert at_once(*[lambda event=event: suite.runtime("customer").event(event)] * 4) == [None] * 4
    assert _effects(suite) == {f"thing/1:{version}": 1 for version in range(1, 6)}


def test_a_handler_that_fails_leaves_nothing_and_the_event_waits_for_its_time(suite: Any, ledger: Ledger) -> None:
    ledger.failure = ValueError("no such shelf")
    suite.runtime("customer").event(_event(suite))
    [row] = _waiting(suite)
    assert _effects(suite) == {}
    assert (row.state, row.attempts) == ("parked", 1)
    assert "no such shelf" in row.error
    assert 0 < (row.due_at - row.received_at).total_seconds() < 2
    ledger.failure = None
    runtime = suite.runtime("customer")
    runtime.retry_due()
    assert _effects(suite) == {}
    suite.clock.forward(seconds=5)
    runtime.retry_due()
    assert (_effects(suite), _waiting(suite)) == ({"thing/1:1": 1}, [])


def test_later_events_of_the_subject_wait_behind_it_and_others_do_not(suite: Any, ledger: Ledger) -> None:
    runtime = suite.runtime("customer")
    ledger.failure = ValueError()
    runtime.event(_event(suite, 1))
    ledger.failure = None
    for version in (2, 3):
        runtime.event(_event(suite, version))
    runtime.event(_event(suite, 1, "thing/2"))
    assert _effects(suite) == {"thing/2:1": 1}
    assert [row.attempts for row in _waiting(suite)] == [1, 0, 0]
    order: list[int] = []

    def handle(event: JSON, work: Any) -> None:
        order.append(event["version"])
        ledger(event, work)

    runtime.reactions = [Reaction("ledger", ("test.thing.*",), handle)]
    suite.clock.forward(minutes=1)
    for _ in range(3):
        runtime.retry_due()
    assert order == [1, 2, 3]
    assert _waiting(suite) == []


def test_an_event_is_dead_after_twelve_attempts_and_lets_the_others_go_on(suite: Any, ledger: Ledger) -> None:
    runtime = suite.runtime("customer")
    ledger.failure = ValueError("never")
    runtime.event(_event(suite, 1))
    runtime.event(_event(suite, 2))
    for attempt in range(2, MAX_ATTEMPTS + 1):
        assert _waiting(suite)[0].attempts == attempt - 1
        suite.clock.forward(minutes=15)
        runtime.retry_due()
    first, second = _waiting(suite)
    assert (first.state, first.attempts, second.state, second.attempts) == ("dead", MAX_ATTEMPTS, "parked", 0)
    assert suite.dead()[0][:3] == ("customer", "ledger", "test.thing.happened")
    ledger.failure = None
    suite.clock.forward(minutes=15)
    runtime.retry_due()
    assert _effects(suite) == {"thing/1:2": 1}
    listed = suite.call("customer", "admin.inbox", {"state": "dead"})["items"]
    assert [item["event_id"] for item in listed] == [first.event_id]


def test_the_waits_grow_and_end_at_ten_minutes(suite: Any, ledger: Ledger) -> None:
    runtime = suite.runtime("customer")
    ledger.failure = ValueError()
    runtime.event(_event(suite))
    waits = []
    for _ in range(MAX_ATTEMPTS - 2):
        [row] = _waiting(suite)
        waits.append((row.due_at - suite.clock.now()).total_seconds())
        suite.clock.forward(minutes=15)
        runtime.retry_due()
    assert all(wait < 600 * 1.25 for wait in waits)
    assert waits[0] < 1.3 < waits[2] < 6 < waits[5]


def test_not_yet_waits_without_being_an_error(suite: Any, ledger: Ledger) -> None:
    ledger.failure = NotYet("the order is not here")
    suite.runtime("customer").event(_event(suite))
    [row] = _waiting(suite)
    assert row.error == "waits: the order is not here"


@pytest.mark.parametrize("statement", ["SELECT 1/0", "INSERT INTO counters VALUES (NULL, NULL, NULL)"])
def test_an_error_of_the_database_that_the_event_causes_parks_it(suite: Any, ledger: Ledger, statement: str) -> None:
    ledger.statement = statement
    suite.runtime("customer").event(_event(suite))
    assert [row.state for row in _waiting(suite)] == ["parked"]


def test_an_event_whose_handler_waits_too_long_is_parked_like_any_other_failure(suite: Any, ledger: Ledger) -> None:
    # Given back to the broker it would come again at once, for ever, and hold up everything behind it.
    ledger.statement = "SET LOCAL statement_timeout = '10ms'; SELECT pg_sleep(5)"
    suite.runtime("customer").event(_event(suite))
    ledger.statement, ledger.failure = "", unavailable("busy")
    suite.clock.forward(minutes=1)
    suite.runtime("customer").retry_due()
    assert [(row.state, row.attempts) for row in _waiting(suite)] == [("parked", 2)]


def test_without_a_database_the_event_stays_with_the_bus(suite: Any) -> None:
    runtime = suite.runtime("customer")
    nowhere = create_engine("postgresql+psycopg2://nobody@127.0.0.1:1/nothing")
    runtime.database = Database(nowhere, nowhere, suite.clock, runtime)
    with pytest.raises(Problem) as caught:
        runtime.event(_event(suite))
    assert caught.value.status == 503


@pytest.mark.parametrize(
    ("error", "trace"),
    [(unavailable("Away."), False), (Problem(504, "outcome_unknown", "Lost."), False), (LookupError("bug"), True)],
    ids=["refused", "lost on its way", "a bug"],
)
def test_what_a_database_refuses_comes_again_and_one_line_says_so_and_of_a_bug_the_whole_trace(
    suite: Any, caplog: pytest.LogCaptureFixture, error: Exception, trace: bool
) -> None:
    def refuse(_: Any) -> None:
        raise error

    endpoint = replace(suite.runtime("customer").endpoint(), event=refuse, event_batch=refuse)
    again: list[str] = []
    event = SimpleNamespace(
        kind="event",
        queue="evt-customer",
        body=_event(suite),
        headers={},
        problem=None,
        void=lambda: False,
        done=lambda: None,
        again=lambda: again.append("again"),
    )
    handle(endpoint, event)  # type: ignore[arg-type]
    handle_batch(endpoint, [event], lambda done: None)  # type: ignore[list-item]
    assert again == ["again"] * 2
    assert [record.exc_info is not None for record in caplog.records] == [trace] * 2


@pytest.mark.parametrize("bad", [{3}, {0, 6}, set(range(7)), set()])
def test_what_makes_a_batch_fail_is_delivered_again_alone(suite: Any, bad: set[int]) -> None:
    taken: list[int] = []

    def batch(bodies: list[bytes]) -> None:
        numbers = [int(decode(body)["n"]) for body in bodies]
        if bad & set(numbers):
            raise LookupError("a bug")
        taken.extend(numbers)

    again: list[int] = []
    done: list[int] = []
    deliveries: list[Any] = [
        SimpleNamespace(
            kind="event",
            queue="evt-customer",
            body=encode({"n": number}),
            headers={},
            problem=None,
            void=lambda: False,
            again=partial(again.append, number),
            number=number,
        )
        for number in range(7)
    ]
    endpoint = replace(suite.runtime("customer").endpoint(), event_batch=batch)
    handle_batch(endpoint, deliveries, lambda some: done.extend(one.number for one in some))  # type: ignore[attr-defined]
    assert again == sorted(bad)
    assert taken == done == sorted(set(range(7)) - bad)


@pytest.mark.parametrize("lost", ["id", "type", "tenant", "subject", "correlationid"])
def test_an_envelope_that_is_not_complete_is_kept_as_it_came(suite: Any, lost: str) -> None:
    document = decode(_event(suite))
    del document[lost]
    body = encode(document)
    suite.runtime("customer").event(body)
    with suite.runtime("customer").database.operations() as connection:
        raw = connection.exec_driver_sql("SELECT raw FROM dead_letters WHERE queue = 'evt-customer' ORDER BY id DESC")
        assert bytes(raw.first().raw) == body
    assert _waiting(suite) == []
