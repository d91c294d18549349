"""Names of files from people, and what the bytes say."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import files
from chassis.tests.given import PROPERTY


@PROPERTY
@given(st.text(max_size=400))
def test_a_clean_name_is_harmless_short_and_stays_as_it_is(given_name: str) -> None:
    name = files.clean_name(given_name)
    assert name and files.clean_name(name) == name
    assert len(name) <= 200 and len(name.encode()) <= 255
    assert not set(name) & set('/\\<>:"|?*') and name not in (".", "..")
    assert not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)
    assert not set(name) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f")


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\temp\\报价单.pdf", "报价单.pdf"),
        ("a\0b.pdf", "ab.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("<script>alert(1)<.html", "_script_alert(1)_.html"),
        ("con.txt", "_con.txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("...", "file"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("字" * 300 + ".pdf", "字" * 83 + ".pdf"),
    ],
)
def test_names_of_the_corpus(given_name: str, kept: str) -> None:
    assert files.clean_name(given_name) == kept
