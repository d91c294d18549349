"""A corrected question, made of nothing but what the principal may see: words of visible fields of records found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from chassis import names, pinyin, slips, text
from services.search.mapping import Searchable

JSON = dict[str, Any]
LONGEST_READ = 20
"""Longer runs of Han characters are not taken apart by their sound."""


def corrected(typed: str, shown: Iterable[tuple[Searchable, JSON]]) -> str | None:
    """`typed` with every word that no record has exchanged for the nearest one of the first record that has all.

    `shown` are records with their visible fields only. None where nothing is near enough, or nothing is wrong.
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
    """The folded words of the fields that are searched, with how they are written; Han characters by their sound."""
    for field in searchable.weights:
        value = data.get(field)
        if not isinstance(value, str):
            continue
        for start, end in text.parts(value):
            part = value[start:end]
            yield text.fold(part), part
            if text.is_han(part) and len(part) <= LONGEST_READ:
                yield from ((sound, sound) for sound in _sounds(names.simplified(part)))


def _sounds(run: str) -> Iterator[str]:
    """How every piece of a run is typed in full."""
    for syllables in pinyin.readings(run):
        for start in range(len(syllables)):
            yield from ("".join(syllables[start:end]) for end in range(start + 1, len(syllables) + 1))


def _nearest(word: str, as_typed: str, words: dict[str, str]) -> str | None:
    if any(known.startswith(word) for known in words):
        return as_typed
    allowed = slips.forgiven(word)
    best, least = None, allowed + 1
    for known, written in words.items():
        distance = slips.between(word, known, allowed)
        if distance < least:
            best, least = written, distance
    return best
