"""Names are found however they are typed: in either script, by their sound, without their form, by part of a number."""

from __future__ import annotations

import pytest

from services.search import mapping
from services.search.tests.support import ACCOUNT


@pytest.mark.parametrize("typed", ["台湾水泥", "臺灣水泥", "水泥", "taiwanshuini", "twsn", "shuini", "台湾"])
def test_a_name_in_traditional_script_is_found_by_both_scripts_and_by_its_sound(index, typed):
    index.put(ACCOUNT, name="臺灣水泥股份有限公司")
    assert index.titles(typed) == ["臺灣水泥股份有限公司"]


def test_what_matched_in_traditional_script_is_marked(index):
    index.put(ACCOUNT, name="臺灣水泥")
    assert index.ask("台湾")["items"][0]["highlight"] == "<em>臺灣</em>水泥"


def test_initials_find_a_firm(index):
    index.put(ACCOUNT, name="上海通力电梯有限公司")
    assert index.titles("shtl") == ["上海通力电梯有限公司"]


def test_a_legal_form_alone_finds_but_says_less_than_a_name(index):
    index.put(ACCOUNT, name="Muster GmbH")
    index.put(ACCOUNT, name="GmbH Verlag")
    index.put(ACCOUNT, name="Co Working")
    assert set(index.titles("gmbh")) == {"Muster GmbH", "GmbH Verlag"}
    index.put(ACCOUNT, name="Ag Alpha")
    index.put(ACCOUNT, name="Beta Agraria")
    assert index.titles("agraria") == ["Beta Agraria"]


@pytest.mark.parametrize(
    "typed",
    ["02-2531-7099", "(02) 2531 7099", "25317099", "7099", "317099", "+886 2 2531-7099", "00886 2 25317099"],
)
@pytest.mark.parametrize("stored", ["(02)2531-7099", "+886 2 2531 7099"])
def test_a_phone_number_is_found_by_any_suffix_in_any_format(index, stored, typed):
    index.put(ACCOUNT, name="TCC", phone=stored)
    index.put(ACCOUNT, name="Other", phone="(02)2531-7088")
    assert index.titles(typed) == ["TCC"]


def test_every_weight_that_a_word_can_have_is_known_beforehand():
    text = "Müller & Söhne GmbH, The Company 臺灣水泥股份有限公司"
    for weight in range(1, 11):
        assert {own for _, own in mapping.words_of(text, weight)} <= mapping.shares(weight)
