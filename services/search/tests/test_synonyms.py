"""What means the same to a tenant finds the same, without anything being indexed anew."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.search.synonyms import MOST_WAYS
from services.search.tests.support import ACCOUNT, CONTACT, event

SYNONYM = "identity.synonym"


def define(index, *words, tenant=None, **options):
    made = {"id": new_id(), "term": words[0], "means": list(words[1:]), "deleted_at": None, **options}
    index.take(event(tenant or index.suite.tenant, SYNONYM, made))
    return made


NAMES = (
    "中国工商银行股份有限公司",
    "ICBC Standard Bank",
    "International Business Machines Corp",
    "IBM Deutschland GmbH",
    "Business Park",
)


@pytest.fixture
def banks(index):
    index.take(*(event(index.suite.tenant, ACCOUNT, {"id": new_id(), "name": name}) for name in NAMES))
    return index


@pytest.mark.parametrize(
    ("words", "typed", "found"),
    [
        (("ICBC", "工商银行", "工行"), "icbc", {"ICBC Standard Bank", "中国工商银行股份有限公司"}),
        (("ICBC", "工商银行", "工行"), "工行", {"ICBC Standard Bank", "中国工商银行股份有限公司"}),
        (("ICBC", "工商銀行"), "中国 icbc", {"中国工商银行股份有限公司"}),
        (("工行", "工商银行"), "中国工行", {"中国工商银行股份有限公司"}),
        (
            ("IBM", "International Business Machines"),
            "ibm",
            {"IBM Deutschland GmbH", "International Business Machines Corp"},
        ),
        (
            ("IBM", "International Business Machines"),
            "international business machines deutsch",
            {"IBM Deutschland GmbH"},
        ),
        (("Big Blue", "I.B.M."), "big blue", {"IBM Deutschland GmbH"}),
        (("Deutschland", "Germany", "德国"), "ibm 德国", {"IBM Deutschland GmbH"}),
    ],
)
def test_whoever_types_one_finds_the_others_chinese_and_western(banks, words, typed, found):
    before = set(banks.titles(typed))
    define(banks, *words)
    assert set(banks.titles(typed)) == found | before
    assert found - before


def test_two_synonyms_in_one_question_count_both(banks):
    define(banks, "Blue", "IBM")
    define(banks, "Germany", "Deutschland")
    assert banks.titles("blue germany") == ["IBM Deutschland GmbH"]


def test_a_synonym_is_whole_words_of_a_question(banks):
    define(banks, "bus", "工商银行")
    assert "中国工商银行股份有限公司" not in banks.titles("busi")
    assert banks.titles("bus") != []


def test_what_was_typed_comes_before_what_means_the_same(banks):
    define(banks, "IBM", "International Business Machines")
    assert banks.titles("ibm")[0] == "IBM Deutschland GmbH"
    assert banks.titles("international business machines")[0] == "International Business Machines Corp"


def test_a_change_counts_at_once_where_it_is_heard_and_a_deleted_one_no_more(banks):
    made = define(banks, "Big Blue", "IBM")
    assert banks.titles("big blue") == ["IBM Deutschland GmbH"]
    banks.take(event(banks.suite.tenant, SYNONYM, {**made, "means": ["ICBC"]}, version=2, verb="updated"))
    assert banks.titles("big blue") == ["ICBC Standard Bank"]
    gone = {**made, "deleted_at": "2026-01-02T00:00:00Z"}
    banks.take(event(banks.suite.tenant, SYNONYM, gone, version=3, verb="deleted"))
    assert banks.titles("big blue") == []


def test_synonyms_are_their_tenants_alone(banks):
    define(banks, "Big Blue", "IBM", tenant=new_id())
    assert banks.titles("big blue") == []


def test_synonyms_show_nothing_that_may_not_be_seen(banks):
    define(banks, "Big Blue", "Anna")
    banks.put(CONTACT, name="Anna", owner_id=new_id())
    reader = banks.suite.context(grants={CONTACT: {"read": "own"}, ACCOUNT: {"read": "all"}})
    assert banks.titles("big blue", context=reader) == []
    assert banks.titles("big blue") == ["Anna"]
    masked = banks.suite.context(masks={CONTACT: {"hidden": ["name"]}})
    assert banks.titles("big blue", context=masked) == []


def test_pages_counts_marks_and_the_explanation_know_of_synonyms(banks):
    define(banks, "ICBC", "工商银行")
    first = banks.ask("icbc", limit=1, explain=True)
    assert first["facets"] == {"account": 2}
    assert first["explained"]["reading"]["terms"] == ["icbc"]
    assert first["explained"]["reading"]["synonyms"] == [["工商", "商银", "银行"]]
    (second,) = banks.ask("icbc", limit=1, after=first["next"])["items"]
    assert second["highlight"] == "中国<em>工商银行</em>股份有限公司"


def test_so_many_ways_are_taken_and_no_more(banks):
    define(banks, "Blue", *(f"Colour{number}" for number in range(19)), "IBM")
    define(banks, "Blue", *(f"Shade{number}" for number in range(20)))
    ways = banks.ask("blue ibm", explain=True)["explained"]["reading"]
    assert ways is None or len(ways.get("synonyms", [])) < MOST_WAYS


def test_what_an_administrator_saves_counts_for_everybody_of_the_tenant(searching):
    index = searching("identity", "customer", "search")
    made = index.suite.create(ACCOUNT, {"name": "工商银行上海分行"})
    index.settle()
    assert index.titles("icbc") == []
    index.suite.create(SYNONYM, {"term": "ICBC", "means": ["工商银行"]})
    index.settle()
    reader = index.suite.context(user_id=new_id(), grants={ACCOUNT: {"read": "all"}})
    assert [item["id"] for item in index.ask("icbc", context=reader)["items"]] == [made["id"]]
