"""The pages on reliability, on what went wrong elsewhere and on the traps of the bus name tests; they exist, and no row
stands without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRAPS = ROOT / "chassis" / "bus" / "tests"
FAULT = re.compile(r"\bF\d+\b|\bcampaign\b")
NAMED = re.compile(r"`([\w/.-]+\.py)(?:: ([^`]+))?`")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def rows(text: str) -> list[tuple[str, str]]:
    """What is promised, or went wrong elsewhere, and what shows it or keeps it out."""
    found = [line.strip().strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    heads = ("Promise", "What went wrong elsewhere", "Trap", "What happens elsewhere", "---")
    return [(row[0].strip(), row[-1]) for row in found if row[0].strip() not in heads]


@pytest.mark.parametrize(("name", "least"), [("reliability.md", 15), ("regressions.md", 13)])
def test_every_row_names_a_test_that_exists(name: str, least: int) -> None:
    found = rows(page(name))
    assert len(found) >= least
    they_exist(found, ROOT)


def test_every_trap_of_the_bus_has_tests_that_exist() -> None:
    found = rows((TRAPS / "README.md").read_text("utf-8"))
    traps = [trap for trap, _ in found if re.fullmatch(r"E\d+b?", trap)]
    assert traps == [*(f"E{number}" for number in range(1, 13)), "E12b"]
    they_exist(found, TRAPS)


def they_exist(promises: list[tuple[str, str]], folder: Path) -> None:
    for promise, shown in promises:
        found = NAMED.findall(shown)
        faults = set(FAULT.findall(re.sub(r"`[^`]*`", "", shown)))
        assert found or faults, f"nothing shows: {promise}"
        assert faults <= schedules(), f"there is no such fault run: {promise}"
        for path, names in found:
            source = folder / path
            assert source.is_file() and source.name.startswith("test_"), path
            for test in filter(None, re.split(r"[, ]+", names)):
                assert re.search(rf"^ *def {test}\(", source.read_text("utf-8"), re.MULTILINE), f"{path}: {test}"


def schedules() -> set[str]:
    """The fault runs, each named by the first line of its schedule."""
    sources = (ROOT / "tests" / "faults").glob("*.py")
    return {name for one in sources for name in re.findall(r'^    """(F\d+|campaign): ', one.read_text("utf-8"), re.M)}


def test_every_fault_run_shows_a_promise() -> None:
    shown = " ".join(shown for _, shown in rows(page("reliability.md")))
    assert schedules() - set(FAULT.findall(shown)) == set() != schedules()


def test_the_page_says_what_is_not_promised() -> None:
    behind = page("reliability.md").split("\n## What is not promised\n", 1)[1]
    assert len(re.findall(r"^- \*\*", behind, re.MULTILINE)) >= 3
