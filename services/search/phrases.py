"""What was typed, as the words that a document must have."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from chassis import names, text
from services.search.mapping import key_of, sound_of

MOST_TERMS = 12
LAST_DIGITS = 4
LONGEST_CODE, FEWEST_OF_A_NUMBER = 3, 7
"""Digits of the longest country's code, and of the shortest number that may be compared without one."""
# Sorts behind every other character, so that a prefix is the range from itself to itself with this behind it.
END = "\U0010ffff"


@dataclass(frozen=True)
class Term:
    """One word of a question. `ranges` are (from, before) of the words that answer it; `before` None means equal.

    `wholes` are the words that answer it in full, which counts double: what was typed, or what may have been meant.
    """

    word: str
    ranges: tuple[tuple[str, str | None], ...]
    meant: tuple[str, ...] = ()

    @property
    def wholes(self) -> tuple[str, ...]:
        return (self.word, *self.meant)

    def answers(self, word: str) -> bool:
        """Whether an indexed word answers this one."""
        return any(word == low if high is None else low <= word < high for low, high in self.ranges)


@dataclass(frozen=True)
class Phrase:
    """All terms of one of the `ways` must be answered; the first way is what was typed.

    `keys` are the whole of what was typed, and of what may have been meant, as values that are keys are indexed.
    """

    keys: tuple[str, ...]
    ways: tuple[tuple[Term, ...], ...]

    @property
    def terms(self) -> tuple[Term, ...]:
        return self.ways[0]

    @property
    def all_terms(self) -> tuple[Term, ...]:
        return tuple(dict.fromkeys(term for way in self.ways for term in way))

    @cached_property
    def starts(self) -> tuple[str, ...]:
        """What keys begin with that are looked for: as they are written, or as they sound."""
        sounds = (sound_of(key[1:]) for key in self.keys)
        return (*self.keys, *dict.fromkeys(sound for sound in sounds if sound))


def prefix(word: str) -> tuple[str, str]:
    """The range of the words that begin so."""
    return word, word + END


def beginning(word: str, meant: Iterable[str] = ()) -> Term:
    """A word, or what may have been meant by it, or the beginning of either."""
    found = tuple(meant)
    return Term(word, tuple(prefix(one) for one in (word, *found)), found)


def phrases(typed: str) -> list[Phrase]:
    """The ways to read what was typed, the more exact one first: as a phone number written in groups, then as words."""
    keys = (key_of(typed),)
    found = []
    digits = text.phone_digits(typed)
    if digits:
        found.append(Phrase(keys, ((_phone(digits, abroad=typed.strip().startswith(("+", "00"))),),)))
    terms = terms_of(typed)
    if terms:
        as_words = Phrase(keys, (terms,))
        if as_words not in found:
            found.append(as_words)
    return found


def terms_of(typed: str) -> tuple[Term, ...]:
    """The words of a text, and its Han characters in pairs."""
    terms = [_digits(word) if word.isdigit() else beginning(word) for word in text.words(typed)]
    terms += [Term(gram, ((gram, None),)) for run in text.han_runs(names.simplified(typed)) for gram in _grams(run)]
    return tuple(dict.fromkeys(terms))[:MOST_TERMS]


def _digits(digits: str) -> Term:
    """Digits are the beginning of a number, or the last ones of a phone number."""
    if len(digits) < LAST_DIGITS:
        return Term(digits, (prefix(digits),))
    return Term(digits, (prefix(digits), prefix("~" + digits[::-1])))


def _phone(digits: str, *, abroad: bool) -> Term:
    """A whole number, as it is written here or abroad: without the zeros before it, or without the country's code."""
    bare = digits.lstrip("0")
    tails = {digits, bare, *(bare[code:] for code in range(1, LONGEST_CODE + 1) if abroad)}
    ranges = [prefix("~" + tail[::-1]) for tail in sorted(tails, key=len) if len(tail) >= FEWEST_OF_A_NUMBER]
    return Term(digits, tuple(dict.fromkeys([*_digits(digits).ranges, *ranges])))


def _grams(run: str) -> list[str]:
    """A longer run is asked for by its pairs: the single characters would find more and say less."""
    return [run] if len(run) == 1 else [run[at : at + 2] for at in range(len(run) - 1)]
