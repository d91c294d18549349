"""Typing errors: what somebody may have meant who typed a word almost right.

A slip is one letter that is wrong, missing or too many, or two neighbours that changed places. Words of up to five
letters are forgiven one, longer ones two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rapidfuzz.distance import OSA

SHORT, SHORTEST = 5, 3
LATIN = "abcdefghijklmnopqrstuvwxyz"
BLOCK = 128
"""Letters of one script stand together in blocks of this size or a multiple of it."""


def forgiven(word: str) -> int:
    """How many slips are forgiven in a word: none where it has digits, which are meant exactly, or says too little."""
    if len(word) < SHORTEST or not word.isalpha():
        return 0
    return 1 if len(word) <= SHORT else 2


def between(one: str, other: str, most: int) -> int:
    """The number of slips between two words; `most` + 1 where there are more."""
    return int(OSA.distance(one, other, score_cutoff=most))


def variants(word: str) -> set[str]:
    """Every text that is at one slip from a word, in the letters of its script; the word itself is none."""
    found = {text for at in range(len(word) + 1) for text in _about(word, at)}
    return found - {word}


def beginnings(word: str, length: int) -> set[str]:
    """Every text of this length with which a word may begin that was meant by `word`, at one slip in it at most.

    A letter that is missing or too many moves the place where the beginning ends.
    """
    found = {word[:length]}
    for end in (length - 1, length, length + 1):
        found |= variants(word[:end])
    return {one for one in found if len(one) == length}


def _about(word: str, at: int) -> Iterator[str]:
    before, after = word[:at], word[at:]
    letters = alphabet(word)
    yield from (before + letter + after for letter in letters)
    if after:
        yield before + after[1:]
        yield from (before + letter + after[1:] for letter in letters)
    if len(after) > 1:
        yield before + after[1] + after[0] + after[2:]


def alphabet(word: str) -> str:
    """The letters that may have been meant: those of the scripts of a word."""
    return LATIN if word.isascii() else _letters(frozenset(ord(letter) // BLOCK for letter in word))


@lru_cache(maxsize=256)
def _letters(blocks: frozenset[int]) -> str:
    found = (chr(code) for block in sorted(blocks) for code in range(block * BLOCK, (block + 1) * BLOCK))
    return "".join(letter for letter in found if letter.isalpha() and letter == letter.casefold())
