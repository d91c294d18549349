"""Lists as of an instant are the lists as they were read then, for who may read the records today."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.records import past
from chassis.testing import Suite
from chassis.tests.given import PROPERTY, define, refused
from contracts.fields import instant

JSON = dict[str, Any]
ACCOUNT, ACTIVITY = "customer.account", "customer.activity"
READ = {ACTIVITY: {"read": "own"}}
TEXTS = st.sampled_from(["Äpfel", "apfel", "Birne", "birnen & Co", "客户", "z"])
STARTS = st.sampled_from([None, "2026-03-01T10:00:00Z", "2026-05-01T10:00:00Z"])
LIMITS = st.sampled_from([None, "0.00", "19.90", "1000.00"])

_activity = st.fixed_dictionaries(
    {}, optional={"subject": TEXTS, "starts_at": STARTS, "minutes": st.integers(0, 99), "notes": st.none() | TEXTS}
)
_account = st.fixed_dictionaries({}, optional={"name": TEXTS, "credit_limit": LIMITS, "city": TEXTS})
_step = st.one_of(
    st.tuples(st.just("activity"), _activity),
    st.tuples(st.just("account"), _account),
    st.tuples(st.sampled_from(["delete", "restore", "complete", "change"]), _activity),
)
QUERIES: dict[str, list[JSON]] = {
    ACTIVITY: [
        {"sort": "subject"},
        {"sort": "-starts_at,subject", "deleted": "include"},
        {"sort": "-notes", "where": [["subject", "starts", "apf"]]},
        {
            "sort": "minutes",
            "filter": {
                "or": [
                    {"field": "status", "value": "completed"},
                    {"not": {"field": "notes", "op": "contains", "value": "BIRNE"}},
                ]
            },
        },
        {"where": [["starts_at", "empty", "true"]]},
    ],
    ACCOUNT: [
        {"sort": "-credit_limit,name"},
        {"sort": "city", "where": [["credit_limit", "gte", "19.90"]]},
    ],
}


@pytest.fixture
def suite(suite_of: Callable[..., Suite]) -> Suite:
    return suite_of("customer")


def pages(suite: Suite, record: str, query: JSON, **more: Any) -> list[JSON]:
    """The whole list in pages of two, so that cursors are walked too."""
    found: list[JSON] = []
    after = None
    while True:
        asked = {"where": [], **query, **more, "limit": 2, "after": after}
        page = suite.call("customer", "record.list", {"record": record, "query": asked})
        found += page["items"]
        after = page["next"]
        if after is None:
            return found


def everything(suite: Suite, **more: Any) -> list[list[JSON]]:
    return [pages(suite, record, query, **more) for record, queries in QUERIES.items() for query in queries]


def play(suite: Suite, made: list[str], step: tuple[str, JSON]) -> None:
    kind, values = step
    if kind == "account":
        limit, city = values.get("credit_limit"), values.get("city")
        money = None if limit is None else {"amount": limit, "currency": "EUR"}
        data = {"name": values.get("name", "A"), "credit_limit": money, "address": {"city": city} if city else None}
        suite.create(ACCOUNT, data)
    elif kind == "activity" or not made:
        made.append(suite.create(ACTIVITY, {"subject": "first", **values})["id"])
    else:
        one = {"record": ACTIVITY, "id": made[len(made) // 2]}
        try:
            if kind == "change":
                suite.update(ACTIVITY, one["id"], values)
            elif kind == "complete":
                suite.run(ACTIVITY, one["id"], "complete", {})
            else:
                suite.call("customer", f"record.{kind}", one)
        except Problem as problem:
            # What cannot be done now has not happened, which is a past like any other.
            if problem.status not in (404, 409):
                raise


@PROPERTY
@given(steps=st.lists(_step, min_size=1, max_size=12))
def test_a_list_as_of_an_instant_is_the_list_as_it_was_read_then(suite: Suite, steps: list[tuple[str, JSON]]) -> None:
    suite.tenant, suite.user_id = new_id(), new_id()
    made: list[str] = []
    read: list[tuple[str, list[list[JSON]]]] = []
    for step in steps:
        play(suite, made, step)
        suite.clock.forward(seconds=1)
        read.append((instant(suite.clock.now()), everything(suite)))
        suite.clock.forward(seconds=1)
    for moment, lists in read:
        assert everything(suite, as_of=moment) == lists
    before = instant(suite.clock.now() - dt.timedelta(days=1))
    assert everything(suite, as_of=before) == [[] for _ in read[0][1]]


def people(suite: Suite, *ids: str) -> None:
    """Users whom this service has heard of."""
    with suite.work("customer") as work:
        for one in ids:
            work.sql(
                "INSERT INTO copies (tenant_id, record, id, version, deleted, data)"
                " VALUES (%s, 'identity.user', %s, 1, false, '{\"name\": \"Somebody\"}')",
                (suite.tenant, one),
            )


def test_it_is_counted(suite: Suite) -> None:
    for minutes in range(5):
        suite.create(ACTIVITY, {"subject": "x", "minutes": minutes})
    then = instant(suite.clock.now())
    suite.clock.forward(seconds=1)
    for one in suite.list(ACTIVITY, ["minutes", "gte", "3"]):
        suite.call("customer", "record.delete", {"record": ACTIVITY, "id": one["id"]})
    query = {"where": [["minutes", "gte", "2"]], "as_of": then, "count": "exact", "limit": 1}
    assert suite.call("customer", "record.list", {"record": ACTIVITY, "query": query})["count"] == 3


def test_who_may_read_it_today_sees_it_and_who_could_only_then_does_not(suite: Suite) -> None:
    bob = new_id()
    people(suite, bob, suite.user_id)
    owners = {"his": bob, "mine": suite.user_id}
    his, mine = (suite.create(ACTIVITY, {"subject": text, "owner_id": owner}) for text, owner in owners.items())
    then = instant(suite.clock.now())
    suite.clock.forward(seconds=1)
    for one, owner in ((his, suite.user_id), (mine, bob)):
        suite.update(ACTIVITY, one["id"], {"owner_id": owner, "subject": "changed"})
    context = suite.context(user_id=bob, grants=READ)
    assert [one["subject"] for one in suite.list(ACTIVITY, as_of=then, context=context)] == ["mine"]
    nobody = suite.context(user_id=new_id(), grants={})
    assert suite.list(ACTIVITY, as_of=then, context=nobody) == []


def test_what_is_hidden_today_is_hidden_in_the_past_and_not_filtered_by(suite: Suite) -> None:
    suite.create(ACTIVITY, {"subject": "x", "notes": "secret"})
    then = instant(suite.clock.now())
    masked = suite.context(user_id=new_id(), masks={ACTIVITY: {"hidden": ["notes"]}})
    [found] = suite.list(ACTIVITY, as_of=then, context=masked)
    assert found["subject"] == "x" and "notes" not in found
    with refused(400, "unknown_parameter", "notes"):
        suite.list(ACTIVITY, ["notes", "contains", "s"], as_of=then, context=masked)
    with refused(400, "unknown_parameter", "notes"):
        suite.list(ACTIVITY, as_of=then, sort="notes", context=masked)


CUSTOM_QUERIES: list[JSON] = [
    {"where": [["custom.size", "gte", "2"]], "sort": "custom.size"},
    {"where": [["custom.size", "empty", "true"]], "sort": "-name"},
    {"where": [["custom.word", "contains", "APF"]], "sort": "-custom.word,custom.size"},
    {"where": [["custom.plain", "lt", "3"]], "sort": "-custom.plain"},
    {"where": [["custom.day", "within", "2026-01-01..2026-03-31"]]},
    {"filter": {"not": {"field": "custom.colours", "op": "in", "value": ["red"]}}, "sort": "name"},
    {"where": [["custom.word", "ne", "Birne"]], "deleted": "include"},
]
SOMETIMES = {
    "size": ["1", "2", "2.5", None],
    "word": ["Äpfel", "apfel", "Birne", None],
    "plain": ["1", "2", "3", None],
    "day": ["2026-02-01", "2026-04-01", None],
    "colours": [["red"], ["red", "blue"], ["blue"], None],
}


def test_custom_fields_are_filtered_and_sorted_by_as_they_were(suite_of: Callable[..., Suite]) -> None:
    suite, dice = suite_of("identity", "customer"), random.Random(20261127)
    choices = [{"value": one, "label": {"en": one, "zh": "色"}} for one in ("red", "blue")]
    kinds = {"size": "number", "word": "text", "day": "date"}
    for name, kind in kinds.items():
        define(suite, name, kind, False)
    define(suite, "plain", "number", False, indexed=False)
    define(suite, "colours", "multi_choice", choices=choices)
    made: list[str] = []
    read: list[tuple[str, list[list[JSON]]]] = []
    for number in range(24):
        values = {name: dice.choice(some) for name, some in SOMETIMES.items() if dice.random() < 0.7}
        if number < 6 or dice.random() < 0.2:
            made.append(suite.create(ACCOUNT, {"name": f"A{number:02}", "custom": values})["id"])
        elif dice.random() < 0.2 and len(made) > 3:
            suite.call("customer", "record.delete", {"record": ACCOUNT, "id": made.pop()})
        else:
            suite.update(ACCOUNT, dice.choice(made), {"custom": values})
        suite.clock.forward(seconds=1)
        read.append((instant(suite.clock.now()), [pages(suite, ACCOUNT, query) for query in CUSTOM_QUERIES]))
        suite.clock.forward(seconds=1)
    assert all(any(lists[at] for _, lists in read) for at in range(len(CUSTOM_QUERIES)))
    for moment, lists in read:
        assert [pages(suite, ACCOUNT, query, as_of=moment) for query in CUSTOM_QUERIES] == lists
    query = {**CUSTOM_QUERIES[0], "as_of": read[12][0], "count": "exact", "limit": 1}
    page = suite.call("customer", "record.list", {"record": ACCOUNT, "query": {"where": [], **query}})
    assert page["count"] == len(read[12][1][0])


def test_what_belongs_to_other_records_has_no_past_here(suite: Suite) -> None:
    then = instant(suite.clock.now())
    with refused(400, "not_as_of", "account.city"):
        suite.list(ACTIVITY, ["account.city", "eq", "Berlin"], as_of=then)
    with pytest.raises(Problem, match="bad_parameter") as caught:
        suite.list(ACTIVITY, as_of="yesterday")
    assert [(error["field"], "as_of" in error["message"]) for error in caught.value.errors] == [("as_of", False)]


def test_more_than_the_budget_is_refused_and_never_cut_short(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        suite.create(ACTIVITY, {"subject": "x"})
    then = instant(suite.clock.now())
    monkeypatch.setattr(past, "BUDGET", 4)
    assert len(suite.list(ACTIVITY, as_of=then)) == 4
    monkeypatch.setattr(past, "BUDGET", 3)
    with refused(422, "row_budget"):
        suite.list(ACTIVITY, as_of=then, limit=1)
    own = suite.context(user_id=new_id(), grants=READ)
    assert suite.list(ACTIVITY, as_of=then, context=own) == [], "it is what one may read that counts"
