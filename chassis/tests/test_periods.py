"""Date ranges and date buckets of lists lie in the tenant's zone, whatever the clocks there do."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis import zones
from chassis.tests.given import refused
from contracts.fields import instant
from contracts.periods import period

ACTIVITY = "customer.activity"
# New York changed its clocks on 2026-03-08 and 2026-11-01, Beirut skips midnight on 2026-03-29, Lord Howe
# moves by half an hour.
ZONES = ("UTC", "Asia/Shanghai", "America/New_York", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia")
NOW = dt.datetime(2026, 3, 29, 11, 30, tzinfo=dt.UTC)


def _at(suite: Any, zone: str, now: dt.datetime = NOW) -> Any:
    """Somebody of a tenant in this zone, at this moment."""
    suite.clock.offset = now - dt.datetime.now(dt.UTC)
    return dataclasses.replace(suite.context(), zone=zone)


@pytest.fixture(scope="module")
def moments(databases: Any) -> Any:
    """A tenant with an activity every 90 minutes for weeks around two changes of the clock."""
    from chassis.testing import Suite

    suite = Suite(databases, ("customer",))
    with suite.work("customer") as work:
        work.sql(
            "INSERT INTO activities (tenant_id, id, kind, subject, subject_key, status, starts_at, version, created_at,"
            " created_by, updated_at, updated_by, external_ids, custom)"
            " SELECT %s::uuid, gen_random_uuid(), 'task', 'x', 'x', 'planned', at, 1, now(), 'user:x', now(), 'user:x',"
            " '{}', '{}' FROM generate_series(timestamptz '2026-02-20T00:30Z', '2026-05-05Z', '90 minutes') AS at",
            (work.tenant,),
        )
        suite.at = [row[0] for row in work.sql("SELECT starts_at FROM activities WHERE tenant_id = %s", (work.tenant,))]
    return suite


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("word", ["today", "yesterday", "tomorrow", "this-week", "last-month", "last-7-days"])
def test_a_stretch_of_days_is_that_of_the_zone(moments: Any, zone: str, word: str) -> None:
    here = _at(moments, zone)
    first, last = period(word, NOW.astimezone(ZoneInfo(zone)).date())
    expected = sorted(instant(at) for at in moments.at if first <= at.astimezone(ZoneInfo(zone)).date() <= last)
    params = {"record": ACTIVITY, "group_by": ["starts_at"], "measures": [{"fn": "count"}]}
    found = moments.call(
        "customer", "record.aggregate", {**params, "where": [["starts_at", "within", word]]}, context=here
    )
    assert [item["group"]["starts_at"] for item in found["items"]] == expected
    assert expected


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", ["day", "week", "month", "quarter", "year"])
def test_buckets_are_days_of_the_zone(moments: Any, zone: str, bucket: str) -> None:
    def begins(at: dt.datetime) -> str:
        day = at.astimezone(ZoneInfo(zone)).date()
        return str(day if bucket == "day" else period(f"this-{bucket}", day)[0])

    params = {"record": ACTIVITY, "group_by": [f"starts_at:{bucket}"]}
    found = moments.call("customer", "record.aggregate", params, context=_at(moments, zone))
    counted = {item["group"][f"starts_at:{bucket}"]: item["measures"]["count"] for item in found["items"]}
    assert counted == Counter(begins(at) for at in moments.at)


def test_a_day_without_midnight_begins_when_the_clock_has_changed() -> None:
    assert zones.begins(dt.date(2026, 3, 29), "Asia/Beirut") == dt.datetime(2026, 3, 28, 22, tzinfo=dt.UTC)
    assert zones.begins(dt.date(2026, 3, 30), "Asia/Beirut") == dt.datetime(2026, 3, 29, 21, tzinfo=dt.UTC)


def test_a_zone_that_this_machine_does_not_know_is_utc(suite_of: Any) -> None:
    suite = suite_of("customer")
    suite.create(ACTIVITY, {"kind": "task", "subject": "a", "starts_at": "2026-03-29T23:59:59Z"})
    here = _at(suite, "Moon/Base")
    assert len(suite.list(ACTIVITY, ("starts_at", "within", "today"), context=here)) == 1


def test_dates_are_taken_as_they_stand_and_both_ends_belong_to_the_stretch(suite_of: Any) -> None:
    suite = suite_of("customer")
    for day in ("2026-03-01", "2026-03-15", "2026-03-31", "2026-04-01"):
        suite.create("customer.account", {"name": day, "next_action_on": day})
    here = _at(suite, "Pacific/Apia", dt.datetime(2026, 3, 31, 10, 30, tzinfo=dt.UTC))

    def found(word: str) -> list[str]:
        where = ("next_action_on", "within", word)
        return sorted(one["name"] for one in suite.list("customer.account", where, context=here))

    # In Apia it is half past eleven in the evening of the same day, thirteen hours before UTC.
    assert found("today") == ["2026-03-31"]
    assert found("this-month") == ["2026-03-01", "2026-03-15", "2026-03-31"]
    assert found("2026-03-15..2026-04-01") == ["2026-03-15", "2026-03-31", "2026-04-01"]


@pytest.mark.parametrize(
    "where",
    [
        ("next_action_on", "within", "soon"),
        ("next_action_on", "within", ["today"]),
        ("next_action_on", "within", None),
        ("created_at", "within", "9000-01-01..9999-12-31"),
        ("created_at", "within", "0001-01-01..2026-01-01"),
    ],
)
def test_days_that_nobody_can_name_are_refused(suite_of: Any, where: Any) -> None:
    suite = suite_of("customer")
    with refused(400, "bad_parameter", where[0]):
        suite.list("customer.account", where, context=dataclasses.replace(suite.context(), zone="Pacific/Apia"))
    with refused(400, "unknown_operator", "name"):
        suite.list("customer.account", ("name", "within", "today"))
