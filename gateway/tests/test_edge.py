"""What is true of every answer, and what happens when the bus or a service fails."""

from __future__ import annotations

import re

import pytest

from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.errors import Problem, unavailable
from gateway.settings import Settings
from gateway.tests.conftest import ID

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"/v1/accounts/{ID}", 200),
        ("GET", "/livez", 200),
        ("GET", "/metrics", 200),
        ("GET", "/docs", 200),
        ("GET", "/docs/init.js", 200),
        ("GET", "/docs/nothing.js", 404),
        ("GET", "/nowhere", 404),
        ("PUT", "/v1/accounts", 405),
        ("POST", "/v1/accounts", 415),
        ("OPTIONS", "/v1/accounts", 200),
        ("GET", "/v1/payments/7", 404),
    ],
)
def test_every_answer_has_the_security_headers(make, method, path, status):
    answer = make(https=True).simulate_request(method, path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert int(re.search(r"max-age=(\d+)", answer.headers["Strict-Transport-Security"])[1]) >= 31_536_000
    assert "Server" not in answer.headers
    assert answer.headers["X-Correlation-Id"]


def test_without_https_browsers_are_not_told_to_insist_on_it(client):
    assert "Strict-Transport-Security" not in client.simulate_get("/livez").headers


def test_an_unknown_route_is_a_problem(client):
    answer = client.simulate_get("/v1/unicorns")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_wrong_method_is_a_problem_that_lists_the_right_ones(client):
    answer = client.simulate_delete("/v1/accounts")
    assert (answer.status_code, answer.json["code"]) == (405, "method_not_allowed")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


def test_read_only_collections_have_no_writes(client):
    assert client.simulate_post("/v1/stock-levels", json={}).status_code == 405
    assert client.simulate_delete(f"/v1/payments/{ID}").status_code == 405


def test_method_override_headers_do_nothing(client, bus):
    client.simulate_get(f"/v1/accounts/{ID}", headers={"X-HTTP-Method-Override": "DELETE"})
    assert bus.last["method"] == "record.get"


def test_without_the_bus_the_answer_is_503_with_retry_after(client, bus):
    bus.answers["record.create"] = BusUnavailable("amqp://secret@broker")
    answer = client.simulate_post("/v1/accounts", json={"name": "x"})
    assert (answer.status_code, answer.json["code"], answer.headers["Retry-After"]) == (503, "unavailable", "2")
    assert "secret" not in answer.text


def test_an_unknown_outcome_is_504_and_names_the_way_out(client, bus):
    bus.answers["record.create"] = OutcomeUnknown("no reply")
    answer = client.simulate_post("/v1/accounts", json={"name": "x"})
    assert (answer.status_code, answer.json["code"]) == (504, "outcome_unknown")
    assert "same Idempotency-Key" in answer.json["detail"]


def test_a_service_that_names_a_waiting_time_has_it_in_the_header(client, bus):
    bus.answers["record.get"] = unavailable("Later.", retry_after=7)
    assert client.simulate_get(f"/v1/accounts/{ID}").headers["Retry-After"] == "7"


def test_a_fault_is_500_without_its_inside_and_logged_with_the_correlation_id(client, bus, caplog):
    bus.answers["record.get"] = RuntimeError("password=hunter2")
    answer = client.simulate_get(f"/v1/accounts/{ID}", headers={"X-Correlation-Id": "my-request-1"})
    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert answer.json["correlation_id"] == "my-request-1"
    assert "hunter2" not in answer.text
    assert "my-request-1" in caplog.text


def test_a_service_with_another_context_key_is_a_fault_of_the_installation_not_of_the_caller(client, bus):
    bus.answers["record.get"] = Problem(401, "context_refused", "Not signed here.")
    assert client.simulate_get(f"/v1/accounts/{ID}").status_code == 500


@pytest.mark.parametrize("header", ["X-Correlation-Id", "X-Request-Id"])
def test_a_harmless_correlation_id_is_kept_and_passed_on(client, bus, context_of, header):
    answer = client.simulate_get("/v1/me", headers={header: "order-import-7"})
    assert answer.headers["X-Correlation-Id"] == "order-import-7"
    assert context_of(bus.last).correlation_id == "order-import-7"


@pytest.mark.parametrize("given", ["short", "x" * 129, "with space", "a\tb-line-forged"])
def test_any_other_correlation_id_is_replaced_by_a_uuid7(client, given):
    made = client.simulate_get("/v1/me", headers={"X-Correlation-Id": given}).headers["X-Correlation-Id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "passed"),
    [(TRACE, TRACE), ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", ""), (TRACE.replace("00-", "ff-", 1), ""), ("x", "")],
)
def test_only_a_valid_traceparent_is_passed_on(client, bus, context_of, given, passed):
    client.simulate_get("/v1/me", headers={"traceparent": given})
    assert context_of(bus.last).traceparent == passed


def test_a_listed_origin_may_read_answers_and_ask_before(make, bus):
    client = make(cors_origins=("https://app.example",))
    answer = client.simulate_get("/v1/me", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Origin" in answer.headers["Vary"]
    asked = len(bus.requests)
    preflight = client.simulate_options(
        "/v1/accounts", headers={"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}
    )
    assert preflight.status_code == 204
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    assert len(bus.requests) == asked


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.example.evil.example"])
def test_no_other_origin_may(make, origin):
    client = make(cors_origins=("https://app.example",))
    for answer in (
        client.simulate_get("/v1/me", headers={"Origin": origin}),
        client.simulate_options("/v1/me", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_errors_too_can_be_read_by_a_listed_origin(make):
    answer = make(cors_origins=("https://app.example",)).simulate_get("/x", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_only_listed_hosts_are_served_but_probes_come_by_address(make):
    client = make(allowed_hosts=("crm.example",))
    assert client.simulate_get("/v1/me", host="CRM.example").status_code == 200
    answer = client.simulate_get("/v1/me", host="evil.example")
    assert (answer.status_code, answer.json["code"]) == (421, "unknown_host")
    assert client.simulate_get("/livez", host="10.0.0.7").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [{"cors_origins": ("*",)}, {"request_timeout": 10.0}, {"request_timeout": 0.0}, {"principal_seconds": 6.0}],
)
def test_settings_that_break_a_promise_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
