"""A service's database is restored to an earlier moment: all differences are listed, and what can be repaired is."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis.testing import Databases, Suite
from suite.check import repair
from suite.check.command import check
from suite.check.repair import Repaired
from suite.check.tests.world import Business, violations


class Installation:
    """A business at work, whose databases can be set back."""

    bus = blobs = ""
    management = None

    def __init__(self, server: str) -> None:
        self.databases = Databases(server, f"restore_{os.getpid()}")
        self.suite = Suite(self.databases)
        self.business = Business(self.suite, "northwind")
        self.business.order("2")
        self.backups: set[str] = set()

    def database_url(self, service: str, role: str) -> str:
        return self.databases.url(service, role)

    def back_up(self, service: str) -> None:
        name = f"{self.databases.name}_{service}"
        self._run(service, f'CREATE DATABASE "{name}_backup" TEMPLATE "{name}" STRATEGY WAL_LOG')
        self.backups.add(service)

    def restore(self, service: str) -> None:
        name = f"{self.databases.name}_{service}"
        self._run(service, f'DROP DATABASE "{name}"', f'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
        self.backups.discard(service)

    def _run(self, service: str, *statements: str) -> None:
        self.databases._made[service].close()
        engine = create_engine(make_url(self.databases.server), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def run_in(self, service: str, statement: str) -> Any:
        """As the superuser, past triggers and row-level security."""
        url = make_url(self.databases.server).set(database=f"{self.databases.name}_{service}")
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                done = connection.exec_driver_sql(statement)
                return done.scalar() if done.returns_rows else done.rowcount
        finally:
            engine.dispose()

    def count(self, service: str, table: str) -> int:
        return int(self.run_in(service, f"SELECT count(*) FROM {table}"))

    def forget(self, events: set[str]) -> None:
        """Take events that nobody can repair out of the log and the inboxes, so that the next test begins clean."""
        chosen = "('" + "', '".join(sorted(events)) + "')"
        self.run_in("eventlog", f"DELETE FROM events WHERE id IN {chosen}")
        for service in ("sales", "marketing", "service"):
            self.run_in(service, f"DELETE FROM inbox WHERE event_id IN {chosen}")

    def work_on(self) -> None:
        """One of everything that subscribers react to."""
        one = self.business
        shipped = one.order("3")
        self.suite.run("sales.order", shipped, "ship")
        self.suite.settle()
        one.pay("30", **{shipped: "30"})
        one.order("900")
        self.suite.create("customer.account", {"name": "Ana Trujillo"})
        self.suite.settle()

    def repair(self) -> Repaired:
        return repair.repair(self, wait=lambda seconds: self.suite.settle(), within=10.0)

    def violated(self) -> list[Any]:
        results = check(self, wait=lambda seconds: None, pauses=())
        return [(one.rule.invariant, one.rule.says, one.seen.faults[:2]) for one in violations(results)]

    def close(self) -> None:
        for service in list(self.backups):
            self._run(service, f'DROP DATABASE "{self.databases.name}_{service}_backup"')
        self.databases.drop()


@pytest.fixture(scope="module")
def installation(server: str) -> Iterator[Installation]:
    made = Installation(server)
    yield made
    made.close()


def test_readers_that_were_restored_are_brought_up_to_date_to_the_last_event(installation: Installation) -> None:
    """F21: every difference is listed, and publishing again repairs all of them."""
    for service in ("eventlog", "search"):
        installation.back_up(service)
    logged = installation.count("eventlog", "events")
    installation.work_on()
    lost = installation.count("eventlog", "events") - logged
    for service in ("eventlog", "search"):
        installation.restore(service)
    found = repair.compare(installation).differences
    assert {(one.service, one.consumer) for one in found} == {("eventlog", "log")}
    assert sum(len(one.missing) for one in found) == lost > 20
    assert installation.violated() != []
    done = installation.repair()
    assert (done.report.published, done.left) == (lost, [])
    assert installation.violated() == []


def test_a_service_that_was_restored_takes_in_again_what_it_missed_and_what_it_lost_is_listed(
    installation: Installation,
) -> None:
    installation.back_up("customer")
    before = installation.count("customer", "inbox")
    installation.work_on()
    missed = installation.count("customer", "inbox") - before
    installation.restore("customer")
    found = repair.compare(installation).differences
    assert sum(len(one.missing) for one in found if one.service == "customer") == missed > 0
    done = installation.repair()
    assert not any(one.missing for one in done.left)
    assert installation.count("customer", "inbox") == before + missed
    # One account was made meanwhile: its event is in the log and with every subscriber, and unknown to its source.
    unknown = {event for one in done.left for event in one.unknown}
    assert {one.source for one in done.left} == {"customer"} and len(unknown) == 1
    installation.forget(unknown)


def test_closed_hours_that_agree_are_sealed_and_let_their_inbox_rows_go(installation: Installation) -> None:
    suite, later = installation.suite, dt.datetime.now(dt.UTC) + dt.timedelta(hours=3)
    rows = installation.count("notify", "inbox")
    suite.clock.forward(days=31)
    suite.runtime("notify").tidy()
    assert installation.count("notify", "inbox") == rows > 0
    with repair.operations(installation) as act:
        first = repair.compare(installation, act=act, now=later)
        again = repair.compare(installation, act=act, now=later)
    assert first.sealed == first.hours > 0 == again.sealed
    suite.runtime("notify").tidy()
    assert installation.count("notify", "inbox") == 0
    assert repair.compare(installation).differences == []


def test_an_old_event_that_is_published_again_has_no_second_effect_where_its_row_is_gone(
    installation: Installation,
) -> None:
    told = installation.count("notify", "notifications")
    for outgoing in installation.suite.bus.seen:
        if outgoing.routing_key.startswith("sales.order."):
            installation.suite.runtime("notify").event(outgoing.body)
    assert installation.count("notify", "notifications") == told > 0
    assert installation.count("notify", "inbox") == 0


def test_what_a_sender_lost_of_a_sealed_hour_is_still_noticed(installation: Installation) -> None:
    installation.run_in("sales", "DELETE FROM changes WHERE type = 'sales.order.shipped'")
    found = repair.compare(installation).differences
    assert {one.source for one in found} == {"sales"}
    assert ("eventlog", "log") in {(one.service, one.consumer) for one in found if one.unknown}
    # Where the inbox rows are gone the seal still knows how many there were.
    (notify,) = [one for one in found if one.service == "notify"]
    assert "were sealed" in notify.says and notify.missing == notify.unknown == []
