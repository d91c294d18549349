"""What a service hangs on a store: plain functions that take the record and the unit of work and do no other I/O.

`computes` (fields that follow from others), `guards` (when people may edit or delete), `command` (a verb), and what
else belongs to creating and merging records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from chassis.database import Work
from chassis.records.stored import Stored
from contracts.records import Command, Event

S = TypeVar("S", bound=Stored)


class Rules(Generic[S]):
    """The rules of one record's store; each method is a decorator that hangs one there."""

    def __init__(self) -> None:
        self._computes: list[Callable[[S, Work], None]] = []
        self.guarding: list[Callable[[S, Work], None]] = []
        self._created: list[Callable[[S, Work], Event | None]] = []
        self._after: list[Callable[[S, Work], None]] = []
        self._repointed: list[Callable[[S, Work], None]] = []
        self.merging: list[Callable[[S, Sequence[S], str, Work], None]] = []
        self.erasing: list[Callable[[S, Work], None]] = []
        self.purging: list[Callable[[S, Work], None]] = []
        self.unmerging: list[Callable[[S, Sequence[S], str, Work], None]] = []
        self.commands: dict[str, tuple[Command, Callable[..., Any]]] = {}

    def computes(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before every write of a record; sets computed fields, or refuses."""
        self._computes.append(rule)
        return rule

    def guards(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before a principal edits or deletes a record, with the record as it was; refuses by raising."""
        self.guarding.append(rule)
        return rule

    def creates(self, rule: Callable[[S, Work], Event | None]) -> Callable[[S, Work], Event | None]:
        """Run when a principal creates a record, before it is written: what else must happen in this transaction.

        An event that the rule returns takes the place of `<record>.created`.
        """
        self._created.append(rule)
        return rule

    def created(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run when a principal has created a record, for what refers to it."""
        self._after.append(rule)
        return rule

    def repointed(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run when a merge leads a record's references elsewhere, before it is written: what must follow in other
        tables. `was` holds it as it was; the rules of `computes` do not run."""
        self._repointed.append(rule)
        return rule

    def merges(self, rule: Callable[[S, Sequence[S], str, Work], None]) -> Callable[..., None]:
        """Run in the transaction of a merge: `rule(winner, losers, merge_id, work)`; refuses by raising."""
        self.merging.append(rule)
        return rule

    def unmerges(self, rule: Callable[[S, Sequence[S], str, Work], None]) -> Callable[..., None]:
        """The opposite of `merges`."""
        self.unmerging.append(rule)
        return rule

    def purges(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before a deleted record goes for good: what other tables of the service have of it."""
        self.purging.append(rule)
        return rule

    def erases(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before the person behind a record is erased, with the record as it was; refuses by raising."""
        self.erasing.append(rule)
        return rule

    def command(self, contract: Command) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """The rule of a declared verb: `rule(record, work)` or `rule(record, work, body)` where it has a request."""

        def hang(rule: Callable[..., Any]) -> Callable[..., Any]:
            self.commands[contract.verb] = (contract, rule)
            return rule

        return hang
