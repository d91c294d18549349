"""New tenants: made once, whole, and separate from every other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import ProgrammingError

from chassis.database import Scope
from chassis.errors import Problem
from services.identity.tests import given


def test_a_tenant_starts_with_roles_an_administrator_and_a_key(suite_of):
    suite = suite_of("identity")
    made = given.provisioned(suite)
    roles = {role["name"] for role in suite.list("identity.role")}
    assert roles >= {"Administrator", "Sales manager", "Salesperson", "Warehouse", "Accountant"}
    found = given.principal(suite, made["api_key"])
    assert (found["tenant"], found["user_id"]) == (made["tenant_id"], made["user_id"])
    assert found["grants"] == {"*": {"*": "all"}}
    suite.settle()
    assert [event["data"]["slug"] for event in suite.events("identity.tenant.created")] == [made["slug"]]


def test_provisioning_the_same_short_name_again_finds_the_tenant_and_changes_nothing(suite_of):
    suite = suite_of("identity")
    made = given.provisioned(suite)
    other = {"slug": made["slug"], "name": "Other", "email": "other@example.com", "password": "another long password"}
    assert given.provision(suite, other) == {"tenant_id": made["tenant_id"], "created": False}
    assert [user["email"] for user in suite.list("identity.user")] == [given.EMAIL]
    with pytest.raises(Problem, match="wrong_credentials"):
        given.login(suite, made["slug"], "other@example.com", "another long password")


def test_two_who_provision_one_short_name_at_once_get_the_same_tenant(suite_of):
    suite = suite_of("identity")
    params = {"slug": f"race-{suite.tenant[-12:]}", "name": "Race", "email": "a@example.com", "password": "p" * 12}
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: given.provision(suite, params), range(4)))
    assert len({one["tenant_id"] for one in made}) == 1
    assert [one["created"] for one in made].count(True) == 1


def test_only_an_operator_provisions(suite_of):
    suite = suite_of("identity")
    params = {"slug": "mine", "name": "Mine", "email": "a@example.com", "password": "p" * 12}
    with pytest.raises(Problem) as refused:
        suite.call("identity", "identity.provision", params)
    assert refused.value.status == 403


@pytest.mark.parametrize("missing", ["slug", "name", "email", "password"])
def test_a_tenant_needs_its_name_and_its_administrator(suite_of, missing):
    suite = suite_of("identity")
    params = {"slug": f"x-{suite.tenant[-12:]}", "name": "Mine", "email": "a@example.com", "password": "p" * 12}
    with pytest.raises(Problem) as refused:
        given.provision(suite, {**params, missing: None})
    assert refused.value.status == 422


def test_a_tenant_never_sees_the_people_of_another(suite_of):
    suite = suite_of("identity")
    first = given.provisioned(suite)
    given.provisioned(suite)
    with pytest.raises(Problem) as refused:
        suite.get("identity.user", first["user_id"])
    assert refused.value.status == 404
    assert [user["id"] for user in suite.list("identity.user")] == [suite.user_id]


@pytest.mark.parametrize("table", ["users", "passwords", "roles", "teams", "api_keys", "external_ids"])
def test_the_operations_role_cannot_read_people(suite_of, table):
    suite = suite_of("identity")
    with suite.runtime("identity").database.operations() as connection:
        scoped = connection.execution_options(scope=Scope(suite.tenant, each=True))
        with pytest.raises(ProgrammingError, match="permission denied"):
            scoped.exec_driver_sql(f"SELECT 1 FROM {table}")


@pytest.mark.parametrize("table", ["tenants", "secrets", "unsent", "inbox", "sagas", "timers"])
def test_the_operations_role_reads_what_delivery_and_sign_in_need(suite_of, table):
    suite = suite_of("identity")
    with suite.runtime("identity").database.operations() as connection:
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() >= 0
