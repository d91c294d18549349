"""The index in PostgreSQL. Words are found as ranges over C-collated text, which row-level security lets use the index.

A question starts from its rarest term and looks the others up for each document found so. One term alone, such as the
first letter typed, may be answered by very many words: then `CANDIDATES` of them are weighed, in the order of the
alphabet and heavier fields first, beside every key that equals or begins with what was typed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from chassis.database import Database, Work
from services.search.index import BEGINNING, KEY, KEY_WEIGHT, OWN, Asked, Found, Freshness, Hit, Key
from services.search.kept import keep, keep_again
from services.search.mapping import Document
from services.search.phrases import Term, prefix
from services.search.visibility import Visible

CANDIDATES = 2_000
COUNTED = 20_000
KEYS = 200
# More than any page, so that among equals the newest are shown and not the first found.
RANKED = 300
REASONS = ("key", "beginning", "words", "own", "lifted")

FRESHNESS = (
    "SELECT progress.event_at, positions.position, positions.waiting_since, positions.checked_at"
    " FROM (VALUES (%s::uuid)) AS asked (tenant_id)"
    " LEFT JOIN progress USING (tenant_id) LEFT JOIN positions USING (tenant_id)"
)
CHECKED_WITHIN = dt.timedelta(seconds=5)
"""A check that is older does not say that nothing is missing now."""


class PostgresIndex:
    """The index of one service process; every call is a transaction or a read of its own."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._database: Database = runtime.database

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime) -> None:
        with self._database.work(self._runtime.principal(tenant, "index")) as work:
            keep(work, documents, newest_at)

    def replace(self, tenant: str, documents: list[Document], *, older: bool = False) -> None:
        with self._database.work(self._runtime.principal(tenant, "index")) as work:
            keep_again(work, documents, older=older)

    def find(self, tenant: str, asked: Asked) -> Found:
        with self._reading(tenant) as work:
            ways = [_rarest_first(work, way) for way in asked.phrase.ways]
            question = Question(tenant, asked)
            rows = list(work.sql(question.ranked(ways), question.parameters))
        return _found(rows, asked)

    def versions(self, tenant: str, ids: list[Key], visible: Visible) -> dict[Key, int]:
        question = Question(tenant)
        question.parameters |= {"wanted": [record for record, _ in ids], "ids": [one for _, one in ids]}
        statement = (
            "SELECT record, id, version FROM documents"
            " JOIN unnest(%(wanted)s::text[], %(ids)s::uuid[]) AS wanted (record, id) USING (record, id)"
            f" WHERE tenant_id = %(tenant)s AND {question.readable('documents', visible)}"
        )
        with self._reading(tenant) as work:
            return {(row.record, row.id): row.version for row in work.sql(statement, question.parameters)}

    def freshness(self, tenant: str) -> Freshness:
        with self._reading(tenant) as work:
            row, now = work.sql(FRESHNESS, (tenant,)).one(), work.now
        if row.position is None:
            return Freshness(row.event_at, None, None)
        unsure = now - row.checked_at > CHECKED_WITHIN
        since = row.waiting_since or (row.checked_at if unsure else now)
        return Freshness(row.event_at, max(0.0, (now - since).total_seconds()), row.position)

    def _reading(self, tenant: str) -> Any:
        return self._database.reading(self._runtime.principal(tenant, "request"))


def _rarest_first(work: Work, terms: Sequence[Term]) -> list[Term]:
    """The terms by how many words answer them, counted no further than it matters."""
    if len(terms) < 2:
        return list(terms)
    question = Question(work.tenant)
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT FROM words WHERE tenant_id = %(tenant)s AND {question.within('words', term)}"
        f" LIMIT {COUNTED}) AS answers)"
        for term in terms
    )
    row = work.sql(f"SELECT {counts}", question.parameters).one()
    return [term for _, term in sorted(zip(row, terms, strict=True), key=lambda pair: pair[0])]


def _found(rows: Sequence[Any], asked: Asked) -> Found:
    """Every row carries the whole answer's counts; a page without rows says nothing of them."""
    if not rows:
        return Found([], {})
    first = rows[0]
    return Found([_hit(row, asked.explain) for row in rows], dict(first.counts), dict(first.facets or {}), first.exact)


