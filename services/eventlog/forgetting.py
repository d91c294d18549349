"""What the log lets go of: what was personal in the events of a record that was purged, or whose person was erased.

The event that says so comes like any other. What is older loses its personal part and every text that people wrote,
whenever it comes; who did what when, states and sums stay, and so do all positions.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from chassis.database import Work
from chassis.forgetting import answer_of_follower, let_go_at_once
from chassis.inbox import NotYet
from chassis.records import redacting
from contracts.erasing import spoken
from contracts.registry import registry

JSON = dict[str, Any]
ENDS = (".purged", ".erased")
EMPTY = '{"data": {}, "previous": {}}'


def let_go(work: Work, record_ids: Collection[str]) -> int:
    """Empty the events of these records that are older than their latest end. Returns how many events that were."""
    emptied = 0
    for record, record_id, kind, version in _ended(work, record_ids):
        older = (work.tenant, record_id, version)
        emptied += work.sql(
            "UPDATE events SET private = %s WHERE tenant_id = %s AND record_id = %s AND version < %s AND private <> %s",
            (EMPTY, *older, EMPTY),
        ).rowcount
        if kind.endswith(".erased") and record in registry.records:
            names = spoken(registry.records[record])
            work.sql(
                "UPDATE events SET envelope = jsonb_set(jsonb_set(envelope, '{data}', (envelope->'data') - %s::text[]),"
                " '{data,previous}', coalesce(envelope->'data'->'previous', '{}') - %s::text[])"
                " WHERE tenant_id = %s AND record_id = %s AND version < %s",
                (names, names, *older),
            )
    return emptied


def _ended(work: Work, record_ids: Collection[str]) -> list[Any]:
    if not record_ids:
        return []
    return list(
        work.rows(
            "SELECT DISTINCT ON (record_id) record, record_id, type, version FROM events"
            " WHERE tenant_id = %s AND record_id = ANY(%s::uuid[]) AND (type LIKE %s OR type LIKE %s)"
            " ORDER BY record_id, version DESC",
            (work.tenant, list(record_ids), "%.purged", "%.erased"),
        )
    )


def take_out(request: Any, work: Work) -> JSON:
    """The log's part in erasing a person: once everything that names him no more has come, take his words out of the
    older events of records that did. His own events were emptied by the event of his erasure."""
    named = [(one.id, one.version) for one in request.also]
    _wait_for(work, [(request.id, request.version), *named])
    mine = let_go_at_once(request, work)
    words, changed = redacting.Words(request.words), 0
    for row in work.rows(
        "SELECT position, envelope, private FROM events WHERE tenant_id = %s AND record_id = ANY(%s::uuid[])",
        (work.tenant, [record_id for record_id, _ in named]),
    ):
        before = [row.envelope["data"], row.private]
        after = words.out_of(before)
        if after != before:
            changed += 1
            work.later(
                "UPDATE events SET envelope = %s, private = %s WHERE tenant_id = %s AND position = %s",
                (_json({**row.envelope, "data": after[0]}), _json(after[1]), work.tenant, row.position),
            )
    (own,) = work.rows(
        "SELECT count(*) FROM events WHERE tenant_id = %s AND record_id = %s AND version < %s",
        (work.tenant, request.id, request.version),
    )
    counts = {"events of the record": own[0]} if not request.after or request.after == "0" else {}
    counts |= {"events that named the person": changed} if changed else {}
    return answer_of_follower(request, mine, counts)


def _wait_for(work: Work, versions: list[tuple[str, int]]) -> None:
    """Every version up to these must be in the log: what comes later would bring the words back."""
    rows = work.rows(
        "SELECT w.id FROM unnest(%s::uuid[], %s::int[]) AS w (id, version) WHERE w.version >"
        " (SELECT count(*) FROM events AS e WHERE e.tenant_id = %s AND e.record_id = w.id AND e.version <= w.version)"
        " LIMIT 1",
        ([one for one, _ in versions], [version for _, version in versions], work.tenant),
    )
    if rows:
        raise NotYet("The log has yet to hear of what was erased.")


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
