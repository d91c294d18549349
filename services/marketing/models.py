"""The tables of marketing, and what is known of each order's points."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, UniqueConstraint, Uuid

from chassis.records import Stored, metadata_of
from contracts import marketing as contracts

metadata = metadata_of("marketing")


class Campaign(Stored, record=contracts.Campaign):
    pass


class Lead(Stored, record=contracts.Lead):
    pass


class Segment(Stored, record=contracts.Segment):
    pass


class PointAccount(Stored, record=contracts.PointAccount):
    __table_args__ = (UniqueConstraint("tenant_id", "account_id"),)


class PointEntry(Stored, record=contracts.PointEntry):
    insert_only = True


# What each order's entries must sum to, by the highest version seen of its receivable: events may arrive twice and in
# any order. `history` is true once any event showed that the receivable was imported.
order_points = Table(
    "order_points",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("order_id", Uuid(as_uuid=False), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("account_id", Uuid(as_uuid=False), nullable=False),
    Column("target", BigInteger, nullable=False),
    Column("history", Boolean, nullable=False),
)
Index("ix_order_points_account", order_points.c.tenant_id, order_points.c.account_id)
