"""The edge of every route: security headers on all answers, origins by a list, and a token for all but a few."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.registry import registry
from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import ORIGIN, Answer, World

ID = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
# What nobody needs to be signed in for. A route that is added here opens a door: say why in its own change.
PUBLIC = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/asyncapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/{asset}"),
    ("POST", "/v1/auth/login"),
    ("POST", "/v1/auth/refresh"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _routes(world: World) -> Iterator[tuple[str, str]]:
    for template, methods in sorted(world.routes().items()):
        for method in sorted(methods & set(METHODS)):
            yield method, template


def _path(template: str) -> str:
    filled = template.replace("{id}", ID).replace("{system}", "erp").replace("{key}", "1")
    return filled.replace("{collection}", "orders").replace("{asset}", "init.js")


def assert_hardened(answer: Answer, *, page: bool = False, kept: bool = False) -> None:
    """The headers of every answer; a `page` may load its own scripts, a `kept` document may be revalidated."""
    headers = answer.headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, policy
    assert "unsafe" not in policy and "*" not in policy and "http" not in policy, policy
    assert page or "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["permissions-policy"]
    assert headers["cache-control"] == ("no-cache" if kept else "private, no-store")
    assert int(headers["strict-transport-security"].split("max-age=")[1].split(";")[0]) >= 31_536_000
    assert headers["x-correlation-id"]
    assert not {"server", "x-powered-by", "set-cookie", "access-control-allow-origin"} & set(headers)


def test_every_route_answers_with_security_headers(world: World, shop: Shop) -> None:
    """Signed in, not signed in, and with a body that nobody can read."""
    with world.untouched():
        for method, template in _routes(world):
            path = _path(template)
            if path == "/v1/events/stream":
                continue
            for answer in (
                shop.api.send(method, path, raw=b"{" if method != "GET" else None),
                world.api(None).send(method, path, raw=b"{" if method != "GET" else None),
            ):
                good = answer.status < 300 and not template.startswith("/v1")
                kept = good and template.startswith(("/docs", "/openapi", "/asyncapi"))
                assert_hardened(answer, page=template.startswith("/docs") and good, kept=kept)
                assert answer.status < 500, (method, path, str(answer))


def test_faults_of_any_kind_have_the_same_headers(world: World, shop: Shop) -> None:
    odd = {"Accept": "text/html", "Host": "evil.example"}
    with world.untouched():
        for method, path, status in (
            ("GET", "/nowhere", 404),
            ("GET", "/docs/../../etc/passwd", 404),
            ("GET", "/docs/%2e%2e%2fsettings.py", 404),
            ("PATCH", "/livez", 405),
            ("POST", "/v1/orders", 400),
        ):
            answer = shop.api.send(method, path, raw=b"{" if method == "POST" else None)
            assert answer.status == status
            assert_hardened(answer)
        assert_hardened(shop.api.send("GET", "/v1/me", headers=odd))


def test_every_route_needs_a_token_but_the_public_ones(world: World) -> None:
    nobody, seen = world.api(None), set()
    with world.untouched():
        for method, template in _routes(world):
            answer = nobody.send(method, _path(template), {} if method != "GET" else None)
            if (method, template) in PUBLIC:
                seen.add((method, template))
                assert answer.status != 401 or answer.body["code"] != "unauthenticated", str(answer)
            else:
                assert_refused(answer, 401, "unauthenticated")
                assert answer.headers["www-authenticate"] == "Bearer"
    assert seen == PUBLIC


def test_every_collection_and_command_is_among_the_routes(world: World) -> None:
    routes = world.routes()
    for record in registry.collections.values():
        assert f"/v1/{record.collection}" in routes
    for command in registry.commands.values():
        assert "POST" in routes[f"/v1/{command.on.collection}/{{id}}/{command.verb}"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        f"{ORIGIN}.evil.example",
        ORIGIN.upper(),
        ORIGIN.replace("https", "http"),
        "*",
        "",
    ],
)
def test_a_foreign_origin_reads_nothing(shop: Shop, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "DELETE"}
    for answer in (
        shop.api.send("GET", "/v1/me", headers={"Origin": origin}),
        shop.api.send("GET", "/v1/nowhere", headers={"Origin": origin}),
        shop.api.send("OPTIONS", "/v1/orders", headers=asked),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control-")], answer.headers
        assert "Origin" in answer.headers["vary"].split(", ")
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_listed_origin_is_named_and_gets_no_credentials(shop: Shop) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    for answer in (
        shop.api.send("GET", "/v1/me", headers={"Origin": ORIGIN}),
        shop.api.send("GET", "/v1/orders?colour=red", headers={"Origin": ORIGIN}),
        shop.api.send("OPTIONS", "/v1/orders", headers=asked),
    ):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"].split(", ")
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("method", ["TRACE", "HEAD"])
def test_methods_that_nobody_declared_are_refused(world: World, shop: Shop, method: str) -> None:
    with world.untouched():
        for path in ("/v1/orders", "/v1/me", "/livez"):
            assert shop.api.send(method, path).status in (400, 405)
