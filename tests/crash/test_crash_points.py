"""The enumeration itself: it finds what it is there to find, and misses no handler. `make test-crash` runs it all."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from tests.crash.bugs import BUGS
from tests.crash.enumeration import Enumeration, Place, enumeration
from tests.crash.flows import FLOWS, Flow, draft
from tests.crash.world import Bug
from tests.proof.state import state_of

SMALL = Flow("a draft", (draft,))


@pytest.fixture(scope="module")
def worker(server: str) -> Iterator[Enumeration]:
    with enumeration(server, f"crash_{os.getpid()}") as made:
        yield made


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(worker: Enumeration, bug: Bug) -> None:
    worker.world.plant(bug)
    try:
        (found,) = worker.examine(SMALL, first=True)
    finally:
        worker.world.plant(None)
    assert found.wrong, f"{found.runs} kills, and nobody noticed"


def test_every_flow_takes_the_same_steps_each_time_and_every_handler_has_a_flow(worker: Enumeration) -> None:
    for flow in FLOWS:
        for stage, template, known, end, passed in worker.stages(flow):
            worker.world.known = dict(known)
            again, steps = worker.world.run(stage, template)
            assert steps == passed, flow.name
            assert again.difference(end) == [], flow.name
    assert worker.unexamined() == []


def test_a_run_that_is_killed_before_and_after_every_kind_of_step_ends_as_the_undisturbed_one(
    worker: Enumeration,
) -> None:
    """One moment of each kind; `make test-crash` has all."""
    ((_, _, _, _, passed),) = worker.stages(SMALL)
    kinds = {step.split(" ", 1)[0]: moment for moment, step in enumerate(passed)}
    assert set(kinds) == {"sql", "publish", "confirm", "ack", "answer"}
    (found,) = worker.examine(SMALL, set(kinds.values()).__contains__)
    assert (found.runs, found.wrong) == (len(kinds), [])


def test_pairs_that_are_not_played_again_go_the_way_of_those_that_stand_for_them(worker: Enumeration) -> None:
    """What the dice chose of the placing of an order: both pairs die at the same step, leave the same behind, recover
    by the same steps and end in the same state."""
    dice = random.Random(2026)
    *_, (stage, template, known, end, passed) = islice(worker.stages(FLOWS[0]), 2)
    world = worker.world

    def play(*moments: int) -> tuple[Any, ...]:
        world.known = dict(known)
        state, recovery = world.run(stage, template, moments)
        assert state.difference(end) == []
        return state.blank, state.refined, world.deaths[1:], world.left[1:], recovery

    twins: list[tuple[int, int, int]] = []
    for first in dice.sample(range(len(passed) - 1), len(passed) - 1):
        if len(twins) >= 4:
            break
        met: dict[Place, int] = {}
        for moment in range(first, first + 3):
            *_, recovery = play(moment)
            stands = met.setdefault(worker.place(recovery), moment)
            if stands != moment:
                twins += [(stands, moment, second) for second in dice.sample(range(len(recovery) + 1), 2)]
    assert len(twins) >= 4
    world.remembered = 2
    try:
        for stands, moment, second in dice.sample(twins, 4):
            assert play(moment, second) == play(stands, second), f"{stands} does not stand for {moment} at {second}"
    finally:
        world.remembered = 1


A, B, C = (f"01900000-0000-7000-8000-00000000000{number}" for number in "abc")


def test_states_are_equal_up_to_the_names_of_things_and_the_times() -> None:
    one = state_of(
        [("s.a", f'{{"id": "{A}", "of": "{B}", "at": "2026-01-01T00:00:00Z"}}'), ("s.b", f'{{"id": "{B}"}}')]
    )
    two = state_of(
        [("s.b", f'{{"id": "{C}"}}'), ("s.a", f'{{"id": "{A}", "of": "{C}", "at": "2027-01-01T00:00:00Z"}}')]
    )
    assert one == two


@pytest.mark.parametrize(
    "other",
    [
        [("s.a", f'{{"of": "{A}"}}'), ("s.a", f'{{"of": "{A}"}}')],
        [("s.a", f'{{"of": "{A}"}}')],
        [("s.a", f'{{"of": "{A}"}}'), ("s.a", f'{{"of": "{B}", "n": 1}}')],
        [("s.a", f'{{"of": "{A}"}}'), ("s.b", f'{{"of": "{B}"}}')],
    ],
    ids=["two refer to one", "a row is missing", "a value differs", "another table"],
)
def test_states_differ_by_any_row_value_or_reference(other: list[tuple[str, str]]) -> None:
    state = state_of([("s.a", f'{{"of": "{A}"}}'), ("s.a", f'{{"of": "{B}"}}')])
    assert state.difference(state_of(other))
