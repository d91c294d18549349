"""Files from people: names that are safe to show and save, and types that follow from the bytes, not from a claim.

Rules of uploads: the ending must be on the list, and the content must be what the ending says. Nothing is unpacked,
decoded or run here, so an archive is only ever an archive.
"""

from __future__ import annotations

import re
import unicodedata

import filetype

from chassis.errors import Problem
from contracts.children import MOST_NAME

HEAD = 8192
"""How many bytes a type is found by."""
MOST_BYTES = 255
"""What file systems take as a name, in UTF-8."""
OCTETS = "application/octet-stream"

# Controls, marks that turn the direction of writing (`exe.fdp` shown as `pdf.exe`), zero-width signs, lone surrogates.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_EDGES = re.compile(r"^[\s.]+|[\s.]+$")
_RESERVED = re.compile(r'[<>:"|?*]')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)

_ZIP = "application/zip"
_OLE = "application/x-ole-storage"
_OOXML = "application/vnd.openxmlformats-officedocument."
_TEXT = "text/plain"

# Ending: what is answered as the type, and what the bytes must be. Text is what has no NUL and is no known binary kind.
TYPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "pdf": ("application/pdf", ("application/pdf",)),
    "rtf": ("application/rtf", ("application/rtf",)),
    "docx": (f"{_OOXML}wordprocessingml.document", (f"{_OOXML}wordprocessingml.document", _ZIP)),
    "xlsx": (f"{_OOXML}spreadsheetml.sheet", (f"{_OOXML}spreadsheetml.sheet", _ZIP)),
    "pptx": (f"{_OOXML}presentationml.presentation", (f"{_OOXML}presentationml.presentation", _ZIP)),
    "odt": ("application/vnd.oasis.opendocument.text", ("application/vnd.oasis.opendocument.text", _ZIP)),
    "ods": ("application/vnd.oasis.opendocument.spreadsheet", ("application/vnd.oasis.opendocument.spreadsheet", _ZIP)),
    "odp": (
        "application/vnd.oasis.opendocument.presentation",
        ("application/vnd.oasis.opendocument.presentation", _ZIP),
    ),
    "doc": ("application/msword", (_OLE,)),
    "xls": ("application/vnd.ms-excel", (_OLE,)),
    "ppt": ("application/vnd.ms-powerpoint", (_OLE,)),
    "msg": ("application/vnd.ms-outlook", (_OLE,)),
    "png": ("image/png", ("image/png",)),
    "jpg": ("image/jpeg", ("image/jpeg",)),
    "jpeg": ("image/jpeg", ("image/jpeg",)),
    "gif": ("image/gif", ("image/gif",)),
    "webp": ("image/webp", ("image/webp",)),
    "bmp": ("image/bmp", ("image/bmp",)),
    "tif": ("image/tiff", ("image/tiff",)),
    "tiff": ("image/tiff", ("image/tiff",)),
    "heic": ("image/heic", ("image/heic",)),
    "avif": ("image/avif", ("image/avif",)),
    "mp3": ("audio/mpeg", ("audio/mpeg",)),
    "wav": ("audio/x-wav", ("audio/x-wav",)),
    "m4a": ("audio/mp4", ("audio/mp4", "video/mp4")),
    "ogg": ("audio/ogg", ("audio/ogg",)),
    "mp4": ("video/mp4", ("video/mp4",)),
    "mov": ("video/quicktime", ("video/quicktime",)),
    "webm": ("video/webm", ("video/webm",)),
    "zip": (_ZIP, (_ZIP,)),
    "7z": ("application/x-7z-compressed", ("application/x-7z-compressed",)),
    "gz": ("application/gzip", ("application/gzip",)),
    "txt": ("text/plain", (_TEXT,)),
    "log": ("text/plain", (_TEXT,)),
    "md": ("text/markdown", (_TEXT,)),
    "csv": ("text/csv", (_TEXT,)),
    "tsv": ("text/tab-separated-values", (_TEXT,)),
    "json": ("application/json", (_TEXT,)),
    "eml": ("message/rfc822", (_TEXT,)),
    "ics": ("text/calendar", (_TEXT,)),
    "vcf": ("text/vcard", (_TEXT,)),
    # What a browser would run is kept, and never called what it is.
    "svg": (OCTETS, (_TEXT,)),
    "xml": (OCTETS, (_TEXT,)),
    "html": (OCTETS, (_TEXT,)),
    "htm": (OCTETS, (_TEXT,)),
}


def clean_name(given: str) -> str:
    """A name without folders, controls and signs that mislead; letters of every script stay. Never empty.

    At most 200 characters and 255 bytes in UTF-8; what is cut is cut before the ending. Cleaning again changes nothing.
    """
    name = unicodedata.normalize("NFC", _UNSEEN.sub("", given)).replace("\\", "/").rsplit("/", 1)[-1]
    name = _shortened(_RESERVED.sub("_", name)) or "file"
    return _shortened(f"_{name}") if _DEVICES.match(name) else name


def _shortened(name: str) -> str:
    name = _EDGES.sub("", name)
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 20:
        stem, dot, ending = name, "", ""
    end = dot + ending
    stem = stem[: MOST_NAME - len(end)]
    while len((stem + end).encode()) > MOST_BYTES:
        stem = stem[:-1]
    return _EDGES.sub("", stem + end)


def ending_of(name: str) -> str:
    """What stands behind the last dot, in small letters."""
    return name.rpartition(".")[2].casefold() if "." in name else ""


def sniffed(head: bytes) -> str | None:
    """The kind of content by its first bytes: a MIME type, `text/plain` for what has no NUL, None for other bytes."""
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _OLE
    known: str | None = filetype.guess_mime(head)
    if known is not None:
        return known
    utf16 = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    return _TEXT if utf16 or b"\0" not in head else None


def type_of(name: str, head: bytes) -> str:
    """The type under which a file is kept. Raises Problem 415 `file_type_refused` unless name and bytes agree."""
    ending = ending_of(name)
    if ending not in TYPES:
        raise _refused(f"Files that end in .{ending} are not taken." if ending else "The file's name has no ending.")
    answered, contents = TYPES[ending]
    if sniffed(head) not in contents:
        raise _refused(f"The content is not that of a file that ends in .{ending}.")
    return answered


def _refused(detail: str) -> Problem:
    return Problem(415, "file_type_refused", detail, errors=[{"field": "name", "message": detail}])
