"""From declarations and events to documents: what of a record is searched, by which words and with what weight."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from marshmallow import ValidationError

from chassis import names, pinyin, slips, text
from contracts import fields as f
from contracts.custom import PREFIX
from contracts.records import Record
from contracts.registry import registry
from contracts.search import CUSTOM_TEXT, kind_of, narrowing

JSON = dict[str, Any]
TITLE_WEIGHT, SUBTITLE_WEIGHT, EXTERNAL_WEIGHT = 5, 1, 8
PINYIN_FROM = 5
LITTLE = 5
"""What says little of a name weighs so many times less."""
CUSTOM_WEIGHT = 2
MOST_WORDS = 2_000
LONGEST_KEY, LONGEST_REPEATED = 80, 40
SOUND, BACK, LAST = "^", "<", "~"
SHORTEST_BACK = slips.SHORT - 1
"""Two letters too many may have been typed in a word of more than `SHORT` letters."""
EXTERNAL = "external_ids"
FOLDED, ORDERED = "~", "#"
"""Behind the name of a facet: its values folded, which filters by texts compare; and numbers as texts that are in the
order of the numbers."""
ENDINGS = {"text": FOLDED, "number": ORDERED}


@dataclass(frozen=True)
class Searchable:
    """How one record is searched: the weight of each field, the fields whose whole value is a key to it, and by what it
    is counted and narrowed, as documents have it."""

    record: str
    type: str
    weights: dict[str, int]
    keys: frozenset[str]
    title: str
    subtitle: tuple[str, ...]
    facets: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """One version of one record as it goes into the index. `words` are (field, word, weight), each pair once.

    A word that begins with `=` is the whole folded value of a title, a number, an address or another key, or a title
    without its legal form; one that begins with `^` is how a whole title sounds. One with `~` is a phone number from
    its end, so that last digits are a prefix, and one with `<` a word of a title from its end, which finds what was
    typed wrongly at its beginning. `facets` are the values by which answers are counted and narrowed.
    """

    record: str
    id: str
    version: int
    deleted: bool
    owner_id: str | None
    team_id: str | None
    changed_at: dt.datetime
    title_key: str
    data: JSON
    words: tuple[tuple[str, str, int], ...]
    facets: dict[str, tuple[str, ...]]


@cache
def searchables() -> dict[str, Searchable]:
    """Every searched record by its name: those that declare a field with a weight."""
    found = (_searchable(record) for record in registry.load().records.values())
    return {one.record: one for one in found if one is not None}


@cache
def by_type() -> dict[str, Searchable]:
    """Searched records by what answers and references call them: `account`, `order`."""
    return {one.type: one for one in searchables().values()}


def _searchable(record: type[Record]) -> Searchable | None:
    declared = record.declared()
    weights = {name: field.search for name, field in declared.items() if field.search}
    if not weights:
        return None
    for name, least in (
        (record.title_field, TITLE_WEIGHT),
        *((name, SUBTITLE_WEIGHT) for name in record.subtitle_fields),
    ):
        if isinstance(declared.get(name), f.Text):
            weights.setdefault(name, least)
    keys = {
        name
        for name in weights
        if name in (record.title_field, "number") or isinstance(declared[name], (f.Email, f.Code))
    }
    return Searchable(
        record=record.record_name,
        type=record.singular,
        weights={**weights, EXTERNAL: EXTERNAL_WEIGHT},
        keys=frozenset(keys),
        title=record.title_field,
        subtitle=record.subtitle_fields,
        facets=tuple(_facet_names(record)),
    )


def _facet_names(record: type[Record]) -> Iterator[str]:
    for name, field in narrowing(record).items():
        kind = kind_of(field)
        if kind != "number":
            yield name
        if kind in ENDINGS:
            yield name + ENDINGS[kind]


def document_of(event: JSON, custom: dict[str, frozenset[str]] | None = None) -> Document | None:
    """The document of one event, or None where its record is not searched (or not known to this release).

    `custom` names the custom fields that are searched, by collection.
    """
    searchable = searchables().get(event["type"].rsplit(".", 1)[0])
    if searchable is None:
        return None
    data = event["data"]
    deleted = data.get("deleted_at") is not None or event["type"].endswith(".deleted")
    shown = (*searchable.weights, searchable.title, *searchable.subtitle)
    return Document(
        record=searchable.record,
        id=event["subject"].split("/", 1)[1],
        version=event["version"],
        deleted=deleted,
        owner_id=data.get("owner_id"),
        team_id=data.get("team_id"),
        changed_at=f.parse_instant(event["time"]),
        title_key="" if deleted else names.simplified(data.get(searchable.title) or "")[:LONGEST_KEY],
        data={} if deleted else {name: data[name] for name in shown if data.get(name)},
        words=() if deleted else (*_words(searchable, data), *_custom(searchable, data, custom or {})),
        facets={} if deleted else _facets(searchable, data),
    )


def gone(record: str, record_id: str, version: int, at: dt.datetime) -> Document:
    """What is kept of a record that is not there any more."""
    return Document(record, record_id, version, True, None, None, at, "", {}, (), {})


def _facets(searchable: Searchable, data: JSON) -> dict[str, tuple[str, ...]]:
    """The values by which a record is counted and narrowed, by facet.

    Those of custom fields stand there in every way in which they may be compared, whatever their definitions say at
    present: so a definition may come after them, and may change, and nothing has to be indexed anew.
    """
    found = {}
    for name in searchable.facets:
        value = data.get(name.rstrip(FOLDED + ORDERED))
        if value is not None and (values := _compared(value, name[-1])):
            found[name] = values
    for name, value in (data.get("custom") or {}).items():
        for ending in ("", FOLDED, ORDERED):
            values = tuple(one for one in _compared(value, ending) if len(one) <= CUSTOM_TEXT)
            if values:
                found[PREFIX + name + ending] = values
    return found


def _compared(value: Any, ending: str) -> tuple[str, ...]:
    """The values of a facet as texts: `true` and `false` for yes and no, nothing for what is empty."""
    if ending == ORDERED:
        number = _number(value)
        return () if number is None else (ordered(number),)
    if isinstance(value, bool):
        return ("true" if value else "false",)
    values = value if isinstance(value, list) else [value]
    texts = tuple(one for one in values if isinstance(one, str) and one)
    return tuple(text.fold(one) for one in texts) if ending == FOLDED else texts


def _number(value: Any) -> Decimal | None:
    """Of money the amount, whatever the currency."""
    if isinstance(value, dict):
        value = value.get("amount")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    try:
        return f.parse_decimal(value)
    except ValidationError:
        return None


def ordered(number: Decimal) -> str:
    """A number of at most 15 digits and 10 decimals as a text of 27 digits, in the order of the numbers."""
    return f"{int(number.scaleb(10)) + 10**26:027}"


def newest(documents: list[Document]) -> list[Document]:
    """Of several versions of a record the highest alone."""
    kept: dict[tuple[str, str], Document] = {}
    for document in documents:
        known = kept.get((document.record, document.id))
        if known is None or known.version < document.version:
            kept[(document.record, document.id)] = document
    return list(kept.values())


def key_of(value: str) -> str:
    """The word that stands for a whole value."""
    return "=" + (" ".join(names.parts(value)) or names.simplified(value))[:LONGEST_KEY]


def sound_of(value: str) -> str:
    """The word that stands for how a whole title sounds, where a value can be that; else an empty text."""
    letters = value.replace(" ", "").replace("'", "")
    return SOUND + letters[: text.LONGEST_WORD] if letters.isascii() and letters.isalpha() else ""


def _words(searchable: Searchable, data: JSON) -> Iterator[tuple[str, str, int]]:
    for field, weight in searchable.weights.items():
        given = data.get(field)
        if not given:
            continue
        values = list(given.values()) if field == EXTERNAL else [given] if isinstance(given, str) else []
        weighed: dict[str, int] = {}
        for value in values:
            for word, own in words_of(value, weight):
                # Last digits are those of a phone: an id elsewhere that ends so would come before it.
                if field != EXTERNAL or word[0] != LAST:
                    weighed[word] = max(own, weighed.get(word, 0))
            if field in searchable.keys or field == EXTERNAL:
                weighed[key_of(value)] = weight
            if field == searchable.title:
                for word in _title_words(value):
                    weighed.setdefault(word, less(weight))
        yield from ((field, word, own) for word, own in weighed.items())


def _title_words(value: str) -> Iterator[str]:
    """What only titles have: themselves without a legal form, their sound, and their words from the end."""
    parts = names.parts(value)
    bare = names.formless(parts)
    if bare != parts:
        yield key_of(" ".join(bare))
    sounds = pinyin.sounds(bare)
    yield from filter(None, (sound_of(sound) for sound in sounds))
    for word in (*text.words(value), *sounds):
        if word.isalpha() and len(word) >= SHORTEST_BACK:
            yield BACK + word[::-1]


def _custom(searchable: Searchable, data: JSON, custom: dict[str, frozenset[str]]) -> Iterator[tuple[str, str, int]]:
    values = data.get("custom")
    wanted = custom.get(registry.records[searchable.record].collection) if values else None
    for name in sorted((wanted or frozenset()) & values.keys()) if values else ():
        weighed: dict[str, int] = {}
        for value in values[name] if isinstance(values[name], list) else [values[name]]:
            weighed |= dict(words_of(value, CUSTOM_WEIGHT)) if isinstance(value, str) else {}
        yield from ((f"custom.{name}", word, own) for word, own in weighed.items())


def shares(weight: int, *, title: bool = False) -> frozenset[int]:
    """Every weight that a word of a field of this weight can have."""
    found = {weight, _little(weight)}
    if weight >= PINYIN_FROM:
        found.add(weight // 2)
    if title:
        found.add(less(weight))
    return frozenset(found)


def _little(weight: int) -> int:
    return max(1, weight // LITTLE)


def less(weight: int) -> int:
    """What a title without its legal form, and its sound, weigh: a little less than the title."""
    return max(1, weight - 1)


def words_of(value: str, weight: int) -> Iterable[tuple[str, int]]:
    """The words by which a value is found, each with its weight. Very long texts are searched by their beginning.

    Legal forms and articles say little of a name and weigh little; Han characters are in simplified script.
    """
    # Names and numbers are everybody's own; what weighs little is a city or a country, the same in many records.
    often = weight < PINYIN_FROM and len(value) <= LONGEST_REPEATED
    return _repeated(value, weight) if often else _words_of(value, weight)


@lru_cache(maxsize=8_192)
def _repeated(value: str, weight: int) -> tuple[tuple[str, int], ...]:
    return tuple(_words_of(value, weight))


def _words_of(value: str, weight: int) -> Iterator[tuple[str, int]]:
    simple, little = names.simplified(value), _little(weight)
    found = {word: little if names.weak(word) else weight for word in (*text.words(value), *text.compounds(value))}
    for run in text.han_runs(simple):
        bare = set(text.han_ngrams(names.without_form(run)))
        for gram in text.han_ngrams(run):
            found[gram] = max(weight if gram in bare else little, found.get(gram, 0))
    yield from list(found.items())[:MOST_WORDS]
    if weight >= PINYIN_FROM:
        yield from ((form, weight // 2) for run in text.han_runs(simple) for form in pinyin.forms(run))
    digits = text.phone_digits(value)
    if digits:
        yield digits, weight
        yield LAST + digits[::-1], weight
