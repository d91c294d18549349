"""Documents as PostgreSQL keeps them: written there, and read for Elasticsearch, which is filled from them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence

import orjson

from chassis.database import Work
from services.search.index import Key
from services.search.mapping import BACK, EXTERNAL, SOUND, Document
from services.search.points import Line, text_of, words_of
from services.search.statements import RARE
from services.search.tokens import has, is_key, is_known, tokens_of

BATCH = 200
UNKNOWN_AT_ONCE = 500
"""Each word is looked up among all documents, and where many have just gone also among those: a millisecond or two."""
SAME_VERSION, ANY_VERSION = 1, 2**53
MADE = re.compile(r"[0-9a-f]{4,32}")
"""A UUID without its hyphens, or a part of one."""

HELD = (
    "SELECT record, id, words FROM documents JOIN unnest(%(record)s::text[], %(id)s::uuid[]) AS wanted (record, id)"
    " USING (record, id) WHERE tenant_id = %(tenant)s FOR UPDATE OF documents"
)
UPSERT = (
    "INSERT INTO documents"
    " (tenant_id, record, id, version, deleted, owner_id, team_id, title_key, data, changed_at, facets, words, tokens)"
    " SELECT %(tenant)s, new.record, new.id, new.version, new.deleted, new.owner_id, new.team_id, new.title_key,"
    "  new.data::jsonb, new.changed_at, new.facets::jsonb, new.words,"
    "  array_to_tsvector(string_to_array(new.tokens, E'\n'))"
    " FROM unnest(%(record)s::text[], %(id)s::uuid[], %(version)s::bigint[], %(deleted)s::bool[], %(owner)s::uuid[],"
    "  %(team)s::uuid[], %(title)s::text[], %(data)s::text[], %(changed)s::timestamptz[], %(facets)s::text[],"
    "  %(words)s::text[], %(tokens)s::text[])"
    "  AS new (record, id, version, deleted, owner_id, team_id, title_key, data, changed_at, facets, words, tokens)"
    " ON CONFLICT (tenant_id, record, id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted,"
    "  owner_id = excluded.owner_id, team_id = excluded.team_id, title_key = excluded.title_key, data = excluded.data,"
    "  changed_at = excluded.changed_at, facets = excluded.facets, words = excluded.words, tokens = excluded.tokens"
    " WHERE documents.version - %(over)s < excluded.version RETURNING record, id"
)
FORGET = (
    "DELETE FROM keys USING unnest(%(record)s::text[], %(id)s::uuid[]) AS old (record, id)"
    " WHERE keys.tenant_id = %(tenant)s AND keys.record = old.record AND keys.id = old.id"
)
REMEMBER = (
    "INSERT INTO keys (tenant_id, key, record, id, field, owner_id, team_id)"
    " SELECT %(tenant)s, new.* FROM unnest(%(key)s::text[], %(record)s::text[], %(id)s::uuid[], %(field)s::text[],"
    "  %(owner)s::uuid[], %(team)s::uuid[]) AS new (key, record, id, field, owner_id, team_id)"
)
KNOW = (
    "INSERT INTO words (tenant_id, word) SELECT %(tenant)s, unnest(%(words)s::text[])"
    " ON CONFLICT (tenant_id, word) DO NOTHING"
)
# Who forgets words waits until nobody is learning some: else one would go of which he alone sees no document.
LEARN = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 8))"
UNLEARN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))"
# Each is looked up by itself: as a join, the words would be sought among all documents and all keys.
UNKNOW = (
    "WITH old AS (SELECT * FROM unnest(%(words)s::text[], %(asked)s::tsquery[]) AS old (word, asked)),"
    " gone AS MATERIALIZED (SELECT old.word FROM old WHERE"
    f" (SELECT true FROM documents WHERE tenant_id = %(tenant)s AND tokens @@ old.asked AND {RARE} LIMIT 1) IS NULL"
    f" AND (SELECT true FROM keys WHERE tenant_id = %(tenant)s AND key = '{SOUND}' || old.word LIMIT 1) IS NULL)"
    " DELETE FROM words WHERE tenant_id = %(tenant)s AND word = ANY(ARRAY("
    f"SELECT word FROM gone UNION ALL SELECT '{BACK}' || reverse(word) FROM gone))"
)
PROGRESS = (
    "INSERT INTO progress (tenant_id, event_at, taken_at) VALUES (%s, %s, %s) ON CONFLICT (tenant_id)"
    " DO UPDATE SET event_at = excluded.event_at, taken_at = excluded.taken_at"
    " WHERE progress.event_at < excluded.event_at"
)

_LISTED = "unnest(%s::text[], %s::uuid[]) AS wanted (record, id)"
_DOCUMENTS = (
    "SELECT record, id, version, deleted, owner_id, team_id, changed_at, title_key, data, facets, words"
    f" FROM documents JOIN {_LISTED} USING (record, id) WHERE tenant_id = %s"
)


def documents(work: Work, ids: Sequence[Key]) -> list[Document]:
    """These documents, whole; what is not there is left out."""
    wanted = ([record for record, _ in ids], [id for _, id in ids], work.tenant)
    rows = work.sql(_DOCUMENTS, wanted)
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
            words=tuple(words_of(row.words)),
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
    lost: set[str] = set()
    gained: set[str] = set()
    back: set[str] = set()
    for start in range(0, len(ordered), BATCH):
        batch = ordered[start : start + BATCH]
        held = _held(work, batch)
        newer = _write(work, batch, over=over)
        kept = [one for one in batch if (one.record, one.id) in newer]
        _write_keys(work, kept)
        lost |= {word for key, text in held.items() if key in newer for word in _known(words_of(text))}
        gained |= {word for one in kept for word in _known(one.words)}
        back |= {word for one in kept for _, word, _ in one.words if word[0] == BACK}
    # Words of all documents are common to all, so they come last, again in one order.
    gone = sorted(lost - gained)
    if gained or gone:
        work.later(UNLEARN if gone else LEARN, (work.tenant,))
    if gained:
        work.sql(KNOW, {"tenant": work.tenant, "words": sorted(gained | back)})
    for start in range(0, len(gone), UNKNOWN_AT_ONCE):
        words = gone[start : start + UNKNOWN_AT_ONCE]
        work.sql(UNKNOW, {"tenant": work.tenant, "words": words, "asked": [has(work.tenant, word) for word in words]})


def _held(work: Work, documents: list[Document]) -> dict[Key, str]:
    """The words of these documents that are there, which nobody else changes until the end of the transaction."""
    wanted = {"record": [one.record for one in documents], "id": [one.id for one in documents]}
    return {(row.record, row.id): row.words for row in work.sql(HELD, {"tenant": work.tenant, **wanted})}


def _known(words: Iterable[Line]) -> Iterator[str]:
    """Those that may have been meant by what was typed wrongly, and how a title sounds.

    Parts of ids that machines made are pasted, not typed.
    """
    for field, word, _ in words:
        if word[0] == SOUND or (is_known(word) and not (field == EXTERNAL and MADE.fullmatch(word))):
            yield word.removeprefix(SOUND)


def _write(work: Work, documents: list[Document], *, over: int) -> set[Key]:
    """Keep the newer ones; returns which those were. What is there may be newer by less than `over` versions."""
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
            "words": [text_of(document.words) for document in documents],
            "tokens": [tokens_of(work.tenant, document) for document in documents],
        },
    )
    return {(row.record, row.id) for row in kept}


def _write_keys(work: Work, documents: list[Document]) -> None:
    """Replace the keys of these documents. Also what seems to be new may have some: from somebody who took it in at the
    same time, or from before the documents were lost."""
    if not documents:
        return
    listed = {"record": [one.record for one in documents], "id": [one.id for one in documents]}
    work.sql(FORGET, {"tenant": work.tenant, **listed})
    # A title may have one word by two ways, with a weight for each.
    rows = dict.fromkeys(
        (word, one.record, one.id, field, one.owner_id, one.team_id)
        for one in documents
        for field, word, _ in one.words
        if is_key(word)
    )
    if rows:
        names = ("key", "record", "id", "field", "owner", "team")
        columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
        work.sql(REMEMBER, {"tenant": work.tenant, **columns})
