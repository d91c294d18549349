"""Merging twins: where references to records that merge stand, and what a merge asks of the services holding them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts import fields as f
from contracts.records import Ask, Event, Part, Record
from contracts.registry import Registry, registry

MOST_TWINS, USUAL_TWINS = 50, 20
"""How many candidates for twins an answer has at most, and if nothing else is asked for."""


@dataclass(frozen=True)
class Place:
    """Where a record holds references to a target that merges: a field, the `inner` field of its parts, or a list."""

    name: str
    target: str
    kind: str
    """`one`, `parts` or `list`."""
    inner: str = ""

    def values(self, holder: Any) -> list[str]:
        """The ids in a record's object."""
        value = getattr(holder, self.name)
        if not value:
            return []
        if self.kind == "one":
            return [value]
        return list(value) if self.kind == "list" else [found for part in value if (found := getattr(part, self.inner))]

    def values_of(self, document: dict[str, Any]) -> set[str]:
        """The ids in a record's wire form."""
        value = document.get(self.name)
        if not value:
            return set()
        if self.kind == "one":
            return {value}
        return set(value) if self.kind == "list" else {part.get(self.inner) for part in value}


def merges(target: str) -> bool:
    record = registry.records.get(target)
    return record is not None and "merge" in record.operations


def places(record: type[Record]) -> Iterator[Place]:
    """Every place of a record that follows a merge, whoever writes the field."""
    for name, field in record.declared().items():
        if name == "merged_into_id":
            continue
        if isinstance(field, f.Ref):
            if merges(field.target):
                yield Place(name, field.target, "one")
        elif isinstance(field, f.Texts):
            if isinstance(field.of, f.Ref) and merges(field.of.target):
                yield Place(name, field.of.target, "list")
        elif isinstance(field, f.Parts):
            for inner, part in field.part.declared().items():
                if isinstance(part, f.Ref) and merges(part.target):
                    yield Place(name, part.target, "parts", inner)


def holders(target: str, declared: Registry = registry) -> list[tuple[type[Record], Place]]:
    """The records with references to `target` that follow a merge of it, in the order of their declaration."""
    return [
        (record, place)
        for record in declared.records.values()
        if record.repoints
        for place in places(record)
        if place.target == target
    ]


def announce(declared: Registry) -> None:
    """What is re-pointed says so: records that nobody edits have an event for it as well."""
    for record in list(declared.records.values()):
        name = f"{record.record_name}.updated"
        if record.repoints and name not in declared.events and any(places(record)):
            Event(name, of=record)


class Loser(Part):
    id = f.Id(required=True)
    version = f.Integer(required=True)


class Repoint(Part):
    """Only `mark` the losers as merged, or lead up to 500 references to them over to the winner; or all of it `back`.

    `place` and `after` say where the batch begins.
    """

    merge_id = f.Id(required=True)
    record = f.Text(required=True)
    winner_id = f.Id(required=True)
    losers = f.Parts(Loser, at_least=1, at_most=100, required=True)
    mark = f.Boolean(default=False)
    back = f.Boolean(default=False)
    place = f.Integer(least=0, default=0)
    after = f.Id()


class Repointed(Part):
    moved = f.Integer(required=True, least=0)
    more = f.Boolean(default=False)
    place = f.Integer(least=0)
    after = f.Id()


ASKS = {
    service: Ask(f"{service}.repoint", request=Repoint, reply=Repointed)
    for service in ("customer", "inventory", "sales", "marketing", "service")
}
