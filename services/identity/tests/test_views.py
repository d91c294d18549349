"""Saved views: private, or shared with a team."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from chassis.ids import new_id

GRANTS = {"identity.view": {"*": "own", "read": "team"}}


@pytest.fixture
def suite(suite_of):
    return suite_of("identity")


@pytest.fixture
def team(suite):
    return suite.create("identity.team", {"name": "Sales"})["id"]


def view(suite, context, **fields):
    made = {"name": "Berlin", "applies_to": "accounts", "columns": ["name", "city", "custom.colour"], "sort": "-name"}
    made["where"] = {"field": "city", "op": "eq", "value": "Berlin"}
    return suite.create("identity.view", {**made, **fields}, context=context)


def test_a_view_is_its_owners_alone_until_it_is_shared(suite, team):
    nancy = suite.context(user_id=new_id(), teams=[team], grants=GRANTS)
    andrew = suite.context(user_id=new_id(), teams=[team], grants=GRANTS)
    stranger = suite.context(user_id=new_id(), teams=[new_id()], grants=GRANTS)
    mine = view(suite, nancy)
    assert mine["team_id"] is None and mine["owner_id"] == nancy.user_id
    assert suite.list("identity.view", context=andrew) == []
    suite.update("identity.view", mine["id"], {"shared": True, "team_id": team}, context=nancy)
    assert [one["id"] for one in suite.list("identity.view", context=andrew)] == [mine["id"]]
    assert suite.list("identity.view", context=stranger) == []
    with pytest.raises(Problem) as refused:
        suite.update("identity.view", mine["id"], {"name": "Taken over"}, context=andrew)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"applies_to": "unicorns"}, "applies_to"),
        ({"columns": ["name", "colour"]}, "columns.1"),
        ({"columns": ["owner.nothing"]}, "columns.0"),
        ({"sort": "-colour"}, "sort"),
        ({"group_by": ["nothing"]}, "group_by.0"),
    ],
)
def test_a_view_names_only_what_there_is(suite, fields, where):
    with pytest.raises(Problem) as refused:
        view(suite, suite.context(), **fields)
    assert refused.value.status == 422
    assert [error["field"] for error in refused.value.document()["errors"]] == [where]


SAVED = {"q": "berg", "types": ["account", "order"], "filters": {"status.in": "placed,confirmed", "city": "Berlin"}}


def saved(suite, context, **fields):
    return suite.create(
        "identity.view", {"name": "Mine", "applies_to": "search", "where": SAVED, **fields}, context=context
    )


def test_a_search_is_saved_and_shared_as_a_view_is(suite, team):
    nancy = suite.context(user_id=new_id(), teams=[team], grants=GRANTS)
    andrew = suite.context(user_id=new_id(), teams=[team], grants=GRANTS)
    stranger = suite.context(user_id=new_id(), teams=[new_id()], grants=GRANTS)
    mine = saved(suite, nancy)
    assert mine["where"] == SAVED
    wanted = ["applies_to", "eq", "search"]
    assert suite.list("identity.view", wanted, context=andrew) == []
    suite.update("identity.view", mine["id"], {"shared": True}, context=nancy)
    assert [one["where"] for one in suite.list("identity.view", wanted, context=andrew)] == [SAVED]
    assert suite.list("identity.view", wanted, context=stranger) == []
    for refused in ({"where": {"q": "taken over"}}, {"shared": False}):
        with pytest.raises(Problem) as denied:
            suite.update("identity.view", mine["id"], refused, context=andrew)
        assert denied.value.status == 403


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"where": {}}, "where"),
        ({"where": {"field": "city", "op": "eq", "value": "Berlin"}}, "where"),
        ({"where": {"q": 7}}, "where.q"),
        ({"where": {"q": "x" * 201}}, "where.q"),
        ({"where": {"q": "a", "types": ["unicorn"]}}, "where.types"),
        ({"where": {"q": "a", "types": []}}, "where.types"),
        ({"where": {"q": "a", "filters": {"colour": "red"}}}, "where.filters.colour"),
        ({"where": {"q": "a", "types": ["contact"], "filters": {"status": "placed"}}}, "where.filters.status"),
        ({"where": {"q": "a", "filters": {"status": "nowhere"}}}, "where.filters.status"),
        ({"where": {"q": "a", "filters": {"status": ["placed"]}}}, "where.filters"),
        ({"columns": ["name"]}, "columns"),
        ({"sort": "name"}, "sort"),
    ],
)
def test_a_saved_search_is_one_that_can_be_asked(suite, fields, where):
    with pytest.raises(Problem) as refused:
        saved(suite, suite.context(), **fields)
    assert refused.value.status == 422
    assert [error["field"] for error in refused.value.document()["errors"]] == [where]
