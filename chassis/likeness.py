"""What twins have in common: keys that find candidates, and how alike two values are, from 0 to 1.

The same functions serve the table of keys, the answer and the bench. Every name is first written as
`chassis.names` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import pairwise
from typing import Any

from rapidfuzz.distance import JaroWinkler, Levenshtein
from rapidfuzz.fuzz import token_set_ratio, token_sort_ratio

from chassis import names
from chassis.text import HAN, fold, phone_digits

STREETS = {
    "street": "st", "str": "st", "strasse": "st", "avenue": "ave", "av": "ave", "boulevard": "blvd", "blv": "blvd",
    "road": "rd", "drive": "dr", "place": "pl", "lane": "ln", "north": "n", "south": "s", "east": "e", "west": "w",
    "suite": "ste", "square": "sq", "highway": "hwy", "parkway": "pkwy", "first": "1st", "second": "2nd",
    "third": "3rd", "fifth": "5th",
}  # fmt: skip
PUBLIC_MAIL = frozenset(
    str.split(
        "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com aol.com gmx.de gmx.net web.de"
        " qq.com 163.com 126.com sina.com foxmail.com mail.ru yandex.ru proton.me protonmail.com"
    )
)
_MODEL = re.compile("[0-9][^0-9]|[^0-9][0-9]")
_MEASURE = re.compile(
    r"\d+(?:p|i|hz|khz|mhz|ghz|gb|mb|tb|w|ms|mm|cm|in|ft|lb|kg|g|ml|l|x|k|v|mah|mp|dpi|fps|st|nd|rd|th)?"
)
# What the last letters of a model's number say is mostly a colour or a country.
_VARIANT = re.compile("(?<=[0-9a-z]{4})[a-z]{1,3}$")
# An extension stands behind a word for it, in the languages that firms write it in; `+49 (0)30` has a zero that nobody
# dials from abroad.
_EXTENSION = re.compile(
    r"\s*(?:;\s*ext=|\bext(?:ension|n)?\b\.?|\bx(?=\s*\d)|#|\bramal\b|\bdurchwahl\b|\bdw\b\.?|\bposte\b|\bint\b\.?|"
    r"内线|分机|分機|转|轉)\s*[:.]?\s*\d{1,6}\s*$"
)
_HAN = re.compile(f"[{HAN}]")
_TRUNK = re.compile(r"(?<=\d)\s*\(0\)")
_CHINESE_MOBILE = re.compile("1[3-9]")
PHONE_TAIL = 7
LONGEST = 60


@lru_cache(maxsize=65536)
def company(value: str) -> str:
    """Without legal form: `Müller & Söhne GmbH & Co. KG` → `muller sohne`, `华为技术有限公司` → `华为技术`."""
    return " ".join(names.bare(names.parts(value)))


@lru_cache(maxsize=65536)
def person(value: str) -> str:
    """A person's name, words in alphabetical order, so that surname and given name may stand either way."""
    return " ".join(sorted(names.parts(value)))


@lru_cache(maxsize=65536)
def plain(value: str) -> str:
    return " ".join(names.parts(value))


@lru_cache(maxsize=65536)
def address(value: str) -> str:
    return " ".join(STREETS.get(word, word) for word in names.parts(value))


def phone(value: str) -> str:
    """The digits that all ways of writing a number share: no extension, country code or trunk zeros; the last ten.

    Of Brazilian mobiles also without the ninth digit, which they got between 2012 and 2016.

    `+86 138 0013 8000` and `13800138000` are one, and so are `+55 (11) 98765-4321`, `11 8765-4321` and
    `+55 11 8765 4321 ramal 12`.
    """
    digits = phone_digits(_TRUNK.sub("", _EXTENSION.sub("", fold(value)))).lstrip("0")
    brazilian = digits.startswith("55") and len(digits) in (12, 13)
    if brazilian:
        digits = digits[2:]
    # Without its country, eleven digits with a 9 in the third place are taken for Brazilian unless they are Chinese.
    if len(digits) == 11 and digits[2] == "9" and (brazilian or not _CHINESE_MOBILE.match(digits)):
        digits = digits[:2] + digits[3:]
    return digits[-10:]


def email(value: str) -> str:
    """Lower case; what stands behind a plus is a label of its owner's."""
    name, _, host = fold(value).partition("@")
    return f"{name.partition('+')[0]}@{host}"


def domain(value: str) -> str:
    """The host of a website or an e-mail address, without `www`; empty for hosts where everybody has a mailbox."""
    host = fold(value).rpartition("@")[2].partition("://")[2] or fold(value).rpartition("@")[2]
    host = re.split(r"[/?#:]", host, maxsplit=1)[0].removeprefix("www.")
    return "" if host in PUBLIC_MAIL or "." not in host else host


def code(value: str) -> str:
    return "".join(names.parts(value))


NORMAL: dict[str, Callable[[str], str]] = {
    "company": company, "person": person, "text": plain, "address": address, "phone": phone, "email": email,
    "domain": domain, "code": code, "date": code,
}  # fmt: skip
EXACT = ("phone", "email", "domain", "code", "date")


