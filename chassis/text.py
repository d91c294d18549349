"""Folding of text for filters, sorting and search: the same function before storing and before asking."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SPECIAL = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "ae",
    "ø": "o",
    "Ø": "o",
    "đ": "d",
    "Đ": "d",
    "ł": "l",
    "Ł": "l",
    "œ": "oe",
    "Œ": "oe",
    "ı": "i",
}
_SPECIAL = str.maketrans(SPECIAL)


# One value is folded for its words, its runs of Han, its digits, its key.
@lru_cache(maxsize=1024)
def fold(value: str) -> str:
    """Lower case, without accents, full width made half width, white space single: `Café  ＡＢＣ` → `cafe abc`."""
    if value.isascii():
        return " ".join(value.lower().split())
    decomposed = unicodedata.normalize("NFKD", value.translate(_SPECIAL))
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join(unicodedata.normalize("NFC", bare).casefold().split())


HAN = "〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
LONGEST_WORD = 40
_PART = re.compile(rf"[{HAN}]+|[^\W_{HAN}]+")
_HAN_RUN = re.compile(rf"[{HAN}]+")
_PIECE = re.compile(r"[\s@,;:/|()]+")
_PHONE = re.compile(r"\+?[0-9 ()./-]{5,40}")
FEWEST_DIGITS = 5


def parts(value: str) -> list[tuple[int, int]]:
    """Where the words and the runs of Han characters stand in a text, as (start, end)."""
    return [found.span() for found in _PART.finditer(value)]


def parts_of(value: str) -> list[str]:
    """The words and the runs of Han characters of a text, as they are written."""
    return _PART.findall(value)


def is_han(part: str) -> bool:
    """Whether a part is a run of Han characters."""
    return _HAN_RUN.match(part) is not None


def words(value: str) -> list[str]:
    """The folded words of a text in their order, without Han: `Müller & Söhne 北京` → `muller`, `sohne`."""
    return [part[:LONGEST_WORD] for part in _PART.findall(fold(value)) if not _HAN_RUN.match(part)]


def compounds(value: str) -> list[str]:
    """What punctuation divides, written as one word: `O'Brien` → `obrien`, `j.smith@acme.com` → `jsmith`, `acmecom`."""
    found = []
    for piece in _PIECE.split(fold(value)):
        divided = [part for part in _PART.findall(piece) if not _HAN_RUN.match(part)]
        if len(divided) > 1:
            found.append("".join(divided)[:LONGEST_WORD])
    return found


def han_runs(value: str) -> list[str]:
    """The unbroken runs of Han characters."""
    return _HAN_RUN.findall(fold(value))


def han_ngrams(value: str) -> list[str]:
    """Each Han character and each pair of neighbours: `中国银行` → the four and `中国`, `国银`, `银行`."""
    grams = []
    for run in han_runs(value):
        grams += [*run, *(run[at : at + 2] for at in range(len(run) - 1))]
    return grams


def phone_digits(value: str) -> str:
    """The digits of what is written like a phone number, else an empty text: `+49 (30) 007-4321` → `49300074321`."""
    folded = fold(value)
    if not _PHONE.fullmatch(folded):
        return ""
    digits = "".join(char for char in folded if char.isdigit())
    return digits if len(digits) >= FEWEST_DIGITS else ""
