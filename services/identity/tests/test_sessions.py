"""Signing in, staying signed in, and signing out."""

from __future__ import annotations

import pytest

from chassis.context import service_context
from chassis.errors import Problem
from services.identity.tests import given


@pytest.fixture
def suite(suite_of):
    suite = suite_of("identity")
    suite.slug = given.provisioned(suite)["slug"]
    return suite


def test_the_right_password_opens_a_session_as_that_user(suite):
    tokens = given.login(suite, suite.slug)
    found = given.principal(suite, tokens["access_token"])
    assert found["actor"] == f"user:{suite.user_id}"
    assert found["tenant"] == suite.tenant
    assert tokens["token_type"] == "Bearer" and tokens["expires_in"] > 0


def test_the_case_of_an_address_does_not_matter(suite):
    assert given.login(suite, suite.slug, given.EMAIL.upper())


def test_whoever_gets_tenant_address_or_password_wrong_is_told_the_same(suite_of, suite):
    elsewhere = suite_of("identity")
    other = given.provisioned(elsewhere, password="a password of another tenant")
    refusals = []
    for slug, email, password in (
        (suite.slug, given.EMAIL, "wrong password"),
        (suite.slug, "nobody@example.com", given.PASSWORD),
        ("no-such-tenant", given.EMAIL, given.PASSWORD),
        (other["slug"], given.EMAIL, given.PASSWORD),
    ):
        with pytest.raises(Problem) as refused:
            given.login(suite, slug, email, password)
        refusals.append(refused.value.document())
    assert all(one == refusals[0] for one in refusals)
    assert (refusals[0]["status"], refusals[0]["code"]) == (401, "wrong_credentials")


def test_somebody_without_a_password_cannot_sign_in(suite):
    given.user(suite, "Eve")
    with pytest.raises(Problem, match="wrong_credentials"):
        given.login(suite, suite.slug, "eve@example.com", "anything at all")


def test_somebody_inactive_cannot_sign_in_and_his_session_ends_at_once(suite):
    user = given.user(suite, "Bob")
    suite.run("identity.user", user["id"], "reset-password", {"password": "bob's own password"})
    tokens = given.login(suite, suite.slug, "bob@example.com", "bob's own password")
    assert suite.run("identity.user", user["id"], "deactivate")["status"] == "inactive"
    assert not given.opens(suite, tokens["access_token"])
    with pytest.raises(Problem, match="token_expired"):
        given.refresh(suite, tokens["refresh_token"])
    with pytest.raises(Problem, match="wrong_credentials"):
        given.login(suite, suite.slug, "bob@example.com", "bob's own password")
    suite.run("identity.user", user["id"], "activate")
    assert given.login(suite, suite.slug, "bob@example.com", "bob's own password")
    assert not given.opens(suite, tokens["access_token"])


def test_the_session_of_somebody_deleted_ends_at_once(suite):
    user = given.user(suite, "Bob")
    suite.run("identity.user", user["id"], "reset-password", {"password": "bob's own password"})
    tokens = given.login(suite, suite.slug, "bob@example.com", "bob's own password")
    suite.call("identity", "record.delete", {"record": "identity.user", "id": user["id"]})
    assert not given.opens(suite, tokens["access_token"])
    with pytest.raises(Problem, match="wrong_credentials"):
        given.login(suite, suite.slug, "bob@example.com", "bob's own password")


def test_nobody_is_deactivated_twice(suite):
    user = given.user(suite, "Bob")
    suite.run("identity.user", user["id"], "deactivate")
    with pytest.raises(Problem, match="wrong_state"):
        suite.run("identity.user", user["id"], "deactivate")


def test_an_access_token_ends_after_its_time(suite):
    tokens = given.login(suite, suite.slug)
    suite.clock.forward(seconds=tokens["expires_in"] - 1)
    assert given.opens(suite, tokens["access_token"])
    suite.clock.forward(seconds=2)
    assert not given.opens(suite, tokens["access_token"])


