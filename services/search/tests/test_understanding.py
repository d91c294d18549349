"""What people type, understood sentence by sentence, on real names and on either kind of index."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

ACCOUNTS = (
    {"name": "Société Générale S.A.", "city": "Paris", "website": "https://www.societegenerale.example/banque"},
    {"name": "Müller Weingarten AG", "phone": "+49 751 401-0", "email": "info@mueller-weingarten.example"},
    {"name": "Ｓｏｎｙ株式会社", "phone": "03-6748-2111"},
    {"name": "上海通力电梯有限公司", "phone": "021-6401 2345"},
    {"name": "臺灣積體電路製造股份有限公司", "phone": "(03)563-6688", "external_ids": {"twse": "2330"}},
    {"name": "华为技术有限公司", "phone": "+86 755 28780808"},
    {"name": "Bayer AG", "external_ids": {"erp": "D-10047"}},
    {"name": "Bayerische Motoren Werke AG"},
    {"name": "Ltd Editions Gallery"},
    {"name": "Tata Steel Ltd"},
    {"name": "Limited Run Games Inc"},
)
PEOPLE = ("单雄信", "解晓东", "仇英", "查良镛", "曾国藩", "区志航", "朴智星", "任正非", "尉迟恭", "Ngô Bảo Châu")


@pytest.fixture
def real(index):
    tenant = index.suite.tenant
    accounts = [event(tenant, ACCOUNT, {"id": new_id(), **one}) for one in ACCOUNTS]
    people = [event(tenant, CONTACT, {"id": new_id(), "name": name}) for name in PEOPLE]
    order = {"id": new_id(), "number": "SO-2026-00042", "account_name": "Bayer AG", "status": "placed"}
    index.take(*accounts, *people, event(tenant, ORDER, order))
    return index


def firsts(index, questions, **options):
    """The first title for each question, or nothing."""
    return {typed: next(iter(index.titles(typed, **options)), None) for typed in questions}


def test_case_accents_width_and_script_are_folded(real):
    expected = {
        "SOCIETE generale": "Société Générale S.A.",
        "société GÉNÉRALE": "Société Générale S.A.",
        "muller": "Müller Weingarten AG",
        "ＭＵＬＬＥＲ": "Müller Weingarten AG",
        "sony": "Ｓｏｎｙ株式会社",
        "ngo bao chau": "Ngô Bảo Châu",
        "台湾积体电路": "臺灣積體電路製造股份有限公司",
        "臺灣積體電路": "臺灣積體電路製造股份有限公司",
        "華為": "华为技术有限公司",
        "华为": "华为技术有限公司",
    }
    assert firsts(real, expected) == expected


def test_pinyin_is_understood_in_full_and_by_initials(real):
    expected = {
        "shtl": "上海通力电梯有限公司",
        "shtldt": "上海通力电梯有限公司",
        "shanghai": "上海通力电梯有限公司",
        "shanghaitongli": "上海通力电梯有限公司",
        "shang hai tong li": "上海通力电梯有限公司",
        "tongli": "上海通力电梯有限公司",
        "tldt": "上海通力电梯有限公司",
        "hwjs": "华为技术有限公司",
        "huawei": "华为技术有限公司",
        "taiwanjiti": "臺灣積體電路製造股份有限公司",
    }
    assert firsts(real, expected) == expected


def test_surnames_are_read_as_families_say_them_and_as_dictionaries_do(real):
    expected = {
        "shanxiongxin": "单雄信",
        "danxiongxin": "单雄信",
        "xiexiaodong": "解晓东",
        "xxd": "解晓东",
        "qiuying": "仇英",
        "zhaliangyong": "查良镛",
        "zly": "查良镛",
        "zengguofan": "曾国藩",
        "ouzhihang": "区志航",
        "piaozhixing": "朴智星",
        "renzhengfei": "任正非",
        "yuchigong": "尉迟恭",
    }
    assert firsts(real, expected) == expected


def test_legal_forms_are_recognised_and_say_little(real):
    expected = {
        # A name without its form is the whole name, and comes before names that begin so.
        "bayer": "Bayer AG",
        "societe generale sa": "Société Générale S.A.",
        "societe generale": "Société Générale S.A.",
        "华为技术": "华为技术有限公司",
        "上海通力电梯": "上海通力电梯有限公司",
        # What is a form elsewhere is a name where it leads one.
        "ltd": "Ltd Editions Gallery",
        "limited": "Limited Run Games Inc",
    }
    assert firsts(real, expected) == expected
    scores = {item["title"]: item["score"] for item in real.ask("ag", types=["account"])["items"]}
    assert set(scores) == {"Müller Weingarten AG", "Bayer AG", "Bayerische Motoren Werke AG"}
    assert max(scores.values()) < min(item["score"] for item in real.ask("bayer", types=["account"])["items"])
    assert "华为技术有限公司" in real.titles("有限公司")


def test_phones_are_found_by_any_suffix_in_any_format(real):
    expected = {
        "64012345": "上海通力电梯有限公司",
        "6401 2345": "上海通力电梯有限公司",
        "021-64012345": "上海通力电梯有限公司",
        "+86 21 6401 2345": "上海通力电梯有限公司",
        "0086 21 64012345": "上海通力电梯有限公司",
        "12345": "上海通力电梯有限公司",
        "2345": "上海通力电梯有限公司",
        "28780808": "华为技术有限公司",
        "0755-2878 0808": "华为技术有限公司",
        "035636688": "臺灣積體電路製造股份有限公司",
        "563 6688": "臺灣積體電路製造股份有限公司",
        "6688": "臺灣積體電路製造股份有限公司",
        "2111": "Ｓｏｎｙ株式会社",
    }
    assert firsts(real, expected) == expected


def test_e_mails_and_domains_are_found_whole_and_by_their_parts(real):
    expected = {
        "info@mueller-weingarten.example": "Müller Weingarten AG",
        "info@mueller": "Müller Weingarten AG",
        "mueller-weingarten.example": "Müller Weingarten AG",
        "www.societegenerale.example": "Société Générale S.A.",
        "societegenerale.example": "Société Générale S.A.",
        "https://www.societegenerale.example/banque": "Société Générale S.A.",
    }
    assert firsts(real, expected) == expected


def test_last_digits_are_those_of_a_phone_and_not_of_an_id_elsewhere(index):
    index.put(ACCOUNT, name="Ends so", external_ids={"irs": "110345678"})
    index.put(ACCOUNT, name="Called so", phone="+1 212 734 5678")
    assert index.titles("345678") == ["Called so"]
    assert index.titles("110345678") == ["Ends so"]


def test_numbers_and_external_keys_are_exact_and_come_first(real):
    expected = {"SO-2026-00042": "SO-2026-00042", "2330": "臺灣積體電路製造股份有限公司", "D-10047": "Bayer AG"}
    assert firsts(real, expected) == expected
    for near in ("SO-2026-00043", "2331", "D-10048"):
        assert real.ask(near)["items"] == [], near
    (item,) = [one for one in real.ask("2330", explain=True)["items"] if one["title"].startswith("臺灣")]
    assert item["reasons"][0]["what"] == "key"


def test_words_come_in_any_order(real):
    expected = {
        "generale societe": "Société Générale S.A.",
        "weingarten müller": "Müller Weingarten AG",
        "werke bayerische motoren": "Bayerische Motoren Werke AG",
        "电梯 上海": "上海通力电梯有限公司",
        "tongli shanghai": "上海通力电梯有限公司",
        "paris generale": "Société Générale S.A.",
    }
    assert firsts(real, expected) == expected


def test_it_finds_from_the_first_letter_and_the_first_han_character(real):
    for name in ("Bayer AG", "Société Générale S.A.", "Tata Steel Ltd"):
        for length in range(1, len(name)):
            assert name in real.titles(name[:length], limit=100), name[:length]
    for name in ("华为技术有限公司", "单雄信"):
        for length in range(1, len(name) + 1):
            assert real.titles(name[:length], limit=100)[0] == name, name[:length]


def test_nothing_that_is_hidden_is_found_shown_counted_or_explained(real):
    masked = real.suite.context(
        masks={ACCOUNT: {"hidden": ["phone", "external_ids", "city"]}}, grants={"*": {"*": "all"}}
    )
    for typed in ("2330", "6688", "563 6688", "paris"):
        body = real.ask(typed, context=masked, explain=True, facets=["country"])
        assert body["items"] == [], typed
        assert "6688" not in str(body["items"])
    (item,) = real.ask("societe", context=masked, explain=True)["items"]
    assert item["subtitle"] is None
    assert {one["what"] for one in item["reasons"]} <= {"beginning", "words"}
