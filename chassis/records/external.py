"""External ids: `{system: id}` of a record, unique per tenant, record and system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, Table, Text, Uuid

from chassis.errors import conflict

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.stored import Stored


def define(metadata: MetaData) -> None:
    Table(
        "external_ids",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("system", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("record_id", Uuid(as_uuid=False), nullable=False),
    )


def add(work: Work, record: str, entities: Sequence[Stored]) -> None:
    """Take the external ids of these records, or refuse with 409 that names who has one already."""
    wanted = [
        (work.tenant, record, system, key, entity.id)
        for entity in entities
        for system, key in (entity.__dict__["external_ids"] or {}).items()
    ]
    if not wanted:
        return
    taken = work.sql(
        "INSERT INTO external_ids (tenant_id, record, system, key, record_id) VALUES "
        + ", ".join(["(%s, %s, %s, %s, %s)"] * len(wanted))
        + " ON CONFLICT DO NOTHING",
        [value for row in wanted for value in row],
    ).rowcount
    if taken == len(wanted):
        return
    for _, _, system, key, record_id in wanted:
        other = find(work, record, system, key)
        if other != record_id:
            raise conflict(
                "external_id_taken",
                f"Another record has the external id {key} of {system}.",
                field=f"external_ids.{system}",
                id=other,
            )
    raise conflict("external_id_taken", "Two of these records have the same external id.", field="external_ids")


def remove(work: Work, record: str, entity: Stored) -> None:
    forget(work, record, entity.id)


def forget(work: Work, record: str, record_id: str) -> None:
    """The external ids of a record are free for others."""
    work.sql(
        "DELETE FROM external_ids WHERE tenant_id = %s AND record = %s AND record_id = %s",
        (work.tenant, record, record_id),
    )


def replace(work: Work, record: str, entity: Stored) -> None:
    remove(work, record, entity)
    add(work, record, [entity])


def hand_over(work: Work, record: str, system: str, key: str, record_id: str) -> None:
    """Let this record have an external id that another one, which it stands for, had before."""
    work.later(
        "INSERT INTO external_ids (tenant_id, record, system, key, record_id) VALUES (%s, %s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, record, system, key) DO UPDATE SET record_id = excluded.record_id",
        (work.tenant, record, system, key, record_id),
    )


def find(work: Work, record: str, system: str, key: str) -> str | None:
    """The id of the record that has this external id."""
    row = work.sql(
        "SELECT record_id FROM external_ids WHERE tenant_id = %s AND record = %s AND system = %s AND key = %s",
        (work.tenant, record, system, key),
    ).first()
    return None if row is None else row[0]
