"""What may be asked of an index beside words: pages, filters, facets, what is lifted, and why a hit is where it is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from chassis.ids import new_id
from services.search import nearby
from services.search.index import KEY, KEY_WEIGHT, Asked, Cursor, Filter, index_of
from services.search.mapping import searchables
from services.search.phrases import phrases
from services.search.tests.support import ACCOUNT, CONTACT, ORDER
from services.search.visibility import visible


def _asked(index, typed, *, limit=100, context=None, **options):
    seen = visible(index.runtime, context or index.suite.context(), searchables())
    return Asked(phrases(typed)[0], seen, limit, **options)


def _find(index, typed, **options):
    return index_of(index.runtime).find(index.suite.tenant, _asked(index, typed, **options))


def _similar(index, typed, **options):
    asked = _asked(index, typed, **options)
    with index.suite.work("search") as work:
        corrected = nearby.meant(work, asked.phrase, known=False)
    return index_of(index.runtime).find(index.suite.tenant, replace(asked, phrase=corrected))


@pytest.fixture
def twelve(index):
    """Accounts of which several have the same score, some in a city and some of another kind."""
    for number in range(12):
        index.put(
            ACCOUNT,
            name="Bergwerk" if number % 3 else f"Bergwerk {number}",
            city=("Bonn", "Berlin", None)[number % 3],
            kind="partner" if number % 2 else "customer",
            tags=["big", "new"] if number < 4 else [],
        )
    return index


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("ask", [_find, _similar])
def test_pages_put_together_are_the_whole_answer(twelve, size, ask):
    typed = "berg" if ask is _find else "bergwrek"
    whole = ask(twelve, typed).hits
    assert len(whole) == 12
    assert [hit.cursor for hit in whole] == sorted((hit.cursor for hit in whole), reverse=True)
    paged, after = [], None
    for _ in itertools.count():
        page = ask(twelve, typed, limit=size, after=after).hits
        if not page:
            break
        paged += page
        after = page[-1].cursor
    assert paged == whole


def test_a_page_counts_what_is_on_all_pages(twelve):
    hits = _find(twelve, "berg").hits
    page = _find(twelve, "berg", limit=2, after=hits[3].cursor, facets=("kind",))
    assert page.counts == {ACCOUNT: 12}
    assert page.facets == {"kind": {"customer": 6, "partner": 6}}
    assert page.exact


@pytest.mark.parametrize("limit", [2, 12, 13])
def test_without_facets_a_page_counts_by_record_what_is_on_all_pages(twelve, limit):
    first = _find(twelve, "berg", limit=limit)
    later = _find(twelve, "berg", limit=2, after=first.hits[1].cursor)
    assert first.counts == later.counts == {ACCOUNT: 12}
    assert first.exact and later.exact


@pytest.mark.parametrize("backend", ["elasticsearch"])
def test_elasticsearch_counts_up_to_a_bound_and_says_so(twelve, monkeypatch):
    monkeypatch.setattr("services.search.elastic_questions.COUNTED", 7)
    found = _find(twelve, "berg", limit=2)
    assert found.counts == {ACCOUNT: 7}
    assert not found.exact


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ([("city", ("Bonn",))], 4),
        ([("city", ("Bonn", "Berlin"))], 8),
        ([("city", ("Bonn",)), ("kind", ("partner",))], 2),
        ([("tags", ("new",))], 4),
        ([("city", ("bonn",))], 0),
        ([("status", ("open",))], 0),
        ([("city", ())], 0),
    ],
)
@pytest.mark.parametrize("ask", [_find, _similar])
def test_a_filter_leaves_those_with_one_of_its_values(twelve, filters, count, ask):
    typed = "berg" if ask is _find else "bergwrek"
    found = ask(twelve, typed, filters=tuple(Filter(*one) for one in filters))
    assert len(found.hits) == count
    assert found.counts == ({ACCOUNT: count} if count else {})


def test_facets_count_each_value_of_what_was_found(twelve):
    found = _find(twelve, "berg", facets=("city", "tags", "status"), filters=(Filter("kind", ("customer",)),))
    assert found.facets == {"city": {"Bonn": 2, "Berlin": 2}, "tags": {"big": 2, "new": 2}, "status": {}}


def test_a_hidden_field_is_neither_counted_nor_narrowed_by(twelve):
    twelve.put(ORDER, number="BERG", status="placed")
    masked = twelve.suite.context(masks={ACCOUNT: {"hidden": ["city", "tags"]}})
    found = _find(twelve, "berg", context=masked, facets=("city", "status"))
    assert found.facets == {"city": {}, "status": {"placed": 1}}
    assert _find(twelve, "berg", context=masked, filters=(Filter("city", ("Bonn",)),)).hits == []


def test_yes_and_no_personal_and_long_fields(index):
    index.put("inventory.product", name="Berg", discontinued=True, sku="B-1")
    index.put("inventory.product", name="Berg", discontinued=False, sku="B-2")
    found = _find(index, "berg", facets=("discontinued", "sku", "name"))
    assert found.facets == {"discontinued": {"true": 1, "false": 1}, "sku": {}, "name": {}}


def test_what_was_lifted_comes_before_its_equals_and_after_what_fits_better(index):
    one, two = index.put(ACCOUNT, name="Berg", city="One"), index.put(ACCOUNT, name="Berg", city="Two")
    better = index.put(CONTACT, name="Other", external_ids={"erp": "berg"})
    assert [hit.id for hit in _find(index, "berg").hits if hit.id != better] == [two, one]
    lifted = _find(index, "berg", lifted={(ACCOUNT, one): 5, (ACCOUNT, new_id()): 50}).hits
    assert [hit.id for hit in lifted if hit.id != better] == [one, two]


def test_reasons_add_up_to_the_score(index):
    mine = index.put(ACCOUNT, name="Berg", owner_id=index.suite.user_id)
    index.put(ACCOUNT, name="Bergmann")
    index.put(ACCOUNT, name="Am Berg")
    hits = _find(index, "berg", explain=True, lifted={(ACCOUNT, mine): 7}).hits
    assert [sum(points for _, points in hit.reasons) for hit in hits] == [hit.score for hit in hits]
    assert [[what for what, _ in hit.reasons] for hit in hits] == [
        ["key", "beginning", "words", "own", "lifted"],
        ["beginning", "words"],
        ["words"],
    ]
    assert dict(hits[0].reasons)["key"] == KEY + 10 * KEY_WEIGHT
    assert _find(index, "berg").hits[0].reasons == ()


def test_hits_say_who_owns_them_and_when_they_changed(index):
    owner = new_id()
    index.put(ACCOUNT, name="Berg", owner_id=owner)
    (hit,) = _find(index, "berg").hits
    assert hit.owner_id == owner
    assert hit.cursor == Cursor(hit.score, hit.changed_at, hit.id)
    assert hit.changed_at.year == 2026
