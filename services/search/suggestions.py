"""A corrected question, made of nothing but what the principal may see: words of visible fields of records found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rapidfuzz.distance import DamerauLevenshtein

from chassis import text
from services.search.mapping import Searchable

JSON = dict[str, Any]
SHORT = 5


def corrected(typed: str, shown: Iterable[tuple[Searchable, JSON]]) -> str | None:
    """`typed` with every word that no record has exchanged for the nearest one of the first record that has all.

    One letter may be wrong in words of up to five letters, two in longer ones. `shown` are records with their visible
    fields only. None where nothing is near enough, or nothing is wrong.
    """
    spans = [(typed[start:end], start, end) for start, end in text.parts(typed)]
    for searchable, data in shown:
        words = dict(_words(searchable, data))
        pieces, at = [], 0
        for word, start, end in spans:
            nearest = _nearest(text.fold(word), word, words)
            if nearest is None:
                break
            pieces += [typed[at:start], nearest]
            at = end
        else:
            found = "".join([*pieces, typed[at:]])
            if spans and text.fold(found) != text.fold(typed):
                return found
    return None


def _words(searchable: Searchable, data: JSON) -> Iterator[tuple[str, str]]:
    """The folded words of the fields that are searched, with how they are written."""
    for field in searchable.weights:
        value = data.get(field)
        if isinstance(value, str):
            for start, end in text.parts(value):
                yield text.fold(value[start:end]), value[start:end]


def _nearest(word: str, as_typed: str, words: dict[str, str]) -> str | None:
    if any(known.startswith(word) for known in words):
        return as_typed
    allowed = 1 if len(word) <= SHORT else 2
    best, least = None, allowed + 1
    for known, written in words.items():
        distance = DamerauLevenshtein.distance(word, known, score_cutoff=allowed)
        if distance < least:
            best, least = written, distance
    return best
