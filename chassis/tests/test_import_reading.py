"""Files as rows: whatever encoding and dialect, never more than is safe, and one bad row costs one row."""

from __future__ import annotations

import io
import json
import os
import resource
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chassis.errors import Problem
from chassis.records.importing import limits, reading
from chassis.tests.given import refused

SPECTRUM = Path(__file__).parent / "data" / "csv-spectrum"
SHARED = Path(os.environ.get("GUANXI_SHARED_DATA") or "missing")
SHEETS = sorted((SHARED / "import-spreadsheets" / "calamine").glob("*.xlsx"))
# What the set's JSON says is not what its CSV holds.
WRONG_JSON = ("location_coordinates", "newlines_crlf")


def _read(content: bytes, kind: str = "csv", encoding: str | None = None) -> tuple[Any, list[Any], Any]:
    with reading.open_source(lambda: io.BytesIO(content), kind, encoding) as source:
        rows = list(source.rows())
        return source.columns, rows, source.notes


def _cells(content: bytes, kind: str = "csv", encoding: str | None = None) -> list[Any]:
    columns, rows, _ = _read(content, kind, encoding)
    assert all(row.error is None for row in rows)
    return [columns, *(row.cells for row in rows)]


@pytest.mark.parametrize("name", sorted(path.stem for path in (SPECTRUM / "csvs").glob("*.csv")))
def test_csv_is_read_as_rfc_4180_says(name: str) -> None:
    columns, *rows = _cells((SPECTRUM / "csvs" / f"{name}.csv").read_bytes())
    expected = json.loads((SPECTRUM / "json" / f"{name}.json").read_text())
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    assert (found == expected) is (name not in WRONG_JSON)


TABLE = [["名称", "Stadt"], ["北京银行股份有限公司", "中文"], ["a,b;c", "x\ny"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encoding_separator_and_line_ends_are_found(encoding: str, separator: str, end: str) -> None:
    text = end.join(separator.join(f'"{cell}"' for cell in row) for row in TABLE) + end
    assert _cells(text.encode(encoding)) == TABLE


def test_western_text_is_not_taken_for_chinese_and_the_last_resort_is_said() -> None:
    text = "name,city\nMüller,Köln\nFrançois,Besançon\nØrsted,Århus\n"
    _, rows, notes = _read(text.encode("latin-1"))
    assert notes["encoding"] == "cp1252"
    assert [row.cells[0] for row in rows] == ["Müller", "François", "Ørsted"]
    assert _cells(text.encode("latin-1"), encoding="latin-1")[1] == ["Müller", "Köln"]
    with refused(422, "unreadable_file"):
        _read(text.encode("latin-1"), encoding="utf-8")


def test_semicolons_with_decimal_commas_are_semicolons() -> None:
    assert _cells(b"name;price\nA;1,5\nB;2,75\n") == [["name", "price"], ["A", "1,5"], ["B", "2,75"]]
    assert _cells(b"sep=;\r\nname;price\r\nA;1\r\n")[1:] == [["A", "1"]]
    assert _cells(b"name\nA\nB\n") == [["name"], ["A"], ["B"]]


def test_rows_know_their_lines_and_blank_rows_are_none() -> None:
    _, rows, _ = _read(b'\n\na,b\n1,"x\ny"\n\n,\n2,z\n')
    assert [(row.line, row.cells) for row in rows] == [(4, ["1", "x\ny"]), (8, ["2", "z"])]


def test_one_unreadable_row_costs_one_row() -> None:
    _, rows, _ = _read(b'a,b\n1,2\n3,"open\n4,5\n6,7,8\n9\n')
    assert [(row.line, row.cells if row.error is None else row.error[0][:9]) for row in rows] == [
        (2, ["1", "2"]),
        (3, "A quote i"),
        (4, ["4", "5"]),
        (5, "The row h"),
        (6, ["9", ""]),
    ]


def test_a_file_of_nothing_but_bad_rows_is_no_table() -> None:
    with refused(422, "unreadable_file"):
        _read(b"a,b\n" + b'"x"y,1\n' * (limits.UNREADABLE + 1))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n".replace(b" ", b""),
        b"a" * (limits.LINE + 2),
        b"," * 1_000_000,
        b"a,b\n\0\0\0\0,1\n" + b"x,1\n" * 1000,
        "a,b\n".encode("utf-32"),
        b"PK\3\4 no text \0\xff\0\xfe" * 100,
    ],
)
def test_what_is_no_table_is_refused_at_once(content: bytes) -> None:
    started = time.process_time()
    with refused(422):
        _read(content)
    assert time.process_time() - started < 2


def test_a_cell_has_a_bound_and_the_rows_behind_it_are_read() -> None:
    _, rows, _ = _read(b"a,b\n" + b"x" * (limits.CELL + 1) + b",1\n2,3\n")
    assert rows[0].error is not None and rows[1].cells == ["2", "3"]


def test_json_lines_are_strict_one_by_one() -> None:
    lines = [b'{"a":1}', b'{"a":1,"a":2}', b"[1]", b'{"a":NaN}', b'{"a":"\\u0000"}', b"", b'{"b":{"c":[1]}}', b"{"]
    columns, rows, _ = _read(b"\xef\xbb\xbf" + b"\n".join(lines), "jsonl")
    assert columns is None
    assert [row.cells for row in rows] == [{"a": 1}, None, None, None, None, {"b": {"c": [1]}}, None]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5, 7, 8]


