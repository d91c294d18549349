"""How well three thousand real names are found, class by class: nothing falls below its goal unseen.

`make bench-search` says the same of as many names as it is asked for, and prints each class's ceiling.
"""

from __future__ import annotations

import pytest

from bench.search import fill, measure, reached
from bench.search_rows import sample
from bench.search_set import DRAW, GOALS, questions

EACH, SEED = 20, 5


@pytest.fixture(scope="session")
def asked():
    """A few questions of every class, with their answers."""
    rows = sample()
    return rows, questions(rows, SEED, each=EACH)


def test_every_class_of_questions_reaches_its_goal(index, asked):
    rows, drawn = asked
    assert {one.kind for one in drawn} == set(DRAW)
    fill(index.suite, rows)
    index.refresh()
    missed = {kind: rank for kind, rank in reached(measure(index.suite, drawn)).items() if rank < GOALS[kind]}
    assert missed == {}
