"""Tenants, people and the gateway that asks for them."""

from __future__ import annotations

from typing import Any

from chassis.context import Context
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite

JSON = dict[str, Any]
EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


def as_gateway() -> Context:
    """What the gateway signs before it knows who asks."""
    return Context(tenant=new_id(), actor="service:gateway")


def provisioned(suite: Suite, **params: Any) -> JSON:
    """A tenant with its administrator, whom the suite then acts as."""
    given = {"slug": f"t-{new_id()[-12:]}", "name": "Tea trade", "email": EMAIL, "password": PASSWORD, **params}
    made = provision(suite, given)
    suite.tenant, suite.user_id = made["tenant_id"], made["user_id"]
    return {**made, "slug": given["slug"]}


def provision(suite: Suite, params: JSON) -> JSON:
    operator = Context(tenant=new_id(), actor="service:operator")
    made: JSON = suite.call("identity", "identity.provision", params, context=operator)
    return made


def login(suite: Suite, slug: str, email: str = EMAIL, password: str = PASSWORD) -> JSON:
    params = {"tenant": slug, "email": email, "password": password}
    tokens: JSON = suite.call("identity", "identity.login", params, context=as_gateway())
    return tokens


def refresh(suite: Suite, token: str) -> JSON:
    tokens: JSON = suite.call("identity", "identity.refresh", {"refresh_token": token}, context=as_gateway())
    return tokens


def principal(suite: Suite, token: str) -> JSON:
    """Who the token stands for."""
    found: JSON = suite.call("identity", "identity.authenticate", {"token": token}, context=as_gateway())
    return found


def opens(suite: Suite, token: str) -> bool:
    """Whether the token still stands for somebody."""
    try:
        principal(suite, token)
    except Problem as problem:
        if problem.status != 401:
            raise
        return False
    return True


def user(suite: Suite, name: str, **fields: Any) -> JSON:
    return suite.create("identity.user", {"name": name, "email": f"{name.lower()}@example.com", **fields})
