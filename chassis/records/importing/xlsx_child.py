"""The process that parses XLSX, under limits of memory and time: `python -I xlsx_child.py FILE MEMORY SECONDS ROWS …`.

It imports nothing of the suite, so that it starts at once. The first sheet that is shown comes out as one JSON array a
line: the row's number, then its cells as text. What goes wrong is one line `{"error": …}`.
"""

from __future__ import annotations

import datetime as dt
import json
import resource
import sys
from decimal import Decimal
from typing import Any


def text_of(value: Any) -> str:
    """A cell as it would be typed: numbers without exponent and rounding noise, dates as ISO 8601."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # A spreadsheet shows 15 digits; what lies beyond is noise of binary fractions.
        return format(Decimal(f"{value:.15g}"), "f")
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return "" if value is None else str(value)


def main() -> int:
    path, memory, seconds, most_rows, most_columns, most_cell = sys.argv[1], *map(int, sys.argv[2:])
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    out = sys.stdout
    try:
        book = CalamineWorkbook.from_path(path)
        sheets = [
            sheet
            for sheet in book.sheets_metadata
            if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
        ]
        if not sheets:
            return _fail("no_sheet")
        sheet = book.get_sheet_by_name(sheets[0].name)
        out.write(json.dumps({"sheet": sheets[0].name, "sheets": len(sheets)}) + "\n")
        first = (sheet.start or (0, 0))[0]
        for index, row in enumerate(sheet.to_python(skip_empty_area=True)):
            cells = [text_of(value) for value in row]
            while cells and not cells[-1]:
                cells.pop()
            if not cells:
                continue
            if index >= most_rows:
                return _fail("rows")
            if len(cells) > most_columns:
                return _fail("columns")
            if max(map(len, cells)) > most_cell:
                return _fail("cell", first + index + 1)
            out.write(json.dumps([first + index + 1, *cells]) + "\n")
    except MemoryError:
        return _fail("memory")
    except Exception:
        # Whatever is wrong inside a file that somebody sent, it is the file that is wrong.
        return _fail("broken")
    return 0


def _fail(what: str, line: int = 0) -> int:
    sys.stdout.write(json.dumps({"error": what, "line": line}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
