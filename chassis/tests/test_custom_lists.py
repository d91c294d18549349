"""Filters, sorts, pages and groups by custom fields agree with a plain reading of the records' values."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.tests.given import PROPERTY, define, ids, pages, refused
from chassis.text import fold

ACCOUNT = "customer.account"
CHOICES = [{"value": one, "label": {"en": one, "zh": "选项"}} for one in ("red", "green", "blue")]
DEFINED: dict[str, dict[str, Any]] = {
    "word": {"kind": "text"},
    "size": {"kind": "number"},
    "budget": {"kind": "money"},
    "day": {"kind": "date"},
    "moment": {"kind": "instant"},
    "colour": {"kind": "choice", "choices": CHOICES},
    "tags": {"kind": "multi_choice", "choices": CHOICES},
    "flag": {"kind": "boolean"},
    "plain": {"kind": "number", "indexed": False},
}
NUMBERS = ["0", "1", "1.5", "-3", "10", "999999.25"]
MOMENTS = ["2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:00.000001Z", "1999-05-05T12:00:00.000000Z"]
SAMPLES: dict[str, list[Any]] = {
    "word": ["Steel", "STEEL", "stéel", "钢", "a_b", "axb", "100%", "Ｓteel  wool"],
    "size": NUMBERS,
    "budget": [{"amount": one, "currency": other} for one in ("0.00", "5.00", "5.25") for other in ("EUR", "USD")],
    "day": ["2025-12-31", "2026-01-01", "2026-02-28", "0001-01-01", "9999-12-31"],
    "moment": MOMENTS,
    "colour": ["red", "green", "blue"],
    "tags": [["red"], ["green"], ["red", "blue"], ["red", "green", "blue"]],
    "flag": [True, False],
    "plain": NUMBERS,
}
ORDERED = ("eq", "ne", "in", "gt", "gte", "lt", "lte", "empty")
OPERATORS = {
    "word": ("eq", "ne", "in", "contains", "starts", "empty"),
    "size": ORDERED,
    "budget": ("eq", "ne", "gt", "gte", "lt", "lte", "empty"),
    "day": ORDERED,
    "moment": ("eq", "ne", "gt", "gte", "lt", "lte", "empty"),
    "colour": ("eq", "ne", "in", "empty"),
    "tags": ("eq", "ne", "in", "empty"),
    "flag": ("eq", "ne"),
    "plain": ORDERED,
}


def comparable(name: str, value: Any) -> Any:
    if name == "word":
        return fold(value)
    if name in ("size", "plain"):
        return Decimal(value)
    return Decimal(value["amount"]) if name == "budget" else value


def holds(name: str, operator: str, value: Any, asked: Any) -> bool:
    """The meaning of an operator, in Python, over the JSON of one record."""
    if operator == "empty":
        return (value is None) == asked
    if name == "tags":
        wanted = set(asked if operator == "in" else [asked])
        return not wanted & set(value or ()) if operator == "ne" else bool(wanted & set(value or ()))
    if value is None:
        return operator == "ne"
    mine = comparable(name, value)
    if operator == "in":
        return mine in [comparable(name, one) for one in asked]
    if operator == "contains":
        return fold(asked) in mine
    if operator == "starts":
        return bool(mine.startswith(fold(asked)))
    theirs = comparable(name, asked)
    return bool(
        {
            "eq": mine == theirs,
            "ne": mine != theirs,
            "gt": mine > theirs,
            "gte": mine >= theirs,
            "lt": mine < theirs,
            "lte": mine <= theirs,
        }[operator]
    )


@st.composite
def conditions(draw: Any) -> tuple[str, str, Any]:
    name = draw(st.sampled_from(sorted(OPERATORS)))
    operator = draw(st.sampled_from(OPERATORS[name]))
    one = st.sampled_from(["red", "green", "blue"] if name == "tags" else SAMPLES[name])
    if operator == "empty":
        return name, operator, draw(st.booleans())
    if operator == "in":
        return name, operator, draw(st.lists(one, min_size=1, max_size=3))
    return name, operator, draw(one)


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("identity", "customer")
    for name, options in DEFINED.items():
        define(suite, name, options["kind"], False, **{key: options[key] for key in options if key != "kind"})
    suite.settle()
    return suite


def fill(suite: Any, customs: list[dict[str, Any]]) -> list[Any]:
    items = [{"op": "create", "data": {"name": "A", "custom": custom}} for custom in customs]
    answer = suite.call("customer", "record.bulk", {"record": ACCOUNT, "items": items, "atomic": True})
    return [suite.get(ACCOUNT, item["id"]) for item in answer["items"]]


def test_a_filter_finds_what_the_values_say_whatever_the_definitions_values_and_operators(suite: Any) -> None:
    chance = random.Random(7)
    customs = [
        {name: chance.choice(samples) for name, samples in SAMPLES.items() if chance.random() < 0.7} for _ in range(40)
    ]
    made = fill(suite, customs)
    assert [one["custom"] for one in made] == customs

    @settings(PROPERTY, max_examples=120)
    @given(st.lists(conditions(), min_size=1, max_size=2), st.sampled_from(["where", "and", "or", "not"]))
    def finds(asked: list[tuple[str, str, Any]], how: str) -> None:
        met = [[holds(name, op, one["custom"].get(name), value) for name, op, value in asked] for one in made]
        nodes = [{"field": f"custom.{name}", "op": op, "value": value} for name, op, value in asked]
        query: dict[str, Any] = {"limit": 200}
        if how == "where":
            query["where"] = [[node["field"], node["op"], node["value"]] for node in nodes]
        elif how == "not":
            query["filter"] = {"not": {"and": nodes}}
        else:
            query["filter"] = {how: nodes}
        right = {"where": all, "and": all, "or": any, "not": lambda found: not all(found)}[how]
        found = suite.call("customer", "record.list", {"record": ACCOUNT, "query": query})["items"]
        assert sorted(ids(found)) == sorted(one["id"] for one, flags in zip(made, met, strict=True) if right(flags))

    # Half of the records change, some of their values go: the rows for filters follow.
    for index, one in enumerate(made[:20]):
        other = made[index + 20]["custom"]
        patch = {name: other.get(name) for name in DEFINED if name in one["custom"] or index % 2}
        made[index] = suite.update(ACCOUNT, one["id"], {"custom": patch})
    finds()


@pytest.mark.parametrize("name", ["word", "size", "budget", "day", "moment", "colour", "flag", "plain"])
@pytest.mark.parametrize("way", ["", "-"])
def test_pages_in_the_order_of_a_custom_field_have_every_record_once(suite: Any, name: str, way: str) -> None:
    samples = {
        "word": ["b", "A", "ä", "c"],
        "size": ["2", "-1", "10"],
        "budget": [{"amount": "2.00", "currency": "EUR"}, {"amount": "1.00", "currency": "USD"}],
        "day": ["2026-01-02", "0001-01-01", "9999-12-31"],
        "moment": ["2026-01-01T00:00:00.000002Z", "2026-01-01T00:00:00.000001Z"],
        "colour": ["red", "blue"],
        "flag": [True, False],
        "plain": ["5", "4"],
    }[name]
    made = fill(suite, [{name: value} for value in samples] * 2 + [{}] * 3)
    walked = pages(suite, ACCOUNT, 2, sort=f"{way}custom.{name}")
    absent = [one for one in walked if name not in one["custom"]]
    present = [one for one in walked if name in one["custom"]]
    assert walked == ([*absent, *present] if way else [*present, *absent])
    keys = [(comparable(name, one["custom"][name]), one["id"]) for one in present]
    assert keys == sorted(keys, reverse=bool(way))
    assert ids(absent) == sorted(ids(absent), reverse=bool(way))
    assert sorted(ids(walked)) == sorted(ids(made))
    narrow = suite.context(grants={ACCOUNT: {"read": "own"}})
    assert ids(pages(suite, ACCOUNT, 3, sort=f"{way}custom.{name}", context=narrow)) == ids(walked)
    assert len(pages(suite, ACCOUNT, 3, sort=f"{way}custom.{name},name")) == len(made)


def test_groups_and_sums_of_custom_fields(suite: Any) -> None:
    fill(
        suite,
        [
            {"colour": "red", "size": "1.5", "budget": {"amount": "1.00", "currency": "EUR"}, "day": "2026-01-31"},
            {"colour": "red", "size": "2", "budget": {"amount": "2.00", "currency": "USD"}, "day": "2026-01-01"},
            {"colour": "blue", "budget": {"amount": "4.00", "currency": "EUR"}},
        ],
    )

    def groups(**params: Any) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        items = suite.call("customer", "record.aggregate", {"record": ACCOUNT, **params})["items"]
        return [(tuple(item["group"].values()), tuple(item["measures"].values())) for item in items]

    sums = [{"fn": "sum", "field": "custom.size"}, {"fn": "count"}]
    assert groups(group_by=["custom.colour"], measures=sums) == [(("blue",), (None, 1)), (("red",), ("3.5", 2))]
    assert groups(measures=[{"fn": "sum", "field": "custom.budget"}]) == [(("EUR",), ("5.00",)), (("USD",), ("2.00",))]
    assert groups(group_by=["custom.day:month"])[0] == (("2026-01-01",), (2,))


@pytest.mark.parametrize(
    ("where", "code"),
    [
        (["custom.unicorn", "eq", "1"], "unknown_parameter"),
        (["custom.", "eq", "1"], "unknown_parameter"),
        (["custom.size' OR true --", "eq", "1"], "unknown_parameter"),
        (["custom.size", "eq", "much"], "bad_parameter"),
        (["custom.size", "contains", "1"], "unknown_operator"),
        (["custom.colour", "eq", "violet"], "bad_parameter"),
    ],
)
def test_what_cannot_be_compared_is_a_400_that_names_the_custom_field(suite: Any, where: Any, code: str) -> None:
    with refused(400, code, where[0]):
        suite.list(ACCOUNT, where)


def test_a_hidden_or_inactive_custom_field_is_no_oracle(suite: Any) -> None:
    fill(suite, [{"size": "1"}])
    blinkered = suite.context(masks={ACCOUNT: {"hidden": ["custom.size"]}})
    with refused(400, "unknown_parameter", "custom.size"):
        suite.list(ACCOUNT, ["custom.size", "eq", "1"], context=blinkered)
    with refused(400, "unknown_parameter", "custom.size"):
        suite.list(ACCOUNT, sort="custom.size", context=blinkered)
    with refused(400, "unknown_parameter", "custom.size"):
        params = {"record": ACCOUNT, "group_by": ["custom.size"]}
        suite.call("customer", "record.aggregate", params, context=blinkered)
    [size] = suite.list("identity.custom-field", ["name", "eq", "size"])
    suite.update("identity.custom-field", size["id"], {"active": False})
    suite.settle()
    with refused(400, "unknown_parameter", "custom.size"):
        suite.list(ACCOUNT, ["custom.size", "eq", "1"])
