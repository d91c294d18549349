"""Erasing a person: which fields say something about somebody, and what the services are asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts import fields as f
from contracts.records import Ask, Part, Record

ERASED = "—"
"""What stands where a record must have a text: no name of anybody, in any language."""
SHORTEST = 2


def spoken(record: type[Record]) -> list[str]:
    """Fields that an erasure empties: declared personal, or texts that people wrote. Choices, states, numbers, dates
    and what is filtered by (a source, an industry, a city) stay: they are what statistics are made of."""
    return [name for name, field in record.declared().items() if _speaks(name, field)]


def _speaks(name: str, field: f.Field) -> bool:
    if name in ("id", "number", "created_by", "updated_by"):
        return False
    if field.pii or isinstance(field, (f.Document, f.StringMap, f.Email)):
        return True
    if isinstance(field, f.Texts):
        return isinstance(field.of, f.Text) and not isinstance(field.of, (f.Code, f.Ref, f.Currency))
    return isinstance(field, f.Text) and not isinstance(field, (f.Code, f.Currency)) and not field.filter


def words_of(record: type[Record], document: dict[str, Any]) -> list[str]:
    """The texts by which a person is known elsewhere, the longest first: his personal fields, and the parts of an
    address that lead to a door."""
    found: set[str] = set()
    for name, field in record.declared().items():
        value = document.get(name)
        if field.pii and isinstance(value, str) and not isinstance(field, f.Date):
            found.add(value.strip())
        elif field.pii and isinstance(value, dict) and isinstance(field, f.Embedded):
            inner = field.part.declared()
            found |= {text.strip() for key, text in value.items() if isinstance(text, str) and inner[key].pii}
    return longest_first(found)


def longest_first(words: Iterable[str]) -> list[str]:
    """Each word once; those of one character, which say nothing, are left out."""
    return sorted({word for word in words if len(word) >= SHORTEST}, key=lambda word: (-len(word), word))


class Reasoned(Part):
    """Why something is done that nobody takes back."""

    reason = f.Text(required=True, max=500, label=("Reason", "原因"))


class Purge(Part):
    reason = f.Text(max=500, label=("Reason", "原因"))


class Also(Part):
    """A record in which the person was named, and the version that names him no more."""

    record = f.Text(required=True)
    id = f.Id(required=True)
    version = f.Integer(required=True)


class Erase(Part):
    """Let go of a person: in what refers to the record, the words by which he is known are taken out.

    `after` is where the batch begins; `also` are records of all services whose older events name him.
    """

    erasure_id = f.Id(required=True)
    record = f.Text(required=True)
    id = f.Id(required=True)
    version = f.Integer(required=True)
    words = f.Texts(f.Text(required=True, max=10_000), most=200, default=list)
    also = f.Parts(Also, at_most=100_000, default=list)
    after = f.Text(max=200)


class Erased(Part):
    """What a service let go of: `counts` by store, what was `kept` and why, and the records that name him no more."""

    counts = f.Document(default=dict)
    kept = f.Document(default=dict)
    also = f.Parts(Also, at_most=100_000, default=list)
    more = f.Boolean(default=False)
    after = f.Text(max=200)


# Each keeps copies, kept answers and files; the index and the log come last, behind everybody's events.
PARTICIPANTS = (
    "identity",
    "customer",
    "inventory",
    "sales",
    "marketing",
    "service",
    "notify",
    "search",
    "eventlog",
)
ASKS = {service: Ask(f"{service}.erase", request=Erase, reply=Erased) for service in PARTICIPANTS}
