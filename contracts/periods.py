"""Stretches of days by name, as `within` takes them: `this-quarter`, `last-30-days`, `2026-01-01..2026-03-31`."""

from __future__ import annotations

import datetime as dt
import re

from marshmallow import ValidationError

_DAYS = {"today": 0, "yesterday": -1, "tomorrow": 1}
_WAY = {"this": 0, "last": -1, "next": 1}
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
PATTERN = (
    r"^(today|yesterday|tomorrow|(this|last|next)-(week|month|quarter|year)|(last|next)-[1-9][0-9]{0,3}-days"
    rf"|{_DATE}\.\.{_DATE})$"
)
_KNOWN = re.compile(PATTERN.removesuffix("$"), re.ASCII)


def period(text: object, today: dt.date) -> tuple[dt.date, dt.date]:
    """The first and the last day of a stretch, seen from `today`. Raises ValidationError.

    Weeks begin on Monday (ISO 8601). `last-7-days` ends and `next-7-days` begins today; both have seven days.
    """
    if not isinstance(text, str) or not _KNOWN.fullmatch(text):
        raise ValidationError(
            "Must be today, yesterday, tomorrow, this-, last- or next- week, month, quarter or year, last-7-days, "
            "next-30-days, or two dates such as 2026-01-01..2026-03-31."
        )
    if text in _DAYS:
        day = today + dt.timedelta(days=_DAYS[text])
        return day, day
    if ".." in text:
        return _between(*text.split(".."))
    way, unit, *days = text.split("-")
    if days:
        many = dt.timedelta(days=int(unit) - 1)
        return (today - many, today) if way == "last" else (today, today + many)
    step = _WAY[way]
    if unit == "week":
        monday = today + dt.timedelta(days=7 * step - today.weekday())
        return monday, monday + dt.timedelta(days=6)
    months = {"month": 1, "quarter": 3, "year": 12}[unit]
    first = (today.year * 12 + today.month - 1) // months * months + months * step
    return _month(first), _month(first + months) - dt.timedelta(days=1)


def _month(number: int) -> dt.date:
    """The first day of a month counted from the year 0."""
    return dt.date(number // 12, number % 12 + 1, 1)


def _between(first: str, last: str) -> tuple[dt.date, dt.date]:
    try:
        found = dt.date.fromisoformat(first), dt.date.fromisoformat(last)
    except ValueError:
        raise ValidationError("Not a date of the calendar.") from None
    if found[0] > found[1]:
        raise ValidationError("Ends before it begins.")
    return found
