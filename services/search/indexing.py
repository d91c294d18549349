"""What search does with events: each tenant's documents go into the index in one transaction, newest versions only."""

from __future__ import annotations

from typing import Any

from contracts.fields import parse_instant
from services.search.index import index_of
from services.search.mapping import document_of, newest

JSON = dict[str, Any]


def take_in(runtime: Any, events: list[JSON]) -> None:
    """Index a batch of events. Repeats and older versions change nothing, in whatever order they come."""
    by_tenant: dict[str, list[JSON]] = {}
    for event in events:
        by_tenant.setdefault(event["tenant"], []).append(event)
    for tenant, own in by_tenant.items():
        documents = [document for event in own if (document := document_of(event)) is not None]
        index_of(runtime).take(tenant, newest(documents), max(parse_instant(event["time"]) for event in own))
