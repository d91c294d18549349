"""Whatever twins hold, and whoever refers to them: un-merging restores every field and reference exactly."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.merging.given import Business

JSON = dict[str, Any]
ACCOUNT = "customer.account"
PROPERTY = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_text = st.sampled_from(["", "1", "2", "北京"])
_fields = st.fixed_dictionaries(
    {},
    optional={
        "phone": _text,
        "website": st.sampled_from(["a.example", "b.example"]),
        "kind": st.sampled_from(["customer", "partner"]),
        "person": st.booleans(),
        "email": st.sampled_from(["a@x.example", "b@x.example"]),
        "address": st.fixed_dictionaries({}, optional={"street": _text, "city": st.sampled_from(["Bonn", "Ulm"])}),
        "currencies": st.lists(st.sampled_from(["EUR", "USD"]), unique=True),
        "credit_limit": st.sampled_from([{"amount": "5.00", "currency": "EUR"}, {"amount": "7", "currency": "JPY"}]),
        "payment_days": st.integers(0, 60),
        "next_action_on": st.dates().map(lambda day: day.isoformat()),
        "tags": st.lists(st.sampled_from(["vip", "tea", "b2b"]), unique=True),
        "external_ids": st.sets(st.sampled_from(["erp", "shop", "old"])).map(sorted),
    },
)
_twins = st.lists(_fields, min_size=2, max_size=3)
# Who refers to them: contacts and a request by the place of their account, groups by the places of several.
_referring = st.lists(st.tuples(st.sampled_from(["contact", "request", "group"]), st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True)), max_size=5)  # fmt: skip  # noqa: E501


@pytest.fixture
def business(suite_of: Any, databases: Any) -> Business:
    return Business(suite_of("identity", "customer", "inventory", "sales", "marketing", "service"), databases)


@PROPERTY
@given(twins=_twins, referring=_referring, data=st.data())
def test_unmerging_restores_every_field_and_reference_exactly(
    business: Business, twins: list[JSON], referring: Any, data: Any
) -> None:
    suite = business.suite
    made = [business.account(**_named(suite, place, fields)) for place, fields in enumerate(twins)]
    for number, (kind, places) in enumerate(referring):
        of = list(dict.fromkeys(made[place % len(made)] for place in places))
        if kind == "group":
            suite.create("customer.group", {"name": f"G{number}", "account_ids": of})
        elif kind == "contact":
            suite.create("customer.contact", {"name": f"C{number}", "account_id": of[0]})
        else:
            suite.create("service.request", {"subject": f"R{number}", "account_id": of[0]})
    suite.settle()
    before = business.holds()
    names = sorted({name for fields in twins for name in fields} - {"tags", "external_ids"})
    chosen = data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(made)) if names else st.just({}))
    # In one merge of all, or one after the other.
    steps = [made[1:]] if data.draw(st.booleans()) else [[one] for one in made[1:]]
    for losers in steps:
        choices = {name: one for name, one in chosen.items() if one in (made[0], *losers)}
        business.merge(ACCOUNT, made[0], *losers, choices=choices)
    assert business.dangling(*made[1:]) == []
    for _ in steps:
        business.unmerge(ACCOUNT, made[0])
    after = business.holds()
    assert {place: rows for place, rows in after.items() if rows != before[place]} == {}
    assert suite.dead() == []


def _named(suite: Any, place: int, fields: JSON) -> JSON:
    """External keys are one record's alone: each has its own in a system."""
    from chassis.ids import new_id

    keys = {system: f"{place}-{new_id()}" for system in fields.get("external_ids", ())}
    return {**fields, "name": f"Twin {place}", "external_ids": keys}