def _hit(row: Any, explain: bool) -> Hit:
    reasons = tuple((what, points) for what in REASONS if (points := int(getattr(row, what))))
    return Hit(
        record=row.record,
        id=row.id,
        version=row.version,
        data=row.data,
        score=int(row.score),
        owner_id=row.owner_id,
        changed_at=row.changed_at,
        reasons=reasons if explain else (),
    )


class Question:
    """Builds one statement with its parameters."""

    def __init__(self, tenant: str, asked: Asked | None = None) -> None:
        self._asked = asked
        self.parameters: dict[str, Any] = {"tenant": tenant}

    @property
    def asked(self) -> Asked:
        assert self._asked is not None
        return self._asked

    def ranked(self, ways: Sequence[Sequence[Term]]) -> str:
        """Documents that answer all terms of a way, with their score: an exact key before all, then the beginning of a
        key, then the sum of the weights and what is one's own."""
        phrase = self.asked.phrase
        self.parameters |= {"me": self.asked.visible.user_id, "cut": CANDIDATES}
        bounds = [(terms, one) for terms in ways for one in terms[0].ranges]
        branches = [self._words(terms, one, at) for at, (terms, one) in enumerate(bounds)]
        exact = f"w.word = ANY({self._keep(list(phrase.keys))}::text[])"
        branches.append(self._keys(f"{KEY} + {KEY_WEIGHT} * w.weight", "exact", exact))
        for start in phrase.starts:
            within = self.within("w", Term(start, (prefix(start),)))
            branches.append(self._keys(f"{BEGINNING} * w.weight", "start", within))
        lifted, lifts = self._lifted()
        return (
            f"WITH answers AS ({' UNION ALL '.join(branches)}),"
            " parts AS (SELECT record, id, coalesce(max(score) FILTER (WHERE kind = 'words'), 0) AS words,"
            "  coalesce(max(score) FILTER (WHERE kind = 'exact'), 0) AS key,"
            "  coalesce(max(score) FILTER (WHERE kind = 'start'), 0) AS beginning,"
            f"  coalesce(bool_or(mine), false)::int * {OWN} AS own FROM answers GROUP BY record, id),"
            f" scored AS (SELECT parts.*, {lifted} AS lifted, words + key + beginning + own + {lifted} AS score"
            f"  FROM parts{lifts}),"
            f" ranked AS ({self._best()})"
            # LIMIT keeps this a look-up for each ranked record: as a join it would be planned over the whole table.
            " SELECT ranked.*, version, data, owner_id, changed_at, (SELECT jsonb_object_agg(record, n)"
            "  FROM (SELECT record, count(*) AS n FROM scored GROUP BY record) AS counted) AS counts,"
            f" {self._counted('scored')} AS facets, NOT EXISTS (SELECT FROM answers WHERE kind = 'words'"
            "  GROUP BY branch HAVING count(*) >= %(cut)s) AS exact"
            " FROM ranked CROSS JOIN LATERAL (SELECT version, data, owner_id, changed_at FROM documents"
            "  WHERE tenant_id = %(tenant)s AND documents.record = ranked.record AND documents.id = ranked.id"
            f"  LIMIT 1) AS document WHERE {self._behind('ranked.id')}"
            f" ORDER BY score DESC, changed_at DESC, ranked.id DESC LIMIT {self._keep(self.asked.limit)}"
        )

    def _lifted(self) -> tuple[str, str]:
        """The points of what is lifted, and the join that they come from."""
        if not self.asked.lifted:
            return "0", ""
        records, ids = zip(*self.asked.lifted, strict=True)
        points = list(self.asked.lifted.values())
        return "coalesce(lifts.points, 0)", (
            f" LEFT JOIN unnest({self._keep(list(records))}::text[], {self._keep(list(ids))}::uuid[],"
            f" {self._keep(points)}::int[]) AS lifts (record, id, points) USING (record, id)"
        )

    def _best(self) -> str:
        """Those that may be on the page. Equals stay together, so that the newest of them can come first."""
        best = f"ORDER BY score DESC FETCH FIRST {RANKED} ROWS WITH TIES"
        if self.asked.after is None:
            return f"SELECT * FROM scored {best}"
        last = self._keep(self.asked.after.score)
        return f"SELECT * FROM scored WHERE score = {last} UNION ALL (SELECT * FROM scored WHERE score < {last} {best})"

    def _behind(self, id: str) -> str:
        """Only what comes after the last hit of the page before."""
        if self.asked.after is None:
            return "true"
        score, changed_at, last = (self._keep(value) for value in self.asked.after)
        return f"(score, changed_at, {id}) < ({score}, {changed_at}::timestamptz, {last}::uuid)"

    def _filtered(self, alias: str) -> str:
        """Documents that have one of the wanted values in each facet, where that facet is not hidden."""
        found = ""
        for one in self.asked.filters:
            hidden = [record for record, fields in sorted(self.asked.visible.hidden.items()) if one.field in fields]
            own = f"{alias}.facets -> {self._keep(one.field)}::text"
            if not one.bounded:
                found += f" AND {own} ?| {self._keep(list(one.values))}::text[]"
            for compared, bound in ((">=", one.low), ("<", one.high)):
                if bound is not None:
                    found += f' AND ({own} ->> 0) COLLATE "C" {compared} {self._keep(bound)}'
            found += f" AND NOT {alias}.record = ANY({self._keep(hidden)}::text[])"
        return found

    def _counted(self, source: str) -> str:
        """`{field: {value: n}}` over all documents of `source`; hidden facets are not counted."""
        if not self.asked.facets:
            return "NULL::jsonb"
        pieces = []
        for field in self.asked.facets:
            hidden = [record for record, fields in sorted(self.asked.visible.hidden.items()) if field in fields]
            pieces.append(
                f"{self._keep(field)}::text, (SELECT coalesce(jsonb_object_agg(value, n), '{{}}') FROM"
                f" (SELECT value, count(*) AS n FROM {source} CROSS JOIN LATERAL (SELECT facets FROM documents"
                f" WHERE tenant_id = %(tenant)s AND documents.record = {source}.record AND documents.id = {source}.id"
                f" AND NOT documents.record = ANY({self._keep(hidden)}::text[]) LIMIT 1) AS own,"
                f" jsonb_array_elements_text(own.facets -> {self._keep(field)}::text) AS value GROUP BY 1) AS valued)"
            )
        return f"jsonb_build_object({', '.join(pieces)})"

    def _words(self, terms: Sequence[Term], bounds: tuple[str, str | None], branch: int) -> str:
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
            f"(SELECT w.record, w.id, {sums} AS score, 'words' AS kind, {branch} AS branch,"
            " w.owner_id = %(me)s::uuid AS mine"
            f" FROM words AS w{joins} WHERE {self._allowed()} AND {self.within('w', first)}{conditions}"
            f" ORDER BY w.word, w.weight DESC LIMIT %(cut)s)"
        )

    def _keys(self, score: str, kind: str, condition: str) -> str:
        return (
            f"(SELECT w.record, w.id, {score} AS score, '{kind}' AS kind, 0 AS branch,"
            " w.owner_id = %(me)s::uuid AS mine"
            f" FROM words AS w WHERE {self._allowed()} AND {condition}"
            f" ORDER BY w.word, w.weight DESC LIMIT {KEYS})"
        )

    def _allowed(self) -> str:
        allowed = f"w.tenant_id = %(tenant)s AND {self.readable('w', self.asked.visible)} AND {self.unmasked('w')}"
        if not self.asked.filters:
            return allowed
        return (
            f"{allowed} AND EXISTS (SELECT FROM documents AS d WHERE d.tenant_id = %(tenant)s AND d.record = w.record"
            f" AND d.id = w.id{self._filtered('d')})"
        )

    def _weight(self, alias: str, term: Term) -> str:
        """A whole word is worth twice its beginning."""
        return f"{alias}.weight * CASE WHEN {alias}.word = ANY({self._keep(list(term.wholes))}) THEN 2 ELSE 1 END"

    def within(self, alias: str, term: Term) -> str:
        """The words that answer a term, as ranges of the index."""
        found = [
            f"{alias}.word = {self._keep(low)}"
            if high is None
            else f"{alias}.word >= {self._keep(low)} AND {alias}.word < {self._keep(high)}"
            for low, high in term.ranges
        ]
        return f"({' OR '.join(found)})"

    def readable(self, alias: str, seen: Visible) -> str:
        """The rows of `alias` that the principal may read, by record, owner and team. No other place says so in SQL."""
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
        found = [
            f"NOT ({alias}.record = {self._keep(record)} AND {alias}.field = ANY({self._keep(sorted(fields))}::text[]))"
            for record, fields in sorted(self.asked.visible.hidden.items())
        ]
        return " AND ".join(found) or "true"

    def _keep(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"
