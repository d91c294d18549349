"""`chassis.text.fold` as SQL, for text that has no key column beside it. Nothing of it can use an index."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

from chassis.text import SPECIAL


@cache
def _marks() -> str:
    """The characters that `fold` takes away, as the inside of a bracket expression."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.combining(chr(code)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def folded(column: str) -> str:
    """The SQL of a text column without case, accents and width, in the order of the key columns."""
    bare = column
    for char, plain in SPECIAL.items():
        bare = f"replace({bare}, '{char}', '{plain}')"
    bare = f"regexp_replace(normalize({bare}, NFKD), '[{_marks()}]', '', 'g')"
    bare = f"replace(lower(normalize({bare}, NFC) COLLATE \"und-x-icu\"), 'ς', 'σ')"
    return f"btrim(regexp_replace({bare}, '\\s+', ' ', 'g')) COLLATE \"C\""
