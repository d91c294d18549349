"""Durable alarms: something of one tenant that is to happen at a time, and does so once, restarts or not."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, Uuid

if TYPE_CHECKING:
    from chassis.database import Work


def define(metadata: MetaData) -> None:
    table = Table(
        "timers",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("due_at", DateTime(timezone=True), nullable=False),
    )
    Index("ix_timers_due", table.c.due_at)


def set_alarm(work: Work, name: str, key: str, due_at: dt.datetime | None) -> None:
    """Set, move or (with None) remove the alarm of this name for `key`, an id of the service's own."""
    if due_at is None:
        work.later("DELETE FROM timers WHERE tenant_id = %s AND name = %s AND key = %s", (work.tenant, name, key))
        return
    work.later(
        "INSERT INTO timers (tenant_id, name, key, due_at) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, name, key) DO UPDATE SET due_at = excluded.due_at",
        (work.tenant, name, key, due_at),
    )


def take(work: Work, name: str, key: str) -> bool:
    """Take a due alarm in the transaction of its effect; False when another process took or moved it."""
    return (
        work.sql(
            "DELETE FROM timers WHERE tenant_id = %s AND name = %s AND key = %s AND due_at <= %s",
            (work.tenant, name, key, work.now),
        ).rowcount
        == 1
    )
