"""A file as rows with line numbers, whatever it is written in: found, said, and never held in memory as a whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from chassis.records.importing import encodings, limits, tables, xlsx
from chassis.records.importing.limits import refused_file
from chassis.records.importing.tables import Opener, Row

JSON = dict[str, Any]
CSV, XLSX, JSONL = "csv", "xlsx", "jsonl"


class Source:
    """The rows of one file. `columns` is its header; None for JSON Lines, whose objects name their members.

    `notes` says what was found: encoding, separator, sheet.
    """

    def __init__(self, columns: list[str] | None, rows: Iterator[Row], notes: JSON) -> None:
        self.columns, self._rows, self.notes = columns, rows, notes

    def rows(self) -> Iterator[Row]:
        """Each row behind the header, once. Raises Problem 422 for more rows than are taken."""
        for count, row in enumerate(self._rows, 1):
            if count > limits.ROWS:
                raise refused_file(f"More than {limits.ROWS} rows.", f"超过 {limits.ROWS} 行。")
            if self.columns is not None and row.cells is not None:
                if len(row.cells) > len(self.columns) and any(row.cells[len(self.columns) :]):
                    cells = row.cells[: len(self.columns)]
                    yield Row(row.line, cells, ("The row has more cells than the header.", "该行单元格多于表头。"))
                    continue
                missing = len(self.columns) - len(row.cells)
                row = Row(row.line, row.cells + [""] * missing if missing > 0 else row.cells[: len(self.columns)])
            yield row


@contextmanager
def open_source(open_file: Opener, kind: str, encoding: str | None = None) -> Iterator[Source]:
    """The source of a stored file; `open_file` opens it anew each time. Raises Problem 422 for what cannot be read."""
    if kind == JSONL:
        with open_file() as stream:
            yield Source(None, tables.json_rows(stream), {"format": JSONL})
    elif kind == XLSX:
        with tempfile.TemporaryDirectory(prefix="guanxi-import-") as folder:
            path = Path(folder) / "file.xlsx"
            with open_file() as stream, path.open("wb") as copy:
                shutil.copyfileobj(stream, copy)
            with path.open("rb") as file:
                xlsx.check(file)
            notes: JSON = {"format": XLSX}
            yield _with_header(xlsx.rows(path, notes), notes)
    else:
        with open_file() as stream:
            found = encodings.find(stream, encoding)
        with open_file() as stream:
            sample = tables.text_of(stream, found).read(tables.SAMPLE)
        separator = tables.separator_of(sample, len(sample) < tables.SAMPLE)
        notes = {"format": CSV, "encoding": found, "separator": separator}
        with open_file() as stream:
            yield _with_header(tables.csv_rows(tables.text_of(stream, found), separator), notes)


def _with_header(rows: Iterator[Row], notes: JSON) -> Source:
    header = next(rows, None)
    if header is None:
        raise refused_file("The file has no rows.", "文件没有任何行。")
    if header.cells is None:
        assert header.error is not None
        raise refused_file(f"The header cannot be read. {header.error[0]}", f"无法读取表头。{header.error[1]}")
    return Source([cell.strip() for cell in header.cells], chain(rows), notes)
