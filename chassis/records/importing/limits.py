"""What a file for import may be at most, and the refusal of one that is more."""

from __future__ import annotations

from chassis.errors import Problem

MIB = 1024 * 1024
ROWS = 1_000_000
COLUMNS = 500
CELL = 32 * 1024
"""Characters of one cell, as in a spreadsheet."""
LINE = MIB
"""Characters of one physical line; a cell of several lines has several."""
UNREADABLE = 1_000
"""Rows that cannot be read at all, before the file is taken for something else than a table."""

XLSX_FILE = 25 * MIB
XLSX_ROWS = 200_000
XLSX_ENTRIES = 1_000
XLSX_INFLATED = 100 * MIB
XLSX_RATIO = 50
XLSX_RATIO_FROM = MIB
"""Sheets of a few thousand equal rows shrink far more than fifty times; that is only dangerous when it is much."""
XLSX_MEMORY = 512 * MIB
XLSX_SECONDS = 30


def refused_file(detail: str, detail_zh: str, code: str = "unreadable_file") -> Problem:
    """422: the file as a whole is not taken."""
    return Problem(422, code, detail, extra={"detail_zh": detail_zh})
