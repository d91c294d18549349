"""The change row: history, event and outbox at once, written in the transaction of the change.

`unsent` names what the relay still has to publish: change rows by their key, or messages of sagas with their body.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Identity, Integer, LargeBinary, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from chassis.ids import new_id
from contracts.fields import instant
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]
COMMANDS_EXCHANGE = "guanxi.commands"


@dataclass(slots=True)
class Change:
    """One version of one record. `snapshot` is the record after it, `previous` the values before of what changed;
    personal fields are only in `private`: `{"snapshot": {…}, "previous": {…}}`."""

    record: str
    record_id: str
    version: int
    type: str
    changed: list[str]
    previous: JSON
    snapshot: JSON
    private: JSON
    at: dt.datetime
    id: str = field(default_factory=new_id)


@dataclass(slots=True)
class Message:
    """A saga's command or reply for another service."""

    service: str
    body: bytes
    id: str


def define(metadata: MetaData) -> None:
    """The tables of this room in a service's database."""
    Table(
        "changes",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record_id", Uuid(as_uuid=False), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("at", DateTime(timezone=True), primary_key=True),
        Column("id", Uuid(as_uuid=False), nullable=False),
        Column("record", Text, nullable=False),
        Column("type", Text, nullable=False),
        Column("changed", JSONB, nullable=False),
        Column("previous", JSONB, nullable=False),
        Column("snapshot", JSONB, nullable=False),
        Column("private", JSONB, nullable=False),
        Column("actor", Text, nullable=False),
        Column("cause", Text, nullable=False),
        Column("correlation_id", Text, nullable=False),
        Column("causation_id", Text, nullable=False),
        Column("traceparent", Text, nullable=False),
        postgresql_partition_by="RANGE (at)",
    )
    Table(
        "unsent",
        metadata,
        Column("seq", BigInteger, Identity(always=True), primary_key=True),
        Column("tenant_id", Uuid(as_uuid=False), nullable=False),
        Column("record_id", Uuid(as_uuid=False)),
        Column("version", Integer),
        Column("at", DateTime(timezone=True)),
        Column("message_id", Uuid(as_uuid=False)),
        Column("service", Text),
        Column("body", LargeBinary),
        Column("queued_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    )


_BATCH = 500
# The rows travel as one JSON text: a batch of 500 costs half of what it costs as placeholders, a single row less too.
_WRITTEN = (
    "WITH written AS (INSERT INTO changes (tenant_id, actor, cause, correlation_id, causation_id, traceparent,"
    " record_id, version, at, id, record, type, changed, previous, snapshot, private)"
    " SELECT %s::uuid, %s, %s, %s, %s, %s, r.* FROM jsonb_to_recordset(%s::jsonb) AS r(record_id uuid, version int,"
    " at timestamptz, id uuid, record text, type text, changed jsonb, previous jsonb, snapshot jsonb, private jsonb)"
    " RETURNING tenant_id, record_id, version, at) "
)
_UNSENT = "INSERT INTO unsent (tenant_id, record_id, version, at, message_id, service, body) "
_OF_WRITTEN = "SELECT tenant_id, record_id, version, at, NULL::uuid, NULL::text, NULL::bytea FROM written"
_MESSAGE = "(%s::uuid, NULL::uuid, NULL::int, NULL::timestamptz, %s::uuid, %s, %s)"


def write(work: Work, *, ending: str = "") -> None:
    """Append the collected changes and messages: one statement for up to 500 of them, the last followed by `ending`."""
    context = work.context
    changes, work.changes = work.changes, []
    messages, work.messages = work.messages, []
    for start in range(0, max(len(changes), 1), _BATCH):
        part = changes[start : start + _BATCH]
        sent = messages if start == 0 else []
        parameters: list[Any] = []
        statement, sources = "", []
        if part:
            statement = _WRITTEN
            sources.append(_OF_WRITTEN)
            parameters += (
                context.tenant,
                context.actor,
                context.cause,
                context.correlation_id,
                context.causation_id,
                context.traceparent,
                orjson.dumps(part).decode(),
            )
        if sent:
            sources.append("VALUES " + ", ".join([_MESSAGE] * len(sent)))
            for message in sent:
                parameters += (context.tenant, message.id, message.service, message.body)
        statement += _UNSENT + " UNION ALL ".join(sources)
        last = start + _BATCH >= len(changes)
        work.sql(statement, parameters, ending=ending if last else "")


COLUMNS = (
    "tenant_id, record_id, version, at, id, record, type, changed, previous, snapshot, private, actor, cause,"
    " correlation_id, causation_id, traceparent"
)


def envelope(row: Any) -> JSON:
    """The CloudEvent 1.0 of a change row (structured mode). `data` is the record, with `changed` and `previous`."""
    record = registry.named(row.record)
    assert record is not None
    event = registry.events.get(row.type)
    private = row.private
    data = {**row.snapshot, **private.get("snapshot", {})}
    data["changed"] = row.changed
    data["previous"] = {**row.previous, **private.get("previous", {})}
    document = {
        "specversion": "1.0",
        "id": str(row.id),
        "source": f"/{record.service}",
        "type": row.type,
        "subject": f"{record.singular}/{row.record_id}",
        "time": instant(row.at),
        "datacontenttype": "application/json",
        "dataschema": f"/events/{row.type}.v{event.schema_version if event else 1}",
        "tenant": str(row.tenant_id),
        "actor": row.actor,
        "version": row.version,
        "correlationid": row.correlation_id,
        "causationid": row.causation_id,
        "data": data,
    }
    if row.traceparent:
        document["traceparent"] = row.traceparent
    return document
