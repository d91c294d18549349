"""The simulator itself: it repeats itself and finds what it is there to find. `make simulate` plays thousands."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from chassis import inbox, relay
from tests.crash.bugs import BUGS
from tests.simulation.simulator import Simulator


@pytest.fixture(scope="module")
def simulator(server: str) -> Iterator[Simulator]:
    made = Simulator(server, f"simulation_{os.getpid()}")
    yield made
    made.close()


def test_a_seed_is_the_same_story_each_time_it_is_told(simulator: Simulator) -> None:
    first, second = simulator.run(7), simulator.run(7)
    assert first.trace == second.trace
    assert first.trace != simulator.run(8).trace


def test_the_stories_have_every_kind_of_fault_and_every_end_of_an_order(simulator: Simulator) -> None:
    told = "\n".join(line for seed in range(12) for line in simulator.run(seed).trace)
    for fault in (
        "lost before",
        "confirm was lost",
        "acknowledgement was lost",
        "answer was lost",
        "died before",
        "-10",
    ):
        assert fault in told, fault
    for event in ("confirmed", "rejected", "cancelled", "shipped", "completed"):
        assert f"sales.order.{event}" in told, event


# A lie between the answer and the commit lives for one statement: only the enumeration is sure to meet it.
@pytest.mark.parametrize("bug", BUGS[:2], ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_found(simulator: Simulator, bug: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((relay, "publish_once"), (inbox, "accept"), (inbox, "accept_all")):
        monkeypatch.setattr(module, name, getattr(module, name))
    bug(simulator.house)
    assert any(simulator.run(seed).wrong for seed in range(100))


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(dice=st.randoms(use_true_random=False))
def test_whatever_the_dice_say_the_books_are_right(simulator: Simulator, dice: Any) -> None:
    """Hypothesis holds the dice, so that a story with a bad end is shortened before it is shown."""
    outcome = simulator.play(dice, each=(1, 2))
    note("\n".join(outcome.trace))
    assert not outcome.wrong
