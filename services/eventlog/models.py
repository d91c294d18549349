"""The tables of eventlog: the log itself, its position per tenant, and how far each subscription was published."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Index, Integer, Table, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis.records import Stored, metadata_of
from contracts import eventlog as contracts

metadata = metadata_of("eventlog")


class EventSubscription(Stored, record=contracts.EventSubscription):
    pass


# The row is locked while a batch is written, so that positions become visible in their order and without gaps.
feed_positions = Table(
    "feed_positions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    info={"ops": True},
)

# `envelope` is the CloudEvent without personal fields; they are in `private`: `{"data": {…}, "previous": {…}}`.
events = Table(
    "events",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Uuid(as_uuid=False), nullable=False),
    Column("type", Text(collation="C"), nullable=False),
    Column("record", Text(collation="C"), nullable=False),
    Column("record_id", Uuid(as_uuid=False), nullable=False),
    Column("version", Integer, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
    Column("owner_id", Uuid(as_uuid=False)),
    Column("team_id", Uuid(as_uuid=False)),
    Column("envelope", JSONB, nullable=False),
    Column("private", JSONB, nullable=False),
    UniqueConstraint("tenant_id", "id"),
    # What was personal may be let go of; nothing else of the log ever changes.
    info={"insert_only": True, "updates": ("envelope", "private")},
)
Index("ix_events_record", events.c.tenant_id, events.c.record, events.c.position)
Index("ix_events_version", events.c.tenant_id, events.c.record_id, events.c.version)

# Apart from the record, because publishing a page is no change of the subscription.
subscription_positions = Table(
    "subscription_positions",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("subscription_id", Uuid(as_uuid=False), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    info={"ops": True},
)
