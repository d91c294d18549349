"""The tour in the README, run against a suite that `guanxi up` has started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import tour
from tests.integration.support import EmbeddedSuite

README = Path(__file__).parents[2] / "README.md"
SECONDS = 240


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedSuite]:
    made = EmbeddedSuite(tmp_path_factory.mktemp("suite"), free_port())
    try:
        made.start(SECONDS)
        yield made
    finally:
        made.remove()


@pytest.mark.timeout(2 * SECONDS)
def test_the_tour_answers_what_the_readme_shows(suite: EmbeddedSuite, tmp_path: Path) -> None:
    steps = tour.steps(README.read_text("utf-8"), "A tour of five minutes")
    assert len([step for step in steps if step.form]) >= 10
    for step, output in zip(steps, tour.run(steps, tmp_path, suite.environment, 100), strict=True):
        tour.check(step, output)


def test_a_different_answer_is_noticed() -> None:
    shown = tour.Step("", "json", '{"items": [{"points": 39}], "next": "…"}')
    tour.check(shown, '{"items": [{"points": 39, "kind": "earned"}], "next": null}')
    for other in (
        '{"items": [{"points": 38}], "next": null}',
        '{"items": [], "next": 1}',
        '{"items": [{"points": 39}]}',
    ):
        with pytest.raises(AssertionError):
            tour.check(shown, other)
