"""The pages on reliability and on what went wrong elsewhere name tests; they exist, and no row stands without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`([\w/.-]+\.py)(?:: ([^`]+))?`")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def rows(name: str) -> list[tuple[str, str]]:
    """What is promised, or went wrong elsewhere, and what shows it or keeps it out."""
    found = [line.strip().strip("|").split("|") for line in page(name).splitlines() if line.startswith("|")]
    heads = ("Promise", "What went wrong elsewhere", "---")
    return [(row[0].strip(), row[-1]) for row in found if row[0].strip() not in heads]


@pytest.mark.parametrize(("name", "least"), [("reliability.md", 15), ("regressions.md", 13)])
def test_every_row_names_a_test_that_exists(name: str, least: int) -> None:
    assert len(rows(name)) >= least
    for promise, shown in rows(name):
        found = NAMED.findall(shown)
        assert found, f"nothing shows: {promise}"
        for path, names in found:
            source = ROOT / path
            assert source.is_file() and source.name.startswith("test_"), path
            for test in filter(None, re.split(r"[, ]+", names)):
                assert re.search(rf"^ *def {test}\(", source.read_text("utf-8"), re.MULTILINE), f"{path}: {test}"


def test_the_page_says_what_is_not_promised() -> None:
    behind = page("reliability.md").split("\n## What is not promised\n", 1)[1]
    assert len(re.findall(r"^- \*\*", behind, re.MULTILINE)) >= 3