# --- XLSX


EXPECTED_SHEETS = {
    "inventory-table.xlsx": (["Item", "Type", "Quantity"], ["1", "Apple", "50"]),
    "date_1904.xlsx": (["2021-01-01", "15"], ["2021-01-02", "16"]),
    "any_sheets.xlsx": (["1", "2"], ["3", "4"]),
    "shared_formula_simple.xlsx": (["1", "2"], ["2", "4"]),
    "string-ref.xlsx": (["col1"], ["-8086931554011838357"]),
    "readings.xlsx": (["Station", "Celsius", "Humidity", "Pressure"], ["London", "15", "72", "1013"]),
    "issue_530.xlsx": (["报表导出人：", "于国栋"], ["报表导出时间：", "2023年03月04日"]),
}


@pytest.mark.skipif(not SHEETS, reason="GUANXI_SHARED_DATA has no import-spreadsheets")
def test_every_spreadsheet_of_the_torture_set_is_read_or_refused_as_such() -> None:
    for path in SHEETS:
        try:
            columns, rows, _ = _read(path.read_bytes(), "xlsx")
        except Problem as problem:
            known = EXPECTED_SHEETS.get(path.name)
            if problem.code != "unreadable_file" or known:
                raise
        else:
            assert all(len(row.cells) == len(columns) for row in rows)
            if path.name in EXPECTED_SHEETS:
                assert (columns, rows[0].cells) == EXPECTED_SHEETS[path.name], path.name


def _book(sheet: bytes, **others: bytes) -> bytes:
    """The smallest workbook that opens, with this sheet."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>'.encode(),
        "_rels/.rels": (
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/officeDocument"'
            ' Target="xl/workbook.xml"/></Relationships>'
        ).encode(),
        "xl/workbook.xml": (
            f'<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>"
        ).encode(),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{rel}/worksheet"'
            ' Target="worksheets/sheet1.xml"/></Relationships>'
        ).encode(),
        "xl/worksheets/sheet1.xml": sheet,
        **others,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def _sheet(rows: str, head: str = "") -> bytes:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'{head}<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def _cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


GOOD = f'<row r="1">{_cell("A1", "name")}</row><row r="2">{_cell("A2", "Acme")}</row>'


def test_a_workbook_of_ones_own_opens() -> None:
    assert _cells(_book(_sheet(GOOD)), "xlsx") == [["name"], ["Acme"]]


def _lying(book: bytes) -> bytes:
    """The same archive whose directory says that every entry has ten bytes."""
    at, changed = 0, bytearray(book)
    while (at := book.find(b"PK\1\2", at)) >= 0:
        changed[at + 24 : at + 28] = struct.pack("<I", 10)
        at += 4
    return bytes(changed)


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">'
    '<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;">]>'
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
BOMBS = {
    "300 MB of zeros": lambda: _book(_sheet(GOOD), **{"xl/media/a.bin": bytes(300 * 1024 * 1024)}),
    "a directory that lies": lambda: _lying(_book(_sheet(GOOD), **{"xl/media/a.bin": bytes(120 * 1024 * 1024)})),
    "too many entries": lambda: _book(_sheet(GOOD), **{f"xl/media/{n}": b"x" for n in range(limits.XLSX_ENTRIES)}),
    "a way out": lambda: _book(_sheet(GOOD), **{"../../etc/cron.d/x": b"x"}),
    "an absolute name": lambda: _book(_sheet(GOOD), **{"/etc/cron.d/x": b"x"}),
    "a far corner": lambda: _book(
        _sheet(f'<row r="1">{_cell("A1", "a")}</row><row r="1048576">{_cell("XFD1048576", "z")}</row>')
    ),
    "too many columns": lambda: _book(
        _sheet('<row r="1">' + "".join(f'<c t="inlineStr"><is><t>{n}</t></is></c>' for n in range(600)) + "</row>")
    ),
    "a large cell": lambda: _book(_sheet(f'<row r="1">{_cell("A1", os.urandom(20_000).hex())}</row>')),
    "not a zip": lambda: b"PK\3\4" + os.urandom(5000),
    "half a zip": lambda: _book(_sheet(GOOD))[:-200],
    "a password": lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000),
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_dangerous_workbook_is_refused_in_two_seconds_and_little_memory(name: str) -> None:
    book = BOMBS[name]()
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with refused(422):
        _read(book, "xlsx")
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150 * 1024


@pytest.mark.parametrize("head", [LAUGHS, OUTSIDE])
def test_entities_of_a_workbook_are_not_expanded(head: str) -> None:
    sheet = _sheet(f'<row r="1">{_cell("A1", "n")}</row><row r="2">{_cell("A2", "&e;&a;")}</row>', head)
    try:
        cells = _cells(_book(sheet), "xlsx")
    except Problem as problem:
        if problem.code != "unreadable_file":
            raise
    else:
        assert len(str(cells)) < 100 and "root:" not in str(cells)
