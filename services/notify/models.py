"""The tables of notify: notifications and deliveries, what waits for the mail server, and reminders."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, Uuid

from chassis.records import Stored, metadata_of
from contracts import notify as contracts

metadata = metadata_of("notify")


class Notification(Stored, record=contracts.Notification):
    pass


class Delivery(Stored, record=contracts.Delivery):
    pass


# Apart from the record, because claiming a delivery is no change of it. The operations role looks for what is due.
delivery_queue = Table(
    "delivery_queue",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("delivery_id", Uuid(as_uuid=False), primary_key=True),
    Column("due_at", DateTime(timezone=True), nullable=False),
    info={"ops": True},
)
Index("ix_delivery_queue_due", delivery_queue.c.due_at)

# What the highest version of an activity says about its reminder; without one, user and time are null.
reminders = Table(
    "reminders",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("activity_id", Uuid(as_uuid=False), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("user_id", Uuid(as_uuid=False)),
    Column("due_at", DateTime(timezone=True)),
    Column("subject", Text, nullable=False),
)
