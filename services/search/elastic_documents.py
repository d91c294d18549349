"""What stands in Elasticsearch: the shape of an index, made from the declarations, and a document as it lies there.

All text is taken apart in Python (`mapping.py`), so the fields are plain keywords:

- `w1` … `w10`: the words of that weight; `b1` … `b10`: their first letters, so that a question of one to three letters
  reads one list and does not gather thousands of words;
- `seen`: `field|weight|word`, asked instead of the above where fields are hidden from whoever asks;
- `bucket`, `part`, `low` and `high`: how the sweep compares many at once (`elastic_digest.py`);
- `facets.<field>`, and of custom fields `custom.<name>`: one flattened field, whatever tenants define;
- `owner`, `team`, `record`, `tenant` for what may be seen; `changed` in microseconds, `id` for order.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import Any

from contracts.custom import PREFIX
from services.search.elastic_digest import told_by
from services.search.mapping import BACK, CUSTOM_WEIGHT, SOUND, Document, less, searchables, shares

JSON = dict[str, Any]

BEGINNING = 3
LAST_DIGITS = 4
WHOLE = "=" + SOUND
WORD: JSON = {"type": "keyword", "doc_values": False}
VALUE: JSON = {"type": "keyword"}
COUNTED: JSON = {"type": "long", "index": False}
KEPT = ("record", "id", "owner", "changed", "data")
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


def family_of(record: str) -> str:
    """The index in which a record lies: one for each service."""
    return record.partition(".")[0]


@cache
def families() -> tuple[str, ...]:
    return tuple(sorted({family_of(record) for record in searchables()}))


@cache
def weights() -> tuple[int, ...]:
    """Every weight that a word can have, heaviest first."""
    return tuple(range(max(weight for one in searchables().values() for weight in one.weights.values()), 0, -1))


@cache
def worded() -> tuple[int, ...]:
    """Every weight that a word can have which is not a whole value or a sound."""
    given = {weight for one in searchables().values() for weight in one.weights.values()} | {CUSTOM_WEIGHT}
    return _ordered({share for weight in given for share in shares(weight)})


@cache
def sounded() -> tuple[int, ...]:
    """Every weight that the sound of a title can have."""
    return _ordered({less(one.weights[one.title]) for one in searchables().values()})


def _ordered(found: set[int]) -> tuple[int, ...]:
    return tuple(sorted(found, reverse=True))


def index_body(family: str) -> JSON:
    """Settings and mapping of a new index of a family."""
    return {
        "settings": {
            "number_of_shards": 1,
            # One copy as soon as there is a second node to hold it.
            "auto_expand_replicas": "0-1",
            # The leader makes it show what is new every second (`following.py`); this is for when there is none.
            "refresh_interval": "5s",
            # What was deleted leaves a stone of ours; Elasticsearch itself needs to remember nothing of it.
            "gc_deletes": "0s",
        },
        "mappings": mapping(family),
    }


def mapping(family: str) -> JSON:
    facets = {field for one in searchables().values() if family_of(one.record) == family for field in one.facets}
    return {
        "_routing": {"required": True},
        "_source": {"includes": [*KEPT, "data.*"]},
        "dynamic": False,
        "properties": {
            "tenant": WORD,
            "record": VALUE,
            "id": VALUE,
            "owner": WORD,
            "team": WORD,
            "gone": {"type": "boolean"},
            "changed": {"type": "long"},
            "bucket": VALUE,
            "part": VALUE,
            "low": COUNTED,
            "high": COUNTED,
            "seen": WORD,
            **{f"{kind}{weight}": WORD for weight in weights() for kind in "wb"},
            "facets": {"properties": dict.fromkeys(sorted(facets), VALUE)},
            "custom": {"type": "flattened"},
            "data": {"type": "object", "enabled": False},
        },
    }


def key_in(tenant: str, record: str, id: str) -> str:
    """The `_id`: the tenant leads it, as it leads every key of the suite."""
    return f"{tenant}/{record}/{id}"


def source_of(tenant: str, document: Document) -> JSON:
    """A document as it is sent. A deleted one stays as a stone that an older event cannot move."""
    source: JSON = {
        "tenant": tenant,
        "record": document.record,
        "id": document.id,
        "owner": document.owner_id,
        "team": document.team_id,
        "gone": document.deleted,
        "changed": micros(document.changed_at),
        **told_by(document.id, document.version, document.deleted),
    }
    if document.deleted:
        return source
    told: dict[str, None] = {}
    whole: dict[int, dict[str, None]] = {}
    starts: dict[int, dict[str, None]] = {}
    for field, word, weight in document.words:
        if word[0] == BACK:
            # Only asked for in PostgreSQL (`nearby.py`).
            continue
        whole.setdefault(weight, {})[word] = None
        starts.setdefault(weight, {}).update(dict.fromkeys(beginnings(word)))
        told[seen(field, weight, word)] = None
    return {
        **source,
        **{f"w{weight}": list(values) for weight, values in whole.items()},
        **{f"b{weight}": list(values) for weight, values in starts.items() if values},
        **({"seen": list(told)} if told else {}),
        "facets": {name: values for name, values in document.facets.items() if not name.startswith(PREFIX)},
        "custom": {
            name.removeprefix(PREFIX): values for name, values in document.facets.items() if name.startswith(PREFIX)
        },
        "data": document.data,
    }


def facet_in(name: str) -> str:
    """Where the values of a facet lie."""
    return name if name.startswith(PREFIX) else f"facets.{name}"


def seen(field: str, weight: int, word: str) -> str:
    """A word together with the field that it stands in."""
    return f"{field}|{weight}|{word}"


def beginnings(word: str) -> list[str]:
    """The first letters that are asked for as words of their own: one to three, or the last four digits of a phone."""
    if word[0] == "~":
        return [word[: LAST_DIGITS + 1]] if len(word) > LAST_DIGITS else []
    at = 1 if word[0] in WHOLE else 0
    return [word[: at + length] for length in range(1, min(BEGINNING, len(word) - at) + 1)]


def is_beginning(word: str) -> bool:
    """Whether a prefix is one that `beginnings` gives."""
    if word[0] == "~":
        return len(word) == LAST_DIGITS + 1
    return 1 <= len(word) - (word[0] in WHOLE) <= BEGINNING


def micros(at: dt.datetime) -> int:
    return (at - EPOCH) // MICROSECOND


def instant_of(found: int) -> dt.datetime:
    return EPOCH + found * MICROSECOND
