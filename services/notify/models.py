"""The tables of notify: notifications, deliveries, what waits for the mail server, reminders, and webhooks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text, UniqueConstraint, Uuid, text

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


class Following(Stored, record=contracts.Following):
    __table_args__ = (
        Index(
            "uq_followings_about",
            "tenant_id",
            "user_id",
            "about_key",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )


# How far the feed was read for those who follow records; a tenant where nobody does has no row.
following_positions = Table(
    "following_positions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    info={"ops": True},
)


# Records that were merged into another one, by subject (`account/<id>`): who follows such a one follows its survivor.
# `into_subject` is null again once a merge was taken back; the highest version of the merged record counts.
merged_subjects = Table(
    "merged_subjects",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("subject", Text(collation="C"), primary_key=True),
    Column("into_subject", Text(collation="C")),
    Column("version", Integer, nullable=False),
)
Index("ix_merged_subjects_into_subject", merged_subjects.c.tenant_id, merged_subjects.c.into_subject)


class Webhook(Stored, record=contracts.Webhook):
    pass


class WebhookDelivery(Stored, record=contracts.WebhookDelivery):
    """Apart from the declared fields, `position` says where the event lies in the feed; a test has none."""

    # The operations role looks for what is due.
    ops = True
    __table_args__ = (
        Column("position", BigInteger),
        UniqueConstraint("tenant_id", "webhook_id", "event_id"),
        Index(
            "ix_webhook_deliveries_waiting",
            "webhook_id",
            "due_at",
            postgresql_where=text("status = 'pending'"),
        ),
    )


# How far the feed was read for each webhook, and how its address is doing. `rest_until`: nobody calls it before that.
webhook_positions = Table(
    "webhook_positions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("webhook_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", DateTime(timezone=True)),
    Column("rest_until", DateTime(timezone=True)),
    info={"ops": True},
)

# From what each webhook's secret is derived together with the installation's key; the secret itself is kept nowhere.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("webhook_id", Uuid(as_uuid=False), primary_key=True),
    Column("salt", Text, nullable=False),
    Column("previous", Text),
    Column("previous_until", DateTime(timezone=True)),
)
