"""API keys: shown once, revoked at once."""

from __future__ import annotations

import orjson
import pytest

from chassis.errors import Problem
from services.identity.tests import given


@pytest.fixture
def suite(suite_of):
    suite = suite_of("identity")
    given.provisioned(suite)
    return suite


def new_key(suite, **options):
    data = {"name": "Connector", "user_id": suite.user_id, **options.pop("data", {})}
    return suite.create("identity.api-key", data, **options)


def test_a_key_acts_as_its_user(suite):
    key = new_key(suite)
    assert key["secret"].startswith("gx_")
    found = given.principal(suite, key["secret"])
    assert (found["actor"], found["user_id"]) == (f"key:{key['id']}", suite.user_id)


def test_a_secret_is_in_the_answer_that_made_it_and_nowhere_else(suite):
    key = new_key(suite, key="once")
    secret = key["secret"]
    suite.settle()
    ask = {"record": "identity.api-key", "id": key["id"]}
    seen = [
        suite.get("identity.api-key", key["id"]),
        suite.list("identity.api-key"),
        suite.call("identity", "record.history", {**ask, "limit": 50, "after": None}),
        suite.events(),
        new_key(suite, key="once"),
    ]
    assert seen[-1]["id"] == key["id"]
    assert secret not in orjson.dumps(seen).decode()
    with suite.work("identity") as work:
        tables = work.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").scalars()
        for table in {"changes", "idempotency", "api_keys", "secrets", "external_ids"} & set(tables):
            rows = work.sql(f"SELECT to_jsonb(t)::text FROM {table} AS t").scalars()
            assert rows or table == "external_ids"
            assert not any(secret in row for row in rows), table


def test_a_deleted_key_stops_at_once(suite):
    key = new_key(suite)
    suite.call("identity", "record.delete", {"record": "identity.api-key", "id": key["id"]})
    assert not given.opens(suite, key["secret"])


def test_the_key_of_somebody_deactivated_stops_at_once(suite):
    user = given.user(suite, "Bob")
    key = new_key(suite, data={"user_id": user["id"]})
    assert given.opens(suite, key["secret"])
    suite.run("identity.user", user["id"], "deactivate")
    assert not given.opens(suite, key["secret"])


def test_somebody_whose_key_still_opens_is_not_deleted(suite):
    user = given.user(suite, "Bob")
    key = new_key(suite, data={"user_id": user["id"]})
    with pytest.raises(Problem, match="referenced"):
        suite.call("identity", "record.delete", {"record": "identity.user", "id": user["id"]})
    suite.call("identity", "record.delete", {"record": "identity.api-key", "id": key["id"]})
    assert suite.call("identity", "record.delete", {"record": "identity.user", "id": user["id"]}) is None


def test_a_key_ends_when_it_expires(suite):
    ends = (suite.clock.now().replace(microsecond=0)).isoformat().replace("+00:00", "Z")
    suite.clock.forward(hours=-1)
    key = new_key(suite, data={"expires_at": ends})
    assert given.opens(suite, key["secret"])
    suite.clock.forward(hours=2)
    with pytest.raises(Problem, match="token_expired"):
        given.principal(suite, key["secret"])


def test_moving_the_end_of_a_key_counts_at_once(suite):
    key = new_key(suite)
    suite.update("identity.api-key", key["id"], {"expires_at": "2020-01-01T00:00:00Z"})
    assert not given.opens(suite, key["secret"])
    suite.update("identity.api-key", key["id"], {"expires_at": "2999-01-01T00:00:00Z"})
    assert given.opens(suite, key["secret"])


def test_a_key_for_somebody_else_needs_the_right_to_manage_users(suite):
    user = given.user(suite, "Bob")
    limited = {"identity.api-key": {"*": "own"}, "identity.user": {"read": "all", "update": "own"}}
    with pytest.raises(Problem) as refused:
        new_key(suite, data={"user_id": user["id"]}, context=suite.context(grants=limited))
    assert refused.value.status == 403
    assert new_key(suite, context=suite.context(grants=limited))["user_id"] == suite.user_id
    manager = {**limited, "identity.user": {"update": "all"}}
    assert new_key(suite, data={"user_id": user["id"]}, context=suite.context(grants=manager))


def test_a_key_never_changes_its_user(suite):
    user = given.user(suite, "Bob")
    key = new_key(suite)
    with pytest.raises(Problem) as refused:
        suite.update("identity.api-key", key["id"], {"user_id": user["id"]})
    assert refused.value.status == 422


def test_nobody_chooses_the_secret_of_a_key(suite):
    with pytest.raises(Problem) as refused:
        new_key(suite, data={"secret": "gx_known"})
    assert refused.value.status == 422
