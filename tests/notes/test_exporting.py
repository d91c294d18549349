"""What is written about a record is exported as its list shows it, by who may read the record."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest

from chassis.runtime import Runtime
from chassis.testing import SuiteRuntime
from tests.notes.test_attachments import attach
from tests.security.refusals import assert_refused
from tests.security.world import Api, World

JSON = dict[str, Any]


@pytest.fixture(autouse=True)
def identity_knows_who_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SuiteRuntime, "acting_for", Runtime.acting_for)


@pytest.fixture
def account(admin: Api) -> JSON:
    made: JSON = admin.post("/v1/accounts", {"name": "Alfreds"})
    return made


def ended(world: World, api: Api, path: str, body: JSON | None = None) -> JSON:
    started = api.send("POST", path, body or {})
    assert started.status == 202 and started.headers["Location"] == f"/v1/jobs/{started.body['id']}", started
    world.settle()
    world.suite.run_jobs("customer")
    job: JSON = api.get(started.headers["Location"])
    return job


def file(api: Api, job: JSON) -> str:
    return api.send("GET", job["result_url"]).text.removeprefix("\ufeff")


def test_the_notes_of_one_record_are_exported_and_no_others(world: World, admin: Api, account: JSON) -> None:
    root = f"/v1/accounts/{account['id']}/notes"
    texts = ["=1+1", "Prefers the phone.\n电话联系", "third"]
    notes = [admin.post(root, {"text": text, "pinned": text == "third"}) for text in texts]
    other = admin.post("/v1/accounts", {"name": "Other"})
    admin.post(f"/v1/accounts/{other['id']}/notes", {"text": "elsewhere"})
    job = ended(world, admin, f"{root}/export", {"format": "jsonl", "style": "machine"})
    assert (job["state"], job["result"]["rows"], job["total"]) == ("succeeded", 3, 3), job
    lines = [orjson.loads(line) for line in file(admin, job).splitlines()]
    assert [(line["id"], line["text"]) for line in lines] == [
        (note["id"], text) for note, text in zip(notes, texts, strict=True)
    ]
    chosen = {"filter": {"field": "created_at", "op": "gte", "value": notes[1]["created_at"]}, "fields": ["text"]}
    readable = ended(world, admin, f"{root}/export", chosen)
    table = list(csv.reader(io.StringIO(file(admin, readable))))
    assert table == [["Text"], [texts[1]], ["third"]]
    whole = ended(world, admin, f"{root}/export")
    _, first, *_ = csv.reader(io.StringIO(file(admin, whole)))
    assert "'=1+1" in first


def test_the_attachments_of_a_record_are_exported_without_their_content(
    world: World, admin: Api, account: JSON
) -> None:
    root = f"/v1/accounts/{account['id']}/attachments"
    made = attach(admin, account, "offer.txt", b"Twelve chairs.").body
    job = ended(world, admin, f"{root}/export", {"format": "jsonl", "style": "machine"})
    (line,) = [orjson.loads(line) for line in file(admin, job).splitlines()]
    assert (line["id"], line["name"], line["size"]) == (made["id"], "offer.txt", 14)


def test_who_may_not_read_the_record_exports_none_of_its_notes_not_even_with_a_job_from_before(
    world: World, admin: Api, account: JSON
) -> None:
    root = f"/v1/accounts/{account['id']}/notes"
    admin.post(root, {"text": "Secret."})
    _, nobody = world.person(admin, "nobody", grants={"customer.account": {"read": "own"}})
    _, reader = world.person(admin, "reader", grants={"customer.account": {"read": "all"}})
    with world.untouched():
        assert_refused(nobody.send("POST", f"{root}/export", {}), 404, "not_found")
        assert_refused(admin.send("POST", f"{root}/export", {"fields": ["nothing"]}), 422, "invalid", "fields")
    started = reader.send("POST", f"{root}/export", {})
    assert started.status == 202
    assert admin.send("DELETE", f"/v1/accounts/{account['id']}").status == 204
    world.settle()
    world.suite.run_jobs("customer")
    job = reader.get(started.headers["Location"])
    assert (job["state"], job["error"]["code"]) == ("failed", "not_found")
