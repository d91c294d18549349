"""Typing errors, counted as people make them."""

from __future__ import annotations

import random

import pytest

from chassis import slips


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("shaghai", "shanghai"),
        ("shamghai", "shanghai"),
        ("shangshai", "shanghai"),
        ("shnaghai", "shanghai"),
        ("banl", "bank"),
        ("ank", "bank"),
        ("müler", "müller"),
        ("газпрон", "газпром"),
        ("αθηνω", "αθηνα"),
    ],
)
def test_what_was_meant_is_among_the_variants_of_what_was_typed(typed, meant):
    assert slips.between(typed, meant, 2) == 1
    assert meant in slips.variants(typed)


def test_every_variant_is_at_one_slip_and_the_word_is_none():
    found = slips.variants("bank")
    assert "bank" not in found
    assert {slips.between("bank", one, 3) for one in found} == {1}
    # At 5 places a letter more, 4 letters less or wrong, 3 neighbours; one more beside its like is the same.
    assert len(found) == 5 * 26 - 4 + 4 + 4 * 25 + 3


@pytest.mark.parametrize(
    ("word", "forgiven"),
    [("ab", 0), ("abc", 1), ("abcde", 1), ("abcdef", 2), ("4711", 0), ("b2b", 0), ("so2026", 0)],
)
def test_one_slip_is_forgiven_up_to_five_letters_and_two_above_and_none_in_numbers(word, forgiven):
    assert slips.forgiven(word) == forgiven


def test_with_two_slips_one_half_begins_or_ends_almost_as_it_was_typed():
    chance = random.Random(7)
    for _ in range(400):
        meant = "".join(chance.choice("aehilnorst") for _ in range(chance.randrange(6, 12)))
        typed = meant
        for _ in range(2):
            typed = chance.choice(sorted(slips.variants(typed)))
        if len(typed) < 6 or slips.between(typed, meant, 2) > 2:
            continue
        half = len(typed) // 2
        starts = slips.beginnings(typed, half)
        ends = slips.beginnings(typed[::-1], len(typed) - half)
        overlap = half + (len(typed) - half) > len(meant)
        assert meant[:half] in starts or meant[::-1][: len(typed) - half] in ends or overlap, (typed, meant)
