"""Days of a time zone: when they begin, and which one it is."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = dt.timedelta(days=1)


@lru_cache(maxsize=600)
def zone(name: str) -> ZoneInfo:
    """The zone of an IANA name; UTC where this machine's data knows no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def known(name: str) -> bool:
    return zone(name).key == name


def today(now: dt.datetime, name: str) -> dt.date:
    return now.astimezone(zone(name)).date()


def begins(day: dt.date, name: str) -> dt.datetime:
    """The first moment of a day, in UTC. Where a change of the clock skips midnight, that is the change itself."""
    return dt.datetime.combine(day, dt.time(), zone(name)).astimezone(dt.UTC)
