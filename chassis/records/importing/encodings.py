"""The encoding of a text file, found by reading all of it once: what is named can decode every byte."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from chassis.records.importing.limits import refused_file

CHUNK = 1 << 18
KNOWN = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "gb2312", "cp1252", "latin-1")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, ""),
    (codecs.BOM_UTF32_BE, ""),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
# The Han characters of GB 2312: in Chinese text nearly all pairs are among them. Accented letters of western texts
# stand alone between plain ones, which GB18030 would read as rare characters.
_HAN = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")


def find(stream: BinaryIO, given: str | None = None) -> str:
    """The encoding of the whole stream: as given, by its mark, UTF-8, UTF-16, GB18030, or at last a western one.

    Raises Problem 422 `unreadable_file` for what is no text.
    """
    head = stream.read(CHUNK)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            if not encoding:
                raise _no_text()
            return _checked(head, stream, encoding)
    if given:
        return _checked(head, stream, given)
    if b"\0" in head:
        return _checked(head, stream, _utf16(head))
    fits, high, han = {"utf-8": True, "gb18030": True, "cp1252": True}, 0, 0
    decoders = {name: codecs.getincrementaldecoder(name)() for name in fits}
    for chunk in _chunks(head, stream):
        if b"\0" in chunk:
            raise _no_text()
        for name, decoder in decoders.items():
            fits[name] = fits[name] and _decodes(decoder, chunk)
        if not fits["utf-8"]:
            high += len(_HIGH.findall(chunk))
            han += len(_HAN.findall(chunk))
    for name, decoder in decoders.items():
        fits[name] = fits[name] and _decodes(decoder, b"", final=True)
    if fits["utf-8"]:
        return "utf-8"
    if fits["gb18030"] and 2 * han >= 0.6 * high:
        return "gb18030"
    return "cp1252" if fits["cp1252"] else "latin-1"


def _utf16(head: bytes) -> str:
    """Without a mark: plain letters and line ends have their zero byte on one side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if min(even, odd) * 10 > max(even, odd):
        raise _no_text()
    return "utf-16-be" if even > odd else "utf-16-le"


def _checked(head: bytes, stream: BinaryIO, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    if not all(_decodes(decoder, chunk) for chunk in _chunks(head, stream)) or not _decodes(decoder, b"", final=True):
        raise refused_file(f"The file is not text in {encoding}.", f"文件不是 {encoding} 编码的文本。")
    return encoding


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _chunks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield head
    while chunk := stream.read(CHUNK):
        yield chunk


def _no_text() -> Exception:
    return refused_file("The file is neither a table of text nor XLSX.", "文件既不是文本表格，也不是 XLSX。")