def test_a_refresh_gives_new_tokens_and_ends_the_old_ones(suite):
    first = given.login(suite, suite.slug)
    second = given.refresh(suite, first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"]
    assert given.opens(suite, second["access_token"])
    assert not given.opens(suite, first["access_token"])


def test_a_refresh_token_used_twice_ends_the_whole_session(suite):
    first = given.login(suite, suite.slug)
    second = given.refresh(suite, first["refresh_token"])
    with pytest.raises(Problem, match="token_reused"):
        given.refresh(suite, first["refresh_token"])
    assert not given.opens(suite, second["access_token"])
    with pytest.raises(Problem) as refused:
        given.refresh(suite, second["refresh_token"])
    assert refused.value.status == 401


def test_a_refresh_token_ends_after_its_time(suite):
    first = given.login(suite, suite.slug)
    suite.clock.forward(days=31)
    with pytest.raises(Problem, match="token_expired"):
        given.refresh(suite, first["refresh_token"])


def test_access_and_refresh_tokens_do_not_stand_in_for_each_other(suite):
    tokens = given.login(suite, suite.slug)
    assert not given.opens(suite, tokens["refresh_token"])
    with pytest.raises(Problem) as refused:
        given.refresh(suite, tokens["access_token"])
    assert refused.value.status == 401


def test_signing_out_ends_that_session_and_no_other(suite):
    here, there = given.login(suite, suite.slug), given.login(suite, suite.slug)
    suite.call("identity", "identity.logout", {"token": here["access_token"]})
    assert not given.opens(suite, here["access_token"])
    with pytest.raises(Problem):
        given.refresh(suite, here["refresh_token"])
    assert given.opens(suite, there["access_token"])
    assert given.refresh(suite, there["refresh_token"])


def test_a_new_password_ends_the_sessions_of_the_old_one_but_no_keys(suite):
    key = suite.create("identity.api-key", {"name": "Script", "user_id": suite.user_id})
    tokens = given.login(suite, suite.slug)
    suite.run("identity.user", suite.user_id, "reset-password", {"password": "quite another password"})
    assert not given.opens(suite, tokens["access_token"])
    assert given.opens(suite, key["secret"])
    with pytest.raises(Problem, match="wrong_credentials"):
        given.login(suite, suite.slug)
    assert given.login(suite, suite.slug, password="quite another password")


def test_a_short_password_is_refused(suite):
    with pytest.raises(Problem) as refused:
        suite.run("identity.user", suite.user_id, "reset-password", {"password": "short"})
    assert refused.value.status == 422


def test_only_the_gateway_asks_who_a_token_stands_for(suite):
    tokens = given.login(suite, suite.slug)
    for method, params in (
        ("identity.authenticate", {"token": tokens["access_token"]}),
        ("identity.refresh", {"refresh_token": tokens["refresh_token"]}),
        ("identity.login", {"tenant": suite.slug, "email": given.EMAIL, "password": given.PASSWORD}),
    ):
        with pytest.raises(Problem) as refused:
            suite.call("identity", method, params)
        assert refused.value.status == 403


def test_only_a_service_asks_what_a_user_may_do(suite):
    with pytest.raises(Problem) as refused:
        suite.call("identity", "identity.context_of", {"user_id": suite.user_id})
    assert refused.value.status == 403


def test_a_password_is_nowhere_in_the_records_of_a_user(suite):
    suite.run("identity.user", suite.user_id, "reset-password", {"password": "quite another password"})
    suite.settle()
    with suite.work("identity") as work:
        kept = work.sql("SELECT to_jsonb(c)::text FROM changes AS c WHERE tenant_id = %s", (work.tenant,)).scalars()
        assert not any("another password" in row or "argon2" in row for row in kept)
        hashed = work.sql("SELECT hash FROM passwords WHERE tenant_id = %s", (work.tenant,)).scalar_one()
        assert hashed.startswith("$argon2id$")


def test_me_shows_the_user_with_teams_roles_and_tenant(suite):
    team = suite.create("identity.team", {"name": "Field sales"})
    role = suite.list("identity.role", ["name", "eq", "Salesperson"])[0]
    user = given.user(suite, "Sam", member_of=[team["id"]], role_ids=[role["id"]], locale="zh")
    seen = suite.call("identity", "identity.me", {}, context=suite.context(user_id=user["id"], grants=role["grants"]))
    assert seen["user"]["email"] == "sam@example.com"
    assert seen["tenant"]["slug"] == suite.slug
    assert [one["name"] for one in seen["teams"]] == ["Field sales"]
    assert [one["name"] for one in seen["roles"]] == ["Salesperson"]
    assert (seen["grants"], seen["locale"]) == (role["grants"], "zh")


def test_a_service_has_no_profile(suite):
    with pytest.raises(Problem) as refused:
        suite.call("identity", "identity.me", {}, context=service_context("sales", suite.tenant, cause="request"))
    assert refused.value.status == 404


def test_everybody_of_a_tenant_has_its_days_wherever_he_is(suite_of):
    suite = suite_of("identity")
    slug = given.provisioned(suite, zone="Asia/Shanghai")["slug"]
    token = given.login(suite, slug)["access_token"]
    suite.update("identity.user", suite.user_id, {"zone": "America/New_York"})
    assert given.principal(suite, token)["zone"] == "Asia/Shanghai"


def test_a_zone_that_nobody_knows_is_refused(suite_of, suite):
    for write in (
        lambda: suite.update("identity.user", suite.user_id, {"zone": "Moon/Base"}),
        lambda: given.provisioned(suite_of("identity"), zone="Moon/Base"),
    ):
        with pytest.raises(Problem) as caught:
            write()
        assert (caught.value.status, caught.value.errors[0]["field"]) == (422, "zone")
