"""Candidates for twins: a table of keys, kept with every write, and the answer that scores who shares some.

Which fields are compared, and how, a record declares (`likeness=`); what the kinds mean, `chassis.likeness` says. Keys
are plain text of equal order in every locale, so that looking one up is an index range under row-level security.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, MetaData, Table, Text, Uuid

from chassis import likeness
from chassis.errors import bad_request
from chassis.records.lists import branches_of
from contracts.merging import MOST_TWINS, USUAL_TWINS
from contracts.records import Record

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
Keys = set[tuple[str, str]]
"""Kind and key."""
MOST_KEYS_OF_A_FIELD = 40
MOST_LOOKED_UP = 60
# What more records have in common says nothing about two of them, and would cost the most.
MOST_OF_A_KEY = 500
MOST_CANDIDATES = 200
# The limit keeps the planner from joining the other way round, over all keys of the tenant, when statistics are old.
OF_A_KEY = (
    "SELECT d.id FROM duplicate_keys AS d"
    " WHERE d.tenant_id = %s AND d.record = %s AND d.kind = mine.kind AND d.key = mine.key LIMIT %s"
)


def define(metadata: MetaData) -> None:
    Table(
        "duplicate_keys",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("record", Text, primary_key=True),
        Column("kind", Text(collation="C"), primary_key=True),
        Column("key", Text(collation="C"), primary_key=True),
        Column("id", Uuid(as_uuid=False), primary_key=True),
    )


def keys_of(record: type[Record], document: JSON | None) -> Keys:
    """The keys of a record's wire form: none when there is no record, or a deleted one."""
    if document is None or document.get("deleted_at") is not None:
        return set()
    found: Keys = set()
    for name, (kind, _) in record.likeness.items():
        keys = likeness.keys(kind, likeness.normal(kind, document.get(name)))
        for key in keys if len(keys) <= MOST_KEYS_OF_A_FIELD else sorted(keys)[:MOST_KEYS_OF_A_FIELD]:
            of, _, value = key.partition(":")
            found.add((of, value))
    return found


def concerned(record: type[Record], changed: Collection[str]) -> bool:
    """Whether these changes may make other keys of a record."""
    return bool(record.likeness) and ("deleted_at" in changed or not record.likeness.keys().isdisjoint(changed))


def rows_of(record: type[Record], documents: Sequence[JSON]) -> list[tuple[str, str, str]]:
    """The keys of new records, by their wire forms, as `add` takes them."""
    return [(*key, document["id"]) for document in documents for key in sorted(keys_of(record, document))]


def add(work: Work, record: type[Record], rows: Sequence[tuple[str, str, str]]) -> None:
    """Keep the keys of new records: one statement, which goes with the next one."""
    _insert(work, record, rows)


def change(work: Work, record: type[Record], before: JSON, after: JSON) -> None:
    """Bring the keys of a record from what it was to what it is."""
    had, has = keys_of(record, before), keys_of(record, after)
    gone = had - has
    for kind in sorted({kind for kind, _ in gone}):
        work.later(
            "DELETE FROM duplicate_keys"
            " WHERE tenant_id = %s AND record = %s AND kind = %s AND key = ANY(%s) AND id = %s",
            (work.tenant, record.record_name, kind, sorted(key for of, key in gone if of == kind), after["id"]),
        )
    _insert(work, record, [(*key, after["id"]) for key in sorted(has - had)])


