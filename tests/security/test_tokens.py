"""Who is let in: tokens that were issued, that have not ended, each for what it is meant for."""

from __future__ import annotations

from collections.abc import Callable

import jwt
import pytest

from chassis.ids import new_id
from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import World

CLAIMS = {"actor": "service:gateway", "grants": {"*": {"*": "all"}}}
# Each is made from a token that opens everything.
TOKENS: dict[str, Callable[[str, Shop], str | None]] = {
    "no header": lambda token, shop: None,
    "no token": lambda token, shop: "Bearer",
    "an empty token": lambda token, shop: "Bearer  ",
    "another scheme": lambda token, shop: f"Basic {token}",
    "no scheme": lambda token, shop: token,
    "an unknown key": lambda token, shop: "Bearer gx_" + "0" * 43,
    "a character more": lambda token, shop: f"Bearer {token}x",
    "a character less": lambda token, shop: f"Bearer {token[:-1]}",
    "other capitals": lambda token, shop: f"Bearer {token.swapcase()}",
    "two tokens": lambda token, shop: f"Bearer {token}, Bearer {token}",
    "a token of 301 characters": lambda token, shop: "Bearer " + "x" * 301,
    "a token of 5,000 characters": lambda token, shop: "Bearer " + "x" * 5000,
    "full-width letters": lambda token, shop: "Bearer ｇｘ",
    "SQL": lambda token, shop: "Bearer '--",
    "an unsigned JWT": lambda token, shop: f"Bearer {jwt.encode(CLAIMS, None, algorithm='none')}",
    "a JWT signed by somebody": lambda token, shop: f"Bearer {jwt.encode(CLAIMS, 'x' * 32, algorithm='HS256')}",
    "a context of the bus": lambda token, shop: f"Bearer {shop.world.suite.signer.sign(shop.world.suite.context())}",
}


@pytest.mark.parametrize("name", TOKENS)
def test_only_a_token_that_was_issued_opens_anything(world: World, shop: Shop, name: str) -> None:
    header = TOKENS[name](str(shop.api.token), shop)
    headers = {} if header is None else {"Authorization": header}
    nobody = world.api(None)
    with world.untouched():
        for method, path, body in (
            ("GET", "/v1/me", None),
            ("GET", f"/v1/accounts?access_token={shop.api.token}", None),
            ("POST", "/v1/accounts", {"name": "a"}),
            ("DELETE", f"/v1/accounts/{shop.account['id']}", None),
        ):
            answer = nobody.send(method, path, body, headers=headers)
            assert_refused(answer, 401, "unauthenticated")
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_that_expired_or_was_deleted_opens_nothing(world: World, shop: Shop) -> None:
    _, expired = shop.key(shop.tenant.user_id, expires_at="2020-01-01T00:00:00Z")
    gone_id, gone = shop.key(shop.tenant.user_id)
    assert shop.api.send("DELETE", f"/v1/api-keys/{gone_id}").status == 204
    world.settle()
    with world.untouched():
        assert_refused(expired.send("POST", "/v1/accounts", {"name": "a"}), 401, "token_expired")
        assert_refused(gone.send("POST", "/v1/accounts", {"name": "a"}), 401, "unauthenticated")


def test_a_refresh_token_is_no_access_token_and_serves_once(world: World, shop: Shop) -> None:
    nobody = world.api(None)
    login = {"tenant": shop.tenant.slug, "email": "admin@tea.example", "password": "a password of the tests"}
    tokens = nobody.post("/v1/auth/login", login)
    with world.untouched():
        assert_refused(world.api(tokens["refresh_token"]).send("GET", "/v1/me"), 401, "unauthenticated")
    once = {"refresh_token": tokens["refresh_token"]}
    later = nobody.post("/v1/auth/refresh", once)
    assert world.api(later["access_token"]).send("GET", "/v1/me").status == 200
    assert_refused(nobody.send("POST", "/v1/auth/refresh", once), 401, "token_reused")
    # Whoever holds the stolen token's children loses them, too.
    assert_refused(
        nobody.send("POST", "/v1/auth/refresh", {"refresh_token": later["refresh_token"]}), 401, "token_expired"
    )


def test_wrong_credentials_are_told_apart_by_nothing_and_run_out(world: World, shop: Shop) -> None:
    nobody = world.api(None)
    right = {"tenant": shop.tenant.slug, "email": f"{new_id()}@tea.example", "password": "wrong password"}
    with world.untouched():
        told = [
            nobody.send("POST", "/v1/auth/login", right | change).told
            for change in ({}, {"email": "admin@tea.example"}, {"tenant": "nobody"}, {"tenant": "' OR ''='"})
        ]
        assert all(one == told[0] and one["code"] == "wrong_credentials" for one in told)
        answers = [nobody.send("POST", "/v1/auth/login", right) for _ in range(6)]
        assert_refused(answers[-1], 429, "too_many_attempts")
        assert int(answers[-1].headers["retry-after"]) >= 1
