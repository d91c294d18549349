"""Names as people type them: in either script, without their legal forms, in Latin letters."""

from __future__ import annotations

import pytest

from chassis import names, pinyin


# The names are those of listed firms in Taiwan, and what the mainland writes.
@pytest.mark.parametrize(
    ("traditional", "simple"),
    [
        ("臺灣水泥", "台湾水泥"),
        ("統一企業", "统一企业"),
        ("鴻海精密", "鸿海精密"),
        ("國泰金融控股", "国泰金融控股"),
        ("Ａcer 宏碁", "acer 宏碁"),
    ],
)
def test_both_scripts_are_one(traditional, simple):
    assert names.simplified(traditional) == names.simplified(simple) == simple


@pytest.mark.parametrize(
    ("written", "bare"),
    [
        ("Müller & Söhne GmbH & Co. KG", ["muller", "sohne"]),
        ("Nestlé S.A.", ["nestle"]),
        ("The Hershey Company", ["hershey"]),
        ("华为技术有限公司", ["华为技术"]),
        ("臺灣水泥股份有限公司", ["台湾水泥"]),
        ("Limited", ["limited"]),
        ("有限公司", ["有限公司"]),
    ],
)
def test_a_name_has_a_legal_form_and_is_never_nothing_else(written, bare):
    assert names.bare(names.parts(written)) == bare


def test_pinyin_is_typed_in_full_or_by_initials_from_any_character_on():
    forms = pinyin.forms("重庆银行")
    assert {"chongqingyinhang", "yinhang", "cqyh", "yh"} <= set(forms)
    assert "h" not in forms


# The readings are those of the Xinhua dictionary's notes on surnames.
@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("曾伟", "zengwei"), ("单雄信", "shanxiongxin"), ("仇英", "qiuying"), ("区明", "ouming"), ("解缙", "xiejin"),
        ("查良镛", "zhaliangyong"), ("盖叫天", "gejiaotian"), ("翟志刚", "zhaizhigang"), ("尉迟恭", "yuchigong"),
        ("任正非", "renzhengfei"), ("单于丹", "chanyudan"), ("覃辉", "qinhui"),
    ],
)  # fmt: skip
def test_a_surname_is_read_as_families_say_it(name, reading):
    assert reading in pinyin.forms(name)


def test_the_usual_reading_of_a_surname_is_found_as_well():
    assert {"zengwei", "cengwei"} <= set(pinyin.forms("曾伟"))


def test_a_round_u_is_typed_as_v_as_u_or_as_yu():
    assert {"lvdi", "ludi", "lyudi"} <= set(pinyin.forms("绿地"))


def test_long_runs_are_sentences_and_have_no_pinyin():
    assert pinyin.forms("银" * (pinyin.LONGEST + 1)) == []
