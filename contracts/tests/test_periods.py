"""Stretches of days, against a calendar that is walked day by day."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from contracts.periods import period

DAY = dt.timedelta(days=1)
UNITS = {
    "week": lambda day: day.isocalendar()[:2],
    "month": lambda day: (day.year, day.month),
    "quarter": lambda day: (day.year, (day.month + 2) // 3),
    "year": lambda day: day.year,
}


def walked(today: dt.date, unit: str, way: str) -> tuple[dt.date, dt.date]:
    """The days around `today` that share its unit, or those that share the neighbouring one."""
    same = UNITS[unit]
    day = today
    if way != "this":
        step = DAY if way == "next" else -DAY
        while same(day) == same(today):
            day += step
    first = last = day
    while same(first - DAY) == same(day):
        first -= DAY
    while same(last + DAY) == same(day):
        last += DAY
    return first, last


@given(st.dates(dt.date(1990, 1, 1), dt.date(2100, 12, 31)), st.sampled_from(sorted(UNITS)))
def test_units_of_the_calendar_are_those_that_a_walk_finds(today: dt.date, unit: str) -> None:
    for way in ("this", "last", "next"):
        assert period(f"{way}-{unit}", today) == walked(today, unit, way)


def test_days_are_counted_with_today() -> None:
    today = dt.date(2026, 3, 1)
    assert period("today", today) == (today, today)
    assert period("yesterday", today) == (dt.date(2026, 2, 28),) * 2
    assert period("tomorrow", today) == (dt.date(2026, 3, 2),) * 2
    assert period("last-7-days", today) == (dt.date(2026, 2, 23), today)
    assert period("next-30-days", today) == (today, dt.date(2026, 3, 30))
    assert period("last-1-days", today) == (today, today)
    assert period("2026-01-31..2026-02-02", today) == (dt.date(2026, 1, 31), dt.date(2026, 2, 2))


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "this-day", "last-0-days", "last-99999-days", "next-2-weeks", "today\n", "This-week",
        "2026-01-01", "2026-02-30..2026-03-01", "2026-02-02..2026-02-01", "2026-01-01..", 7, None, ["today"],
    ],
)  # fmt: skip
def test_other_words_are_refused(text: object) -> None:
    with pytest.raises(ValidationError):
        period(text, dt.date(2026, 1, 1))
