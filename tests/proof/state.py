"""Two states are equal when they differ in nothing but names of things and instants.

Ids and times differ by nature from run to run. So every instant becomes one word, and every id is known by its company:
by the rows in which it stands and by the ids beside it (colour refinement, Weisfeiler and Leman 1968), which says
whether two databases are the same up to renaming.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from contracts.registry import SERVICES

_ID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)")
ROUNDS = 3

# The digest of a request in which ids stand; its answer, which is compared, stands beside it. And what is made of the
# words, the owner and the facets beside it, with a piece of the tenant's id before each.
OF_IDS: dict[str, tuple[str, ...]] = {
    **{f"{service}.idempotency": ("body_hash",) for service in SERVICES},
    "search.documents": ("tokens",),
}
# What else may differ, and why. Everything that is not named here is compared.
BY_NATURE: dict[str, tuple[str, ...]] = {
    **OF_IDS,
    # The order in which events arrive is not promised; that the positions are dense is checked on their own.
    "eventlog.events": ("position",),
    # How often an event had to wait for another that came later.
    **{f"{service}.inbox": ("attempts",) for service in SERVICES},
}


@dataclass(frozen=True)
class State:
    """The rows of a tenant: with names blanked, and with each name told apart by its company."""

    blank: Counter[str]
    refined: Counter[tuple[str, int]]
    positions: list[int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and not self.difference(other)

    __hash__ = None  # type: ignore[assignment]

    def difference(self, other: State) -> list[str]:
        """What this state lacks of the other (`-`) and has beyond it (`+`), as an operator can read it."""
        if self.positions != list(range(1, len(self.positions) + 1)):
            return [f"the positions of the log are not dense: {self.positions}"]
        if self.blank != other.blank:
            return _told(other.blank - self.blank, self.blank - other.blank)
        if self.refined != other.refined:
            less, more = other.refined - self.refined, self.refined - other.refined
            told = _told(Counter(text for text, _ in less.elements()), Counter(text for text, _ in more.elements()))
            return ["the rows are the same, but ids refer differently:", *told]
        return []


def _told(less: Counter[str], more: Counter[str]) -> list[str]:
    return [f"- {row}" for row in sorted(less.elements())] + [f"+ {row}" for row in sorted(more.elements())]


def state_of(rows: Sequence[tuple[str, str]], *, left_out: Mapping[str, Sequence[str]] = BY_NATURE) -> State:
    """The state that these rows (`service.table`, JSON) are, up to the columns that are left out."""
    names: list[str] = []
    texts: list[list[str]] = []
    positions: list[int] = []
    for name, content in rows:
        if columns := left_out.get(name):
            document = orjson.loads(content)
            if name == "eventlog.events":
                positions.append(document["position"])
            content = orjson.dumps({key: value for key, value in document.items() if key not in columns}).decode()
        names.append(name)
        texts.append(_ID.split(_INSTANT.sub("<instant>", content)))
    blank = [f"{name} {'<id>'.join(parts[::2])}" for name, parts in zip(names, texts, strict=True)]
    colours: dict[str, int] = defaultdict(int)
    hashes = [hash(text) for text in blank]
    for _ in range(ROUNDS):
        company: dict[str, list[int]] = defaultdict(list)
        for own, parts in zip(hashes, texts, strict=True):
            for place, found in enumerate(parts[1::2]):
                company[found].append(hash((own, place)))
        colours = defaultdict(int, {found: hash(tuple(sorted(seen))) for found, seen in company.items()})
        hashes = [
            hash((text, *(colours[found] for found in parts[1::2]))) for text, parts in zip(blank, texts, strict=True)
        ]
    return State(Counter(blank), Counter(zip(blank, hashes, strict=True)), sorted(positions))
