"""What was typed, as the words that a document must have."""

from __future__ import annotations

from dataclasses import dataclass

from chassis import names, text
from services.search.mapping import key_of

MOST_TERMS = 12
LAST_DIGITS = 4
LONGEST_CODE, FEWEST_OF_A_NUMBER = 3, 7
"""Digits of the longest country's code, and of the shortest number that may be compared without one."""
# Sorts behind every other character, so that a prefix is the range from itself to itself with this behind it.
END = "\U0010ffff"


@dataclass(frozen=True)
class Term:
    """One word of a question. `ranges` are (from, before) of the words that answer it; `before` None means equal."""

    word: str
    ranges: tuple[tuple[str, str | None], ...]

    def answers(self, word: str) -> bool:
        """Whether an indexed word answers this one."""
        return any(word == low if high is None else low <= word < high for low, high in self.ranges)


@dataclass(frozen=True)
class Phrase:
    """All terms must be answered; `key` is the whole of what was typed, as values that are keys are indexed."""

    key: str
    terms: tuple[Term, ...]


def prefix(word: str) -> tuple[str, str]:
    """The range of the words that begin so."""
    return word, word + END


def phrases(typed: str) -> list[Phrase]:
    """The ways to read what was typed, the more exact one first: as a phone number written in groups, then as words."""
    key = key_of(typed)
    found = []
    digits = text.phone_digits(typed)
    if digits:
        found.append(Phrase(key, (_phone(digits, abroad=typed.strip().startswith(("+", "00"))),)))
    terms = [_digits(word) if word.isdigit() else Term(word, (prefix(word),)) for word in text.words(typed)]
    terms += [Term(gram, ((gram, None),)) for run in text.han_runs(names.simplified(typed)) for gram in _grams(run)]
    if terms:
        as_words = Phrase(key, tuple(dict.fromkeys(terms))[:MOST_TERMS])
        if as_words not in found:
            found.append(as_words)
    return found


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
