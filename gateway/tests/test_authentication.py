"""Who gets in, for how long they are believed, and how guessing is slowed down."""

from __future__ import annotations

import time

import falcon.inspect
import pytest

from chassis.bus.ports import BusUnavailable
from chassis.errors import Problem
from gateway.tests.conftest import ID, PRINCIPAL, TOKEN, USER

PUBLIC = {
    "/livez", "/readyz", "/metrics", "/openapi.json", "/asyncapi.json", "/docs", "/docs/{asset}",
    "/v1/auth/login", "/v1/auth/refresh",
}  # fmt: skip
CREDENTIALS = {"tenant": "northwind", "email": "nancy@example.com", "password": "correct horse battery"}


def test_every_other_route_asks_who_is_there(make, bus):
    client = make(token=None)
    asked = 0
    for route in falcon.inspect.inspect_routes(client.app):
        path = route.path.replace("{id}", ID).replace("{collection}", "orders")
        for method in route.methods:
            if method.internal or route.path in PUBLIC:
                continue
            answer = client.simulate_request(method.method, path, json={})
            assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated"), (method.method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            asked += 1
    assert asked > 200
    assert not bus.requests


@pytest.mark.parametrize("path", ["/v1/accounts/7", "/v1/accounts?colour=red", "/v1/unheard/of"])
def test_nobody_learns_anything_before_signing_in(make, path):
    answer = make(token=None).simulate_get(path)
    assert answer.status_code == (404 if "unheard" in path else 401)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Bearer " + "x" * 4097, "Bearer tökén", TOKEN]
)
def test_a_header_that_is_no_bearer_token_is_401_and_asks_nobody(make, bus, header):
    answer = make(token=None).simulate_get("/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert not bus.requests


@pytest.mark.parametrize("code", ["token_expired", "unauthenticated"])
def test_what_identity_says_of_a_token_is_what_the_caller_hears(client, bus, code):
    bus.answers["identity.authenticate"] = Problem(401, code, "No.")
    answer = client.simulate_get("/v1/me")
    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_scheme_is_written_in_any_case(make):
    assert make(token=None).simulate_get("/v1/me", headers={"Authorization": f"bEARER {TOKEN}"}).status_code == 200


def test_the_context_carries_the_principal_and_a_deadline_within_ten_seconds(client, bus, context_of):
    before = time.time()
    client.simulate_get(f"/v1/accounts/{ID}")
    context = context_of(bus.last)
    assert (context.tenant, context.actor, context.user_id) == ("northwind", f"user:{USER}", USER)
    assert context.teams == tuple(PRINCIPAL["teams"])
    assert (context.grants, context.masks) == (PRINCIPAL["grants"], PRINCIPAL["masks"])
    assert (context.zone, context.cause) == ("Asia/Shanghai", "request")
    assert before + 7.5 < context.deadline <= time.time() + 8.0
    assert 0 < bus.asked()[0][2] <= 8.0


def test_the_gateway_asks_identity_in_its_own_name(client, bus, context_of):
    client.simulate_get("/v1/me")
    service, request, _ = bus.asked("identity.authenticate")[0]
    assert (service, request["params"]) == ("identity", {"token": TOKEN})
    context = context_of(request)
    assert (context.actor, context.tenant, context.grants) == ("service:gateway", "", {})


def test_a_principal_is_believed_for_five_seconds_and_no_longer(client, bus, clock):
    client.simulate_get("/v1/me")
    clock.now += 4.9
    client.simulate_get("/v1/me")
    assert len(bus.asked("identity.authenticate")) == 1
    clock.now += 0.2
    bus.answers["identity.authenticate"] = Problem(401, "unauthenticated", "Signed out.")
    assert client.simulate_get("/v1/me").status_code == 401


def test_a_refused_token_is_asked_about_again(client, bus):
    bus.answers["identity.authenticate"] = Problem(401, "unauthenticated", "No.")
    client.simulate_get("/v1/me")
    client.simulate_get("/v1/me")
    assert len(bus.asked("identity.authenticate")) == 2


def test_only_so_many_principals_are_remembered_the_latest_used_first(make, bus):
    client = make(token=None, principals_cached=2)
    for token in ("a", "b", "a", "c", "a", "b"):
        client.simulate_get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert [request["params"]["token"] for _, request, _ in bus.asked("identity.authenticate")] == ["a", "b", "c", "b"]


def test_a_logout_counts_here_at_once(client, bus):
    bus.answers["identity.logout"] = {"status": 204, "body": None}
    assert client.simulate_post("/v1/auth/logout").status_code == 204
    bus.answers["identity.authenticate"] = Problem(401, "unauthenticated", "Signed out.")
    assert client.simulate_get("/v1/me").status_code == 401


def test_signing_in_needs_no_token_and_passes_the_credentials_on(make, bus, context_of):
    tokens = {"access_token": "a", "token_type": "Bearer", "expires_in": 600, "refresh_token": "r"}
    bus.answers["identity.login"] = {"status": 200, "body": tokens}
    answer = make(token=None).simulate_post("/v1/auth/login", json=CREDENTIALS)
    assert (answer.status_code, answer.json) == (200, tokens)
    assert bus.last["params"] == CREDENTIALS
    assert context_of(bus.last).actor == "service:gateway"


@pytest.mark.parametrize(
    "body", [{}, {**CREDENTIALS, "otp": "1"}, {**CREDENTIALS, "password": 7}, {**CREDENTIALS, "email": ""}, []]
)
def test_credentials_of_another_shape_are_422_and_no_attempt(make, bus, body):
    assert make(token=None).simulate_post("/v1/auth/login", json=body).status_code == 422
    assert not bus.requests


REFUSED = Problem(401, "invalid_credentials", "Wrong tenant, e-mail or password.")


def test_the_sixth_failing_login_within_a_minute_is_429_and_asks_nobody(make, bus):
    client = make(token=None)
    bus.answers["identity.login"] = REFUSED
    for _ in range(5):
        assert client.simulate_post("/v1/auth/login", json=CREDENTIALS).status_code == 401
    answer = client.simulate_post("/v1/auth/login", json={**CREDENTIALS, "email": "Nancy@Example.com"})
    assert (answer.status_code, answer.json["code"]) == (429, "too_many_attempts")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(bus.requests) == 5


def test_another_account_and_another_address_still_get_in(make, bus):
    client = make(token=None)
    bus.answers["identity.login"] = REFUSED
    for _ in range(6):
        client.simulate_post("/v1/auth/login", json=CREDENTIALS)
    bus.answers["identity.login"] = {"status": 200, "body": {}}
    other = {**CREDENTIALS, "email": "janet@example.com"}
    assert client.simulate_post("/v1/auth/login", json=other).status_code == 200
    assert client.simulate_post("/v1/auth/login", json=CREDENTIALS, remote_addr="10.0.0.9").status_code == 200
    assert client.simulate_post("/v1/auth/login", json=CREDENTIALS).status_code == 429


def test_a_success_ends_the_counting(make, bus):
    client = make(token=None)
    for outcome in (*[REFUSED] * 4, {"status": 200, "body": {}}, *[REFUSED] * 5):
        bus.answers["identity.login"] = outcome
        assert client.simulate_post("/v1/auth/login", json=CREDENTIALS).status_code != 429


def test_a_broken_bus_is_no_wrong_password(make, bus):
    client = make(token=None)
    bus.answers["identity.login"] = BusUnavailable()
    assert {client.simulate_post("/v1/auth/login", json=CREDENTIALS).status_code for _ in range(8)} == {503}


def test_a_refresh_token_cannot_be_hammered_either(make, bus):
    client = make(token=None)
    bus.answers["identity.refresh"] = REFUSED
    statuses = [client.simulate_post("/v1/auth/refresh", json={"refresh_token": "r"}).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]


@pytest.mark.parametrize(("proxies", "status"), [(0, 429), (1, 200)])
def test_forwarded_addresses_count_only_from_trusted_proxies(make, bus, proxies, status):
    client = make(token=None, trusted_proxies=proxies)
    bus.answers["identity.login"] = REFUSED
    for _ in range(5):
        client.simulate_post("/v1/auth/login", json=CREDENTIALS, headers={"X-Forwarded-For": "6.6.6.6, 1.1.1.1"})
    bus.answers["identity.login"] = {"status": 200, "body": {}}
    answer = client.simulate_post("/v1/auth/login", json=CREDENTIALS, headers={"X-Forwarded-For": "6.6.6.6, 2.2.2.2"})
    assert answer.status_code == status