def _insert(work: Work, record: type[Record], rows: Sequence[tuple[str, str, str]]) -> None:
    if rows:
        work.later(
            "INSERT INTO duplicate_keys (tenant_id, record, kind, key, id) SELECT %s, %s, kind, key, id"
            " FROM unnest(%s::text[], %s::text[], %s::uuid[]) AS new (kind, key, id) ON CONFLICT DO NOTHING",
            (work.tenant, record.record_name, *_columns(rows)),
        )


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def find(work: Work, store: Store[Any], record_id: str, limit: int | None = None) -> JSON:
    """Records that may be the same as this one, the likeliest first, with what speaks for it.

    `skipped` are keys that too many records have to be looked up. What the principal may not see is not compared.
    """
    most = USUAL_TWINS if limit is None else limit
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= MOST_TWINS:
        raise bad_request("bad_parameter", f"A page has 1 to {MOST_TWINS} records.", "limit")
    mine = store.get(work, record_id)
    looked_up, skipped = _rare(work, store, keys_of(store.record, mine))
    found: list[JSON] = []
    for theirs in _candidates(work, store, mine["id"], looked_up):
        score, reasons = compare(store.record, mine, theirs)
        if score >= likeness.THRESHOLD:
            found.append({"record": theirs, "score": score, "reasons": reasons})
    found.sort(key=lambda one: (-one["score"], one["record"]["id"]))
    return {"items": found[:most], "skipped": [f"{kind}:{key}" for kind, key in skipped]}


def compare(record: type[Record], mine: JSON, theirs: JSON) -> tuple[float, list[JSON]]:
    """How likely two wire forms are one and the same, 0 to 1, and the fields that say so with their part of it."""
    fields = [
        (name, kind, weight, likeness.normal(kind, mine.get(name)), likeness.normal(kind, theirs.get(name)))
        for name, (kind, weight) in record.likeness.items()
    ]
    score, each = likeness.score(field[1:] for field in fields)
    gained = sum(weight * alike for (_, _, weight, _, _), alike in zip(fields, each, strict=True))
    reasons: list[JSON] = [
        {
            "field": name,
            "reason": "same" if alike == 1 else "alike",
            "mine": mine[name],
            "theirs": theirs[name],
            "weight": round(score * weight * alike / gained, 3),
        }
        for (name, _, weight, _, _), alike in zip(fields, each, strict=True)
        if alike >= likeness.THRESHOLD
    ]
    return round(score, 3), sorted(reasons, key=lambda one: one["weight"], reverse=True)


def _rare(work: Work, store: Store[Any], keys: Keys) -> tuple[list[tuple[str, str, int]], list[tuple[str, str]]]:
    """The keys that others have too, the rarest first and each with how many have it, and those that are left out."""
    if not keys:
        return [], []
    rows = work.rows(
        "SELECT mine.kind, mine.key, counted.n FROM unnest(%s::text[], %s::text[]) AS mine (kind, key),"
        f" LATERAL (SELECT count(*) AS n FROM ({OF_A_KEY}) AS others) AS counted"
        " WHERE counted.n > 1 ORDER BY counted.n, 1, 2",
        (*_columns(sorted(keys)), work.tenant, store.name, MOST_OF_A_KEY + 1),
    )
    rare = [(kind, key, n) for kind, key, n in rows if n <= MOST_OF_A_KEY][:MOST_LOOKED_UP]
    return rare, [(kind, key) for kind, key, _ in rows[len(rare) :]]


def _candidates(work: Work, store: Store[Any], record_id: str, keys: Sequence[tuple[str, str, int]]) -> list[JSON]:
    """What the principal may read of those who share keys. Who shares most comes first; a rare key says more."""
    branches = branches_of(work, store)
    if not keys or not branches:
        return []
    kinds, values, counts = _columns(keys)
    columns = ", ".join(f't."{name}"' for name in store.stored.column_names())
    rows = work.rows(
        "WITH sharing AS (SELECT others.id, sum(1.0 / mine.n) AS weight"
        f" FROM unnest(%s::text[], %s::text[], %s::int[]) AS mine (kind, key, n), LATERAL ({OF_A_KEY}) AS others"
        " WHERE others.id <> %s GROUP BY others.id)"
        f' SELECT {columns} FROM sharing JOIN "{store.table}" AS t ON t.tenant_id = %s AND t.id = sharing.id'
        f" WHERE t.deleted_at IS NULL AND ({' OR '.join(condition for condition, _ in branches)})"
        f" ORDER BY sharing.weight DESC, t.id LIMIT {MOST_CANDIDATES}",
        (
            *(kinds, values, counts, work.tenant, store.name, MOST_OF_A_KEY, record_id, work.tenant),
            *(value for _, own in branches for value in own),
        ),
    )
    return [store.shown(work, store.stored.wire_of_row(row)) for row in rows]
