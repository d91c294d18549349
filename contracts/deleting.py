"""What deleting a record means to those that refer to it: where they stand, and which services hold any."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from contracts import fields as f
from contracts.records import Record
from contracts.registry import registry

STANDARD_REFS = ("owner_id", "team_id")


@dataclass(frozen=True)
class Tie:
    """One place where records of a kind refer to a target, with its policy: a field, a list, or a field of parts."""

    holder: type[Record]
    name: str
    target: str
    kind: str
    """`one`, `list` or `parts`; of parts the `inner` field refers."""
    inner: str
    policy: str
    until: tuple[str, ...]

    def ids(self, document: dict[str, Any]) -> set[str]:
        """The ids that a record's wire form has here."""
        value = document.get(self.name)
        if not value:
            return set()
        if self.kind == "one":
            return {value}
        found = set(value) if self.kind == "list" else {part.get(self.inner) for part in value}
        return {one for one in found if one}


def ties_of(record: type[Record]) -> Iterator[Tie]:
    """Every reference that a record holds, but for its owner and team, who come and go."""
    for name, field in record.declared().items():
        if name in STANDARD_REFS:
            continue
        if isinstance(field, f.Ref) and field.target:
            yield Tie(record, name, field.target, "one", "", field.on_delete or "", field.until)
        elif isinstance(field, f.Texts) and isinstance(field.of, f.Ref) and field.of.target:
            yield Tie(record, name, field.of.target, "list", "", field.of.on_delete or "", field.of.until)
        elif isinstance(field, f.Parts):
            for inner, part in field.part.declared().items():
                if isinstance(part, f.Ref) and part.target:
                    yield Tie(record, name, part.target, "parts", inner, part.on_delete or "", part.until)


def ties_to(target: str) -> tuple[Tie, ...]:
    """Every place of every record that refers to `target`, in the order of declaration."""
    return _ties(target, len(registry.records))


@cache
def _ties(target: str, declared: int) -> tuple[Tie, ...]:
    # A record that is declared later makes the answer another one.
    return tuple(tie for holder in registry.records.values() for tie in ties_of(holder) if tie.target == target)


def ties_of_people(target: str) -> Iterator[Tie]:
    """Where records name a user as their owner, and notes and attachments as their author. Nothing stands or falls with
    these, but what he is called is taken out of there too when he is erased."""
    for holder in registry.records.values():
        for name in STANDARD_REFS:
            if holder.declared()[name].target == target:  # type: ignore[attr-defined]
                yield Tie(holder, name, target, "one", "", "keep", ())
    for holder in registry.children.values():
        yield from (tie for tie in ties_of(holder) if tie.target == target)


def asked(target: str) -> tuple[str, ...]:
    """The other services whose records can stand against deleting a `target`: they are asked before it goes."""
    own = target.split(".", 1)[0]
    found = {tie.holder.service for tie in ties_to(target) if tie.policy == "restrict"}
    return tuple(sorted(found - {own}))


def followed(target: str, service: str) -> tuple[Tie, ...]:
    """The places through which records of a service go with a `target` of another one."""
    return tuple(tie for tie in ties_to(target) if tie.policy == "cascade" and tie.holder.service == service)
