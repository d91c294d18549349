"""The tables of sales. What an account owes is a ledger; `open` of a receivable is the sum of its entries."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from chassis.records import Stored, metadata_of
from contracts import pipelines
from contracts import sales as contracts

metadata = metadata_of("sales")


class Pipeline(Stored, record=pipelines.Pipeline):
    pass


class Opportunity(Stored, record=pipelines.Opportunity):
    pass


class Order(Stored, record=contracts.Order):
    __table_args__ = (CheckConstraint("total >= 0", name="total"),)


class Receivable(Stored, record=contracts.Receivable):
    __table_args__ = (
        UniqueConstraint("tenant_id", "order_id"),
        CheckConstraint("open >= 0", name="open"),
        CheckConstraint("open <= amount", name="amount"),
        Index(
            "ix_receivables_owed",
            "tenant_id",
            "account_id",
            "open_currency",
            postgresql_where=text("status IN ('open', 'partly_paid')"),
        ),
    )


class Payment(Stored, record=contracts.Payment):
    insert_only = True
    repointable = ("account_id",)
    settable = ("allocations", "unallocated", "unallocated_currency")


class CreditNote(Stored, record=contracts.CreditNote):
    insert_only = True
    repointable = ("account_id", "lines")
    settable = ("allocations", "unallocated", "unallocated_currency", "status", "cancel_reason")
    __table_args__ = (CheckConstraint("total >= 0", name="total"),)


class Target(Stored, record=pipelines.Target):
    pass


# Credit that an order holds between its saga's credit step and its receivable.
credit_holds = Table(
    "credit_holds",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("order_id", Uuid(as_uuid=False), primary_key=True),
    Column("account_id", Uuid(as_uuid=False), nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
)
Index("ix_credit_holds_account", credit_holds.c.tenant_id, credit_holds.c.account_id)

# One entry for each effect on what is owed, keyed by what caused it: opened (+), paid (-), reversed (-), refunded (+),
# credited (-) and, when the credit note is cancelled, uncredited (+).
receivable_entries = Table(
    "receivable_entries",
    metadata,
    Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
    Column("id", Uuid(as_uuid=False), primary_key=True),
    Column("receivable_id", Uuid(as_uuid=False), nullable=False),
    Column("account_id", Uuid(as_uuid=False), nullable=False),
    Column("kind", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("tenant_id", "receivable_id", "cause"),
    ForeignKeyConstraint(
        ["tenant_id", "receivable_id"],
        ["receivables.tenant_id", "receivables.id"],
        name="fk_receivable_entries_receivable_id",
    ),
    CheckConstraint(
        "kind IN ('opened', 'paid', 'reversed', 'refunded', 'written_off', 'credited', 'uncredited')", name="kind"
    ),
    # The account is its receivable's, and follows it where a merge leads that.
    info={"insert_only": True, "updates": ("account_id",)},
)
