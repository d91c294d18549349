"""What a document scores by the text of its words is what its words say one by one."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from services.search.index import Asked
from services.search.mapping import LONGEST_KEY, Document, key_of, searchables, words_of
from services.search.phrases import Phrase, Term, phrases, prefix
from services.search.points import Scorer, pattern, shown, text_of
from services.search.points import words_of as lines_of
from services.search.tests.support import ACCOUNT
from services.search.tokens import LONGEST, mark, tokens_of
from services.search.visibility import Visible

TENANT = "0190a0b0-0000-7000-8000-00000c0ffee5"
WORDS = [
    ("name", "alfreds", 10),
    ("name", "futterkiste", 10),
    ("name", "gmbh", 2),
    ("name", "=alfreds futterkiste gmbh", 10),
    ("name", "=alfreds futterkiste", 9),
    ("name", "<sderfla", 9),
    ("city", "alf", 2),
    ("external_ids", "=alf", 8),
    ("external_ids", "name", 8),
]


def points(typed, words=WORDS, **hidden):
    seen = Visible("me", (), tuple(searchables()), (), (), {ACCOUNT: frozenset(hidden)} if hidden else {})
    return Scorer(Asked(phrases(typed)[-1], seen, 20)).points(ACCOUNT, "1", "me", text_of(words))


def test_words_are_read_back_as_they_were_written_but_for_those_from_the_end():
    assert lines_of(text_of(WORDS)) == [one for one in WORDS if one[1] != "<sderfla"]
    assert lines_of("") == []


@pytest.mark.parametrize(
    ("typed", "key", "beginning", "words"),
    [
        ("alfreds", 0, 100, 20),
        ("alfr", 0, 100, 10),
        ("alf", 900 + 20 * 8, 100, 10),
        ("futter", 0, 0, 10),
        ("futterkiste alfreds", 0, 0, 40),
        ("alfreds gm", 0, 0, 22),
        ("alfreds futterkiste", 900 + 20 * 9, 100, 40),
        ("name", 0, 0, 16),
    ],
)
def test_a_score_is_the_sum_of_its_points(typed, key, beginning, words):
    found = points(typed)
    assert (found.key, found.beginning, found.words, found.own) == (key, beginning, words, 12)
    assert found.score == key + beginning + words + 12


@pytest.mark.parametrize("typed", ["lfreds", "city", "alfreds kiste", "alfredss", "sderfla"])
def test_what_does_not_answer_every_term_has_no_points(typed):
    assert points(typed) is None


def test_a_key_that_was_cut_behind_a_word_is_told_from_its_field():
    cut = [("name", key_of("x" * (LONGEST_KEY - 1) + " y"), 10), ("name", "y", 10)]
    assert cut[0][1].endswith(" ") and lines_of(text_of(cut)) == cut
    seen = Visible(None, (), tuple(searchables()), (), (), {})
    scorer = Scorer(Asked(Phrase(("=n",), ((Term("n", (prefix("n"),)),),)), seen, 20))
    assert scorer.points(ACCOUNT, "1", None, text_of(cut)) is None


def test_words_of_hidden_fields_have_no_points():
    assert points("futter", name=True) is None
    assert points("alf", name=True).words == 4
    assert lines_of(shown(text_of(WORDS), {"name"})) == WORDS[6:]


@pytest.mark.parametrize("typed", ["alf", "futter", "name", "gmbh"])
def test_the_pattern_of_a_term_finds_what_has_points(typed):
    for hidden in ({"name"}, {"city"}, {"name", "city"}, {"external_ids"}):
        (term,) = phrases(typed)[-1].terms
        by_pattern = re.search(pattern(term, hidden), text_of(WORDS)) is not None
        seen = Visible(None, (), tuple(searchables()), (), (), {ACCOUNT: frozenset(hidden)})
        phrase = Phrase(("=nothing",), ((Term(typed, (prefix(typed),)),),))
        scored = Scorer(Asked(phrase, seen, 20)).points(ACCOUNT, "1", None, text_of(WORDS))
        assert by_pattern == (scored is not None), hidden


def test_a_document_has_no_more_tokens_than_postgresql_takes(document):
    words = [("notes", f"{number:040}", 1) for number in range(60_000)]
    tokens = tokens_of(TENANT, document([("name", "alfreds", 10), *words]))
    assert len(tokens.encode()) <= LONGEST
    assert f"{mark(TENANT)}halfreds" in tokens.split("\n")
    assert all(len(token) <= 47 for token in tokens.split("\n"))


def test_first_letters_are_tokens_of_words_and_not_of_han_or_last_digits(document):
    words = [("name", word, weight) for word, weight in words_of("Tee 茶 x", 10)]
    tokens = tokens_of(TENANT, document([*words, ("phone", "~1234", 2)])).split("\n")
    found = sorted(one.removeprefix(mark(TENANT)) for one in tokens)
    assert " ".join(found) == "bc bch bcha bt bte btee bx hcha htee hx h茶 l~1234 rcustomer.account"


@pytest.fixture
def document():
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return lambda words: Document(ACCOUNT, TENANT, 1, False, None, None, at, "", {}, tuple(words), {})
