"""What a tenant's own synonyms make of a question: further ways to answer it. Nothing is indexed for them.

They are records of identity; search keeps copies of them by their events, and a process reads a tenant's once in five
seconds. A synonym is found in a question as whole words, or as any characters of a run of Han, and each of the others
stands for it in turn.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from chassis import names, text
from chassis.database import Work
from contracts.identity import MOST_SYNONYMS, Synonym
from services.search.phrases import Phrase, terms_of

JSON = dict[str, Any]
Group = tuple[str, ...]
"""Texts that mean the same, as names are compared."""
RECORD = Synonym.record_name
FIELDS = ("term", "means")
MOST_WAYS = 8
KEPT = 5.0
MOST_TENANTS = 2_000

_READ = (
    f"SELECT data FROM copies WHERE tenant_id = %s AND record = %s AND NOT deleted ORDER BY id LIMIT {MOST_SYNONYMS}"
)
_known: WeakKeyDictionary[Any, dict[str, tuple[float, tuple[Group, ...]]]] = WeakKeyDictionary()


def forget(runtime: Any, tenant: str) -> None:
    """Read the tenant's synonyms anew when they are asked for next."""
    _known.get(runtime, {}).pop(tenant, None)


def groups(work: Work) -> tuple[Group, ...]:
    """The tenant's synonyms."""
    tenants = _known.setdefault(work.service, {})
    read_at, found = tenants.get(work.tenant, (0.0, ()))
    if not read_at or time.monotonic() - read_at > KEPT:
        read_at = time.monotonic()
        rows = work.sql(_READ, (work.tenant, RECORD))
        found = tuple(group_of([row.data["term"], *row.data["means"]]) for row in rows)
        if len(tenants) >= MOST_TENANTS:
            tenants.clear()
        tenants[work.tenant] = (read_at, found)
    return found


def group_of(words: Sequence[str]) -> Group:
    """These words as they are compared, each once; longer ones first, because they may have the shorter in them."""
    found = {" ".join(names.parts(word)) for word in words} - {""}
    return tuple(sorted(found, key=lambda one: (-len(one), one)))


def widened(readings: list[Phrase], typed: str, known: Sequence[Group]) -> list[Phrase]:
    """The readings of a question, the last one, which is that of words, with a way for each synonym in it."""
    others = list(_others(" ".join(names.parts(typed)), known)) if readings else []
    if not others:
        return readings
    last = readings[-1]
    ways = [terms for other in others if (terms := terms_of(other))]
    return [*readings[:-1], replace(last, ways=tuple(dict.fromkeys([*last.ways, *ways])))]


def _others(typed: str, known: Sequence[Group]) -> Iterator[str]:
    """The question with one synonym or several in place of what was typed: a few, those with fewer changes first."""
    found = {typed: None}
    for asked in found.copy():
        found |= dict.fromkeys(_exchanged(asked, known))
    # Once more, for a question that has two of them.
    for asked in list(found)[1:MOST_WAYS]:
        if len(found) >= MOST_WAYS:
            break
        found |= dict.fromkeys(_exchanged(asked, known))
    yield from list(found)[1:MOST_WAYS]


def _exchanged(asked: str, known: Sequence[Group]) -> Iterator[str]:
    for group in known:
        for member in group:
            place = _place(asked, member)
            if place is None:
                continue
            start, end = place
            for other in group:
                if other != member:
                    yield " ".join(f"{asked[:start]} {other} {asked[end:]}".split())
            break


def _place(asked: str, member: str) -> tuple[int, int] | None:
    """Where a synonym stands in a question: at the limits of words, but within a run of Han."""
    if member not in asked:
        return None
    before = "" if text.is_han(member[0]) else "(?<![^ ])"
    after = "" if text.is_han(member[-1]) else "(?![^ ])"
    found = re.search(before + re.escape(member) + after, asked)
    return found.span() if found else None
