"""What search does with events: each tenant's documents go into the index in portions, newest versions only."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

from chassis.ahead import ahead
from chassis.definitions import CUSTOM, DEFINED
from chassis.records import references
from contracts.fields import parse_instant
from services.search import recents, synonyms
from services.search.index import index_of
from services.search.mapping import Document, document_of, newest

JSON = dict[str, Any]
PORTION = 400
"""Documents that are written at once; while they are, the next ones are made."""


def take_in(runtime: Any, events: list[JSON]) -> None:
    """Index a batch of events. Repeats and older versions change nothing, in whatever order they come."""
    by_tenant: dict[str, list[JSON]] = {}
    for event in events:
        by_tenant.setdefault(event["tenant"], []).append(event)
    for tenant, own in by_tenant.items():
        _take_in(runtime, tenant, own)
        recents.take_in(runtime, tenant, own)


def _take_in(runtime: Any, tenant: str, events: list[JSON]) -> None:
    """In portions: while the database keeps one, the next is told to Elasticsearch, and the one after that is made."""
    index = index_of(runtime)
    portions = [events[start : start + PORTION] for start in range(0, len(events), PORTION)]
    made = ((portion, documents_of(runtime, tenant, portion)) for portion in portions)
    if len(portions) == 1:
        for portion, documents in made:
            index.take(tenant, documents, _newest(portion), index.send(tenant, documents))
        return
    with closing(ahead(made)) as told:
        sent = ((portion, documents, index.send(tenant, documents)) for portion, documents in told)
        with closing(ahead(sent)) as coming:
            for portion, documents, answer in coming:
                index.take(tenant, documents, _newest(portion), answer)


def _newest(events: list[JSON]) -> dt.datetime:
    return max(parse_instant(event["time"]) for event in events)


def documents_of(runtime: Any, tenant: str, events: list[JSON]) -> list[Document]:
    """The documents of one tenant's events, of each record the newest one."""
    _keep_synonyms(runtime, tenant, events)
    words = _custom_words(runtime, tenant, events)
    return newest([document for event in events if (document := document_of(event, words)) is not None])


def _keep_synonyms(runtime: Any, tenant: str, events: list[JSON]) -> None:
    found = [event for event in events if event["type"].startswith(f"{synonyms.RECORD}.")]
    if found:
        with runtime.database.work(runtime.principal(tenant, "event:search")) as work:
            for event in found:
                references.keep(work, event, synonyms.FIELDS)
        synonyms.forget(runtime, tenant)


def _custom_words(runtime: Any, tenant: str, events: list[JSON]) -> dict[str, frozenset[str]]:
    """The custom fields that the tenant wants found, by collection; definitions among the events count at once."""
    defined = [event for event in events if event["type"].startswith(f"{CUSTOM}.")]
    if not defined and not any(event["data"].get("custom") for event in events):
        return {}
    with runtime.database.work(runtime.principal(tenant, "event:search")) as work:
        for event in defined:
            references.keep(work, event, DEFINED[CUSTOM])
        if defined:
            runtime.definitions.forget(tenant)
        return runtime.definitions.searched(work)
