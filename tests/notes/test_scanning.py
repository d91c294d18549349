"""Files are served when the scanner has found them clean, and not before, whoever fails on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from chassis import scanning
from tests.notes.scanner import EICAR, MOST, Server
from tests.notes.test_attachments import attach, download, root
from tests.security.refusals import assert_refused
from tests.security.world import Api, World

JSON = dict[str, Any]


@pytest.fixture
def scanner() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def runtime(world: World, scanner: Server) -> Iterator[Any]:
    """The service of accounts, which has a scanner."""
    found = world.suite.runtime("customer")
    with found.database.operations() as connection:
        # What other tests left to be looked at is not counted here.
        connection.exec_driver_sql("UPDATE blob_holds SET scan_due = NULL")
    found.scanner = scanning.connect(scanner.address)
    yield found
    found.scanner = None


@pytest.fixture
def account(admin: Api) -> JSON:
    made: JSON = admin.post("/v1/accounts", {"name": "Alfreds"})
    return made


def look(runtime: Any) -> int:
    return scanning.look_once(runtime, runtime.scanner)


def later(world: World, wait: dt.timedelta) -> None:
    world.suite.clock.forward(seconds=wait.total_seconds() + 1)


def test_a_file_is_served_when_it_was_found_clean_and_not_before(
    world: World, admin: Api, account: JSON, runtime: Any
) -> None:
    made = attach(admin, account, "x.txt", b"harmless")
    assert (made.status, made.body["scan"]) == (201, "pending")
    one = made.headers["Location"]
    refused = admin.send("GET", f"{one}/content")
    assert_refused(refused, 409, "file_not_scanned")
    assert look(runtime) == 1
    found = admin.get(one)
    assert (found["scan"], found["version"], found["updated_by"]) == ("clean", 2, "service:customer")
    assert download(world, admin, f"{one}/content").content == b"harmless"
    assert look(runtime) == 0, "it is looked at once"


def test_a_virus_is_kept_shown_as_rejected_and_never_served(
    world: World, admin: Api, account: JSON, runtime: Any
) -> None:
    one = attach(admin, account, "x.txt", b"before " + EICAR).headers["Location"]
    look(runtime)
    assert admin.get(one)["scan"] == "rejected"
    assert [item["scan"] for item in admin.get(root(account))["items"]] == ["rejected"]
    assert_refused(admin.send("GET", f"{one}/content"), 409, "file_rejected")
    runtime.scanner = None
    assert_refused(admin.send("GET", f"{one}/content"), 409, "file_rejected")
    assert admin.send("DELETE", one).status == 204


def test_nobody_calls_a_file_clean(admin: Api, account: JSON, runtime: Any) -> None:
    one = attach(admin, account, "x.txt", EICAR).headers["Location"]
    assert_refused(admin.send("PATCH", one, {"scan": "clean"}), 422, "invalid", "scan")
    assert admin.get(one)["scan"] == "pending"


def test_while_the_scanner_is_away_files_wait_and_are_looked_at_when_it_is_back(
    world: World, admin: Api, account: JSON, runtime: Any, scanner: Server
) -> None:
    one = attach(admin, account, "x.txt", b"waits").headers["Location"]
    other = attach(admin, account, "y.txt", b"waits too").headers["Location"]
    scanner.stop()
    assert look(runtime) == 0
    assert_refused(admin.send("GET", f"{one}/content"), 409, "file_not_scanned")
    back = Server(scanner.port)
    try:
        later(world, scanning.AGAIN)
        assert look(runtime) == 2
        assert [admin.get(path)["scan"] for path in (one, other)] == ["clean", "clean"]
    finally:
        back.stop()


def test_a_scanner_that_hangs_is_asked_once_and_not_for_each_file(
    monkeypatch: pytest.MonkeyPatch, admin: Api, account: JSON, runtime: Any, scanner: Server
) -> None:
    monkeypatch.setattr(scanning, "VERDICT_SECONDS", 0.2)
    for name in ("a.txt", "b.txt", "c.txt"):
        attach(admin, account, name, b"x")
    scanner.silent.set()
    assert (look(runtime), scanner.asked) == (0, 1)


def test_a_file_that_the_scanner_cannot_take_stays_pending_and_keeps_nobody_else_waiting(
    world: World, admin: Api, account: JSON, runtime: Any
) -> None:
    big = attach(admin, account, "big.txt", b"x" * (3 * MOST)).headers["Location"]
    small = attach(admin, account, "small.txt", b"x").headers["Location"]
    assert look(runtime) == 1
    assert (admin.get(big)["scan"], admin.get(small)["scan"]) == ("pending", "clean")
    later(world, scanning.AGAIN)
    assert look(runtime) == 0
    assert_refused(admin.send("GET", f"{big}/content"), 409, "file_not_scanned")


def test_a_file_that_cannot_be_read_stays_pending(world: World, admin: Api, account: JSON, runtime: Any) -> None:
    made = attach(admin, account, "x.txt", b"goes missing")
    mine = world.suite.blobs.of("customer", world.suite.tenant)
    mine.delete(made.body["sha256"])
    assert look(runtime) == 0
    assert admin.get(made.headers["Location"])["scan"] == "pending"


def test_a_file_from_before_there_was_a_scanner_is_not_served_until_it_was_looked_at(
    world: World, admin: Api, account: JSON, scanner: Server
) -> None:
    made = attach(admin, account, "x.txt", b"old")
    one, runtime = made.headers["Location"], world.suite.runtime("customer")
    assert made.body["scan"] is None and download(world, admin, f"{one}/content").content == b"old"
    runtime.scanner = scanning.connect(scanner.address)
    try:
        assert_refused(admin.send("GET", f"{one}/content"), 409, "file_not_scanned")
        look(runtime)
        assert download(world, admin, f"{one}/content").content == b"old"
    finally:
        runtime.scanner = None


def test_a_process_that_dies_before_it_wrote_the_verdict_down_leaves_it_to_the_next(
    admin: Api, account: JSON, runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = attach(admin, account, "x.txt", b"twice").headers["Location"]

    def dies(*of: Any) -> bool:
        raise RuntimeError("killed")

    monkeypatch.setattr(scanning, "_write", dies)
    with pytest.raises(RuntimeError):
        look(runtime)
    monkeypatch.undo()
    assert look(runtime) == 1
    assert (admin.get(one)["scan"], admin.get(one)["version"]) == ("clean", 2)


def test_a_deleted_file_is_looked_at_and_a_purged_one_is_not(
    world: World, admin: Api, account: JSON, runtime: Any
) -> None:
    one = attach(admin, account, "x.txt", b"deleted").headers["Location"]
    admin.send("DELETE", one)
    assert look(runtime) == 1
    admin.post(f"{one}/restore")
    assert admin.get(one)["scan"] == "clean"


@pytest.mark.parametrize("address", ["host:3310", "http://host:3310", "tcp://", "tcp://host:3310/x"])
def test_an_address_of_another_kind_is_no_scanner(address: str) -> None:
    with pytest.raises(ValueError, match="tcp://host:port"):
        scanning.connect(address)
