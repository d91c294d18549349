"""Ranges and names of downloads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.attachments import Unsatisfiable, byte_range, disposition

SIZES = st.integers(1, 1000)


@given(SIZES, st.integers(0, 2000), st.integers(0, 2000))
def test_a_range_is_the_bytes_of_a_slice(size: int, first: int, last: int) -> None:
    content = bytes(number % 256 for number in range(size))
    if last < first:
        assert byte_range(f"bytes={first}-{last}", size) is None
    elif first >= size:
        with pytest.raises(Unsatisfiable):
            byte_range(f"bytes={first}-{last}", size)
    else:
        found = byte_range(f"bytes={first}-{last}", size)
        assert found is not None and content[found[0] : found[1] + 1] == content[first : last + 1]


@given(SIZES, st.integers(1, 2000))
def test_the_end_of_a_file_is_a_range(size: int, length: int) -> None:
    content = bytes(number % 256 for number in range(size))
    found = byte_range(f"bytes=-{length}", size)
    assert found is not None and content[found[0] : found[1] + 1] == content[-length:]


@pytest.mark.parametrize("header", [None, "", "bytes=", "bytes=1-2,4-5", "items=0-1", "bytes=a-b", "bytes=٣-٤"])
def test_any_other_range_is_ignored(header: str | None) -> None:
    assert byte_range(header, 10) is None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=50))
def test_a_name_in_a_header_is_ascii_and_cannot_leave_its_quotes(name: str) -> None:
    header = disposition(name)
    assert header.isascii() and "\r" not in header and "\n" not in header
    assert header.count('"') == 2 and "\\" not in header
