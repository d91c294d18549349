"""Search shows exactly what lists show: the same rights, computed by the record store, decide for both."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.context import Context
from chassis.errors import Problem
from tests.security.shop import Shop
from tests.security.world import World

JSON = dict[str, Any]
ACCOUNT, CONTACT = "customer.account", "customer.contact"
SCOPES = st.sampled_from(["none", "own", "team", "all"])
FILTERS: tuple[tuple[str, str], ...] = (("city", "berlin"), ("city.in", "Bonn,BERLIN"), ("kind", "partner"))
FILTERS += (("kind.in", "customer,partner"), ("tags.has", "vip,new"), ("tags.has", "vip"))


@pytest.fixture(scope="module")
def people(world: World, shop: Shop) -> list[str]:
    """Three users, who own what the fixture makes: accounts of several cities and kinds, and contacts."""
    api = shop.api
    users = [world.person(api, f"owner{n}", grants={})[0] for n in range(3)]
    teams = [api.post("/v1/teams", {"name": f"Team {n}"})["id"] for n in range(2)]
    world.settle()
    for number in range(30):
        owned: JSON = {"owner_id": [*users, None][number % 4], "team_id": [*teams, None][number % 3]}
        account = {
            "name": f"Zephyrwerk {number}",
            "kind": "partner" if number % 2 else "customer",
            "address": {"city": ("Berlin", "BERLIN", "Bonn", None)[number % 4]},
            "tags": [["vip", "new"], ["vip"], []][number % 3],
        }
        api.post("/v1/accounts", {**account, **owned})
        if number % 3 == 0:
            api.post("/v1/contacts", {"name": f"Zephyrine {number}", **owned})
    world.settle()
    return [*users, *teams]


@st.composite
def askers(draw: st.DrawFn) -> JSON:
    """Who asks: which of the users, in which teams, with which grants and masks."""
    grants = {record: {"read": draw(SCOPES)} for record in (ACCOUNT, CONTACT, "*") if draw(st.booleans())}
    hidden = st.lists(st.sampled_from(["name", "city", "kind", "tags", "address"]), unique=True, max_size=3)
    masks = {record: {"hidden": draw(hidden)} for record in (ACCOUNT, CONTACT, "*") if draw(st.integers(0, 2)) == 0}
    return {
        "user": draw(st.integers(0, 2)),
        "teams": draw(st.lists(st.integers(3, 4), unique=True)),
        "grants": grants,
        "masks": masks,
    }


@given(asker=askers(), chosen=st.lists(st.sampled_from(FILTERS), max_size=2, unique_by=lambda one: one[0]))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_search_finds_and_counts_what_the_list_of_the_same_condition_shows(
    world: World, shop: Shop, people: list[str], asker: JSON, chosen: list[tuple[str, str]]
) -> None:
    context = world.suite.context(
        tenant=shop.tenant.id,
        user_id=people[asker["user"]],
        teams=[people[one] for one in asker["teams"]],
        grants=asker["grants"],
        masks=asker["masks"],
    )
    for record, kind in ((ACCOUNT, "account"), (CONTACT, "contact")):
        filters = dict(chosen) if kind == "account" else {}
        listed = _listed(world, context, record, filters)
        question = {"q": "zephyr", "types": [kind], "filters": filters, "limit": 100}
        found = _found(world, context, question)
        if listed is None:
            # A hidden field is refused by both, or, where it is the name, is not searched.
            assert not found["items"] and not found["facets"]
            continue
        assert {item["id"] for item in found["items"]} == {one["id"] for one in listed}
        assert found["facets"] == ({kind: len(listed)} if listed else {})
        for facet in ("kind", "city") if kind == "account" else ():
            if all(facet in one for one in listed) and listed:
                counted = _found(world, context, {**question, "facets": [facet]})["by_field"][facet]
                values = Counter((one[facet] or "").casefold() for one in listed if one[facet])
                assert {one["value"].casefold(): one["count"] for one in counted} == dict(values)


def _listed(world: World, context: Context, record: str, filters: JSON) -> list[JSON] | None:
    """What the list of the same condition shows; None where it names something that is hidden."""
    where = [["name", "starts", "zephyr"]]
    for name, text in filters.items():
        field, _, operator = name.partition(".")
        where.append([field, operator or "eq", text])
    try:
        return world.suite.list(record, *where, context=context)
    except Problem as problem:
        if problem.code == "unknown_parameter":
            return None
        raise


def _found(world: World, context: Context, question: JSON) -> JSON:
    try:
        body: JSON = world.suite.call("search", "search.query", question, context=context)
        return body
    except Problem as problem:
        if problem.code == "unknown_parameter":
            return {"items": [], "facets": {}}
        raise


def test_what_one_did_lately_is_seen_by_nobody_else(world: World, shop: Shop, rival: Shop) -> None:
    _, other = world.person(shop.api, "other", grants={"*": {"*": "all"}})
    shop.api.post("/v1/search/opened", {"type": "account", "id": shop.account["id"], "q": "oolong secret"})
    assert [one["q"] for one in shop.api.get("/v1/search/recent")["items"]] == ["oolong secret"]
    for api in (other, rival.api):
        assert api.get("/v1/search/recent")["items"] == []
        assert shop.account["id"] not in {hit["id"] for hit in api.get("/v1/search")["items"]}
        api.send("DELETE", "/v1/search/recent")
    assert [one["q"] for one in shop.api.get("/v1/search/recent")["items"]] == ["oolong secret"]
    for method, path in (("GET", "recent"), ("POST", "recent"), ("DELETE", "recent"), ("POST", "opened")):
        assert world.api(None).send(method, f"/v1/search/{path}", {"q": "a"}).status == 401


def test_reasons_are_for_administrators_alone(world: World, shop: Shop) -> None:
    _, reader = world.person(shop.api, "reader", grants={"*": {"read": "own"}})
    assert reader.send("GET", "/v1/search?q=oolong&explain=true").body["code"] == "forbidden"
    (hit, *_) = shop.api.get("/v1/search?q=oolong&explain=true")["items"]
    assert sum(one["points"] for one in hit["reasons"]) == hit["score"]
