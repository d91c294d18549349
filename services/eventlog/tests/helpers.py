"""Events as the services publish them, made by hand."""

from __future__ import annotations

from typing import Any

from chassis.bus.wire import encode
from chassis.ids import new_id

JSON = dict[str, Any]


def event(suite: Any, kind: str, *, tenant: str | None = None, **data: Any) -> JSON:
    """An event of the suite's tenant; `data` needs no more than what is special about it."""
    service, record, _ = kind.split(".")
    made: JSON = {"id": new_id(), "version": 1, "deleted_at": None, "owner_id": None, "team_id": None}
    made |= {"changed": [], "previous": {}} | data
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": f"/{service}",
        "type": kind,
        "subject": f"{record}/{made['id']}",
        "time": "2026-01-02T03:04:05Z",
        "datacontenttype": "application/json",
        "dataschema": f"/events/{kind}.v1",
        "tenant": tenant or suite.tenant,
        "actor": "service:test",
        "version": made["version"],
        "correlationid": new_id(),
        "causationid": "",
        "data": made,
    }


def orders(suite: Any, count: int, **data: Any) -> list[JSON]:
    return [event(suite, "sales.order.placed", **data) for _ in range(count)]


def deliver(suite: Any, *events: JSON) -> None:
    suite.runtime("eventlog").events([encode(one) for one in events])


def feed(suite: Any, after: int = 0, *, types: list[str] | None = None, limit: int = 100, **options: Any) -> JSON:
    params = {"after": after, "types": types, "limit": limit}
    answer: JSON = suite.call("eventlog", "eventlog.feed", params, **options)
    return answer
