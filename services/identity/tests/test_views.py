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
