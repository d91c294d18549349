"""Reminders of planned activities: an alarm at the instant that the latest version of the activity names."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.records import references
from chassis.service import on
from chassis.timers import set_alarm
from contracts.fields import instant, parse_instant
from services.notify.notifications import tell

JSON = dict[str, Any]
REMIND = "remind"


@on("customer.activity.*")
def on_activity(event: JSON, work: Work) -> None:
    """Keep what the highest version says; a completed or deleted activity reminds nobody."""
    data = event["data"]
    planned = data["status"] == "open" and data.get("deleted_at") is None
    due_at = parse_instant(data["remind_at"]) if planned and data.get("remind_at") and data.get("owner_id") else None
    if due_at is not None:
        # Waits here until the user is known, so that the alarm need not wait then.
        references.copy_of(work, "identity.user", data["owner_id"])
    before = work.sql(
        "SELECT version, due_at FROM reminders WHERE tenant_id = %s AND activity_id = %s FOR UPDATE",
        (work.tenant, data["id"]),
    ).first()
    kept = work.sql(
        "INSERT INTO reminders (tenant_id, activity_id, version, user_id, due_at, subject)"
        " VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, activity_id) DO UPDATE SET version = excluded.version, user_id = excluded.user_id,"
        " due_at = excluded.due_at, subject = excluded.subject WHERE reminders.version < excluded.version",
        (work.tenant, data["id"], data["version"], data.get("owner_id"), due_at, data["subject"] or ""),
    )
    # An edit that leaves the time alone must not ring again what has rung.
    if kept.rowcount and (before is None or before.due_at != due_at):
        set_alarm(work, REMIND, data["id"], due_at)


def remind(activity_id: str, work: Work) -> None:
    """The alarm: whoever owns the activity now is told, once for each time that it was set to."""
    row = work.sql(
        "SELECT user_id, due_at, subject FROM reminders WHERE tenant_id = %s AND activity_id = %s",
        (work.tenant, activity_id),
    ).one()
    tell(
        work,
        f"{activity_id} {instant(row.due_at)}",
        [row.user_id],
        (f"Reminder: {row.subject}", f"提醒：{row.subject}"),
        f"activity/{activity_id}",
    )
