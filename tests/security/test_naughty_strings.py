"""The big list of naughty strings through a name: each comes back unchanged, or is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import World

CORPUS = Path(os.environ.get("GUANXI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = CORPUS / "import-naughty-strings" / "blns.json"


@pytest.fixture(scope="module")
def strings() -> list[str]:
    if not FILE.exists():
        pytest.skip(f"NOT CHECKED: the corpus of naughty strings is not at {FILE}; set GUANXI_SHARED_DATA")
    found: list[str] = orjson.loads(FILE.read_bytes())
    assert len(found) > 500
    return found


@pytest.mark.timeout(600)
def test_naughty_names_come_back_unchanged_or_are_refused(world: World, shop: Shop, strings: list[str]) -> None:
    """In the answer, in a read, in history, in the feed, in a filter and in search alike."""
    taken: dict[str, str] = {}
    for text in strings:
        answer = shop.api.send("POST", "/v1/accounts", {"name": text})
        if answer.status == 201:
            assert answer.body["name"] == text
            taken[answer.body["id"]] = text
        else:
            assert_refused(answer, 422, "invalid", "name")
            assert not text.strip() or len(text) > 200 or any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
    assert len(taken) > 480
    world.settle()
    assert world.suite.dead() == []
    listed = {item["id"]: item["name"] for item in shop.api.all("/v1/accounts")}
    fed = {event["data"]["id"]: event["data"]["name"] for event in _events(shop) if event["type"] == CREATED}
    for record_id, text in taken.items():
        assert shop.api.get(f"/v1/accounts/{record_id}")["name"] == text
        assert listed[record_id] == text and fed[record_id] == text
    for text in set(taken.values()):
        _assert_understood(shop, text, {record_id for record_id, name in taken.items() if name == text})


CREATED = "customer.account.created"


def _events(shop: Shop) -> list[dict]:  # type: ignore[type-arg]
    events, after = [], 0
    while page := shop.api.get(f"/v1/events?limit=500&types={CREATED}&after={after}"):
        if not page["items"]:
            return events
        events += page["items"]
        after = page["next"]
    return events


def _assert_understood(shop: Shop, text: str, ids: set[str]) -> None:
    tree = {"filter": {"field": "name", "value": text}, "limit": 200}
    found = {item["id"] for item in shop.api.post("/v1/accounts/search", tree)["items"]}
    # A filter folds case and accents, so it may find more than the very same name.
    assert ids <= found, text
    query = "q=" + "".join(f"%{byte:02X}" for byte in text.encode())
    answer = shop.api.send("GET", "/v1/search", query=query)
    assert answer.status == 200, (text, answer)
