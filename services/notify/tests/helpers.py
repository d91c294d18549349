"""Events of services that a test does not start, delivered as unkindly as all others."""

from __future__ import annotations

from typing import Any

from chassis.bus.ports import Outgoing
from chassis.bus.wire import encode
from chassis.ids import new_id

JSON = dict[str, Any]


def publish(suite: Any, kind: str, data: JSON, *, event_id: str | None = None) -> JSON:
    """Let an event happen; `data` needs no more than what is special about it."""
    service, record, _ = kind.split(".")
    data = {
        "id": new_id(),
        "version": 1,
        "deleted_at": None,
        "owner_id": None,
        "team_id": None,
        "changed": [],
        "previous": {},
        **data,
    }
    event: JSON = {
        "specversion": "1.0",
        "id": event_id or new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{data['id']}",
        "time": "2026-01-02T03:04:05Z",
        "tenant": suite.tenant,
        "actor": "service:test",
        "correlationid": new_id(),
        "causationid": "",
        "version": data["version"],
        "data": data,
    }
    suite.bus.publish([Outgoing(f"{service}.events", kind, event["id"], encode(event))])
    return event


def user(suite: Any, **fields: Any) -> str:
    """A user whom the services have heard of. Returns his id."""
    made: JSON = {"id": new_id(), "name": "Nancy", "email": "nancy@example.com", "status": "active", "locale": "en"}
    made |= {"member_of": [], "gets_copies": False} | fields
    publish(suite, "identity.user.created", made)
    user_id: str = made["id"]
    return user_id
