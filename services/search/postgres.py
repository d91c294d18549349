"""The index in PostgreSQL. Words are found as ranges over C-collated text, which row-level security lets use the index.

A question starts from its rarest term and looks the others up for each document found so. One term alone, such as the
first letter typed, may be answered by very many words: then `CANDIDATES` of them are weighed, in the order of the
alphabet and heavier fields first, beside every key that equals or begins with what was typed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import orjson

from chassis.database import Database, Work
from services.search.index import Found, Freshness, Hit
from services.search.mapping import Document
from services.search.phrases import Phrase, Term, prefix
from services.search.visibility import Visible

BATCH = 200
CANDIDATES = 2_000
COUNTED = 20_000
KEYS = 200
# More than any page, so that among equals the newest are shown and not the first found.
RANKED = 300
ALIKE = "0.45"
SHORTEST_TITLE = 4

UPSERT = (
    "INSERT INTO documents (tenant_id, record, id, version, deleted, owner_id, team_id, title_key, data, changed_at)"
    " SELECT %(tenant)s, new.record, new.id, new.version, new.deleted, new.owner_id, new.team_id, new.title_key,"
    "  new.data::jsonb, new.changed_at"
    " FROM unnest(%(record)s::text[], %(id)s::uuid[], %(version)s::bigint[], %(deleted)s::bool[], %(owner)s::uuid[],"
    "  %(team)s::uuid[], %(title)s::text[], %(data)s::text[], %(changed)s::timestamptz[])"
    "  AS new (record, id, version, deleted, owner_id, team_id, title_key, data, changed_at)"
    " ON CONFLICT (tenant_id, record, id) DO UPDATE SET version = excluded.version, deleted = excluded.deleted,"
    "  owner_id = excluded.owner_id, team_id = excluded.team_id, title_key = excluded.title_key, data = excluded.data,"
    "  changed_at = excluded.changed_at"
    " WHERE documents.version < excluded.version RETURNING record, id"
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


class PostgresIndex:
    """The index of one service process; every call is a transaction or a read of its own."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._database: Database = runtime.database

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime) -> None:
        # In one order everywhere, so that two who take in the same records cannot wait for each other in a circle.
        ordered = sorted(documents, key=lambda document: (document.record, document.id))
        with self._database.work(self._runtime.principal(tenant, "index")) as work:
            for start in range(0, len(ordered), BATCH):
                _write(work, ordered[start : start + BATCH])
            work.sql(PROGRESS, (tenant, newest_at, work.now))

    def find(self, tenant: str, phrase: Phrase, visible: Visible, limit: int) -> Found:
        with self._reading(tenant) as work:
            terms = _rarest_first(work, phrase.terms)
            question = Question(tenant, visible)
            statement = question.ranked(phrase.key, terms, limit)
            rows = list(work.sql(statement, question.parameters))
        return Found([_hit(row) for row in rows], dict(rows[0].counts) if rows else {})

    def similar(self, tenant: str, typed: str, visible: Visible, limit: int) -> Found:
        titled = visible.titled()
        if len(typed) < SHORTEST_TITLE or not titled:
            return Found([], {})
        question = Question(tenant, visible)
        question.parameters |= {"typed": typed, "titled": list(titled), "limit": limit}
        statement = (
            f"SELECT set_config('pg_trgm.word_similarity_threshold', '{ALIKE}', true);"
            "SELECT record, id, version, data, word_similarity(%(typed)s, title_key) AS score FROM documents"
            " WHERE tenant_id = %(tenant)s AND title_key %%> %(typed)s AND record = ANY(%(titled)s)"
            f" AND {question.readable('documents')} ORDER BY score DESC, changed_at DESC LIMIT %(limit)s"
        )
        with self._reading(tenant) as work:
            hits = [_hit(row) for row in work.sql(statement, question.parameters)]
        records = [hit.record for hit in hits]
        return Found(hits, {record: records.count(record) for record in records})

    def versions(self, tenant: str, ids: list[tuple[str, str]], visible: Visible) -> dict[tuple[str, str], int]:
        question = Question(tenant, visible)
        question.parameters |= {"wanted": [record for record, _ in ids], "ids": [one for _, one in ids]}
        statement = (
            "SELECT record, id, version FROM documents"
            " JOIN unnest(%(wanted)s::text[], %(ids)s::uuid[]) AS wanted (record, id) USING (record, id)"
            f" WHERE tenant_id = %(tenant)s AND {question.readable('documents')}"
        )
        with self._reading(tenant) as work:
            return {(row.record, row.id): row.version for row in work.sql(statement, question.parameters)}

    def freshness(self, tenant: str) -> Freshness:
        with self._reading(tenant) as work:
            row = work.sql("SELECT event_at, taken_at FROM progress WHERE tenant_id = %s", (tenant,)).first()
        if row is None:
            return Freshness(None, None)
        return Freshness(row.event_at, max(0.0, (row.taken_at - row.event_at).total_seconds()))

    def _reading(self, tenant: str) -> Any:
        return self._database.reading(self._runtime.principal(tenant, "request"))


