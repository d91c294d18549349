"""Rows of CSV (RFC 4180 and its cousins with other separators) and of JSON Lines, in bounded memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, TextIO

from chassis.bus import wire
from chassis.records.importing import limits
from chassis.records.importing.limits import refused_file

SEPARATORS = ",;\t|"
SAMPLE = 1 << 16
Opener = Callable[[], BinaryIO]


class Row(NamedTuple):
    """One row of a file: a list of texts, or the object of a JSON line. `error` (in English and Chinese) says why it
    cannot be taken; `cells` is then what could be read of it, or None."""

    line: int
    cells: Any
    error: tuple[str, str] | None = None


def text_of(stream: BinaryIO, encoding: str) -> TextIO:
    # No translation of line ends: a cell's own line breaks are its content.
    return io.TextIOWrapper(stream, encoding=encoding, newline="")


def separator_of(sample: str, whole: bool) -> str:
    """The separator under which most rows have as many cells as the first one, the more cells the better."""
    first = sample.split("\n", 1)[0].strip()
    if first.lower().startswith("sep=") and len(first) == 5 and first[4] in SEPARATORS:
        return first[4]
    best, found = (0.0, 1), ","
    for separator in SEPARATORS:
        rows = [row for row in _tolerant(sample, separator) if row]
        if not whole and len(rows) > 1:
            # The sample may end in the middle of a row.
            rows.pop()
        if not rows or len(rows[0]) < 2:
            continue
        like_first = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if (like_first, len(rows[0])) > best:
            best, found = (like_first, len(rows[0])), separator
    return found


def _tolerant(sample: str, separator: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=separator), 100):
            rows.append(row)
    except csv.Error:
        pass
    return rows


class _Lines:
    """Physical lines with a bound on each, which can be given back after a row that could not be read."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: list[str] = []
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(limits.LINE + 1)
        if not line:
            raise StopIteration
        if len(line) > limits.LINE:
            raise refused_file(
                f"Line {self.number + 1} is longer than {limits.LINE} characters.",
                f"第 {self.number + 1} 行超过 {limits.LINE} 个字符。",
            )
        self.number += 1
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """All lines of the row but its first are read anew: a quote that nobody closed costs one row, not the rest."""
        again = self.taken[1:]
        self._again.extend(reversed(again))
        self.number -= len(again)
        self.taken = []


def csv_rows(text: TextIO, separator: str) -> Iterator[Row]:
    """Every row that is not empty, the header among them. A row that cannot be read comes as an error of its own."""
    csv.field_size_limit(limits.CELL)
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    unreadable = 0
    while True:
        start, lines.taken = lines.number + 1, []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            unreadable += 1
            if unreadable > limits.UNREADABLE:
                raise refused_file("Too many rows cannot be read as CSV.", "无法按 CSV 读取的行太多。") from None
            lines.give_back()
            yield Row(start, None, _unreadable(error))
            continue
        if len(cells) > limits.COLUMNS:
            yield Row(start, None, (f"More than {limits.COLUMNS} columns.", f"超过 {limits.COLUMNS} 列。"))
        elif any(cells) and not (start == 1 and _is_hint(cells, separator)):
            yield Row(start, cells)


def _is_hint(cells: list[str], separator: str) -> bool:
    """Excel's own first line that names the separator: `sep=;`."""
    return cells[0].lower().startswith("sep=") and separator.join(cells)[4:] in (separator, "")


def _unreadable(error: csv.Error) -> tuple[str, str]:
    if "field limit" in str(error):
        return (
            f"A cell is longer than {limits.CELL} characters, or its quote is not closed.",
            f"单元格超过 {limits.CELL} 个字符，或引号没有闭合。",
        )
    if "NUL" in str(error):
        return ("The row holds a NUL character.", "该行含有 NUL 字符。")
    return ("A quote is not closed, or stands inside a cell.", "引号没有闭合，或出现在单元格中间。")


def json_rows(stream: BinaryIO) -> Iterator[Row]:
    """One JSON object a line, strict as everywhere: no NaN, no repeated keys, no NUL."""
    number = unreadable = 0
    while line := stream.readline(limits.LINE + 1):
        number += 1
        if len(line) > limits.LINE:
            raise refused_file(
                f"Line {number} is longer than {limits.LINE} bytes.", f"第 {number} 行超过 {limits.LINE} 字节。"
            )
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            value = wire.decode(line)
        except wire.Undecodable as error:
            unreadable += 1
            if unreadable > limits.UNREADABLE:
                raise refused_file("Too many lines are not JSON.", "不是 JSON 的行太多。") from None
            yield Row(number, None, (f"Not acceptable JSON: {error}.", f"不是合法的 JSON：{error}。"))
            continue
        if isinstance(value, dict):
            yield Row(number, value)
        else:
            yield Row(number, None, ("Each line must be a JSON object.", "每行必须是一个 JSON 对象。"))
