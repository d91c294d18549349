"""What an answer has beside hits: pages, filters, counts, reasons and corrections."""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from services.search.index import OWN
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, event

READ_ACCOUNTS = {ACCOUNT: {"read": "all"}}


@pytest.fixture
def town(index):
    """Twenty accounts of which many are equals, and some orders."""
    for number in range(20):
        city = ("Berlin", "BERLIN", "Köln", None)[number % 4]
        index.put(ACCOUNT, name="Bergwerk", city=city, kind="partner" if number % 2 else "customer", tags=["a", "b"])
    for number in range(5):
        index.put(ORDER, number=f"B-{number}", account_name="Bergwerk", status="placed" if number else "draft")
    return index


def refusal(ask, *args, **options):
    with pytest.raises(Problem) as refused:
        ask(*args, **options)
    return refused.value.status, refused.value.code, [error["field"] for error in refused.value.errors]


# --- pages


@pytest.mark.parametrize("q", ["berg", "bergwrek", "bergwerk b"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_pages_put_together_have_every_hit_once(town, q, size):
    whole = town.ask(q, limit=100)
    assert whole["next"] is None and len(whole["items"]) >= 4
    found, after = [], None
    while True:
        page = town.ask(q, limit=size, after=after)
        assert (page["facets"], page.get("fuzzy")) == (whole["facets"], whole.get("fuzzy"))
        found += page["items"]
        after = page["next"]
        if after is None:
            break
    assert [item["id"] for item in found] == [item["id"] for item in whole["items"]]


def test_a_cursor_belongs_to_its_question_and_to_who_asked(town):
    after = town.ask("berg", limit=3)["next"]
    stranger = town.suite.context(user_id=new_id())
    foreign = (400, "bad_cursor", ["after"])
    assert refusal(town.ask, "werk", after=after) == foreign
    assert refusal(town.ask, "berg", after=after, types=["account"]) == foreign
    assert refusal(town.ask, "berg", after=after, filters={"city": "Berlin"}) == foreign
    assert refusal(town.ask, "berg", after=after, context=stranger) == foreign
    assert len(town.ask("berg", limit=5, after=after)["items"]) == 5


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@given(TEXTS | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_garbage_is_no_cursor(index, text):
    assert refusal(index.ask, "berg", after=text) == (400, "bad_cursor", ["after"])


def test_a_cursor_that_was_tampered_with_is_no_cursor(town):
    after = town.ask("berg", limit=3)["next"]
    plain = orjson.loads(base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)))
    for place, value in enumerate(plain):
        changed = [*plain]
        changed[place] = value + 1 if isinstance(value, int) else f"{value}x"
        text = base64.urlsafe_b64encode(orjson.dumps(changed)).rstrip(b"=").decode()
        assert refusal(town.ask, "berg", after=text) == (400, "bad_cursor", ["after"]), place


# --- filters and facets


@pytest.mark.parametrize(
    ("filters", "accounts", "orders"),
    [
        ({"city": "berlin"}, 10, 0),
        ({"city.in": "Berlin,KOLN"}, 15, 0),
        ({"kind": "partner"}, 10, 0),
        ({"kind": "partner", "city": "köln"}, 0, 0),
        ({"kind": "customer", "city": "köln"}, 5, 0),
        ({"status": "placed"}, 0, 4),
        ({"status.in": "placed,draft"}, 0, 5),
        ({"tags.has": "a,b"}, 20, 0),
        ({"tags.has": "a,c"}, 0, 0),
    ],
)
def test_filters_are_those_of_lists(town, filters, accounts, orders):
    body = town.ask("berg", limit=100, filters=filters)
    counts = {kind: count for kind, count in (("account", accounts), ("order", orders)) if count}
    assert body["facets"] == counts
    assert len(body["items"]) == accounts + orders


def test_facets_count_the_values_of_all_that_was_found(town):
    body = town.ask("berg", limit=1, facets=["city", "kind", "status"])
    assert body["by_field"] == {
        "city": [{"value": "BERLIN", "count": 10}, {"value": "Köln", "count": 5}],
        "kind": [{"value": "customer", "count": 10}, {"value": "partner", "count": 10}],
        "status": [{"value": "placed", "count": 4}, {"value": "draft", "count": 1}],
    }
    assert body["exact"] is True
    assert "by_field" not in town.ask("berg")


@pytest.mark.parametrize("backend", ["postgres"])
def test_counts_that_are_not_complete_say_so(town, monkeypatch):
    monkeypatch.setattr("services.search.postgres.CANDIDATES", 3)
    assert town.ask("berg")["exact"] is False


def test_a_hidden_field_is_no_filter_no_facet_and_no_count(town):
    masked = town.suite.context(masks={ACCOUNT: {"hidden": ["city", "kind"]}})
    unknown = (400, "unknown_parameter", ["city"])
    assert refusal(town.ask, "berg", context=masked, filters={"city": "Berlin"}) == unknown
    assert refusal(town.ask, "berg", context=masked, facets=["city"]) == (400, "bad_parameter", ["facets"])
    body = town.ask("berg", context=masked, types=["account", "order", "activity"], facets=["kind", "status"])
    assert body["by_field"]["kind"] == []
    narrowed = town.ask("berg", context=masked, types=["account", "activity"], filters={"kind": "customer"})
    assert (narrowed["items"], narrowed["facets"]) == ([], {})


def test_facets_count_only_what_may_be_read(town):
    other = town.suite.context(user_id=new_id(), grants={ACCOUNT: {"read": "own"}, ORDER: {"read": "all"}})
    town.put(ACCOUNT, name="Bergwerk", city="Bonn", owner_id=other.user_id)
    body = town.ask("berg", context=other, facets=["city", "status"])
    assert body["facets"] == {"account": 1, "order": 5}
    assert body["by_field"]["city"] == [{"value": "Bonn", "count": 1}]


# --- reasons

BACKEND = {"postgres": "postgresql", "elasticsearch": "elasticsearch"}


def test_reasons_are_for_administrators_and_add_up(town, backend):
    mine = town.put(ACCOUNT, name="Am Berg", owner_id=town.suite.user_id)
    body = town.ask("berg", limit=100, explain=True)
    assert all(sum(one["points"] for one in item["reasons"]) == item["score"] for item in body["items"])
    (own,) = [item for item in body["items"] if item["id"] == mine]
    assert {"what": "own", "points": OWN} in own["reasons"]
    assert body["explained"] == {"backend": BACKEND[backend], "reading": {"key": "berg", "terms": ["berg"]}}
    reader = town.suite.context(grants={"*": {"read": "own"}})
    assert refusal(town.ask, "berg", explain=True, context=reader)[:2] == (403, "forbidden")
    assert "reasons" not in town.ask("berg")["items"][0]


def test_a_key_then_the_beginning_of_a_name_then_ones_own_then_the_rest(index):
    index.put(ACCOUNT, name="Der Berg", city="The rest")
    index.put(ACCOUNT, name="Hohenberg", city="Of mine", industry="Bergbau", owner_id=index.suite.user_id)
    index.put(ACCOUNT, name="Am Bergsee", city="Of mine, too", owner_id=index.suite.user_id)
    index.put(ACCOUNT, name="Bergmann", city="Begins so")
    index.put(CONTACT, name="Anna", external_ids={"erp": "berg"}, title="Has the key")
    cities = [item["subtitle"] for item in index.ask("berg")["items"]]
    assert cities[0] == "Has the key" and cities[1].startswith("Begins so")
    assert cities.index("Of mine, too") < cities.index("The rest")


# --- corrections


def test_a_misspelt_question_is_corrected_to_one_that_finds(index):
    index.put(ACCOUNT, name="Alfreds Futterkiste")
    body = index.ask("Alfrds Futterkist")
    assert (body["fuzzy"], body["did_you_mean"]) == (True, "Alfreds Futterkist")
    assert body["items"][0]["highlight"] == "<em>Alfreds</em> <em>Futterkiste</em>"
    again = index.ask(body["did_you_mean"])
    assert "fuzzy" not in again and "did_you_mean" not in again
    assert [item["title"] for item in again["items"]] == ["Alfreds Futterkiste"]


def test_a_correction_tells_nothing_of_what_may_not_be_seen(index):
    index.put(ACCOUNT, name="Zephyrine Works", owner_id=new_id())
    index.put(CONTACT, name="Zephyrine Miller", title="Owner")
    reader = index.suite.context(grants={ACCOUNT: {"read": "own"}})
    assert "did_you_mean" not in index.ask("zephyrnie works", context=reader)
    assert index.ask("zephyrnie works")["did_you_mean"] == "Zephyrine works"
    masked = index.suite.context(masks={"*": {"hidden": ["name"]}})
    assert "zephyrine" not in str(index.ask("zephyrnie", context=masked)).lower()


def test_little_that_was_found_is_corrected_where_it_is_asked_for(index):
    index.put(ACCOUNT, name="Jonson Tools")
    for number in range(4):
        index.put(ACCOUNT, name=f"Johnson {number}")
    assert "did_you_mean" not in index.ask("jonson")
    assert "did_you_mean" not in index.ask("johnson", suggest=True)
    assert "did_you_mean" not in index.ask("Jonson Tools", suggest=True)


# --- nothing that runs


NAUGHTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<em>",
    "&lt;b&gt;",
    "' onmouseover='x",
    "</em>",
]


def test_a_highlight_holds_no_markup_but_its_own_marks(index):
    texts = [(field, text) for field in ("name", "city", "notes", "website") for text in NAUGHTY]
    index.take(
        *(
            event(
                index.suite.tenant, ACCOUNT, {"id": new_id(), "name": "needle", field: f"needle {text} needle {text}"}
            )
            for field, text in texts
        )
    )
    assert len(index.ask("needle", limit=100)["items"]) == len(texts)
    for q in ("needle", "script", "alert", "onerror", "b", "em"):
        for item in index.ask(q, limit=100)["items"]:
            bare = (item["highlight"] or "").replace("<em>", "").replace("</em>", "")
            assert "<" not in bare and ">" not in bare and '"' not in bare and "'" not in bare
            assert (item["highlight"] or "").count("<em>") == (item["highlight"] or "").count("</em>")
