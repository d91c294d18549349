"""The big list of naughty strings through a name: each comes back unchanged, or is refused with a reason."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

import orjson
import pytest

from chassis import files
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


@pytest.mark.timeout(600)
def test_naughty_notes_come_back_unchanged_and_naughty_file_names_harmless(
    world: World, shop: Shop, strings: list[str]
) -> None:
    """A name may lose what misleads, and nothing of a name ever becomes another header or another folder."""
    root = f"/v1/accounts/{shop.api.post('/v1/accounts', {'name': 'Naughty'})['id']}"
    notes, names = {}, {}
    for text in strings:
        answer = shop.api.send("POST", f"{root}/notes", {"text": text})
        if answer.status == 201:
            notes[answer.body["id"]] = text
        else:
            assert_refused(answer, 422, "invalid", "text")
            assert not text.strip() or any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
        query = f"name={quote(text + '.txt', safe='')}"
        kind = {"Content-Type": "text/plain"}
        answer = shop.api.send("POST", f"{root}/attachments", raw=b"harmless", headers=kind, query=query)
        if answer.status == 415:
            # Nothing is left before `.txt`, so it is a name and no ending.
            assert_refused(answer, 415, "file_type_refused", "name")
            assert not files.clean_name(f"{text}.txt").rpartition(".")[0]
            continue
        assert answer.status == 201, (text, str(answer))
        names[answer.body["id"]] = answer.body["name"]
    assert len(notes) > 480 and len(names) > 480
    world.settle()
    assert world.suite.dead() == []
    assert {item["id"]: item["text"] for item in shop.api.all(f"{root}/notes")} == notes
    for child, name in names.items():
        assert name == files.clean_name(name) and name.endswith(".txt") and not set(name) & set('/\\<>:"|?*\r\n\0')
        answer = shop.api.send("GET", f"{root}/attachments/{child}/content")
        assert answer.text == "harmless"
        given = answer.headers["Content-Disposition"]
        assert given.startswith("attachment; ") and given.isascii() and given.isprintable()
        assert unquote(given.partition("filename*=UTF-8''")[2]) == name


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
