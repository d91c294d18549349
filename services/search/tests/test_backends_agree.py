"""Both backends answer every question alike: the same records for the same people, in the same order and number."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.ids import new_id
from services.search import equipment
from services.search.mapping import searchables
from services.search.tests.support import ACCOUNT, CONTACT, ORDER, Index, event

JSON = dict[str, Any]
ME, OTHER, TEAM, TEAMS = new_id(), new_id(), new_id(), (new_id(), new_id())
WORDS = ("Berg", "Bergmann", "Müller", "Muller", "GmbH", "Ltd", "上海通力", "通力电梯有限公司", "O'Neill", "42", "B2B")
CITIES = ("Köln", "koln", "Berlin", "上海")
FACETS = ("city", "kind", "status", "tags", "owner_id")

names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
common = {
    "owner_id": st.sampled_from((ME, OTHER, None)),
    "team_id": st.sampled_from((TEAM, *TEAMS, None)),
    "tags": st.lists(st.sampled_from(("vip", "old", "new")), max_size=2, unique=True),
    "deleted_at": st.sampled_from((None, None, None, "2026-01-02T00:00:00Z")),
}
accounts = st.fixed_dictionaries(
    {
        "name": names,
        "city": st.sampled_from((*CITIES, None)),
        "kind": st.sampled_from(("customer", "partner", None)),
        "phone": st.sampled_from(("+49 221 123456", "0221-123456", None)),
        "email": st.sampled_from(("ada@berg.example", None)),
        "next_action_on": st.sampled_from(("2026-03-01", "2026-03-31", None)),
        "external_ids": st.sampled_from(({}, {"erp": "BERG-42"})),
        **common,
    }
).map(lambda data: (ACCOUNT, data))
contacts = st.fixed_dictionaries({"name": names, "email": st.sampled_from(("bergmann@x.example", None)), **common}).map(
    lambda data: (CONTACT, data)
)
orders = st.fixed_dictionaries(
    {"number": st.sampled_from(("SO-2026-00042", "B2B-7")), "status": st.sampled_from(("draft", "placed")), **common}
).map(lambda data: (ORDER, data))
records = st.lists(st.one_of(accounts, contacts, orders), min_size=1, max_size=14)

scopes = st.sampled_from(("none", "own", "team", "all"))
grants = st.one_of(
    st.just(None),
    st.fixed_dictionaries({one: st.fixed_dictionaries({"read": scopes}) for one in (ACCOUNT, CONTACT, ORDER)}),
)
hidden = st.lists(st.sampled_from(("name", "city", "phone", "email", "external_ids", "tags", "kind")), max_size=3)
masks = st.dictionaries(
    st.sampled_from((ACCOUNT, CONTACT)), st.fixed_dictionaries({"hidden": hidden.map(list)}), max_size=2
)
typed = st.one_of(
    st.sampled_from(WORDS).flatmap(lambda word: st.integers(1, len(word)).map(lambda end: word[:end])),
    st.lists(st.sampled_from(WORDS), min_size=2, max_size=2).map(" ".join),
    st.sampled_from(("köln", "berg köln", "123456", "221 123456", "SO-2026-00042", "ada@berg.example", "shtl", "vip")),
)
filters = st.dictionaries(
    st.sampled_from(("city", "kind", "status.in", "tags.has", "owner_id", "next_action_on.gt")), st.just(""), max_size=2
).flatmap(
    lambda chosen: st.fixed_dictionaries(
        {
            name: st.sampled_from(
                {
                    "city": ("KOLN", "上海"),
                    "kind": ("customer", "partner"),
                    "status.in": ("draft,placed", "placed"),
                    "tags.has": ("vip", "vip,old"),
                    "owner_id": (ME, OTHER),
                    "next_action_on.gt": ("2026-03-01", "2026-02-28"),
                }[name]
            )
            for name in chosen
        }
    )
)
questions = st.lists(
    st.fixed_dictionaries(
        {"q": typed, "limit": st.sampled_from((1, 2, 3, 100)), "filters": filters, "grants": grants, "masks": masks}
    ),
    min_size=1,
    max_size=5,
)
touched = st.lists(st.integers(0, 13), max_size=4)


@pytest.mark.parametrize("backend", ["elasticsearch"])
@given(rows=records, opened=touched, asked=questions)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_both_backends_show_the_same_to_the_same_people(
    index: Index, backend: str, rows: Any, opened: list[int], asked: Any
):
    tenant, ids = new_id(), [new_id() for _ in rows]
    index.take(*(event(tenant, record, {"id": id, **data}) for id, (record, data) in zip(ids, rows, strict=True)))
    for at in opened:
        if at < len(rows):
            _open(index, tenant, rows[at][0], ids[at])
    for one in asked:
        context = index.suite.context(tenant=tenant, user_id=ME, teams=[TEAM], grants=one["grants"], masks=one["masks"])
        question = {"q": one["q"], "filters": one["filters"], "limit": one["limit"]}
        there = _asked(index, question, context)
        equipment._indices[index.runtime] = None
        try:
            here = _asked(index, question, context)
        finally:
            equipment._indices[index.runtime] = index.elastic
        note(f"{question} {one['grants']} {one['masks']}")
        assert there == here


def _asked(index: Index, question: JSON, context: Any) -> Any:
    """What is found, in what order, with what points and in what number; or the refusal of a hidden filter."""
    try:
        body = index.suite.request("search", "search.query", {**question, "facets": []}, context=context)["body"]
    except Problem as problem:
        return problem.status, problem.code
    if body.get("fuzzy"):
        # What is almost right is ranked by each in its own way.
        return "fuzzy"
    shown = [(item["type"], item["id"], item["score"]) for item in body["items"]]
    with_facets = {"counts": body["facets"], "exact": body["exact"]}
    try:
        more = index.suite.request("search", "search.query", {**question, "facets": [*FACETS]}, context=context)["body"]
        with_facets |= more["by_field"]
        assert shown == [(item["type"], item["id"], item["score"]) for item in more["items"]]
    except Problem as problem:
        with_facets["refused"] = problem.code
    return shown, with_facets


def _open(index: Index, tenant: str, record: str, id: str) -> None:
    """Somebody who may see all has opened a record lately, if it is there."""
    context = index.suite.context(tenant=tenant, user_id=ME)
    with suppress(Problem):
        index.suite.request("search", "search.opened", {"type": searchables()[record].type, "id": id}, context=context)
