"""What a document scores for a question, from its words as they are kept beside it.

They are one text with a line for each word: weight, word and field between tabs, which no folded word can hold. So
where a document has a word, or the beginning of one, is one search in a text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from services.search.index import BEGINNING, KEY, KEY_WEIGHT, OWN, Asked
from services.search.mapping import BACK
from services.search.phrases import Term

MARK = "\t\t"
"""Before a word, so that it is told from a field. A word may end with a space, where a long key was cut."""
Line = tuple[str, str, int]
"""Field, word and weight, as documents have them."""


def text_of(words: Iterable[Line]) -> str:
    """The words as they are kept, without those that are only looked up when something was typed wrongly."""
    return "".join(f"\n{weight}{MARK}{word}\t{field}" for field, word, weight in words if word[0] != BACK)


def words_of(text: str) -> list[Line]:
    """The words that `text_of` has written."""
    lines = (line.split("\t") for line in text.split("\n")[1:])
    return [(field, word, int(weight)) for weight, _, word, field in lines]


def shown(text: str, hidden: Collection[str]) -> str:
    """The same without the words of hidden fields."""
    return "".join(f"\n{line}" for line in text.split("\n")[1:] if line.rsplit("\t", 1)[1] not in hidden)


class Needle:
    """What is looked for in the words of a document: beginnings, and what is worth more in full."""

    def __init__(self, starts: Iterable[str], wholes: Iterable[str]) -> None:
        self._starts = [MARK + one for one in starts]
        self._wholes = tuple(f"{MARK}{one}\t" for one in wholes)

    def weights(self, text: str) -> tuple[int, int]:
        """The heaviest word that begins so, and the heaviest of those that are there in full; 0: none is."""
        part = whole = 0
        for start in self._starts:
            at = text.find(start)
            while at >= 0:
                weight = int(text[text.rfind("\n", 0, at) + 1 : at])
                part = max(part, weight)
                if weight > whole and any(text.startswith(one, at) for one in self._wholes):
                    whole = weight
                at = text.find(start, at + 1)
        return part, whole


def needle_of(term: Term) -> Needle:
    starts = [low if high else f"{low}\t" for low, high in term.ranges]
    return Needle(starts, [word for word in term.wholes if term.answers(word)])


@dataclass(frozen=True)
class Points:
    """What adds up to a score."""

    key: int = 0
    beginning: int = 0
    words: int = 0
    own: int = 0
    lifted: int = 0

    @property
    def score(self) -> int:
        return self.key + self.beginning + self.words + self.own + self.lifted


class Scorer:
    """One question, put to the words of many documents."""

    def __init__(self, asked: Asked) -> None:
        self._asked, phrase = asked, asked.phrase
        needles = {term: needle_of(term) for term in phrase.all_terms}
        self._ways = [[needles[term] for term in way] for way in phrase.ways]
        self._keys = Needle(phrase.starts, phrase.keys)

    def points(self, record: str, id: str, owner_id: str | None, text: str) -> Points | None:
        """None where the document does not answer by what may be seen of it."""
        hidden = self._asked.visible.hidden.get(record)
        if hidden:
            text = shown(text, hidden)
        start, key = self._keys.weights(text)
        words = max(_all_of(way, text) for way in self._ways)
        if not words and not start:
            return None
        return Points(
            key=KEY + KEY_WEIGHT * key if key else 0,
            beginning=BEGINNING * start,
            words=words,
            own=OWN if owner_id is not None and owner_id == self._asked.visible.user_id else 0,
            lifted=self._asked.lifted.get((record, id), 0),
        )


def _all_of(way: list[Needle], text: str) -> int:
    """The points of all terms together, none where one is not answered."""
    total = 0
    for needle in way:
        part, whole = needle.weights(text)
        if not part:
            return 0
        # A whole word is worth twice its beginning.
        total += max(part, 2 * whole)
    return total


def pattern(term: Term, hidden: Collection[str]) -> str:
    """A regular expression of PostgreSQL for texts in which a field that is not hidden answers the term."""
    starts = "|".join(re.escape(low) + ("[^\t\n]*" if high else "") for low, high in term.ranges)
    fields = "|".join(re.escape(field) for field in sorted(hidden))
    return f"{MARK}(?:{starts})\t(?!(?:{fields})(?:\n|$))"
