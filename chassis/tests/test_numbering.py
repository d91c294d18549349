"""Numbers: by the tenant's rule, without gaps where it says so, and never twice."""

from __future__ import annotations

import datetime as dt
import importlib
from contextlib import suppress
from typing import Any

import pytest

from chassis.numbering import BLOCK, Pattern, next_number
from chassis.tests.given import at_once, refused, rows
from contracts.registry import registry

RULE = "identity.numbering-rule"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("identity", "sales")
    suite.orders = suite.runtime("sales").stores["sales.order"]
    return suite


def _next(suite: Any, fail: bool = False, tenant: str | None = None, **fields: Any) -> str | None:
    try:
        with suite.work("sales", suite.context(tenant=tenant)) as work:
            number = next_number(work, suite.orders.make(**fields))
            if fail:
                raise RuntimeError
            return number
    except RuntimeError:
        return None


def _many(suite: Any) -> list[str]:
    """Forty numbers asked for at once, of which every fourth transaction fails."""
    tasks = [lambda fail=index % 4 == 3: [_next(suite, fail) for _ in range(5)] for index in range(8)]
    return [number for numbers in at_once(*tasks) for number in numbers if number]


def _rule(suite: Any, **fields: Any) -> Any:
    with suite.work("identity") as work:
        importlib.import_module("services.identity.definitions").seed_numbering(work, "UTC")
    [rule] = suite.list(RULE, ("applies_to", "eq", "orders"))
    changed = suite.update(RULE, rule["id"], fields)
    suite.settle()
    return changed


def test_numbers_given_at_once_are_neither_lost_nor_given_twice(suite: Any) -> None:
    year = suite.clock.now().year
    assert sorted(_many(suite)) == [f"SO-{year}-{index:05}" for index in range(1, 31)]


def test_fast_numbers_given_at_once_are_not_given_twice(suite: Any) -> None:
    _rule(suite, pattern="F{seq}", scope="none", gaps="allowed")
    given = _many(suite)
    assert len(set(given)) == len(given) == 30
    with suite.work("sales") as work:
        several = {next_number(work, suite.orders.make()) for _ in range(BLOCK + 5)}
    assert len(several) == BLOCK + 5 and not several & set(given)
    assert not several & set(_many(suite))


def test_a_fast_block_of_a_transaction_that_failed_is_nobodys(suite: Any) -> None:
    _rule(suite, pattern="F{seq}", scope="none", gaps="allowed")
    _next(suite, fail=True)
    with suite.work("sales") as work:
        with suppress(RuntimeError), work.savepoint():
            assert next_number(work, suite.orders.make()) == "F1"
            raise RuntimeError
        assert next_number(work, suite.orders.make()) == "F1"
    assert _next(suite) == "F2"


def test_each_year_and_each_tenant_counts_for_itself(suite: Any) -> None:
    year = suite.clock.now().year
    assert _next(suite) == f"SO-{year}-00001"
    suite.clock.forward(days=366)
    assert _next(suite) == f"SO-{suite.clock.now().year}-00001"
    assert str(_next(suite, tenant=suite.user_id)).endswith("-00001")
    assert len(rows(suite, "sales", "SELECT 1 FROM counters WHERE tenant_id = %s")) == 2


def test_a_changed_rule_counts_from_the_next_number_on_and_goes_on_counting(suite: Any) -> None:
    rule = _rule(suite, pattern="A-{year}-{seq:03}")
    year = suite.clock.now().year
    assert [_next(suite), _next(suite)] == [f"A-{year}-001", f"A-{year}-002"]
    suite.update(RULE, rule["id"], {"pattern": "订单{yy}/{seq}"})
    suite.settle()
    assert _next(suite) == f"订单{year % 100:02}/3"


def test_months_days_and_values_of_a_field_have_sequences_of_their_own(suite: Any) -> None:
    _rule(suite, pattern="{field}{year}{month}-{seq}", scope="month", scope_field="currency")
    month = f"{suite.clock.now():%Y%m}"
    given = [_next(suite, currency=currency) for currency in ("EUR", "USD", "EUR")]
    assert given == [f"EUR{month}-1", f"USD{month}-1", f"EUR{month}-2"]
    suite.clock.forward(days=32)
    assert _next(suite, currency="EUR") == f"EUR{suite.clock.now():%Y%m}-1"


def test_the_date_of_a_number_is_the_tenants_date(suite: Any) -> None:
    _rule(suite, pattern="{year}{month}{day}-{seq}", scope="day", zone="Pacific/Kiritimati")
    suite.clock.forward(hours=(22 - suite.clock.now().hour) % 24)
    # At 22 o'clock UTC it is noon of the next day there, fourteen hours ahead.
    there = suite.clock.now().date() + dt.timedelta(days=1)
    assert str(_next(suite)).startswith(f"{there:%Y%m%d}-")


@pytest.mark.parametrize("gaps", ["none", "allowed"])
def test_numbers_that_came_from_elsewhere_are_skipped_and_the_log_says_so(
    suite: Any, gaps: str, caplog: pytest.LogCaptureFixture
) -> None:
    _rule(suite, pattern="X{seq:03}", scope="none", gaps=gaps)
    account, day = suite.user_id, suite.clock.now().date()
    with suite.work("sales") as work:
        for number in ("x002", "X003", "X005"):
            order = suite.orders.make(account_id=account, currency="EUR", ordered_on=day, number=number)
            order.lines, order.status = [], "placed"
            work.copies["customer.account", account] = {}
            suite.orders.add(work, order)
    assert [_next(suite) for _ in range(3)] == ["X001", "X004", "X006"]
    assert "X002" in caplog.text and "X005" in caplog.text


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"pattern": "SO-{year}"}, "pattern"),
        ({"pattern": "SO-{seq}-{seq}"}, "pattern"),
        ({"pattern": "SO-{seq:abc}"}, "pattern"),
        ({"pattern": "SO-{seq:99}"}, "pattern"),
        ({"pattern": "SO-{seq!r}"}, "pattern"),
        ({"pattern": "SO-{seq"}, "pattern"),
        ({"pattern": "SO-{seq.real}"}, "pattern"),
        ({"pattern": "SO {seq}", "scope": "none"}, "pattern"),
        ({"pattern": "SO-{seq}", "scope": "year"}, "pattern"),
        ({"pattern": "SO-{year}-{seq}", "scope": "month"}, "pattern"),
        ({"pattern": "SO-{year}-{seq}", "scope_field": "currency"}, "pattern"),
        ({"pattern": "SO-{field}-{seq}", "scope": "none"}, "scope_field"),
        ({"pattern": "SO-{field}-{seq}", "scope": "none", "scope_field": "ship_name"}, "scope_field"),
        ({"zone": "Mars/Olympus"}, "zone"),
    ],
)
def test_a_rule_whose_numbers_could_come_twice_is_refused(suite: Any, fields: dict[str, Any], field: str) -> None:
    with refused(422, "invalid", field):
        _rule(suite, **fields)


def test_every_collection_with_numbers_has_one_rule_however_often_it_is_seeded(suite: Any) -> None:
    _rule(suite)
    _rule(suite, pattern="SO{year}{seq}")
    numbered = [record.collection for record in registry.records.values() if record.number_pattern]
    assert sorted(rule["applies_to"] for rule in suite.list(RULE)) == sorted(numbered)


def test_a_pattern_names_what_surrounds_the_sequence() -> None:
    assert Pattern("A{yy}{{x}}-{seq:04}/{month}").around(dt.date(2026, 3, 9), "") == ("A26{x}-", 4, "/03")
