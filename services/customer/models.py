"""The tables of customer, and the projections behind the overview."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Index, Integer, Numeric, Table, Text, Uuid

from chassis.records import Stored, metadata_of
from contracts import customer as contracts

metadata = metadata_of("customer")


class Account(Stored, record=contracts.Account):
    pass


class Contact(Stored, record=contracts.Contact):
    pass


class Group(Stored, record=contracts.Group):
    pass


class Activity(Stored, record=contracts.Activity):
    pass


class Interaction(Stored, record=contracts.Interaction):
    pass


# One row for each record that says something about an account, in the highest version seen: the overview is sums over
# these rows, so that events may arrive twice and in any order.
facts = Table(
    "account_facts",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("record", Text, primary_key=True),
    Column("record_id", Uuid(as_uuid=False), primary_key=True),
    Column("account_id", Uuid(as_uuid=False)),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("status", Text),
    Column("number", Text),
    Column("title", Text),
    Column("amount", Numeric),
    Column("currency", Text),
    Column("happened_on", Date),
    Column("happened_at", DateTime(timezone=True)),
    Column("count", BigInteger),
)
Index("ix_account_facts_account", facts.c.tenant_id, facts.c.account_id, facts.c.record, facts.c.record_id)
