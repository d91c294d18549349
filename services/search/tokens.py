"""Documents and questions as tokens of one inverted index, which PostgreSQL keeps over all documents of all tenants.

A token begins with a mark of its tenant, so that a question reads nothing of others, and a letter:

- `h`, `l`: a word, heavy or light by its weight;
- `b`, `c`: the first one to five letters of a heavy or light word, so that a question of so few letters reads one list.
  What is longer is asked for by the words that begin so, where they are not too many, since lists of whole words can be
  skipped through and ranges of them cannot;
- `r`, `o`, `t`: the record, the owner and the team, by which it is decided what may be seen;
- `f`: the value of a facet, by which answers are narrowed.

Tokens say which documents come into question. What they score, and what of them is hidden, `points.py` reads from the
words of each one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from chassis import names, text
from services.search.index import Filter
from services.search.mapping import BACK, SOUND, Document, searchables
from services.search.phrases import Term
from services.search.visibility import Visible

HEAVY = 5
BEGINNING, KNOWN_FROM = 5, 3
KEY_MARKS = ("=", SOUND)
UNTOLD = (*KEY_MARKS, BACK)
WORD, START = ("h", "l"), ("b", "c")
RECORD, OWNER, TEAM, FACET = "r", "o", "t", "f"
LONGEST_VALUE = 80
"""Of a facet's value so many characters are a token; the whole of it is compared in the document itself."""
LONGEST = 900_000
"""PostgreSQL takes a megabyte of tokens of one document. What is beyond is not found, heavy words coming first."""


def mark(tenant: str) -> str:
    """Short, because every token has it; where two tenants share one, their rows are still told apart by their ids."""
    return tenant[-6:]


def is_key(word: str) -> bool:
    return word[0] in KEY_MARKS


def is_known(word: str) -> bool:
    """Whether a word may have been meant by what was typed wrongly."""
    return word[0].isalpha() and len(word) >= KNOWN_FROM


def tokens_of(tenant: str, document: Document) -> str:
    """The tokens of a document, one a line; nothing for one that is deleted."""
    if document.deleted:
        return ""
    lead = mark(tenant)
    found = dict.fromkeys(f"{lead}{scope}" for scope in _scopes(document))
    light: dict[str, None] = {}
    for _, word, weight in document.words:
        if word[0] in UNTOLD:
            continue
        kind, into = (0, found) if weight >= HEAVY else (1, light)
        into[f"{lead}{WORD[kind]}{word}"] = None
        # Last digits are four at least, and Han characters are asked for as they are.
        if word[0] != "~" and (word.isascii() or not text.is_han(word)):
            start = lead + START[kind] + word[:BEGINNING]
            for length in range(len(lead) + 2, len(start) + 1):
                into[start[:length]] = None
    return _bounded("\n".join(found | light))


def _bounded(tokens: str) -> str:
    if len(tokens) * 4 <= LONGEST:
        return tokens
    return tokens.encode()[:LONGEST].decode(errors="ignore").rpartition("\n")[0]


def _scopes(document: Document) -> Iterator[str]:
    yield RECORD + document.record
    if document.owner_id:
        yield OWNER + document.owner_id
    if document.team_id:
        yield TEAM + document.team_id
    for field, values in document.facets.items():
        yield from (_facet(field, value) for value in values)


def _facet(field: str, value: str) -> str:
    return f"{FACET}{field}={' '.join(value.split())[:LONGEST_VALUE]}"


class Asking:
    """Writes questions of one tenant, as somebody, in the language of `tsquery`."""

    def __init__(
        self,
        tenant: str,
        visible: Visible,
        filters: Sequence[Filter] = (),
        spelled: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`spelled` are the words that longer beginnings have, as far as they are not too many."""
        self._mark, self._words = mark(tenant), spelled or {}
        self._scope = [self._visible(visible)]
        # No document has the empty value, so a filter without any finds nothing.
        self._scope += [
            _either([self._token(_facet(one.field, value)) for value in one.values or ("",)])
            for one in filters
            if not one.bounded
        ]
        self._mine = self._token(OWNER + visible.user_id) if visible.user_id else ""

    def about(
        self, ways: Sequence[Sequence[Term]], *, heavy: bool = False, whole: bool = False, mine: bool = False
    ) -> str:
        """What answers all terms of a way: by heavy words (but for what says little anywhere), by whole words, or of
        what is one's own."""
        found = [
            " & ".join(self._term(term, 1 if heavy and not names.weak(term.word) else 2, whole) for term in way)
            for way in ways
        ]
        parts = [_either(found), *self._scope, self._mine if mine else ""]
        return " & ".join(part for part in parts if part)

    def _term(self, term: Term, kinds: int, whole: bool) -> str:
        found: list[str] = []
        for low, high in term.ranges:
            if high is None or (whole and low in term.wholes):
                found += [self._token(kind + low) for kind in WORD[:kinds]]
            elif not whole and low[0] != "~" and len(low) <= BEGINNING:
                found += [self._token(kind + low) for kind in START[:kinds]]
            elif low in self._words:
                found += [self._token(kind + word) for word in self._words[low] or (low,) for kind in WORD[:kinds]]
            else:
                found += [self._token(kind + low) + ":*" for kind in WORD[:kinds]]
        return _either(found)

    def _visible(self, visible: Visible) -> str:
        if set(visible.everything) == set(searchables()):
            return ""
        found = [self._token(RECORD + record) for record in visible.everything]
        own, team = (_either([self._token(RECORD + one) for one in some]) for some in (visible.own, visible.team))
        me = self._token(OWNER + visible.user_id) if visible.user_id else ""
        found += [f"{records} & {me}" for records in (own, team) if records and me]
        if team and visible.teams:
            found.append(f"{team} & {_either([self._token(TEAM + one) for one in visible.teams])}")
        return _either([f"({one})" for one in found])

    def _token(self, token: str) -> str:
        return _quoted(self._mark + token)


def long_beginnings(ways: Sequence[Sequence[Term]]) -> list[str]:
    """The beginnings that are to be spelled out, as words that are known."""
    found = {low for way in ways for term in way for low, high in term.ranges if high and len(low) > BEGINNING}
    return sorted(one for one in found if is_known(one))


def has(tenant: str, word: str) -> str:
    """The question for documents that have a word."""
    return _either([_quoted(mark(tenant) + kind + word) for kind in WORD])


def _quoted(token: str) -> str:
    escaped = token.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _either(found: Sequence[str]) -> str:
    return f"({' | '.join(found)})" if found else ""
