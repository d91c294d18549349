"""The files of an export: CSV, XLSX and JSON Lines, each written row by row in flat memory."""

from __future__ import annotations

import csv
import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson
import xlsxwriter

from chassis.errors import Problem
from chassis.records.exporting import human
from contracts.fields import plain

JSON = dict[str, Any]
# ASVS 1.2.10, with CR, LF and the full-width forms that spreadsheets take for the same.
FORMULA = re.compile(r"[=+\-@\t\r\n\x00＝＋－＠]")
# Of a sheet, without its header; and the characters of one cell.
SHEET_ROWS, CELL = 1_048_575, 32_767
# What a number of a sheet, an IEEE double, holds exactly.
DIGITS = 15


class Csv:
    """RFC 4180 in UTF-8. The human form has a byte order mark, without which Excel reads another encoding."""

    suffix, media_type = "csv", "text/csv; charset=utf-8"

    def __init__(self, path: Path, shape: Any) -> None:
        self._defuse = isinstance(shape, human.Shape)
        self._file = path.open("w", encoding="utf-8-sig" if self._defuse else "utf-8", newline="")
        self._writer = csv.writer(self._file)
        self.write(list(shape.header))

    def __enter__(self) -> Csv:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def write(self, row: list[Any]) -> None:
        self._writer.writerow([self._text(cell) for cell in row])

    def _text(self, cell: Any) -> Any:
        if isinstance(cell, str):
            return "'" + cell if self._defuse and FORMULA.match(cell) else cell
        if isinstance(cell, Decimal):
            return plain(cell)
        return cell.isoformat(" ", "minutes") if isinstance(cell, dt.datetime) else cell


class Jsonl:
    """A JSON object on each line."""

    suffix, media_type = "jsonl", "application/jsonl"

    def __init__(self, path: Path, shape: Any) -> None:
        self._file = path.open("wb")

    def __enter__(self) -> Jsonl:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def write(self, document: JSON) -> None:
        self._file.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))


class Xlsx:
    """One sheet. Text is always written as text, so nothing becomes a formula or a link; the machine form is all text,
    because a number of a sheet has but fifteen digits."""

    suffix = "xlsx"
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    def __init__(self, path: Path, shape: Any) -> None:
        options = {"constant_memory": True, "tmpdir": str(path.parent), "strings_to_formulas": False}
        self._book = xlsxwriter.Workbook(str(path), {**options, "strings_to_urls": False})
        self._sheet = self._book.add_worksheet(re.sub(r"[\[\]:*?/\\']", " ", shape.title)[:31] or "Export")
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._instant = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        self._header, self._row = list(shape.header), 0
        self.write(self._header)

    def __enter__(self) -> Xlsx:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._book.close()

    def write(self, row: list[Any]) -> None:
        for column, cell in enumerate(row):
            if cell is not None:
                self._cell(column, cell)
        self._row += 1

    def _cell(self, column: int, cell: Any) -> None:
        if isinstance(cell, (int, Decimal)) and len(Decimal(cell).as_tuple().digits) <= DIGITS:
            self._sheet.write_number(self._row, column, float(cell))
        elif isinstance(cell, dt.date) and cell.year >= 1900:
            shown = self._instant if isinstance(cell, dt.datetime) else self._date
            self._sheet.write_datetime(self._row, column, cell, shown)
        else:
            text = plain(cell) if isinstance(cell, Decimal) else str(cell)
            if len(text) > CELL:
                raise Problem(
                    422,
                    "cell_too_long",
                    f"Row {self._row} has more than {CELL} characters in {self._header[column]}, which no sheet holds:"
                    " leave the field out, or export as csv or jsonl.",
                )
            self._sheet.write_string(self._row, column, text)


FORMATS: dict[str, type[Csv] | type[Jsonl] | type[Xlsx]] = {"csv": Csv, "xlsx": Xlsx, "jsonl": Jsonl}


def most_rows(kind: str) -> int:
    return SHEET_ROWS if kind == "xlsx" else 2**31
