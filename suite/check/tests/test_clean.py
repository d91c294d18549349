"""A suite that works correctly is found to be clean, and every rule had something to look at."""

from __future__ import annotations

from suite.check import broker
from suite.check.tests.world import World, violations


def test_a_suite_at_work_violates_nothing(world: World) -> None:
    assert [(one.rule.says, one.seen.faults) for one in violations(world.check())] == []


def test_every_rule_has_rows_to_look_at(world: World) -> None:
    """All but those about the broker, which this suite in one process does without."""
    unchecked = [one.rule for one in world.check() if one.state == "not checked"]
    assert unchecked == list(broker.rules)


def test_every_invariant_has_a_rule(world: World) -> None:
    assert {one.rule.invariant for one in world.check()} == {f"I{n}" for n in (1, 2, 3, 4, 5, 6, 7, 9, 10, 12, 13)}
