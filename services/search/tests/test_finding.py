"""What is found by which words, and how it is shown."""

from __future__ import annotations

import pytest

from chassis.ids import new_id
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

FOUND = [
    ("alf", {"name": "Alfreds Futterkiste"}),
    ("FUTTER alf", {"name": "Alfreds Futterkiste"}),
    ("strasse", {"name": "An der Straße"}),
    ("cafe", {"name": "Le Café"}),
    ("mexico", {"name": "Antonio", "city": "México D.F."}),
    ("ＡＢＣ", {"name": "abc Ltd"}),
    ("obrien", {"name": "O'Brien Sons"}),
    ("o'brien", {"name": "O'Brien Sons"}),
    ("att", {"name": "AT&T"}),
    ("german", {"name": "Toms", "country": "Germany"}),
    ("中国", {"name": "上海中国银行"}),
    ("行", {"name": "上海中国银行"}),
    ("海中国银", {"name": "上海中国银行"}),
    ("中国 abc", {"name": "中国ABC银行"}),
    ("zgyh", {"name": "中国银行"}),
    ("zhongguo", {"name": "中国银行"}),
    ("yinhang", {"name": "中国银行"}),
    ("zhong guo", {"name": "中国银行"}),
    ("cq", {"name": "重庆"}),
    ("0300074321", {"name": "X", "phone": "030-0074321"}),
    ("030-0074", {"name": "X", "phone": "030-0074321"}),
    ("4321", {"name": "X", "phone": "030-0074321"}),
    ("00 74 321", {"name": "X", "phone": "030-0074321"}),
    ("555 4729", {"name": "X", "phone": "(5) 555-4729"}),
    ("maria.anders@alfreds.example", {"name": "X", "email": "maria.anders@alfreds.example"}),
    ("maria.and", {"name": "X", "email": "maria.anders@alfreds.example"}),
    ("mariaanders", {"name": "X", "email": "maria.anders@alfreds.example"}),
    ("alfreds.ex", {"name": "X", "email": "maria.anders@alfreds.example"}),
    ("alfki", {"name": "X", "external_ids": {"northwind": "ALFKI"}}),
    ("alfk", {"name": "X", "external_ids": {"northwind": "ALFKI"}}),
]


def apart(index, cases, *others):
    """Each case in a tenant of its own, with these others: what is typed, the record, and who asks."""
    tenants = [new_id() for _ in cases]
    index.take(
        *(
            event(tenant, ACCOUNT, {"id": new_id(), **one})
            for tenant, (_, data) in zip(tenants, cases, strict=True)
            for one in (*others, data)
        )
    )
    for tenant, (q, data) in zip(tenants, cases, strict=True):
        yield q, data, index.suite.context(tenant=tenant)


def test_a_record_is_found_by_what_people_type(index):
    another = {"name": "Another", "city": "Elsewhere", "phone": "1119999", "email": "else@where.example"}
    for q, data, context in apart(index, FOUND, another):
        assert index.titles(q, context=context) == [data["name"]], q


NOT_FOUND = [
    ("futterkisten", {"name": "Alfreds Futterkiste"}),
    ("alfreds kiste", {"name": "Alfreds Futterkiste"}),
    ("国中", {"name": "中国银行"}),
    ("ang", {"name": "银行"}),
    ("9999", {"name": "X", "phone": "030-1999921"}),
    ("secret", {"name": "X", "notes": "secret"}),
    ("x --", {"name": "Y"}),
    ("%", {"name": "100%"}),
    ("", {"name": "Y"}),
    ("=y", {"name": "Z"}),
]


def test_every_word_must_be_answered_by_a_searched_field(index):
    for q, _, context in apart(index, NOT_FOUND):
        assert index.titles(q, context=context) == [], q


def test_an_order_is_found_by_its_number_and_by_the_name_of_its_account(index):
    one = index.put(ORDER, number="SO-2026-00042", account_name="Alfreds Futterkiste", status="placed")
    for q in ("SO-2026-00042", "so2026", "00042", "alfreds so"):
        (item,) = index.ask(q)["items"]
        assert (item["type"], item["id"], item["title"]) == ("order", one, "SO-2026-00042")
        assert item["subtitle"] == "Alfreds Futterkiste · placed"


def test_a_draft_without_a_number_is_shown_without_a_title(index):
    index.put(ORDER, number=None, account_name="Alfreds Futterkiste", status="draft")
    (item,) = index.ask("alfreds")["items"]
    assert (item["title"], item["subtitle"]) == (None, "Alfreds Futterkiste · draft")
    assert item["highlight"] == "<em>Alfreds</em> Futterkiste"


def test_items_carry_their_version_and_facets_count_by_type(index):
    index.put(ACCOUNT, name="Alfreds")
    index.put(CONTACT, name="Alf One")
    index.put(CONTACT, name="Alf Two")
    body = index.ask("alf", limit=1)
    assert body["facets"] == {"account": 1, "contact": 2}
    assert [item["version"] for item in body["items"]] == [1]


def test_types_narrow_what_is_found(index):
    index.put(ACCOUNT, name="Alfreds")
    index.put(CONTACT, name="Alfons")
    assert index.titles("alf", types=["contact"]) == ["Alfons"]
    assert index.titles("alf", types=[]) == []


@pytest.mark.parametrize(
    "wrong",
    [{"types": ["nothing"]}, {"types": "account"}, {"limit": 101}, {"limit": "9"}, {"min_version": {"a": 1}}, {"q": 7}],
)
def test_a_question_out_of_shape_is_refused(index, wrong):
    with pytest.raises(Exception, match=r"^(bad_|unknown_type)"):
        index.ask(**{"q": "x", **wrong})


def test_typing_errors_are_forgiven_only_where_nothing_else_is_found_and_it_is_said(index):
    index.put(ACCOUNT, name="Alfreds Futterkiste")
    index.put(ACCOUNT, name="Something Else")
    body = index.ask("Alfrds Futterkist")
    assert body["fuzzy"] is True
    assert [item["title"] for item in body["items"]] == ["Alfreds Futterkiste"]
    assert body["facets"] == {"account": 1}
    assert "fuzzy" not in index.ask("alfreds")
    assert index.ask("zzzzzzzz")["items"] == []


def test_a_highlight_is_escaped_and_marks_whole_words(index):
    index.put(ACCOUNT, name="<script>alert(1)</script> Alfreds & Söhne")
    (item,) = index.ask("alf sohne")["items"]
    assert item["highlight"] == "&lt;script&gt;alert(1)&lt;/script&gt; <em>Alfreds</em> &amp; <em>Söhne</em>"
    (item,) = index.ask("script")["items"]
    assert item["highlight"].startswith("&lt;<em>script</em>&gt;")


def test_a_highlight_shows_the_field_that_matched(index):
    index.put(ACCOUNT, name="中国银行", phone="030-0074321")
    assert index.ask("4321")["items"][0]["highlight"] == "<em>030-0074321</em>"
    assert index.ask("国银行")["items"][0]["highlight"] == "中<em>国银行</em>"
    assert index.ask("zgyh")["items"][0]["highlight"] == "<em>中国银行</em>"


def test_a_long_text_is_cut_around_its_match(index):
    index.put("service.article", title="Handbook", body="lorem <b> " * 50 + "needle " + "ipsum " * 50)
    shown = index.ask("needle")["items"][0]["highlight"]
    assert "<em>needle</em>" in shown
    assert "<b>" not in shown
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert len(shown) < 300
