"""The page on reliability names tests; they exist, and no promise stands without one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/.-]+\.py)(?:: ([^`]+))?`")


def promises() -> list[tuple[str, str]]:
    """What is promised, and what shows it, row by row."""
    rows = [line.strip().strip("|").split("|") for line in PAGE.splitlines() if line.startswith("|")]
    return [(row[0].strip(), row[-1]) for row in rows if row[0].strip() not in ("Promise", "---")]


def test_every_promise_names_a_test_that_exists() -> None:
    assert len(promises()) > 15
    for promise, shown in promises():
        found = NAMED.findall(shown)
        assert found, f"nothing shows: {promise}"
        for path, names in found:
            source = ROOT / path
            assert source.is_file() and source.name.startswith("test_"), path
            for name in filter(None, re.split(r"[, ]+", names)):
                assert re.search(rf"^def {name}\(", source.read_text("utf-8"), re.MULTILINE), f"{path}: {name}"


def test_the_page_says_what_is_not_promised() -> None:
    assert len(re.findall(r"^- \*\*", PAGE.split("\n## What is not promised\n", 1)[1], re.MULTILINE)) >= 3
