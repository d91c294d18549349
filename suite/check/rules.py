"""What a rule of the check is, what it found, and the looking again at what may only have been on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suite.check.sources import Look, Sources

MOST_SHOWN = 1_000
PAUSES = (1.0, 3.0, 6.0)
"""Seconds before looking again: three times, within ten seconds."""


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it must be. `tenant` is None for what belongs to no tenant, such as a table."""

    tenant: str | None
    service: str
    subject: str
    says: str


@dataclass
class Seen:
    """How many rows a rule looked at, and what it found: at most `MOST_SHOWN` faults, and how many `more`."""

    rows: int = 0
    faults: list[Fault] = field(default_factory=list)
    more: int = 0

    def __add__(self, other: Seen) -> Seen:
        return seen(self.rows + other.rows, [*self.faults, *other.faults], self.more + other.more)

    def still(self, before: Seen) -> Seen:
        """What was at fault before as well; what is new since may be on its way in its turn."""
        if before.more:
            return self
        known = {(fault.tenant, fault.service, fault.subject) for fault in before.faults}
        kept = [fault for fault in self.faults if (fault.tenant, fault.service, fault.subject) in known]
        return Seen(self.rows, kept, self.more)


def seen(rows: int, faults: Sequence[Fault], more: int = 0) -> Seen:
    """A result that shows no more than may be shown."""
    return Seen(rows, list(faults[:MOST_SHOWN]), more + max(0, len(faults) - MOST_SHOWN))


@dataclass(frozen=True)
class Rule:
    """One rule of an invariant. `moving`: what it compares may be on its way, so a fault is looked at again."""

    invariant: str
    says: str
    check: Callable[[Look], Seen]
    moving: bool


def rule(invariant: str, says: str, *, moving: bool = False) -> Callable[[Callable[[Look], Seen]], Rule]:
    """Declare a rule: `@rule("I4", "what is on hand is the sum of the ledger") def on_hand(look): …`."""

    def declare(check: Callable[[Look], Seen]) -> Rule:
        return Rule(invariant, says, check, moving)

    return declare


@dataclass(frozen=True)
class Result:
    """What became of one rule."""

    rule: Rule
    seen: Seen

    @property
    def state(self) -> str:
        """`violated`, `ok`, or `not checked` where there was nothing to look at."""
        if self.seen.faults or self.seen.more:
            return "violated"
        return "ok" if self.seen.rows else "not checked"


def examine(
    sources: Sources, rules: Sequence[Rule], wait: Callable[[float], None], pauses: Sequence[float] = PAUSES
) -> list[Result]:
    """Run every rule. Raises `sources.Unreachable`.

    The suite may be at work meanwhile: what a moving rule finds counts only if it is still so after every pause.
    """
    with sources.look() as look:
        found = {one: one.check(look) for one in rules}
    for pause in pauses:
        doubtful = [one for one in rules if one.moving and (found[one].faults or found[one].more)]
        if not doubtful:
            break
        wait(pause)
        with sources.look() as look:
            for one in doubtful:
                found[one] = one.check(look).still(found[one])
    return [Result(one, found[one]) for one in rules]
