"""What twins have in common: firms without legal forms, people in any order, numbers however they are written."""

from __future__ import annotations

import pytest

from chassis import likeness


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller & Söhne GmbH & Co. KG", "MULLER UND SOHNE"),
        ("Acme Co., Ltd.", "ACME Company Limited"),
        ("Ernst Handel S.A.R.L.", "Ernst Handel"),
        ("Société Générale S.A.", "Societe Generale"),
        ("华为技术有限公司", "华为技术"),
        ("華為技術有限公司", "華為技術股份有限公司"),
        ("中國銀行股份有限公司", "中国银行"),
    ],
)
def test_firms_are_the_same_whatever_their_legal_form_case_accents_and_script(one: str, other: str) -> None:
    assert likeness.company(one) == likeness.company(other)


def test_a_name_that_is_nothing_but_a_legal_form_stays() -> None:
    assert likeness.company("Limited") == "limited"
    assert likeness.company("集团有限公司") == "集团有限公司"


@pytest.mark.parametrize(
    ("kind", "one", "other", "least", "most"),
    [
        ("person", "Anders, Maria", "Maria Anders", 1, 1),
        ("person", "M. Anders", "Maria Anders", 0.9, 1),
        ("person", "Maria Andres", "Maria Anders", 0.9, 1),
        ("person", "Maria Anders", "Thomas Hardy", 0, 0.4),
        ("phone", "+49 (30) 007-4321", "030 0074321", 1, 1),
        ("phone", "310-475-3585", "310/475-3585", 1, 1),
        ("phone", "310-475-3585", "310-475-3586", 0, 0),
        ("email", "Maria+news@alfreds.example", "maria@alfreds.example", 1, 1),
        ("domain", "https://www.alfreds.example/about", "info@alfreds.example", 1, 1),
        ("address", "12224 Ventura Boulevard", "12224 ventura blvd.", 1, 1),
        ("date", "1971-06-24", "1971-05-24", 0.7, 0.7),
        ("text", "Sony Turntable PSLX350H", "Sony PSLX350H Belt Drive", 0.9, 1),
        ("text", "Sony Turntable PSLX350H", "Sony Turntable PSLX300H", 0, 0.5),
        ("text", "Panasonic DECT 6.0 Phone KXTG9341T", "Panasonic KX-TG9341T Cordless", 0.9, 1),
        ("text", "Sony DVD Player DVPFX820LI", "Sony DVD Player DVPFX820R", 0.65, 1),
        ("text", "Panasonic DVD recorder 1080p DMREZ28K", "Samsung LN46A850 HDTV 1080p", 0, 0.5),
    ],
)
def test_values_are_as_alike_as_people_find_them(kind: str, one: str, other: str, least: float, most: float) -> None:
    assert least <= likeness.alike(kind, likeness.normal(kind, one), likeness.normal(kind, other)) <= most


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+86 138 0013 8000", "13800138000"),
        ("0086-13800138000", "138-0013-8000"),
        ("（０１０）６２７８ ５００１ 转 5021", "+86 10 62785001"),
        ("+55 (11) 98765-4321", "+55 11 8765-4321"),
        ("011 98765-4321", "(11) 8765-4321"),
        ("+55 21 98765 4321 ramal 12", "21 8765 4321"),
        ("+49 (0)30 0074321", "030/0074321"),
        ("+1 310 475 3585 ext. 12", "310-475-3585 x7"),
        ("030 0074321 Durchwahl 12", "030 0074321"),
        ("+44 20 7946 0958 #3", "020 7946 0958"),
    ],
)
def test_phone_numbers_are_the_same_whatever_their_country_code_ninth_digit_and_extension(one: str, other: str) -> None:
    mine, theirs = likeness.phone(one), likeness.phone(other)
    assert mine and theirs
    assert likeness.alike("phone", mine, theirs) == 1
    assert likeness.keys("phone", mine) == likeness.keys("phone", theirs)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("13800138000", "13900138000"),
        ("+55 11 98765-4321", "+55 21 98765-4321"),
        ("310-475-3585", "310-475-3586"),
        ("+86 199 1234 5678", "+86 191 2345 6781"),
    ],
)
def test_other_phone_numbers_are_others(one: str, other: str) -> None:
    assert likeness.alike("phone", likeness.phone(one), likeness.phone(other)) == 0


def test_a_mailbox_that_everybody_may_have_says_nothing_of_the_firm() -> None:
    assert likeness.domain("maria@gmail.com") == likeness.domain("maria@qq.com") == ""


def test_one_slip_in_a_word_leaves_a_common_key() -> None:
    for one, other in (("Futterkiste", "Futerkiste"), ("Futterkiste", "Futterkistn"), ("华为技术", "华为科技")):
        assert likeness.keys("company", likeness.company(one)) & likeness.keys("company", likeness.company(other))


def test_what_only_one_side_has_counts_little_against_a_pair() -> None:
    both, _ = likeness.score([("company", 5, "alfreds", "alfreds"), ("phone", 3, "1234567", "1234567")])
    half, _ = likeness.score([("company", 5, "alfreds", "alfreds"), ("phone", 3, "1234567", "")])
    other, _ = likeness.score([("company", 5, "alfreds", "alfreds"), ("phone", 3, "1234567", "7654321")])
    assert both == 1 > half > likeness.THRESHOLD < other + 0.1 < half
