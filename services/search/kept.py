"""Documents as PostgreSQL keeps them: written there, and read for Elasticsearch, which is filled from them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import orjson

from chassis.database import Work
from services.search.index import Key
from services.search.mapping import Document

BATCH = 200
SAME_VERSION, ANY_VERSION = 1, 2**53

UPSERT = (
    "INSERT INTO documents"
    " (tenant_id, record, id, version, deleted, owner_id, team_id, title_key, data, changed_at, facets)"
    " SELECT %(tenant)s, new.record, new.id, new.version, new.deleted, new.owner_id, new.team_id, new.title_key,"
    "  new.data::jsonb, new.changed_at, new.facets::jsonb"
    " FROM unnest(%(record)s::text[], %(id)s::uuid[], %(version)s::bigint[], %(deleted)s::bool[], %(owner)s::uuid[],"
    "  %(team)s::uuid[], %(title)s::text[], %(data)s::text[], %(changed)s::timestamptz[], %(facets)s::text[])"
    "  AS new (record, id, version, deleted, owner_id, team_id, title_key, data, changed_at, facets)"
    " ON CONFLICT (tenant_id, record, id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted,"
    "  owner_id = excluded.owner_id, team_id = excluded.team_id, title_key = excluded.title_key, data = excluded.data,"
    "  changed_at = excluded.changed_at, facets = excluded.facets"
    " WHERE documents.version - %(over)s < excluded.version RETURNING record, id"
)
FORGET = (
    "DELETE FROM words USING unnest(%(record)s::text[], %(id)s::uuid[]) AS old (record, id)"
    " WHERE words.tenant_id = %(tenant)s AND words.record = old.record AND words.id = old.id"
)
REMEMBER = (
    "INSERT INTO words (tenant_id, record, id, word, field, weight, owner_id, team_id)"
    " SELECT %(tenant)s, new.* FROM unnest(%(record)s::text[], %(id)s::uuid[], %(word)s::text[], %(field)s::text[],"
    "  %(weight)s::smallint[], %(owner)s::uuid[], %(team)s::uuid[])"
    "  AS new (record, id, word, field, weight, owner_id, team_id)"
)
PROGRESS = (
    "INSERT INTO progress (tenant_id, event_at, taken_at) VALUES (%s, %s, %s) ON CONFLICT (tenant_id)"
    " DO UPDATE SET event_at = excluded.event_at, taken_at = excluded.taken_at"
    " WHERE progress.event_at < excluded.event_at"
)

_LISTED = "unnest(%s::text[], %s::uuid[]) AS wanted (record, id)"
_WORDS = f"SELECT record, id, field, word, weight FROM words JOIN {_LISTED} USING (record, id) WHERE tenant_id = %s"
_DOCUMENTS = (
    "SELECT record, id, version, deleted, owner_id, team_id, changed_at, title_key, data, facets"
    f" FROM documents JOIN {_LISTED} USING (record, id) WHERE tenant_id = %s"
)


def documents(work: Work, ids: Sequence[Key]) -> list[Document]:
    """These documents, whole; what is not there is left out."""
    wanted = ([record for record, _ in ids], [id for _, id in ids], work.tenant)
    # Documents first: words that are a moment newer bring their own event, which is written after this one.
    rows = work.sql(_DOCUMENTS, wanted).all()
    words: dict[Key, list[tuple[str, str, int]]] = {}
    for row in work.sql(_WORDS, wanted):
        words.setdefault((row.record, row.id), []).append((row.field, row.word, row.weight))
    return [
        Document(
            record=row.record,
            id=row.id,
            version=row.version,
            deleted=row.deleted,
            owner_id=row.owner_id,
            team_id=row.team_id,
            changed_at=row.changed_at,
            title_key=row.title_key,
            data=row.data,
            words=tuple(words.get((row.record, row.id), ())),
            facets={name: tuple(values) for name, values in row.facets.items()},
        )
        for row in rows
    ]


def keep(work: Work, documents: Sequence[Document], newest_at: dt.datetime) -> None:
    """What `take` does, in somebody's transaction."""
    _write_all(work, documents, 0)
    work.sql(PROGRESS, (work.tenant, newest_at, work.now))


def keep_again(work: Work, documents: Sequence[Document], *, older: bool) -> None:
    """What `replace` does, in somebody's transaction."""
    _write_all(work, documents, ANY_VERSION if older else SAME_VERSION)


def _write_all(work: Work, documents: Sequence[Document], over: int) -> None:
    # In one order everywhere, so that two who take in the same records cannot wait for each other in a circle.
    ordered = sorted(documents, key=lambda document: (document.record, document.id))
    for start in range(0, len(ordered), BATCH):
        _write(work, ordered[start : start + BATCH], over=over)


def _write(work: Work, documents: list[Document], *, over: int = 0) -> None:
    """Keep the newer ones, and replace the words of those that were kept. What is there may be newer by less than
    `over` versions."""
    kept = work.sql(
        UPSERT,
        {
            "tenant": work.tenant,
            "over": over,
            "record": [document.record for document in documents],
            "id": [document.id for document in documents],
            "version": [document.version for document in documents],
            "deleted": [document.deleted for document in documents],
            "owner": [document.owner_id for document in documents],
            "team": [document.team_id for document in documents],
            "title": [document.title_key for document in documents],
            "data": [orjson.dumps(document.data).decode() for document in documents],
            "changed": [document.changed_at for document in documents],
            "facets": [orjson.dumps(document.facets).decode() for document in documents],
        },
    )
    newer = {(row.record, row.id) for row in kept}
    if not newer:
        return
    work.sql(FORGET, {"tenant": work.tenant, "record": [one for one, _ in newer], "id": [one for _, one in newer]})
    rows = [
        (document.record, document.id, word, field, weight, document.owner_id, document.team_id)
        for document in documents
        if (document.record, document.id) in newer
        for field, word, weight in document.words
    ]
    if rows:
        columns = zip(*rows, strict=True)
        names = ("record", "id", "word", "field", "weight", "owner", "team")
        work.sql(
            REMEMBER,
            {"tenant": work.tenant, **{name: list(values) for name, values in zip(names, columns, strict=True)}},
        )
