"""Statements of the index in PostgreSQL, with their parameters: which documents come into question, for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from services.search.index import Asked, Key
from services.search.phrases import END
from services.search.points import pattern
from services.search.visibility import Visible

WALKED = 2_000
"""Keys that are looked at for one beginning, where not all of them may be seen."""

MOST_SPELLED = 100
# The planner takes one in two hundred documents to answer a question that it learns when it runs, and multiplies that
# for conditions that must hold together. These hold for every document and cost nothing, and leave it to expect one
# answer or none. If it expected many it would rather walk all documents of the tenant than read the index, and the more
# so where a limit lets it hope for an early end.
RARE = " AND ".join(["tokens @@ (SELECT '!nothing'::tsquery)"] * 2)
SPELLED = (
    "SELECT asked.start, found.word FROM unnest(%(starts)s::text[]) AS asked (start) CROSS JOIN LATERAL (SELECT word"
    " FROM words WHERE tenant_id = %(tenant)s AND word >= asked.start AND word < asked.start || %(end)s ORDER BY word"
    " LIMIT %(most)s) AS found"
)
DATA = (
    "SELECT record, id, version, owner_id, data FROM documents"
    " JOIN unnest(%(records)s::text[], %(ids)s::uuid[]) AS wanted (record, id) USING (record, id)"
    " WHERE tenant_id = %(tenant)s"
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

    def by_keys(self, limit: int) -> str:
        """Documents of which a key is one of those that were typed, or begins so: as far as `limit` in the order of
        the alphabet for each beginning."""
        phrase = self.asked.phrase
        allowed = f"{self.readable('k', self.asked.visible)} AND {self._unmasked('k')}"
        exact = f"key = ANY({self._keep(list(phrase.keys))}::text[])"
        found = [
            f"(SELECT record, id FROM (SELECT * FROM keys WHERE tenant_id = %(tenant)s AND {exact} LIMIT {WALKED}) AS k"
            f" WHERE {allowed} LIMIT {limit})"
        ]
        for start in phrase.starts:
            low, high = self._keep(start), self._keep(start + END)
            found.append(
                "(SELECT record, id FROM (SELECT * FROM keys WHERE tenant_id = %(tenant)s"
                f" AND key >= {low} AND key < {high} ORDER BY key LIMIT {WALKED}) AS k WHERE {allowed} LIMIT {limit})"
            )
        return self._looked_up(" UNION ".join(found))

    def by_ids(self, ids: Sequence[Key]) -> str:
        """These documents, as far as they may be seen."""
        records, wanted = self._keep([record for record, _ in ids]), self._keep([id for _, id in ids])
        return self._looked_up(f"SELECT * FROM unnest({records}::text[], {wanted}::uuid[]) AS wanted (record, id)")

    def _looked_up(self, source: str) -> str:
        # LIMIT keeps this a look-up for each one: as a join it would be planned over the whole table.
        return (
            f"SELECT {self._columns('d')} FROM ({source}) AS source CROSS JOIN LATERAL (SELECT * FROM documents"
            " WHERE tenant_id = %(tenant)s AND documents.record = source.record AND documents.id = source.id"
            f" LIMIT 1) AS d WHERE {self.readable('d', self.asked.visible)}{self._filtered('d')}"
        )

    def by_tokens(self, questions: Sequence[str], limit: int) -> str:
        """Documents that answer these questions to their tokens, as many of each as `limit` says."""
        allowed = f"{self.readable('d', self.asked.visible)}{self._filtered('d')}{self._answered('d')}"
        return " UNION ALL ".join(
            f"(SELECT {self._columns('d')} FROM documents AS d WHERE tenant_id = %(tenant)s"
            f" AND tokens @@ (SELECT {self._keep(question)}::tsquery) AND {RARE} AND {allowed} LIMIT {limit})"
            for question in questions
        )

    def _columns(self, alias: str) -> str:
        facets = "facets" if self.asked.facets else "NULL"
        return f"{alias}.record, {alias}.id, {alias}.owner_id, {alias}.changed_at, {alias}.words, {facets} AS facets"

    def _answered(self, alias: str) -> str:
        """Where fields are hidden, others must answer: else what is hidden would take the places of what is found."""
        alike: dict[frozenset[str], list[str]] = {}
        for record, fields in sorted(self.asked.visible.hidden.items()):
            alike.setdefault(fields, []).append(record)
        cases = ""
        for fields, records in alike.items():
            ways = " OR ".join(
                " AND ".join(f"{alias}.words ~ {self._keep(pattern(term, fields))}" for term in way)
                for way in self.asked.phrase.ways
            )
            cases += f" WHEN {alias}.record = ANY({self._keep(records)}::text[]) THEN {ways}"
        return f" AND CASE{cases} ELSE true END" if cases else ""

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

    def _unmasked(self, alias: str) -> str:
        """Keys of fields that are not hidden from the principal."""
        found = [
            f"NOT ({alias}.record = {self._keep(record)} AND {alias}.field = ANY({self._keep(sorted(fields))}::text[]))"
            for record, fields in sorted(self.asked.visible.hidden.items())
        ]
        return " AND ".join(found) or "true"

    def _keep(self, value: Any) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f"%({name})s"
