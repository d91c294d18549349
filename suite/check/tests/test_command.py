"""How the check behaves as a command: on a live suite, for one tenant, without a database, for people and machines."""

from __future__ import annotations

import json

import pytest
from sqlalchemy.engine import make_url

from suite.check import command, delivery, money, report, stock
from suite.check.rules import MOST_SHOWN, Fault, Result, Seen, rule, seen
from suite.check.sources import Side, Sources, Unreachable
from suite.check.tests.world import World, violations

CHOSEN = "consumer = 'on_order_confirmed'"
LOST = f"DELETE FROM inbox WHERE {CHOSEN}"


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return Said()


class Elsewhere:
    """Settings whose one service cannot be reached."""

    bus = blobs = ""
    management = None

    def __init__(self, world: World, service: str) -> None:
        self.world, self.service = world, service

    def database_url(self, service: str, role: str) -> str:
        url = make_url(self.world.database_url(service, role))
        return url.set(port=1 if service == self.service else url.port).render_as_string(hide_password=False)


def test_what_arrives_while_looking_again_is_no_fault(world: World) -> None:
    kept = f"CREATE TABLE aside.kept AS SELECT * FROM inbox WHERE {CHOSEN}"
    world.spoil("notify", "CREATE SCHEMA aside", kept, LOST)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            world.spoil("notify", "INSERT INTO inbox OVERRIDING SYSTEM VALUE SELECT * FROM aside.kept")

    assert violations(world.check(wait=wait, pauses=(1.0, 3.0, 6.0))) == []
    assert pauses == [1.0, 3.0]


def test_what_stays_is_looked_at_three_times_more_within_ten_seconds(world: World) -> None:
    world.spoil("notify", LOST)
    pauses: list[float] = []
    found = violations(command.check(world, wait=pauses.append))
    assert [one.rule for one in found] == [delivery.taken_in]
    assert len(pauses) == 3 and sum(pauses) <= 10


def test_what_is_new_at_a_later_look_is_not_reported(world: World) -> None:
    """On a busy suite something is always on its way; only what stays on its way is a fault."""
    kept = f"CREATE TABLE aside.kept AS SELECT * FROM inbox WHERE {CHOSEN}"
    world.spoil("notify", "CREATE SCHEMA aside", kept, LOST)

    def wait(seconds: float) -> None:
        restored = "INSERT INTO inbox OVERRIDING SYSTEM VALUE SELECT * FROM aside.kept"
        world.spoil("notify", restored, "DELETE FROM inbox WHERE consumer = 'on_order_shipped'")

    assert violations(world.check(wait=wait, pauses=(1.0,))) == []


def test_what_cannot_be_on_its_way_is_reported_at_once(world: World) -> None:
    world.spoil("marketing", "UPDATE point_accounts SET balance = balance + 1")

    def wait(seconds: float) -> None:
        pytest.fail("nothing was to be waited for")

    assert [one.rule for one in violations(world.check(wait=wait, pauses=(1.0,)))] == [money.points_are_conserved]


def test_one_tenant_is_checked_alone(world: World) -> None:
    world.spoil("inventory", f"DELETE FROM stock_levels WHERE tenant_id = '{world.small.tenant}'")
    assert world.violated(world.one.tenant) == set()
    assert ("I4", stock.on_hand.says) in world.violated(world.small.tenant)


def test_one_tenants_rows_are_fewer_than_all(world: World) -> None:
    def rows(tenant: str | None) -> int:
        return next(one.seen.rows for one in world.check(tenant) if one.rule is delivery.logged)

    assert rows(world.one.tenant) + rows(world.small.tenant) == rows(None)


def test_a_clean_suite_ends_with_0(world: World, said: Said) -> None:
    assert command.run(world, as_json=False, tenant=None, say=said) == 0
    assert "rules hold" in said.text


def test_a_violation_ends_with_1_and_is_explained(world: World, said: Said) -> None:
    world.spoil("marketing", "UPDATE point_accounts SET balance = balance + 1")
    assert command.run(world, as_json=False, tenant=None, say=said) == 1
    assert "marketing: points of account" in said.text and world.one.tenant in said.text


def test_a_database_that_does_not_answer_ends_with_2(world: World, said: Said) -> None:
    assert command.run(Elsewhere(world, "notify"), as_json=False, tenant=None, say=said) == 2
    assert said.text.startswith("Not checked: notify:")


def test_a_database_without_its_tables_ends_with_2(world: World, said: Said) -> None:
    world.spoil("notify", "DROP TABLE inbox")
    assert command.run(world, as_json=True, tenant=None, say=said) == 2
    assert json.loads(said.text)["clean"] is None


@pytest.mark.parametrize("tenant", ["northwind", "0190b5a4-0000-7000-8000-000000000000"])
def test_an_unknown_tenant_ends_with_2(world: World, said: Said, tenant: str) -> None:
    assert command.run(world, as_json=False, tenant=tenant, say=said) == 2


def test_machines_read_json(world: World, said: Said) -> None:
    world.spoil("marketing", "UPDATE point_accounts SET balance = balance + 1")
    assert command.run(world, as_json=True, tenant=world.one.tenant, say=said) == 1
    document = json.loads(said.text)
    (bad,) = [one for one in document["rules"] if one["state"] == "violated"]
    assert document["clean"] is False and bad["invariant"] == "I6" and bad["faults"] == 1 and bad["rows"] == 1
    assert bad["first"][0]["tenant"] == world.one.tenant


def test_the_checker_can_write_nothing(world: World) -> None:
    sources = Sources(world)
    with sources.look() as look, pytest.raises(Unreachable, match="read-only"):
        look.catalogue("sales", "CREATE TABLE mine (id int)")
    sources.close()


def test_no_rows_is_not_a_pass() -> None:
    nothing = rule("I0", "nothing")(lambda look: Seen())
    assert Result(nothing, Seen(rows=0)).state == "not checked"
    assert "1 had nothing to look at" in report.as_text([Result(nothing, Seen())])


def test_equal_keys_that_come_twice_are_noticed(world: World) -> None:
    """Two repeated keys against two others have equal counts, and would have equal hashes in an exclusive or."""
    tenant = f"'{world.one.tenant}'::uuid AS tenant_id"
    sources = Sources(world)
    with sources.look() as look:
        twice = Side("sales", f"SELECT {tenant}, key FROM (VALUES ('same'), ('same')) AS v (key)")
        others = Side("customer", f"SELECT {tenant}, key FROM (VALUES ('same a'), ('same a')) AS v (key)")
        _, missing, extra = look.compare([twice], [others])
    sources.close()
    assert list(missing.values()) == [2] and list(extra.values()) == [2]


def test_many_faults_are_counted_and_not_all_shown() -> None:
    faults = [Fault(None, "sales", str(number), "is wrong") for number in range(MOST_SHOWN + 5)]
    many = rule("I0", "many")(lambda look: Seen())
    result = Result(many, seen(2_000, faults))
    assert len(result.seen.faults) == MOST_SHOWN and result.seen.more == 5
    assert f"and {MOST_SHOWN + 5 - report.SHOWN:,} more" in report.as_text([result])
    assert report.document([result])["rules"][0]["faults"] == MOST_SHOWN + 5
