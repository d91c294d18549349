"""The index in PostgreSQL: keys are walked in the order of the alphabet, words are an inverted index over documents.

A question first walks the keys that begin with what was typed. Where they fill more than any page, as for the first
letter, that is the answer, with what is one's own or lately touched: nothing is gathered that nobody will see. Else the
documents that answer every term are gathered, up to `CANDIDATES`; where there are more, those that answer by heavy and
by whole words are asked for apart, so that the best are among them. What was gathered is scored here (`points.py`).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from chassis.database import Database, Work
from services.search.index import Asked, Cursor, Found, Freshness, Hit, Key, Sent
from services.search.kept import keep, keep_again
from services.search.mapping import Document
from services.search.phrases import END
from services.search.points import Points, Scorer
from services.search.statements import DATA, MOST_SPELLED, SPELLED, Question
from services.search.tokens import Asking, long_beginnings
from services.search.visibility import Visible

JSON = dict[str, Any]
CANDIDATES, BEST = 300, 100
KEYS, FILLED = 240, 102
"""A document has a key or two that begin alike, and a page is a hundred at most, and one to tell of another page."""
NOBODY = Sent({}, [], {})
"""Nobody is told here."""
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

    def send(self, tenant: str, documents: list[Document]) -> Sent:
        return NOBODY

    def take(self, tenant: str, documents: list[Document], newest_at: dt.datetime, sent: Sent = NOBODY) -> None:
        with self._database.work(self._runtime.principal(tenant, "index")) as work:
            keep(work, documents, newest_at)

    def replace(self, tenant: str, documents: list[Document], *, older: bool = False) -> None:
        with self._database.work(self._runtime.principal(tenant, "index")) as work:
            keep_again(work, documents, older=older)

    def find(self, tenant: str, asked: Asked) -> Found:
        with self._reading(tenant) as work:
            gathered = Gathered(asked)
            complete = _gather(work, asked, gathered)
            hits = _hits(work, asked, gathered.page())
        return Found(hits, gathered.counts(), gathered.facets(), complete)

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
            rows, now = work.rows(FRESHNESS, (tenant,)), work.now
        event_at, position, waiting_since, checked_at = rows[0]
        if position is None:
            return Freshness(event_at, None, None)
        unsure = now - checked_at > CHECKED_WITHIN
        since = waiting_since or (checked_at if unsure else now)
        return Freshness(event_at, max(0.0, (now - since).total_seconds()), position)

    def _reading(self, tenant: str) -> Any:
        return self._database.reading(self._runtime.principal(tenant, "request"))


def _gather(work: Work, asked: Asked, gathered: Gathered) -> bool:
    """Gather what may be on the page; returns whether that is all that there is."""
    ways = asked.phrase.ways
    filled = gathered.add(_rows(work, asked, Question.by_keys, KEYS)) >= FILLED
    terms = Asking(work.tenant, asked.visible, asked.filters, _spelled(work, long_beginnings(ways)))
    if not filled:
        answering = _rows(work, asked, Question.by_tokens, [terms.about(ways)], CANDIDATES)
        if gathered.add(answering) < CANDIDATES:
            return True
    # Whoever owns a large part of all has found his own among the first already, and his whole list is long.
    more = [terms.about(ways, mine=True)] if asked.visible.user_id and gathered.own < BEST else []
    if not filled:
        more += [terms.about(ways, heavy=True, whole=True), terms.about(ways, heavy=True)]
    if more:
        gathered.add(_rows(work, asked, Question.by_tokens, more, BEST))
    if asked.lifted:
        gathered.add(_rows(work, asked, Question.by_ids, list(asked.lifted)))
    return False


def _spelled(work: Work, starts: list[str]) -> dict[str, list[str]]:
    """The known words that begin so, where they are few enough to be asked for one by one."""
    if not starts:
        return {}
    found: dict[str, list[str]] = {start: [] for start in starts}
    values = {"tenant": work.tenant, "starts": starts, "end": END, "most": MOST_SPELLED}
    for start, word in work.rows(SPELLED, values):
        found[start].append(word)
    return {start: words for start, words in found.items() if len(words) < MOST_SPELLED}


def _rows(work: Work, asked: Asked, statement: Any, *arguments: Any) -> list[Any]:
    question = Question(work.tenant, asked)
    return work.rows(statement(question, *arguments), question.parameters)


class Gathered:
    """Documents that came into question, with their points, each once."""

    def __init__(self, asked: Asked) -> None:
        self._asked, self._scorer = asked, Scorer(asked)
        self._found: dict[Key, tuple[Cursor, Points, JSON | None]] = {}
        self.own = 0
        """How many of them are one's own."""
        self._looked: set[Key] = set()

    def add(self, rows: Iterable[Any]) -> int:
        """Score these rows; returns how many there were."""
        count = 0
        for record, id, owner_id, changed_at, words, facets in rows:
            count += 1
            if (record, id) in self._looked:
                continue
            self._looked.add((record, id))
            points = self._scorer.points(record, id, owner_id, words)
            if points is not None:
                self.own += points.own > 0
                self._found[record, id] = Cursor(points.score, changed_at, id), points, facets
        return count

    def page(self) -> list[tuple[Key, Cursor, Points]]:
        after = self._asked.after
        best = sorted(
            ((cursor, key, points) for key, (cursor, points, _) in self._found.items()),
            key=lambda one: one[0],
            reverse=True,
        )
        behind = [one for one in best if after is None or one[0] < after]
        return [(key, cursor, points) for cursor, key, points in behind[: self._asked.limit]]

    def counts(self) -> dict[str, int]:
        return dict(Counter(record for record, _ in self._found))

    def facets(self) -> dict[str, dict[str, int]]:
        """`{field: {value: n}}` over all that was gathered; hidden facets are not counted."""
        found: dict[str, Counter[str]] = {field: Counter() for field in self._asked.facets}
        for (record, _), (_, _, facets) in self._found.items():
            for field in found:
                if field not in self._asked.visible.hidden.get(record, ()):
                    found[field].update((facets or {}).get(field, ()))
        return {field: dict(counted) for field, counted in found.items()}


def _hits(work: Work, asked: Asked, page: Sequence[tuple[Key, Cursor, Points]]) -> list[Hit]:
    """The hits of a page; what was deleted in this very moment is left out."""
    if not page:
        return []
    records, ids = [key[0] for key, _, _ in page], [key[1] for key, _, _ in page]
    rows = work.rows(DATA, {"tenant": work.tenant, "records": records, "ids": ids})
    there = {(record, id): rest for record, id, *rest in rows}
    return [
        Hit(
            record=key[0],
            id=key[1],
            version=there[key][0],
            data=there[key][2],
            score=cursor.score,
            owner_id=there[key][1],
            changed_at=cursor.changed_at,
            reasons=_reasons(points) if asked.explain else (),
        )
        for key, cursor, points in page
        if key in there
    ]


def _reasons(points: Points) -> tuple[tuple[str, int], ...]:
    return tuple((what, found) for what in REASONS if (found := getattr(points, what)))
