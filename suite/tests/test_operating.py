"""The operators' commands, as typed, on real databases and without any bus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from chassis.inbox import MAX_ATTEMPTS
from chassis.service import Reaction
from chassis.testing import SECRET, Databases
from chassis.tests.given import event_of
from suite import commands

JSON = dict[str, Any]


class Settings:
    """The databases of this test, as the settings of an installation name them."""

    context_key = SECRET

    def __init__(self, databases: Databases) -> None:
        self.database_url = databases.url


@pytest.fixture
def suite(suite_of: Callable[..., Any]) -> Iterator[Any]:
    suite = suite_of()
    yield suite
    for service in suite.bus.runtimes:
        with suite.work(service) as work:
            work.sql("DELETE FROM inbox")
        with suite.runtime(service).database.operations() as connection:
            connection.exec_driver_sql("DELETE FROM dead_letters")


@pytest.fixture
def guanxi(suite: Any, databases: Databases) -> Callable[..., Result]:
    main = click.Group("guanxi")
    commands.add_to(main, lambda: Settings(databases))

    def run(*arguments: str, fails: bool = False) -> Result:
        done = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
        assert (done.exit_code != 0) is fails, done.output
        return done

    return run


def dead(suite: Any, service: str, *subjects: str) -> None:
    """Events that twelve attempts have not helped."""

    def fail(event: JSON, work: Any) -> None:
        raise ValueError("no such shelf")

    runtime = suite.runtime(service)
    reactions, runtime.reactions = runtime.reactions, [Reaction("shelf", ("test.thing.*",), fail)]
    for subject in subjects:
        runtime.event(event_of(suite, subject))
    for _ in range(MAX_ATTEMPTS):
        suite.clock.forward(minutes=15)
        runtime.retry_due()
    runtime.reactions = reactions


def listed(guanxi: Any, suite: Any, *options: str) -> list[JSON]:
    found: list[JSON] = json.loads(guanxi("inbox", "list", "--tenant", suite.tenant, "--json", *options).output)
    return found


def test_dead_events_of_all_services_are_listed_and_chosen(suite: Any, guanxi: Any) -> None:
    dead(suite, "sales", "thing/1", "thing/2")
    dead(suite, "notify", "thing/3")
    assert [(one["service"], one["state"]) for one in listed(guanxi, suite)] == [
        ("sales", "dead"),
        ("sales", "dead"),
        ("notify", "dead"),
    ]
    assert [one["subject"] for one in listed(guanxi, suite, "--service", "notify")] == ["thing/3"]
    assert listed(guanxi, suite, "--type", "sales.*") == listed(guanxi, suite, "--state", "parked") == []
    assert "no such shelf" in guanxi("inbox", "list", "--tenant", suite.tenant).output


def test_one_event_is_shown_and_discarded_for_a_reason(suite: Any, guanxi: Any) -> None:
    dead(suite, "sales", "thing/1")
    [one] = listed(guanxi, suite)
    assert "Traceback" in guanxi("inbox", "show", "sales", one["id"]).output
    assert "reason" in guanxi("inbox", "discard", "sales", one["id"], fails=True).output
    guanxi("inbox", "discard", "sales", one["id"], "--reason", "a test of ours")
    assert listed(guanxi, suite) == []
    assert "discarded" in guanxi("inbox", "discard", "sales", one["id"], "--reason", "again", fails=True).output
    [noted] = json.loads(guanxi("operations", "--tenant", suite.tenant, "--json").output)
    assert noted["actor"].startswith("operator:")
    assert (noted["service"], noted["action"], noted["reason"]) == ("sales", "inbox.discard", "a test of ours")


def test_all_that_a_filter_chooses_run_again(suite: Any, guanxi: Any) -> None:
    dead(suite, "sales", "thing/1", "thing/2")
    dead(suite, "notify", "thing/3")
    chosen = ("--all", "--tenant", suite.tenant, "--state", "dead", "--type", "test.thing.*")
    assert guanxi("inbox", "replay", *chosen).output == "replay: 3 events\n"
    assert {one["state"] for one in listed(guanxi, suite)} == {"parked"}
    for service in ("sales", "notify"):
        suite.runtime(service).retry_due()
    # The reaction of this test is no reaction of the services, which have nothing left to do with its events.
    assert listed(guanxi, suite) == []


@pytest.mark.parametrize("arguments", [(), ("sales",), ("sales", "1", "--all"), ("mainframe", "1"), ("sales", "0")])
def test_what_to_replay_must_be_said_exactly(guanxi: Any, arguments: tuple[str, ...]) -> None:
    guanxi("inbox", "replay", *arguments, fails=True)


def test_what_nobody_could_read_is_shown_by_its_bytes_and_looked_into_once(suite: Any, guanxi: Any) -> None:
    suite.runtime("sales")._bury("evt-sales", b"\xff\x00{", {"x": "1"}, "no JSON")
    suite.runtime("sales").event(b'{"half": "an event"}')
    raw, half = json.loads(guanxi("letters", "list", "--json").output)
    assert (raw["queue"], raw["reason"], raw["bytes"]) == ("evt-sales", "no JSON", 3)
    assert "ff007b" in guanxi("letters", "show", "sales", raw["id"]).output
    assert "an event" in guanxi("letters", "show", "sales", half["id"]).output
    guanxi("letters", "discard", "sales", raw["id"], "--reason", "a probe of ours")
    assert "already" in guanxi("letters", "discard", "sales", raw["id"], "--reason", "again", fails=True).output
    assert [one["id"] for one in json.loads(guanxi("letters", "list", "--json").output)] == [half["id"]]
    assert len(json.loads(guanxi("letters", "list", "--discarded", "--json").output)) == 2
    assert "a probe of ours" in guanxi("operations", "--action", "letter.discard").output


def test_a_saga_is_found_shown_and_turned_back_by_its_id_alone(suite: Any, guanxi: Any) -> None:
    tea = suite.create("inventory.product", {"name": "Tea"})["id"]
    account = suite.create("customer.account", {"name": "Alfreds"})["id"]
    suite.settle()
    line = {"product_id": tea, "quantity": "1", "unit_price": {"amount": "1", "currency": "USD"}}
    data = {"account_id": account, "currency": "USD", "ordered_on": "2026-11-23", "lines": [line]}
    order = suite.create("sales.order", data)["id"]
    suite.run("sales.order", order, "place")
    [saga] = json.loads(guanxi("saga", "list", "--tenant", suite.tenant, "--json").output)
    assert (saga["service"], saga["name"], saga["record_id"]) == ("sales", "place_order", order)
    assert "reserve stock" in guanxi("saga", "list", "--tenant", suite.tenant).output
    assert "place_order" in guanxi("saga", "push", saga["id"]).output
    guanxi("saga", "compensate", saga["id"], fails=True)
    assert "compensating" in guanxi("saga", "compensate", saga["id"], "--reason", "rang up").output
    suite.settle()
    rejected = suite.get("sales.order", order)
    assert (rejected["status"], rejected["reason"], rejected["reason_detail"]) == ("rejected", "operator", "rang up")
    assert "has ended" in guanxi("saga", "push", saga["id"], fails=True).output
    shown = json.loads(guanxi("saga", "show", saga["id"]).output)
    assert [one["undo"] for one in shown["steps"][0]["tries"]] == [False, False, True]


def test_an_unknown_saga_is_said_to_be_unknown(guanxi: Any) -> None:
    assert "no such saga" in guanxi("saga", "show", "0190b5a4-0000-7000-8000-000000000000", fails=True).output
    assert "is no id" in guanxi("saga", "push", "SO-1", fails=True).output