def text_of(value: Any) -> str:
    """A field's wire value as text: a structure such as an address is its parts."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return " ".join(str(part) for name, part in value.items() if part and name != "country")
    return str(value)


def normal(kind: str, value: Any) -> str:
    text = text_of(value)
    return NORMAL[kind](text) if text else ""


def keys(kind: str, key: str) -> set[str]:
    """What finds the candidates: exact values as they are; of texts the beginning and the end of every word, so that
    one mistake in a word leaves one of them right, and neighbours of Han characters."""
    if not key:
        return set()
    if kind == "phone":
        return {f"phone:{key[-PHONE_TAIL:]}"} if len(key) >= PHONE_TAIL else set()
    if kind in EXACT:
        return {f"{kind}:{key[:LONGEST]}"}
    found = set()
    for word in key.split():
        if _HAN.match(word):
            found |= {f"{kind}:{word[at : at + 2]}" for at in range(max(len(word) - 1, 1))}
        elif kind == "address":
            if any(char.isdigit() for char in word) and len(word) > 2:
                found.add(f"address:{word[:LONGEST]}")
        elif len(word) > 4:
            found |= {f"{kind}:{word[:4]}", f"{kind}:*{word[-4:]}"}
        elif len(word) > 1:
            found.add(f"{kind}:{word}")
    return found


def alike(kind: str, mine: str, theirs: str) -> float:
    """How alike two normal forms are, 0 to 1. Exact kinds are so or not; e-mail names may differ by a slip."""
    if mine == theirs:
        return 1.0
    if kind == "phone":
        return 1.0 if len(min(mine, theirs, key=len)) >= PHONE_TAIL and _ends_alike(mine, theirs) else 0.0
    if kind in ("email", "domain", "code"):
        return 0.0 if kind != "email" else 0.8 * (JaroWinkler.similarity(mine, theirs) > 0.94)
    if kind == "person":
        return _people(mine, theirs)
    if kind == "date":
        return 0.7 if Levenshtein.distance(mine, theirs, score_cutoff=1) <= 1 else 0.0
    likeness = max(token_sort_ratio(mine, theirs), 0.92 * token_set_ratio(mine, theirs)) / 100
    return _goods(mine, theirs, likeness) if kind == "text" else likeness


def _goods(mine: str, theirs: str, likeness: float) -> float:
    """A model's number says more than all other words: the same one nearly decides, and two different ones as well.

    One that differs in its last letters alone is mostly the same thing in another colour or for another country; where
    only one side has a number, the words must say more. The factors are from one half of `bench/dedupe.md`'s pairs.
    """
    left, right = _models(mine), _models(theirs)
    if _common(left, right):
        return max(likeness, 0.9)
    if left and right:
        bare = [{_VARIANT.sub("", one) for one in models} for models in (left, right)]
        return max(likeness, 0.65) if _common(*bare) else 0.5 * likeness
    return 0.7 * likeness if left or right else likeness


def _common(left: set[str], right: set[str]) -> bool:
    """Whether a number is on both sides; one of them may lack its beginning, as `tg9341t` of `kxtg9341t`."""
    return any(
        one == other or (min(len(one), len(other)) > 4 and (one.endswith(other) or other.endswith(one)))
        for one in left
        for other in right
    )


def _ends_alike(mine: str, theirs: str) -> bool:
    return mine.endswith(theirs) or theirs.endswith(mine)


def _models(value: str) -> set[str]:
    """The numbers of models in a name: letters and digits in one word or in two (`kx tg9341t`), but no measures."""
    words = value.split()
    numbers = [word for word in words if _MODEL.search(word) and not _MEASURE.fullmatch(word)]
    joined = {
        before + word
        for before, word in pairwise(words)
        if word in numbers and len(before) < 4 and not before.isdigit()
    }
    return {word for word in (*numbers, *joined) if len(word) > 4}


def _people(mine: str, theirs: str) -> float:
    """Words matched one by one in whatever order; an initial fits the name that it begins."""
    left, right = mine.split(), theirs.split()
    if len(left) > len(right):
        left, right = right, left
    total, free = 0.0, list(right)
    for word in left:
        best = max(free, key=lambda other: _word(word, other), default="")
        total += _word(word, best)
        if best:
            free.remove(best)
    return total / len(left) * (0.95 if free else 1.0) if left else 0.0


def _word(one: str, other: str) -> float:
    if len(one) == 1 or len(other) == 1:
        return 0.9 if one[:1] == other[:1] else 0.0
    found = JaroWinkler.similarity(one, other)
    return found if found > 0.75 else 0.0


# Fields that only one side has say little: they count this much of their weight against a pair.
SILENCE = 0.25
# Of pairs at this score and above most are twins, and most twins are there (`bench/dedupe.md`).
THRESHOLD = 0.6


def score(pairs: Iterable[tuple[str, float, str, str]]) -> tuple[float, list[float]]:
    """From `(kind, weight, mine, theirs)`: how likely it is one and the same, 0 to 1, and how alike each pair is."""
    gained = possible = 0.0
    each = []
    for kind, weight, mine, theirs in pairs:
        if mine and theirs:
            likeness = alike(kind, mine, theirs)
            gained += weight * likeness
            possible += weight
        else:
            likeness = 0.0
            possible += SILENCE * weight if (mine or theirs) else 0.0
        each.append(likeness)
    return (gained / possible if possible else 0.0), each
