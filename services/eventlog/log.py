"""Writing the log: batches of events become rows with dense positions."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

import orjson
from marshmallow import ValidationError

from chassis import inbox
from chassis.bus.wire import encode
from chassis.database import Work
from chassis.records import references
from contracts.fields import parse_instant, parse_uuid
from contracts.registry import registry
from services.eventlog import forgetting
from services.eventlog.feed import logged_as

JSON = dict[str, Any]
log = logging.getLogger("guanxi")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event on its way into the log, taken apart into what is searched, what is public and what is personal."""

    tenant: str
    id: str
    type: str
    record: str
    record_id: str
    version: int
    time: dt.datetime
    owner_id: str | None
    team_id: str | None
    envelope: JSON
    private: JSON

    @classmethod
    def of(cls, event: JSON) -> Entry:
        """Raises KeyError, TypeError, ValueError or ValidationError for what is no event of this suite."""
        data = event["data"]
        record = str(event["type"]).rsplit(".", 1)[0]
        before = data.get("previous") or {}
        personal = _personal(record, data)
        public = {name: value for name, value in data.items() if name not in personal}
        if "previous" in data:
            public["previous"] = {name: value for name, value in before.items() if name not in personal}
        return cls(
            tenant=parse_uuid(event["tenant"]),
            id=parse_uuid(event["id"]),
            type=event["type"],
            record=logged_as(record, str(data.get("about_type"))),
            record_id=parse_uuid(data["id"]),
            version=int(data["version"]),
            time=parse_instant(event["time"]),
            owner_id=data.get("owner_id"),
            team_id=data.get("team_id"),
            envelope={**event, "data": public},
            private={
                "data": {name: value for name, value in data.items() if name in personal},
                "previous": {name: value for name, value in before.items() if name in personal},
            },
        )


def _personal(record: str, data: JSON) -> set[str]:
    declared = registry.named(record)
    if declared is None:
        # Declared by a newer release than this one: which of its fields are personal is not known, so all may be.
        return set(data) - {"id", "version", "changed", "previous", "deleted_at", "owner_id", "team_id"}
    return {name for name, field in declared.declared().items() if field.pii}


def append(runtime: Any, events: list[JSON]) -> None:
    """Put a batch into the log: one transaction for each tenant in it. Events that are in the log change nothing."""
    tenants: dict[str, dict[str, Entry]] = {}
    for event in events:
        try:
            entry = Entry.of(event)
        except (KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
            # Kept apart, or it would come again and again and hold up every event behind it.
            log.warning("an event that nobody can read was set aside: %s", error)
            inbox.bury(runtime.database, "evt-eventlog", encode(event), {}, f"no event: {error!r}")
            continue
        tenants.setdefault(entry.tenant, {}).setdefault(entry.id, entry)
    for tenant, entries in tenants.items():
        with runtime.database.work(runtime.principal(tenant, "event:batch")) as work:
            _append(work, entries)
            for entry in entries.values():
                # A heavy reader has no reactions, so its copies of users are kept here.
                if entry.record in runtime.copies:
                    whole = {**entry.envelope["data"], **entry.private["data"]}
                    references.keep(work, {**entry.envelope, "data": whole}, runtime.copies[entry.record])


def _append(work: Work, entries: dict[str, Entry]) -> None:
    # Makes the tenant's counter or locks it, whichever batch comes first.
    position: int = work.sql(
        "INSERT INTO feed_positions AS p (tenant_id, position) VALUES (%s, 0)"
        " ON CONFLICT (tenant_id) DO UPDATE SET position = p.position RETURNING position",
        (work.tenant,),
    ).scalar_one()
    # Looked up behind the lock: whatever another batch wrote is committed and seen.
    known = set(
        work.sql(
            "SELECT id FROM events WHERE tenant_id = %s AND id = ANY(%s::uuid[])", (work.tenant, list(entries))
        ).scalars()
    )
    fresh = [entry for entry in entries.values() if entry.id not in known]
    if not fresh:
        return
    # As one JSON text, so that a batch of any length is the same statement, which is planned once.
    work.later(
        "INSERT INTO events (tenant_id, position, id, type, record, record_id, version, time, owner_id, team_id,"
        " envelope, private) SELECT tenant, %s::bigint + ordinality, id, type, record, record_id, version, time,"
        " owner_id, team_id, envelope, private FROM ROWS FROM (jsonb_to_recordset(%s::jsonb) AS (tenant uuid, id uuid,"
        " type text, record text, record_id uuid, version int, time timestamptz, owner_id uuid, team_id uuid,"
        " envelope jsonb, private jsonb)) WITH ORDINALITY",
        (position, orjson.dumps(fresh).decode()),
    )
    work.later("UPDATE feed_positions SET position = %s WHERE tenant_id = %s", (position + len(fresh), work.tenant))
    # Late ones too: the end of their record may be in the log already.
    ended = (entry for entry in fresh if any(entry.private.values()) or entry.type.endswith(forgetting.ENDS))
    forgetting.let_go(work, {entry.record_id for entry in ended})
