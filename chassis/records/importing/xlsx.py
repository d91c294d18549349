"""Rows of XLSX. A file is a parcel from a stranger: its directory is judged and every entry counted while inflating
before anything parses it, and the parsing is done by a process of its own under limits of memory and time."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from chassis.errors import Problem
from chassis.records.importing import limits
from chassis.records.importing.limits import refused_file
from chassis.records.importing.tables import Row

_CHILD = Path(__file__).with_name("xlsx_child.py")
_COMPOUND = b"\xd0\xcf\x11\xe0"
_STORED, _DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
_FAILURES = {
    "rows": (f"More than {limits.XLSX_ROWS} rows.", f"超过 {limits.XLSX_ROWS} 行。"),
    "columns": (f"More than {limits.COLUMNS} columns.", f"超过 {limits.COLUMNS} 列。"),
    "cell": (f"A cell is longer than {limits.CELL} characters.", f"单元格超过 {limits.CELL} 个字符。"),
    "no_sheet": ("The workbook has no visible sheet.", "工作簿没有可见的工作表。"),
    "memory": ("The workbook needs too much memory.", "工作簿占用内存过大。"),
    "broken": ("The workbook cannot be read.", "无法读取工作簿。"),
}


def check(file: BinaryIO) -> None:
    """Refuse what is no XLSX, or what would not be safe to open: 422 `unreadable_file` or `unsafe_file`."""
    if file.read(4) == _COMPOUND:
        raise refused_file(
            "The workbook is protected by a password, or of the old XLS format: save it as XLSX without password.",
            "工作簿有密码保护或为旧的 XLS 格式：请另存为无密码的 XLSX。",
        )
    size = file.seek(0, io.SEEK_END)
    if size > limits.XLSX_FILE:
        raise _unsafe(f"An XLSX file may have at most {limits.XLSX_FILE} bytes.", "XLSX 文件过大。")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _directory(entries, size)
            if "[Content_Types].xml" not in {entry.filename for entry in entries}:
                raise zipfile.BadZipFile
            _inflate(file, entries)
    except (zipfile.BadZipFile, zlib.error, ValueError, OSError, NotImplementedError, EOFError):
        raise refused_file(*_FAILURES["broken"]) from None


def _directory(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > limits.XLSX_ENTRIES:
        raise _unsafe("The workbook has too many entries.", "工作簿条目过多。")
    _bounded(sum(entry.file_size for entry in entries), size)
    for entry in entries:
        parts = entry.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or stat.S_ISLNK(entry.external_attr >> 16):
            raise _unsafe("The workbook has entries outside of itself.", "工作簿含有越界条目。")
        if entry.flag_bits & 1 or entry.compress_type not in (_STORED, _DEFLATED):
            raise refused_file(*_FAILURES["broken"])


def _inflate(file: BinaryIO, entries: list[zipfile.ZipInfo]) -> None:
    """Inflate all of it, keeping nothing: what the directory says of sizes may be a lie."""
    total = packed = 0
    for entry in entries:
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), io.SEEK_CUR)
        left, inflate = entry.compress_size, zlib.decompressobj(-15)
        while left > 0 and (chunk := file.read(min(left, 1 << 16))):
            left -= len(chunk)
            packed += len(chunk)
            if entry.compress_type == _STORED:
                total += len(chunk)
            while chunk and entry.compress_type == _DEFLATED:
                total += len(inflate.decompress(chunk, 1 << 20))
                chunk = inflate.unconsumed_tail
                _bounded(total, packed)
        _bounded(total, packed)


def _bounded(inflated: int, packed: int) -> None:
    if inflated > limits.XLSX_INFLATED or (
        inflated > limits.XLSX_RATIO_FROM and inflated > limits.XLSX_RATIO * max(packed, 1)
    ):
        raise _unsafe("The workbook unpacks to far more than it is.", "工作簿解压后过大。")


def _unsafe(detail: str, detail_zh: str) -> Problem:
    return refused_file(detail, detail_zh, "unsafe_file")


def rows(path: Path, notes: dict[str, Any]) -> Iterator[Row]:
    """The rows of a checked file's first visible sheet; `notes` learns the sheet's name."""
    bounds = (limits.XLSX_MEMORY, limits.XLSX_SECONDS, limits.XLSX_ROWS, limits.COLUMNS, limits.CELL)
    with subprocess.Popen(
        [sys.executable, "-I", str(_CHILD), str(path), *map(str, bounds)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONUTF8": "1"},
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                item = json.loads(line)
                if isinstance(item, list):
                    yield Row(item[0], item[1:])
                elif "error" in item:
                    detail, detail_zh = _FAILURES[item["error"]]
                    raise refused_file(detail, detail_zh)
                else:
                    notes.update(item)
        except BaseException:
            child.kill()
            raise
        if child.wait() != 0:
            raise refused_file(
                "Reading the workbook takes too much memory or time.", "读取工作簿占用的内存或时间过多。"
            )
