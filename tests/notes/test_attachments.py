"""Files of any record: what is taken, how it is sent, and that none is lost or kept for nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from chassis import blobs
from chassis.records import children
from tests.security.refusals import assert_refused
from tests.security.world import Answer, Api, World

JSON = dict[str, Any]
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40


@pytest.fixture
def account(admin: Api) -> JSON:
    made: JSON = admin.post("/v1/accounts", {"name": "Alfreds"})
    return made


def root(account: JSON) -> str:
    return f"/v1/accounts/{account['id']}/attachments"


def attach(api: Api, account: JSON, name: str = "Angebot 报价.pdf", content: bytes = PDF) -> Answer:
    return api.send(
        "POST", root(account), raw=content, headers={"Content-Type": "image/png"}, query=f"name={quote(name)}"
    )


def download(world: World, api: Api, path: str, **headers: str) -> Any:
    given = {
        "Authorization": f"Bearer {api.token}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return world.client.simulate_get(path, headers=given)


def test_a_file_comes_back_as_it_was_and_is_never_shown_inline(world: World, admin: Api, account: JSON) -> None:
    made = attach(admin, account)
    assert made.status == 201, made
    body = made.body
    assert (body["name"], body["content_type"], body["size"]) == ("Angebot 报价.pdf", "application/pdf", len(PDF))
    assert body["sha256"] == hashlib.sha256(PDF).hexdigest()
    answer = download(world, admin, f"{made.headers['Location']}/content")
    assert answer.content == PDF and answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"] == (
        "attachment; filename=\"Angebot __.pdf\"; filename*=UTF-8''Angebot%20%E6%8A%A5%E4%BB%B7.pdf"
    )
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_part_of_a_file_is_sent_for_a_range_and_nothing_for_a_known_etag(
    world: World, admin: Api, account: JSON
) -> None:
    path = f"{attach(admin, account).headers['Location']}/content"
    part = download(world, admin, path, Range="bytes=5-9")
    assert (part.status_code, part.content) == (206, PDF[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(PDF)}"
    last = download(world, admin, path, Range="bytes=-7")
    assert (last.status_code, last.content) == (206, PDF[-7:])
    behind = download(world, admin, path, Range=f"bytes={len(PDF)}-")
    assert (behind.status_code, behind.headers["Content-Range"]) == (416, f"bytes */{len(PDF)}")
    etag = part.headers["ETag"]
    assert download(world, admin, path, If_None_Match=etag).status_code == 304
    stale = download(world, admin, path, Range="bytes=5-9", If_Range='"other"')
    assert (stale.status_code, stale.content) == (200, PDF)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.exe", b"MZ\x90\x00" + b"\0" * 100),
        ("run.pdf", b"MZ\x90\x00" + b"\0" * 100),
        ("x.pHp", b"<?php echo 1;"),
        ("x.pdf", b"<html><script>alert(1)</script></html>"),
        ("x.txt", b"\x7fELF\x02\x01\x01" + b"\0" * 100),
        ("picture.png", PDF),
        ("no-ending", b"text"),
    ],
)
def test_what_is_not_on_the_list_or_not_what_it_says_is_refused(
    world: World, admin: Api, account: JSON, name: str, content: bytes
) -> None:
    with world.untouched():
        assert_refused(attach(admin, account, name, content), 415, "file_type_refused", "name")


def test_what_a_browser_would_run_is_kept_as_bytes(world: World, admin: Api, account: JSON) -> None:
    made = attach(admin, account, "x.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>")
    answer = download(world, admin, f"{made.headers['Location']}/content")
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_a_form_brings_a_file_with_a_description(admin: Api, account: JSON) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="description"\r\n\r\nSigned\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../a\\b\\c.txt"\r\n\r\nhello\r\n--b--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    made = admin.send("POST", root(account), raw=body, headers=kind)
    assert made.status == 201, made
    assert (made.body["name"], made.body["description"], made.body["size"]) == ("c.txt", "Signed", 5)


def test_who_may_not_read_the_record_gets_no_file_and_who_may_only_read_it_sends_none(
    world: World, admin: Api, account: JSON
) -> None:
    path = attach(admin, account).headers["Location"]
    _, nobody = world.person(admin, "nobody", grants={"customer.account": {"read": "own"}})
    _, reader = world.person(admin, "reader", grants={"customer.account": {"read": "all"}})
    with world.untouched():
        assert_refused(nobody.send("GET", path), 404, "not_found")
        assert_refused(nobody.send("GET", f"{path}/content"), 404, "not_found")
        assert_refused(attach(nobody, account), 404, "not_found")
        assert_refused(attach(reader, account), 403, "forbidden")
    assert download(world, reader, f"{path}/content").content == PDF


def test_a_new_name_keeps_the_ending(admin: Api, account: JSON) -> None:
    path = attach(admin, account).headers["Location"]
    assert admin.patch(path, {"name": "a/b/Vertrag.PDF"})["name"] == "Vertrag.PDF"
    assert_refused(admin.send("PATCH", path, {"name": "Vertrag.exe"}), 422, "invalid", "name")


def test_a_tenant_has_room_for_so_many_bytes(world: World, admin: Api, account: JSON) -> None:
    runtime = world.suite.runtime("customer")
    runtime.settings = SimpleNamespace(attachment_quota=2 * len(PDF))
    try:
        path = attach(admin, account).headers["Location"]
        assert attach(admin, account).status == 201
        admin.send("DELETE", path)
        assert_refused(attach(admin, account), 409, "quota_exceeded")
    finally:
        runtime.settings = None


def test_a_file_stays_while_anybody_could_restore_it_and_goes_with_its_purge(
    world: World, admin: Api, account: JSON
) -> None:
    suite = world.suite
    made = attach(admin, account).body
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=3)
    mine, runtime = suite.blobs.of("customer", suite.tenant), suite.runtime("customer")
    admin.send("DELETE", f"{root(account)}/{made['id']}")
    blobs.sweep(suite.blobs, runtime.database, "customer", later)
    assert mine.size(made["sha256"]) == len(PDF)
    admin.post(f"{root(account)}/{made['id']}/restore")
    with suite.work("customer") as work:
        gone = children.purge(work, "customer.account", [account["id"]])
    assert gone == [("customer.attachment", made["id"])]
    assert admin.get(root(account))["items"] == []
    blobs.sweep(suite.blobs, runtime.database, "customer", later)
    assert mine.size(made["sha256"]) is None


def test_a_file_whose_row_was_never_written_is_swept_and_one_that_was_swept_is_not_held(
    world: World, admin: Api, account: JSON, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies, or cannot reach the service, between the file and its row."""
    suite, content = world.suite, b"never written down"
    key = hashlib.sha256(content).hexdigest()
    mine, runtime = suite.blobs.of("customer", suite.tenant), suite.runtime("customer")
    call = suite.bus.call

    def dies(service: str, request: JSON, *, timeout: float) -> JSON:
        if request["method"] == "child.attach":
            raise RuntimeError("killed")
        return call(service, request, timeout=timeout)

    monkeypatch.setattr(suite.bus, "call", dies)
    assert attach(admin, account, "x.txt", content).status == 500
    monkeypatch.undo()
    assert mine.size(key) == len(content) and admin.get(root(account))["items"] == []
    blobs.sweep(suite.blobs, runtime.database, "customer", dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    assert mine.size(key) == len(content), "it may be on its way"
    blobs.sweep(suite.blobs, runtime.database, "customer", dt.datetime.now(dt.UTC) + dt.timedelta(days=3))
    assert mine.size(key) is None
    params = {"record": "customer.account", "id": account["id"], "data": {"name": "x.txt"}}
    with pytest.raises(Exception, match=r"not_found|unavailable"):
        suite.call("customer", "child.attach", {**params, "blob": {"key": key, "size": len(content)}})
    with suite.work("customer") as work, pytest.raises(Exception, match="unavailable"):
        blobs.hold(work, key, "attachment:1")
