"""The form of documents changes with whatever decides what is indexed, and with nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from services.search import form as forms
from services.search import mapping
from services.search.elastic_documents import sounded, worded
from services.search.form import form
from services.search.mapping import SOUND, searchables, words_of
from services.search.tests.support import ACCOUNT


@pytest.fixture(autouse=True)
def anew():
    form.cache_clear()
    yield
    form.cache_clear()


def test_every_process_finds_the_same_form():
    told = {
        subprocess.run(
            [sys.executable, "-c", "from services.search.form import form; print(form())"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert told == {form()}


def test_a_field_that_is_searched_or_counted_anew_makes_another_form(monkeypatch):
    before, known = form(), searchables()
    for changed in (
        replace(known[ACCOUNT], weights={**known[ACCOUNT].weights, "motto": 1}),
        replace(known[ACCOUNT], facets=(*known[ACCOUNT].facets, "motto")),
        replace(known[ACCOUNT], keys=frozenset({*known[ACCOUNT].keys, "motto"})),
    ):
        form.cache_clear()
        monkeypatch.setattr(forms, "searchables", lambda one=changed: {**known, ACCOUNT: one})
        assert form() != before


def test_words_that_are_made_otherwise_make_another_form(monkeypatch):
    before = form()
    form.cache_clear()
    monkeypatch.setattr(mapping, "words_of", lambda value, weight: [*words_of(value, weight), ("more", weight)])
    assert form() != before


def test_words_and_sounds_have_only_weights_by_which_elasticsearch_is_asked():
    told = {"": set(), SOUND: set()}
    for one in searchables().values():
        for sample in forms.SAMPLES:
            for _, word, weight in mapping.document_of(forms._event(one, sample)).words:
                if word[0] not in "=<":
                    told[SOUND if word[0] == SOUND else ""].add(weight)
    assert told[""] == {*worded()}
    assert told[SOUND] == {*sounded()}
