"""How a hit is shown: its title, its subtitle, the place that matched as escaped HTML. What is hidden shows nowhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Any

from chassis import names, pinyin, text
from services.search.mapping import EXTERNAL, Searchable
from services.search.phrases import Term

JSON = dict[str, Any]
BEFORE, SHOWN = 40, 160
ELLIPSIS = "…"


def title_of(searchable: Searchable, data: JSON) -> str | None:
    """The title, or the number of a record whose title is empty or hidden; `data` holds visible fields only."""
    return data.get(searchable.title) or data.get("number")


def subtitle_of(searchable: Searchable, data: JSON) -> str | None:
    """The fields beside the title, where they are filled."""
    return " · ".join(str(data[name]) for name in searchable.subtitle if data.get(name)) or None


def highlight(searchable: Searchable, data: JSON, terms: Sequence[Term]) -> str | None:
    """The title with what matched in it, or the heaviest other field that matched, about its first match."""
    others = sorted(
        (name for name in searchable.weights if name != searchable.title), key=lambda name: -searchable.weights[name]
    )
    for field in (searchable.title, *others):
        for value in _values(data, field):
            marks = list(matches(value, terms))
            if marks:
                return excerpt(value, marks)
    title = title_of(searchable, data)
    return None if title is None else excerpt(title, [])


def _values(data: JSON, field: str) -> Collection[str]:
    value = data.get(field)
    if field == EXTERNAL:
        return list((value or {}).values())
    return [value] if isinstance(value, str) else []


def matches(value: str, terms: Sequence[Term]) -> Iterator[tuple[int, int]]:
    """Where the text has words that answer a term, as (start, end) in order."""
    digits = text.phone_digits(value)
    if digits and any(term.answers(digits) or term.answers("~" + digits[::-1]) for term in terms):
        yield 0, len(value)
        return
    for start, end in text.parts(value):
        part = value[start:end]
        if not text.han_runs(part):
            if any(term.answers(word) for term in terms for word in text.words(part)):
                yield start, end
            continue
        # Simplified characters stand where the traditional ones stood, one for one.
        part = names.simplified(part)
        found = [term.word for term in terms if term.word in part]
        if found:
            yield from _joined(
                sorted((start + at, start + at + len(word)) for word in found for at in _places(part, word))
            )
        elif any(term.answers(form) for term in terms for form in pinyin.forms(part)):
            yield start, end


def _places(part: str, word: str) -> list[int]:
    return [at for at in range(len(part) - len(word) + 1) if part.startswith(word, at)]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that touch or overlap, as one: neighbouring pairs of Han characters are one match."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def excerpt(value: str, marks: Sequence[tuple[int, int]]) -> str:
    """About 160 characters around the first mark; everything is escaped but the marks' own `<em>`."""
    begin = max(0, marks[0][0] - BEFORE) if marks and len(value) > SHOWN else 0
    stop = min(len(value), begin + SHOWN)
    pieces, at = [ELLIPSIS if begin else ""], begin
    for start, end in marks:
        if end > stop:
            break
        pieces += [escape(value[at:start]), "<em>", escape(value[start:end]), "</em>"]
        at = end
    return "".join([*pieces, escape(value[at:stop]), ELLIPSIS if stop < len(value) else ""])
