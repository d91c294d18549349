"""Human numbers: a pattern per record such as `SO-{year}-{seq:05}`, counted per tenant and, where it has one, year."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from contracts.records import Record


def define(metadata: MetaData) -> None:
    Table(
        "counters",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("value", BigInteger, nullable=False),
    )


def next_number(work: Work, record: type[Record]) -> str:
    """The next number of a record. The counter stays locked until the commit: no number is lost or given twice."""
    assert record.number_pattern
    year = work.now.year
    name = f"{record.record_name}:{year}" if "{year}" in record.number_pattern else record.record_name
    value = work.sql(
        "INSERT INTO counters (tenant_id, name, value) VALUES (%s, %s, 1)"
        " ON CONFLICT (tenant_id, name) DO UPDATE SET value = counters.value + 1 RETURNING value",
        (work.tenant, name),
    ).scalar_one()
    return record.number_pattern.format(year=year, seq=value)
