import datetime as dt

import pytest

from chassis.ids import new_id
from contracts.fields import instant
from services.notify.tests.helpers import publish, user


@pytest.fixture
def suite(suite_of):
    return suite_of("notify")


@pytest.fixture
def nancy(suite):
    return user(suite)


def planned(suite, nancy, *, kind="created", version=1, hours=1.0, **data):
    """An activity whose reminder is due in so many hours of the test's clock."""
    made = {"status": "open", "subject": "Call Bo", "owner_id": nancy, "version": version}
    made["remind_at"] = None if hours is None else instant(suite.clock.now() + dt.timedelta(hours=hours))
    return publish(suite, f"customer.activity.{kind}", {**made, **data})["data"]


def later(suite, hours):
    suite.clock.forward(hours=hours)
    suite.runtime("notify").ring_alarms()
    return [one["title"] for one in suite.list("notify.notification")]


def test_a_reminder_comes_at_its_time_and_not_before(suite, nancy):
    activity = planned(suite, nancy)
    assert later(suite, 0.9) == []
    assert later(suite, 0.2) == ["Reminder: Call Bo"]
    assert later(suite, 24) == ["Reminder: Call Bo"]
    (one,) = suite.list("notify.notification")
    assert (one["owner_id"], one["about"]) == (nancy, f"activity/{activity['id']}")


def test_a_moved_reminder_comes_at_the_new_time_only(suite, nancy):
    activity = planned(suite, nancy)
    planned(suite, nancy, kind="updated", version=2, hours=5, id=activity["id"])
    assert later(suite, 2) == []
    assert later(suite, 4) == ["Reminder: Call Bo"]


def test_a_reminder_moved_after_it_came_comes_again(suite, nancy):
    activity = planned(suite, nancy)
    assert len(later(suite, 2)) == 1
    planned(suite, nancy, kind="updated", version=2, hours=1, id=activity["id"])
    assert len(later(suite, 2)) == 2


def test_an_edit_that_leaves_the_time_alone_does_not_remind_again(suite, nancy):
    activity = planned(suite, nancy)
    assert len(later(suite, 2)) == 1
    data = {"id": activity["id"], "remind_at": activity["remind_at"], "subject": "Call Bo now"}
    planned(suite, nancy, kind="updated", version=2, **data)
    planned(suite, user(suite), kind="updated", version=3, **data)
    assert len(later(suite, 2)) == 1


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("completed", {"status": "completed"}),
        ("deleted", {"deleted_at": "2026-01-02T03:04:05Z"}),
        ("updated", {"remind_at": None}),
        ("updated", {"owner_id": None}),
    ],
)
def test_what_is_done_deleted_or_withdrawn_reminds_nobody(suite, nancy, kind, data):
    activity = planned(suite, nancy)
    planned(suite, nancy, kind=kind, version=2, id=activity["id"], **data)
    assert later(suite, 2) == []


def test_an_older_version_that_comes_late_changes_nothing(suite, nancy):
    activity = new_id()
    planned(suite, nancy, kind="completed", version=3, id=activity, status="completed")
    planned(suite, nancy, version=1, id=activity)
    planned(suite, nancy, kind="updated", version=2, id=activity, hours=0.5)
    assert later(suite, 2) == []


def test_a_restored_activity_reminds_again(suite, nancy):
    activity = planned(suite, nancy)
    data = {"id": activity["id"], "remind_at": activity["remind_at"]}
    planned(suite, nancy, kind="deleted", version=2, deleted_at="2026-01-02T03:04:05Z", **data)
    planned(suite, nancy, kind="restored", version=3, **data)
    assert later(suite, 2) == ["Reminder: Call Bo"]


def test_the_present_owner_is_reminded(suite, nancy):
    activity, bob = planned(suite, nancy), user(suite)
    data = {"id": activity["id"], "remind_at": activity["remind_at"]}
    planned(suite, bob, kind="updated", version=2, **data)
    later(suite, 2)
    assert [one["owner_id"] for one in suite.list("notify.notification")] == [bob]


def test_a_reminder_that_fell_into_a_pause_of_the_service_comes_when_it_is_back(suite, suite_of, nancy):
    planned(suite, nancy)
    again = suite_of("notify")
    again.tenant, again.user_id = suite.tenant, suite.user_id
    again.clock.forward(hours=30)
    assert again.runtime("notify").ring_alarms() >= 1
    assert [one["title"] for one in again.list("notify.notification")] == ["Reminder: Call Bo"]
    assert again.runtime("notify").ring_alarms() == 0
