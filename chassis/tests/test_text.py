"""Folding and taking apart of text, as the index and the search for twins use it."""

from __future__ import annotations

import pytest

from chassis import text


@pytest.mark.parametrize(
    ("written", "folded"),
    [("Café  ＡＢＣ", "cafe abc"), ("Straße", "strasse"), ("  Łódź\tŒuvre ", "lodz oeuvre"), ("ÀÉÎ", "aei")],
)
def test_folding_takes_case_accents_width_and_spaces_away(written, folded):
    assert text.fold(written) == folded


def test_words_are_folded_and_leave_han_to_others():
    assert text.words("Müller & Söhne 北京ABC_7") == ["muller", "sohne", "abc", "7"]


def test_a_word_is_never_longer_than_an_index_takes():
    assert [len(word) for word in text.words("x" * 5000)] == [text.LONGEST_WORD]


def test_compounds_are_what_punctuation_divides():
    assert text.compounds("O'Brien AT&T plain") == ["obrien", "att"]
    assert text.compounds("j.smith@acme.com") == ["jsmith", "acmecom"]


def test_han_becomes_characters_and_pairs_of_one_run():
    assert text.han_ngrams("中国 银行") == ["中", "国", "中国", "银", "行", "银行"]


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("+49 (30) 007-4321", "49300074321"),
        ("０３０-００７４３２１", "0300074321"),
        ("030.0074", "0300074"),
        ("1234", ""),
        ("SO-2026-00042", ""),
        ("", ""),
    ],
)
def test_phone_digits_are_those_of_what_is_written_like_a_phone_number(written, digits):
    assert text.phone_digits(written) == digits
