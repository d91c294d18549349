"""What was typed wrongly is found, in Western words and in pinyin: one slip up to five letters, two above."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, CONTACT, event

REAL = (
    "Rotary International",
    "Médecins Sans Frontières",
    "Københavns Universitet",
    "Volkswagen AG",
    "Bank of China",
    "上海通力电梯有限公司",
    "中国工商银行股份有限公司",
    "重庆啤酒股份有限公司",
    "臺灣水泥股份有限公司",
    "Газпром",
)


@pytest.fixture
def real(index):
    index.take(*(event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": name}) for name in REAL))
    return index


ONE_SLIP = {
    "rotery international": "Rotary International",
    "rotary interntional": "Rotary International",
    "rotary innternational": "Rotary International",
    "roatry international": "Rotary International",
    "bnak of china": "Bank of China",
    "bamk china": "Bank of China",
    "medecins sams frontieres": "Médecins Sans Frontières",
    "kobenhavens universitet": "Københavns Universitet",
    "газпрон": "Газпром",
}
TWO_SLIPS = {
    "volkswegne": "Volkswagen AG",
    "vlokswgaen": "Volkswagen AG",
    "volksagn": "Volkswagen AG",
    "ovklswagen": "Volkswagen AG",
    "volkswaxxgen": "Volkswagen AG",
    "univresitte kobenhavns": "Københavns Universitet",
}
IN_PINYIN = {
    "shaghai": "上海通力电梯有限公司",
    "shanhgai tongli": "上海通力电梯有限公司",
    "shaghaitongli": "上海通力电梯有限公司",
    "shanghaitonlgidianti": "上海通力电梯有限公司",
    "shamghaitonglidiamti": "上海通力电梯有限公司",
    "tongldianti": "上海通力电梯有限公司",
    "gonshangyinhang": "中国工商银行股份有限公司",
    "zongguogongshangyinghang": "中国工商银行股份有限公司",
    "chonqingpijiu": "重庆啤酒股份有限公司",
    "taiwanshiuni": "臺灣水泥股份有限公司",
}


@pytest.mark.parametrize("errors", [ONE_SLIP, TWO_SLIPS, IN_PINYIN], ids=["one slip", "two slips", "in pinyin"])
def test_a_name_is_found_in_spite_of_typing_errors(real, errors):
    found = {typed: real.ask(typed) for typed in errors}
    assert {typed: [item["title"] for item in body["items"]][:1] for typed, body in found.items()} == {
        typed: [first] for typed, first in errors.items()
    }
    assert all(body["fuzzy"] for body in found.values())


def test_more_slips_than_are_forgiven_find_nothing(real):
    for typed in ("bxxk", "volxxxagen", "sxxxghai", "rotary intxxxional", "zzz"):
        assert real.ask(typed)["items"] == [], typed


def test_numbers_and_keys_are_never_guessed(index):
    index.put(ACCOUNT, name="X", phone="030-0074321", external_ids={"erp": "4711"})
    index.put("sales.order", number="SO-2026-00042", account_name="X", status="placed")
    index.put(ACCOUNT, name="A4711B")
    for typed in ("4712", "so-2026-00043", "a4711c", "030-0074322"):
        assert index.ask(typed)["items"] == [], typed


def test_a_whole_word_that_is_near_comes_before_the_beginning_of_a_longer_one(index):
    index.put(ACCOUNT, name="Fundamental Works")
    index.put(ACCOUNT, name="Foundation Works")
    assert [item["title"] for item in index.ask("fuondation works")["items"]] == ["Foundation Works"]


def test_the_whole_name_that_was_meant_comes_before_longer_ones(index):
    index.put(ACCOUNT, name="Rotary International")
    for place in ("Ohio", "Texas", "Maine"):
        index.put(ACCOUNT, name=f"Rotary International of {place}")
    assert index.ask("rotary interntional")["items"][0]["title"] == "Rotary International"


def test_words_that_are_right_elsewhere_are_corrected_where_nothing_has_them_together(index):
    index.put(ACCOUNT, name="John Smith")
    index.put(ACCOUNT, name="Jane Smitt")
    assert [item["title"] for item in index.ask("john smitt")["items"]] == ["John Smith"]


def test_what_was_meant_is_said_and_finds_the_same(real):
    for typed, meant in (("shaghai", "shanghai"), ("volkswegne", "Volkswagen")):
        body = real.ask(typed)
        assert body["did_you_mean"] == meant
        again = real.ask(meant)
        assert "fuzzy" not in again
        assert [item["id"] for item in again["items"]] == [item["id"] for item in body["items"]]


def test_what_matched_in_spite_of_errors_is_marked(real):
    assert real.ask("volkswegne")["items"][0]["highlight"] == "<em>Volkswagen</em> AG"
    assert real.ask("shaghai")["items"][0]["highlight"] == "<em>上海通力电梯有限公司</em>"


def test_errors_find_nothing_of_what_may_not_be_seen(index):
    index.put(ACCOUNT, name="Zephyrine Works", owner_id=new_id())
    index.put(CONTACT, name="Anna", notes="Zephyrine")
    reader = index.suite.context(grants={ACCOUNT: {"read": "own"}, CONTACT: {"read": "all"}})
    assert index.ask("zephyrnie", context=reader)["items"] == []
    masked = index.suite.context(masks={ACCOUNT: {"hidden": ["name"]}})
    assert index.ask("zephyrnie", context=masked)["items"] == []
    assert len(index.ask("zephyrnie")["items"]) == 1
