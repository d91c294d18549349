"""What may have been meant by words that were typed wrongly: words that are in the index at a few slips.

Which ones there are is looked up in PostgreSQL whatever kind of index answers, by ranges over the words alone. Nothing
of it is shown: it widens a question that is then answered under the same rules as any other.

A word with one slip is among its variants, of which there are some hundreds, and each is looked up. Of two slips one at
most is in the first half of what was meant, or else none in the second: so the words that begin, or end, almost so are
listed and compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any

from chassis import slips
from chassis.database import Work
from services.search.mapping import BACK
from services.search.phrases import END, Phrase, beginning

MOST_MEANT, MOST_KEYS, MOST_LISTED = 20, 8, 5_000
SHORTEST_START = 5
"""A beginning of fewer letters that is almost what was typed says too little."""

FIRST = (
    "SELECT asked.word, (SELECT words.word FROM words WHERE tenant_id = %(tenant)s AND words.word >= asked.word"
    " AND words.word < asked.word || %(end)s ORDER BY words.word LIMIT 1) AS first"
    " FROM unnest(%(asked)s::text[]) AS asked (word)"
)
LISTED = (
    "WITH RECURSIVE listed AS ("
    "SELECT asked.start, (SELECT words.word FROM words WHERE tenant_id = %(tenant)s AND words.word >= asked.start"
    "  AND words.word < asked.start || %(end)s ORDER BY words.word LIMIT 1) AS word"
    " FROM unnest(%(asked)s::text[]) AS asked (start)"
    " UNION ALL SELECT listed.start, (SELECT words.word FROM words WHERE tenant_id = %(tenant)s"
    "  AND words.word > listed.word AND words.word < listed.start || %(end)s ORDER BY words.word LIMIT 1)"
    " FROM listed WHERE listed.word IS NOT NULL)"
    " SELECT word FROM listed WHERE word IS NOT NULL LIMIT %(most)s"
)


def meant(work: Work, phrase: Phrase, *, known: bool) -> Phrase | None:
    """A phrase with what may have been meant by the words that no record has, and with `known` by the others as well.

    None where there is nothing to correct, or nothing near one of the unknown words.
    """
    words = [term.word for term in phrase.terms if slips.forgiven(term.word)]
    there = _starts(work, words)
    near = {word: _near(work, word) for word in words if word not in there}
    if not all(near.values()) or not (near or known):
        return None
    if known:
        others = {word: found for word in there if (found := _near(work, word))}
        if not others:
            return None
        near |= others
    return _with(phrase, near)


def _with(phrase: Phrase, near: dict[str, list[str]]) -> Phrase:
    """A phrase in whose terms, and in whose whole, words may be others."""
    terms = tuple(beginning(one.word, near[one.word]) if one.word in near else one for one in phrase.terms)
    pieces = phrase.keys[0].split(" ")
    choices = [near.get(piece.removeprefix("="), [piece]) for piece in pieces]
    choices[0] = [f"={one.removeprefix('=')}" for one in choices[0]]
    keys = (" ".join(chosen) for chosen in itertools.product(*choices))
    return Phrase((*phrase.keys, *itertools.islice(keys, MOST_KEYS)), (terms,))


def _near(work: Work, word: str) -> list[str]:
    """The words that are nearest, or what words begin with that are."""
    variants = slips.variants(word)
    found = _starts(work, variants)
    near = sorted(one for one, first in found.items() if one == first)
    if not near:
        near = sorted(one for one in found if len(one) >= SHORTEST_START)
    if not near and slips.forgiven(word) > 1:
        near = _far(work, word)
    return near[:MOST_MEANT]


def _starts(work: Work, asked: Collection[str]) -> dict[str, str]:
    """Those of these texts that words begin with, each with the first word that does."""
    parameters = {"tenant": work.tenant, "asked": sorted(asked), "end": END}
    return {row.word: row.first for row in work.sql(FIRST, parameters) if row.first is not None}


def _far(work: Work, word: str) -> list[str]:
    """Words at two slips, the nearest first."""
    half = len(word) // 2
    starts = slips.beginnings(word, half)
    ends = {BACK + one for one in slips.beginnings(word[::-1], len(word) - half)}
    found: dict[str, int] = {}
    for one in (*_listed(work, starts), *(one[:0:-1] for one in _listed(work, ends))):
        for length in (len(one), *range(len(word) - 2, min(len(one), len(word) + 3))):
            distance = slips.between(word, one[:length], 2)
            if distance <= 2 and length >= SHORTEST_START:
                whole = length == len(one)
                found[one[:length]] = min(2 * distance - whole, found.get(one[:length], 9))
    return sorted(found, key=lambda one: (found[one], one))


def _listed(work: Work, starts: Collection[str]) -> Sequence[str]:
    parameters: dict[str, Any] = {"tenant": work.tenant, "asked": sorted(starts), "end": END, "most": MOST_LISTED}
    return [row.word for row in work.sql(LISTED, parameters)]