def _write(work: Work, documents: list[Document]) -> None:
    """Keep the newer ones, and replace the words of those that were kept."""
    kept = work.sql(
        UPSERT,
        {
            "tenant": work.tenant,
            "record": [document.record for document in documents],
            "id": [document.id for document in documents],
            "version": [document.version for document in documents],
            "deleted": [document.deleted for document in documents],
            "owner": [document.owner_id for document in documents],
            "team": [document.team_id for document in documents],
            "title": [document.title_key for document in documents],
            "data": [orjson.dumps(document.data).decode() for document in documents],
            "changed": [document.changed_at for document in documents],
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


def _rarest_first(work: Work, terms: Sequence[Term]) -> list[Term]:
    """The terms by how many words answer them, counted no further than it matters."""
    if len(terms) < 2:
        return list(terms)
    question = Question(work.tenant, None)
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT FROM words WHERE tenant_id = %(tenant)s AND {question.within('words', term)}"
        f" LIMIT {COUNTED}) AS answers)"
        for term in terms
    )
    row = work.sql(f"SELECT {counts}", question.parameters).one()
    return [term for _, term in sorted(zip(row, terms, strict=True), key=lambda pair: pair[0])]


def _hit(row: Any) -> Hit:
    return Hit(row.record, row.id, row.version, row.data, round(float(row.score), 3))


class Question:
    """Builds one statement with its parameters."""

    def __init__(self, tenant: str, visible: Visible | None) -> None:
        self.visible = visible
        self.parameters: dict[str, Any] = {"tenant": tenant}

    def ranked(self, key: str, terms: Sequence[Term], limit: int) -> str:
        """Documents that answer all terms, with their score: an exact key before all, then the beginning of a key, then
        the sum of the weights; one's own records count a little more."""
        assert self.visible is not None
        self.parameters |= {"me": self.visible.user_id, "key": key, "limit": limit}
        branches = [self._words(terms, bounds) for bounds in terms[0].ranges]
        branches.append(self._keys("1000 + w.weight", "exact", "w.word = %(key)s"))
        start = Term(key, (prefix(key),))
        branches.append(self._keys("10 * w.weight", "start", self.within("w", start)))
        return (
            f"WITH answers AS ({' UNION ALL '.join(branches)}),"
            " scored AS (SELECT record, id, coalesce(max(score) FILTER (WHERE kind = 'words'), 0)"
            "  + coalesce(max(score) FILTER (WHERE kind = 'exact'), 0)"
            "  + coalesce(max(score) FILTER (WHERE kind = 'start'), 0)"
            "  + coalesce(bool_or(mine), false)::int AS score FROM answers GROUP BY record, id),"
            f" ranked AS (SELECT * FROM scored ORDER BY score DESC, id DESC LIMIT {RANKED})"
            # LIMIT keeps this a look-up for each ranked record: as a join it would be planned over the whole table.
            " SELECT ranked.record, ranked.id, version, data, score, (SELECT jsonb_object_agg(record, n)"
            "  FROM (SELECT record, count(*) AS n FROM scored GROUP BY record) AS counted) AS counts"
            " FROM ranked CROSS JOIN LATERAL (SELECT version, data, changed_at FROM documents"
            "  WHERE tenant_id = %(tenant)s AND documents.record = ranked.record AND documents.id = ranked.id"
            "  LIMIT 1) AS document"
            " ORDER BY score DESC, changed_at DESC, ranked.id DESC LIMIT %(limit)s"
        )

    def _words(self, terms: Sequence[Term], bounds: tuple[str, str | None]) -> str:
        """Documents where the first term is answered within these bounds and every other one somewhere."""
        first = Term(terms[0].word, (bounds,))
        joins, sums, conditions = "", self._weight("w", first), ""
        for at, term in enumerate(terms[1:]):
            # OFFSET keeps the word out of the inner look-up: else the planner may scan all answers of this term anew
            # for each document, instead of the few words that the document has.
            joins += (
                f" CROSS JOIN LATERAL (SELECT max({self._weight('own', term)}) AS score FROM"
                " (SELECT word, weight FROM words AS x WHERE x.tenant_id = %(tenant)s AND x.record = w.record"
                f" AND x.id = w.id AND {self.unmasked('x')} OFFSET 0) AS own WHERE {self.within('own', term)}) AS t{at}"
            )
            sums += f" + t{at}.score"
            conditions += f" AND t{at}.score IS NOT NULL"
        return (
            f"(SELECT w.record, w.id, {sums} AS score, 'words' AS kind, w.owner_id = %(me)s::uuid AS mine"
            f" FROM words AS w{joins} WHERE {self._allowed()} AND {self.within('w', first)}{conditions}"
            f" ORDER BY w.word, w.weight DESC LIMIT {CANDIDATES})"
        )

    def _keys(self, score: str, kind: str, condition: str) -> str:
        return (
            f"(SELECT w.record, w.id, {score} AS score, '{kind}' AS kind, w.owner_id = %(me)s::uuid AS mine"
            f" FROM words AS w WHERE {self._allowed()} AND {condition}"
            f" ORDER BY w.word, w.weight DESC LIMIT {KEYS})"
        )

    def _allowed(self) -> str:
        return f"w.tenant_id = %(tenant)s AND {self.readable('w')} AND {self.unmasked('w')}"

    def _weight(self, alias: str, term: Term) -> str:
        """A whole word is worth twice its beginning."""
        return f"{alias}.weight * CASE WHEN {alias}.word = {self._keep(term.word)} THEN 2 ELSE 1 END"

    def within(self, alias: str, term: Term) -> str:
        """The words that answer a term, as ranges of the index."""
        found = [
            f"{alias}.word = {self._keep(low)}"
            if high is None
            else f"{alias}.word >= {self._keep(low)} AND {alias}.word < {self._keep(high)}"
            for low, high in term.ranges
        ]
        return f"({' OR '.join(found)})"

    def readable(self, alias: str) -> str:
        """The rows of `alias` that the principal may read, by record, owner and team. No other place says so in SQL."""
        assert self.visible is not None
        seen = self.visible
        self.parameters |= {"all": list(seen.everything), "own": list(seen.own), "team": list(seen.team)}
        self.parameters |= {"me": seen.user_id, "teams": list(seen.teams)}
        found = [f"{alias}.record = ANY(%(all)s::text[])"]
        if seen.own or seen.team:
            found.append(
                f"{alias}.record = ANY(%(own)s::text[] || %(team)s::text[]) AND {alias}.owner_id = %(me)s::uuid"
            )
        if seen.team and seen.teams:
            found.append(f"{alias}.record = ANY(%(team)s::text[]) AND {alias}.team_id = ANY(%(teams)s::uuid[])")
        return f"({' OR '.join(found)})"

    def unmasked(self, alias: str) -> str:
        """Words of fields that are not hidden from the principal."""
        assert self.visible is not None
        found = [
            f"NOT ({alias}.record = {self._keep(record)} AND {alias}.field = ANY({self._keep(sorted(fields))}::text[]))"
            for record, fields in sorted(self.visible.hidden.items())
        ]
        return " AND ".join(found) or "true"

    def _keep(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"
