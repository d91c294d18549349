"""Users, the manager tree, and what roles allow together."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from chassis.context import Context
from chassis.errors import Problem
from chassis.permissions import SCOPES, scope, scope_in
from services.identity.people import lightest, widest
from services.identity.tests import given


@pytest.fixture
def suite(suite_of):
    suite = suite_of("identity")
    given.provisioned(suite)
    return suite


@pytest.mark.parametrize("email", ["bob@example.com", "Bob@Example.COM"])
def test_two_users_never_share_an_address(suite, email):
    given.user(suite, "Bob")
    with pytest.raises(Problem) as refused:
        given.user(suite, "Robert", email=email)
    assert (refused.value.status, refused.value.code) == (409, "duplicate")


def test_two_tenants_may_know_the_same_address(suite_of, suite):
    elsewhere = suite_of("identity")
    given.provisioned(elsewhere)
    assert given.user(suite, "Bob")["email"] == given.user(elsewhere, "Bob")["email"]


def test_the_manager_tree_never_goes_round(suite):
    ada = given.user(suite, "Anna")
    bob = given.user(suite, "Bob", manager_id=ada["id"])
    cid = given.user(suite, "Cid", manager_id=bob["id"])
    for manager in (ada, bob, cid):
        with pytest.raises(Problem) as refused:
            suite.update("identity.user", ada["id"], {"manager_id": manager["id"]})
        assert refused.value.errors[0]["field"] == "manager_id"
    assert suite.update("identity.user", cid["id"], {"manager_id": ada["id"]})["manager_id"] == ada["id"]


def test_a_manager_must_exist(suite):
    with pytest.raises(Problem, match="unknown_reference"):
        given.user(suite, "Bob", manager_id=suite.tenant)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grants", {"sales.ordr": {"read": "all"}}),
        ("grants", {"sales.order": {"read": "everything"}}),
        ("grants", {"sales.order": "all"}),
        ("grants", {"sales.order": {"read": ["all"]}}),
        ("masks", {"sales.ordr": {"hidden": ["total"]}}),
        ("masks", {"sales.order": {"concealed": ["total"]}}),
        ("masks", {"sales.order": {"hidden": ["totl"]}}),
        ("masks", {"sales.order": {"hidden": "total"}}),
        ("masks", {"sales.order": {"hidden": [{}]}}),
    ],
)
def test_a_role_that_names_what_does_not_exist_is_refused(suite, field, value):
    with pytest.raises(Problem) as refused:
        suite.create("identity.role", {"name": "Odd", field: value})
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"].startswith(field)


def test_two_roles_never_share_a_name(suite):
    with pytest.raises(Problem, match="duplicate"):
        suite.create("identity.role", {"name": "salesperson"})


def test_a_user_may_do_what_any_of_his_roles_allows(suite):
    roles = [
        suite.create("identity.role", {"name": "Reader", "grants": {"sales.order": {"read": "all", "ship": "none"}}}),
        suite.create("identity.role", {"name": "Shipper", "grants": {"sales.order": {"read": "own", "ship": "team"}}}),
    ]
    user = given.user(suite, "Bob", role_ids=[role["id"] for role in roles])
    key = suite.create("identity.api-key", {"name": "Bob's", "user_id": user["id"]})
    grants = given.principal(suite, key["secret"])["grants"]
    assert grants["sales.order"]["read"] == "all"
    assert grants["sales.order"]["ship"] == "team"


def test_a_second_role_never_takes_away_what_the_first_one_gives(suite):
    names = ("Administrator", "Salesperson")
    role_ids = [suite.list("identity.role", ["name", "eq", name])[0]["id"] for name in names]
    user = given.user(suite, "Bob", role_ids=role_ids)
    key = suite.create("identity.api-key", {"name": "Bob's", "user_id": user["id"]})
    found = given.principal(suite, key["secret"])
    context = Context(tenant=suite.tenant, actor=found["actor"], grants=found["grants"])
    for record, action in (("sales.order", "read"), ("sales.order", "place"), ("identity.role", "update")):
        assert scope(context, record, action) == "all"


def test_somebody_without_roles_may_do_nothing(suite):
    user = given.user(suite, "Bob")
    key = suite.create("identity.api-key", {"name": "Bob's", "user_id": user["id"]})
    found = given.principal(suite, key["secret"])
    assert (found["grants"], found["masks"]) == ({}, {})


def test_a_deleted_role_grants_nothing_any_more(suite):
    role = suite.create("identity.role", {"name": "Reader", "grants": {"sales.order": {"read": "all"}}})
    user = given.user(suite, "Bob", role_ids=[role["id"]])
    key = suite.create("identity.api-key", {"name": "Bob's", "user_id": user["id"]})
    suite.call("identity", "record.delete", {"record": "identity.role", "id": role["id"]})
    assert given.principal(suite, key["secret"])["grants"] == {}


RECORDS, ACTIONS = ("a", "b", "*"), ("read", "update", "*")
GRANTS = st.dictionaries(
    st.sampled_from(RECORDS), st.dictionaries(st.sampled_from(ACTIONS), st.sampled_from(SCOPES), max_size=3), max_size=3
)


@settings(max_examples=300, deadline=None)
@drawn(st.lists(GRANTS, max_size=4))
def test_roles_together_allow_exactly_the_widest_of_each(several):
    merged = widest(several)
    for record, action in itertools.product(("a", "b", "c"), ("read", "update", "delete")):
        alone = [scope_in(grants, record, action) for grants in several]
        assert scope_in(merged, record, action) == max(alone, key=SCOPES.index, default="none")


def test_a_field_is_masked_only_when_every_role_masks_it():
    both = {"x": {"hidden": ["phone", "email"], "read_only": ["name"]}}
    one = {"x": {"hidden": ["phone"], "read_only": ["email", "name", "title"]}}
    assert lightest([both, one]) == {"x": {"hidden": ["phone"], "read_only": ["email", "name"]}}
    assert lightest([both, {}]) == {}
    assert lightest([both]) == {"x": {"hidden": ["email", "phone"], "read_only": ["name"]}}
    assert lightest([]) == {}


def test_a_masked_field_is_neither_shown_nor_written(suite):
    masks = {"identity.user": {"hidden": ["phone"], "read_only": ["title"]}}
    user = given.user(suite, "Bob", phone="+49 30 1", title="Clerk")
    context = suite.context(masks=masks)
    assert "phone" not in suite.get("identity.user", user["id"], context=context)
    for field in ("phone", "title"):
        with pytest.raises(Problem, match="field_read_only"):
            suite.update("identity.user", user["id"], {field: "x"}, context=context)
