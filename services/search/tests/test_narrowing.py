"""Answers narrowed by dates, numbers and amounts, and by custom fields: the same on both kinds of index."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from contracts.fields import instant
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, Index, event

DEFINITION = "identity.custom-field"
CHOICES = [{"value": value, "label": {"en": value}} for value in ("red", "blue", "green")]
FIELDS = {
    "colour": {"type": "choice", "choices": CHOICES},
    "colours": {"type": "multi_choice", "choices": CHOICES},
    "hall": {"type": "text"},
    "size": {"type": "number"},
    "budget": {"type": "money"},
    "due": {"type": "date"},
    "seen": {"type": "instant"},
    "loud": {"type": "boolean"},
    "adviser": {"type": "reference", "target": "users"},
}
ADVISER = "01900000-0000-7000-8000-00000000000a"


def defined(index: Index, name: str, collection: str = "accounts", version: int = 1, **more: Any) -> Any:
    """The event of a definition."""
    wire = {
        "deleted_at": None,
        "id": f"01900000-0000-7000-8000-{sum(map(ord, name + collection)):012}",
        "name": name,
        "position": 0,
    }
    flags = {"indexed": True, "searchable": False, "active": True, "label": {"en": name}, "applies_to": collection}
    return event(index.suite.tenant, DEFINITION, {**wire, **flags, **FIELDS.get(name, {}), **more}, version=version)


@pytest.fixture
def fair(index: Index) -> Index:
    """Three accounts with custom values, and three orders."""
    index.take(*(defined(index, name) for name in FIELDS))
    common = {"adviser": ADVISER, "loud": True}
    index.put(
        ACCOUNT,
        name="Berg One",
        custom={
            "colour": "red", "colours": ["red", "blue"], "hall": "Halle Süd", "size": "9.5", "due": "2026-03-31",
            "budget": {"amount": "900.00", "currency": "EUR"}, "seen": "2026-03-31T21:59:59.999999Z", **common,
        },
    )  # fmt: skip
    index.put(
        ACCOUNT,
        name="Berg Two",
        custom={
            "colour": "red", "colours": ["green"], "hall": "HALLE SUD", "size": "10", "due": "2026-04-01",
            "budget": {"amount": "10000.00", "currency": "CNY"}, "seen": "2026-03-31T22:00:00.000000Z", "loud": False,
        },
    )  # fmt: skip
    index.put(ACCOUNT, name="Berg Three", custom={"colour": "blue", "size": "-2"}, owner_id=index.suite.user_id)
    for day, total in (("2026-03-30", "90.00"), ("2026-03-31", "1000.00"), ("2026-04-01", "-5.00")):
        money = {"amount": total, "currency": "EUR"}
        index.put(ORDER, number=f"B-{day}", account_name="Berg", ordered_on=day, total=money, status="placed")
    return index


def refusal(ask: Any, *args: Any, **options: Any) -> Any:
    with pytest.raises(Problem) as refused:
        ask(*args, **options)
    return refused.value.status, refused.value.code, [error["field"] for error in refused.value.errors]


DAYS: list[tuple[dict[str, str], Any]] = [
    ({"ordered_on": "2026-03-31"}, ["31"]),
    ({"ordered_on.gte": "2026-03-31"}, ["31", "01"]),
    ({"ordered_on.gt": "2026-03-31"}, ["01"]),
    ({"ordered_on.lte": "2026-03-31"}, ["30", "31"]),
    ({"ordered_on.lt": "2026-03-31"}, ["30"]),
    ({"ordered_on.gte": "2026-03-31", "ordered_on.lt": "2026-04-01"}, ["31"]),
    ({"ordered_on.within": "2026-03-30..2026-03-31"}, ["30", "31"]),
    ({"ordered_on.in": "2026-03-30,2026-04-01"}, ["30", "01"]),
    ({"total.gt": "90"}, ["31"]),
    ({"total.lte": "90.0"}, ["30", "01"]),
    ({"total": "1000"}, ["31"]),
    ({"total.lt": "0", "status": "placed"}, ["01"]),
    ({"ordered_on.gt": "2027-01-01"}, []),
]


def test_orders_are_narrowed_by_their_days_and_amounts(fair):
    for filters, days in DAYS:
        body = fair.ask("berg", filters=filters)
        assert sorted(item["title"][-2:] for item in body["items"]) == sorted(days), filters
        assert body["facets"] == ({"order": len(days)} if days else {}), filters


def test_days_by_name_are_those_of_the_askers_zone(index):
    new_york = ZoneInfo("America/New_York")
    noon = (dt.datetime.now(new_york) + dt.timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
    index.suite.clock.forward(seconds=(noon - index.suite.clock.now()).total_seconds())
    begins = noon.replace(hour=0).astimezone(dt.UTC)
    index.put(ACCOUNT, name="Berg", created_at=instant(begins - dt.timedelta(microseconds=1)))
    index.put(ACCOUNT, name="Berg of today", created_at=instant(begins))
    here = replace(index.suite.context(), zone="America/New_York")
    assert index.titles("berg", context=here, filters={"created_at.within": "today"}) == ["Berg of today"]
    assert index.titles("berg", context=here, filters={"created_at.within": "yesterday"}) == ["Berg"]
    # Whatever the zone that a moment is written in.
    in_tokyo = begins.astimezone(ZoneInfo("Asia/Tokyo")).isoformat()
    assert index.titles("berg", filters={"created_at.gte": in_tokyo}) == ["Berg of today"]
    assert index.titles("berg", filters={"created_at.lt": in_tokyo}) == ["Berg"]


NAMES: list[tuple[dict[str, str], Any]] = [
    ({"custom.colour": "red"}, ["One", "Two"]),
    ({"custom.colour.in": "red,blue"}, ["One", "Two", "Three"]),
    ({"custom.colours.in": "blue,green"}, ["One", "Two"]),
    ({"custom.hall": "halle sud"}, ["One", "Two"]),
    ({"custom.loud": "false"}, ["Two"]),
    ({"custom.adviser": ADVISER}, ["One"]),
    ({"custom.size": "10.00"}, ["Two"]),
    ({"custom.size.gte": "9.5"}, ["One", "Two"]),
    ({"custom.size.lt": "9.5"}, ["Three"]),
    ({"custom.size.in": "-2,10"}, ["Two", "Three"]),
    ({"custom.budget.gt": "900"}, ["Two"]),
    ({"custom.budget.lte": "900"}, ["One"]),
    ({"custom.due.gte": "2026-04-01"}, ["Two"]),
    ({"custom.due.within": "2026-03-01..2026-03-31"}, ["One"]),
    ({"custom.seen.lt": "2026-04-01T00:00:00+02:00"}, ["One"]),
    ({"custom.seen.gte": "2026-03-31T22:00:00Z"}, ["Two"]),
    ({"custom.colour": "red", "custom.size.gt": "9.5"}, ["Two"]),
    ({"custom.colour": "green"}, []),
]


def test_custom_fields_narrow_as_they_do_in_lists(fair):
    for filters, names in NAMES:
        body = fair.ask("berg", filters=filters)
        assert sorted(item["title"] for item in body["items"]) == sorted(f"Berg {name}" for name in names), filters
        # Nothing typed yet: what is one's own is narrowed in the same way.
        assert fair.titles("", filters=filters) == [f"Berg {name}" for name in names if name == "Three"], filters


def test_custom_fields_count_what_was_found(fair):
    asked = ["custom.colour", "custom.colours", "custom.hall", "custom.loud"]
    body = fair.ask("berg", limit=1, facets=asked)
    assert {field: [(one["value"], one["count"]) for one in values] for field, values in body["by_field"].items()} == {
        "custom.colour": [("red", 2), ("blue", 1)],
        "custom.colours": [("blue", 1), ("green", 1), ("red", 1)],
        "custom.hall": [("HALLE SUD", 2)],
        "custom.loud": [("false", 1), ("true", 1)],
    }
    mine = fair.ask("", facets=["custom.colour"])["by_field"]
    assert mine == {"custom.colour": [{"value": "blue", "count": 1}]}


def test_a_definition_may_come_after_the_values_and_may_change(index):
    index.put(ACCOUNT, name="Berg", custom={"colour": "red"})
    question = {"filters": {"custom.colour": "red"}, "facets": ["custom.colour"]}
    unknown = (400, "unknown_parameter", ["custom.colour"])
    assert refusal(index.ask, "berg", **question) == unknown
    index.take(defined(index, "colour"))
    assert [item["title"] for item in index.ask("berg", **question)["items"]] == ["Berg"]
    for version, (flags, known) in enumerate(
        (
            ({"active": False}, False),
            ({"indexed": False}, False),
            ({"indexed": False, "searchable": True}, True),
        ),
        start=2,
    ):
        index.take(defined(index, "colour", version=version, **flags))
        if known:
            assert index.titles("berg", **question) == ["Berg"]
        else:
            assert refusal(index.ask, "berg", **question) == unknown


REFUSED: list[tuple[dict[str, str], Any]] = [
    ({"custom.shape": "round"}, "unknown_parameter"),
    ({"custom.colour.gte": "red"}, "unknown_parameter"),
    ({"custom.colour.contains": "re"}, "unknown_parameter"),
    ({"custom.colour": "pink"}, "bad_parameter"),
    ({"custom.size.gte": "ten"}, "bad_parameter"),
    ({"custom.due.lt": "2026-02-30"}, "bad_parameter"),
    ({"custom.due.within": "soon"}, "bad_parameter"),
    ({"custom.seen.gt": "2026-03-31"}, "bad_parameter"),
    ({"custom.loud": "yes"}, "bad_parameter"),
    ({"custom.adviser": "me"}, "bad_parameter"),
    ({"custom.colour.in": "red,,blue"}, "bad_parameter"),
    ({"ordered_on.gte": "today"}, "bad_parameter"),
    ({"total.gte": "much"}, "bad_parameter"),
    ({"ordered_on.contains": "2026"}, "unknown_parameter"),
    ({"birthday.gte": "2000-01-01"}, "unknown_parameter"),
]


def test_what_cannot_be_compared_is_refused_by_its_name(fair):
    for filters, code in REFUSED:
        assert refusal(fair.ask, "berg", filters=filters) == (400, code, [*filters]), filters


def test_what_has_too_many_values_is_no_facet(fair):
    for facet in ("custom.shape", "custom.size", "custom.due", "custom.colour.in", "total", "custom."):
        assert refusal(fair.ask, "berg", facets=[facet]) == (400, "bad_parameter", ["facets"]), facet


def test_fields_of_one_name_and_two_kinds_are_asked_one_type_at_a_time(fair):
    fair.take(defined(fair, "size", "contacts", type="text"))
    fair.put(CONTACT, name="Berg Anna", custom={"size": "10"})
    assert refusal(fair.ask, "berg", filters={"custom.size": "10"}) == (400, "bad_parameter", ["custom.size"])
    assert fair.titles("berg", types=["contact"], filters={"custom.size": "10"}) == ["Berg Anna"]
    assert fair.titles("berg", types=["account"], filters={"custom.size": "10"}) == ["Berg Two"]


def test_a_hidden_custom_field_neither_narrows_nor_counts(fair):
    for gone in ("custom.colour", "custom"):
        masked = fair.suite.context(masks={ACCOUNT: {"hidden": [gone]}})
        asked = {"context": masked, "filters": {"custom.colour": "red"}}
        assert refusal(fair.ask, "berg", **asked) == (400, "unknown_parameter", ["custom.colour"])
        assert refusal(fair.ask, "berg", context=masked, facets=["custom.colour"])[2] == ["facets"]
    # Where another type shows it, only that one's values count.
    fair.take(defined(fair, "colour", "contacts"))
    fair.put(CONTACT, name="Berg Anna", custom={"colour": "green"})
    body = fair.ask("berg", context=masked, facets=["custom.colour"])
    assert body["by_field"] == {"custom.colour": [{"value": "green", "count": 1}]}
    assert body["facets"]["account"] == 3


def test_who_may_see_no_custom_field_finds_nothing_by_their_words(index):
    index.take(defined(index, "hall", searchable=True))
    index.put(ACCOUNT, name="Berg", custom={"hall": "Messehalle"})
    assert index.titles("messehalle") == ["Berg"]
    masked = index.suite.context(masks={ACCOUNT: {"hidden": ["custom"]}})
    assert index.titles("messehalle", context=masked) == []


def test_a_question_may_name_a_custom_field_of_another_tenant_and_learns_nothing(fair):
    stranger = fair.suite.context(tenant=new_id())
    asked = {"context": stranger, "filters": {"custom.colour": "red"}}
    assert refusal(fair.ask, "berg", **asked) == (400, "unknown_parameter", ["custom.colour"])
