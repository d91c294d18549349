"""Blobs in a folder and in a bucket: by content, per service and tenant, bounded, swept when nothing needs them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chassis import blobs, s3
from chassis.environment import SettingsError
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.testing import Suite
from chassis.tests.given import refused
from chassis.tests.objects import Objects

CONTENT = b"0123456789abcdef" * 100_000
EVER = dt.datetime.max.replace(tzinfo=dt.UTC)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> blobs.Store:
    return blobs.connect(
        tmp_path.as_uri() if request.param == "folder" else request.getfixturevalue("objects").location
    )


@pytest.fixture
def bucket(objects: Objects) -> blobs.Store:
    return blobs.connect(objects.location)


def stored(store: blobs.Store, tenant: str) -> list[str]:
    return [key for of, key in store.older_than("sales", EVER) if of == tenant]


def test_a_blob_is_named_by_its_content_and_stored_once(store: blobs.Store) -> None:
    tenant = new_id()
    mine = store.of("sales", tenant)
    first, second = mine.put(io.BytesIO(CONTENT)), mine.put(io.BytesIO(CONTENT))
    assert first == second == blobs.Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    with mine.open(first.key) as file:
        assert file.read() == CONTENT
    assert mine.size(first.key) == len(CONTENT)
    assert stored(store, tenant) == [first.key]
    mine.delete(first.key)
    assert mine.size(first.key) is None
    mine.delete(first.key)
    with refused(404):
        mine.open(first.key)


def test_a_part_is_read_and_so_is_a_whole_in_small_pieces(store: blobs.Store) -> None:
    mine = store.of("sales", new_id())
    key = mine.put(io.BytesIO(CONTENT)).key
    with mine.open(key, 5, 7) as file:
        assert file.read() == CONTENT[5:12]
    with mine.open(key, len(CONTENT) - 3) as file:
        assert file.read() == CONTENT[-3:]
    with mine.open(key) as file:
        pieces = list(iter(lambda: file.read(9_999), b""))
    assert b"".join(pieces) == CONTENT and {len(piece) for piece in pieces[:-1]} == {9_999}


def test_a_blob_is_of_one_service_and_one_tenant(store: blobs.Store) -> None:
    tenant = new_id()
    key = store.of("sales", tenant).put(io.BytesIO(b"secret")).key
    for other in (store.of("sales", new_id()), store.of("customer", tenant)):
        with refused(404):
            other.open(key)


def test_a_stream_above_the_cap_is_refused_and_leaves_nothing(store: blobs.Store, tmp_path: Path) -> None:
    tenant = new_id()
    with refused(413, "body_too_large"):
        store.of("sales", tenant).put(io.BytesIO(CONTENT), at_most=len(CONTENT) - 1)
    assert stored(store, tenant) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["../../../etc/passwd", "a" * 63, "A" * 64, "", "a" * 64 + "/..", "\0" * 64])
def test_a_key_cannot_name_anything_else(store: blobs.Store, key: str) -> None:
    with refused(404):
        store.of("sales", new_id()).open(key)


def test_a_blob_is_older_than_a_moment_after_it_was_stored_again(store: blobs.Store) -> None:
    """What counts is the last time that somebody meant to need it."""
    tenant = new_id()
    key = store.of("sales", tenant).put(io.BytesIO(b"x")).key
    now = dt.datetime.now(dt.UTC)
    assert (tenant, key) in set(store.older_than("sales", now + dt.timedelta(minutes=1)))
    assert (tenant, key) not in set(store.older_than("sales", now - dt.timedelta(minutes=1)))


def damaged(store: blobs.Store, objects: Objects, tmp_path: Path) -> tuple[blobs.Blobs, str]:
    tenant = new_id()
    mine = store.of("sales", tenant)
    key = mine.put(io.BytesIO(CONTENT)).key
    path = tmp_path / "sales" / tenant / key[:2] / key[2:]
    path = path if path.exists() else objects.path("sales", tenant, key)
    path.write_bytes(CONTENT[:-1] + b"X")
    return mine, key


def test_a_damaged_content_is_never_given_whole(store: blobs.Store, objects: Objects, tmp_path: Path) -> None:
    mine, key = damaged(store, objects, tmp_path)
    given = b""
    with mine.open(key) as file, refused(503, "unavailable"):
        while part := file.read(4096):
            given += part
    assert len(given) < len(CONTENT)
    with mine.open(key) as file, refused(503, "unavailable"):
        file.read()


@pytest.mark.parametrize("address", ["", "file://relative", "/no/scheme", "ftp://host/x", "file://host/x", "s3://"])
def test_an_address_of_another_kind_is_no_store(address: str) -> None:
    with pytest.raises(ValueError, match="Must be file:///folder or s3://bucket"):
        blobs.connect(address)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINT", ""),
        ("ENDPOINT", "s3.example.org"),
        ("ENDPOINT", "https://x/path"),
        ("ACCESS_KEY", ""),
        ("SECRET_KEY", ""),
    ],
)
def test_a_bucket_needs_an_address_and_keys(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"GUANXI_S3_{name}", value)
    with pytest.raises(ValueError, match=f"GUANXI_S3_{name}"):
        blobs.connect(objects.location)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="no name of a bucket"):
        blobs.connect("s3://A_b")


# --- a store that fails


def attempts(mine: blobs.Blobs) -> Iterator[Callable[[], object]]:
    key = hashlib.sha256(b"x").hexdigest()
    yield lambda: mine.put(io.BytesIO(b"x"))
    yield lambda: mine.open(key)
    yield lambda: mine.size(key)
    yield lambda: mine.delete(key)


def assert_out_of_reach(mine: blobs.Blobs) -> None:
    for attempt in attempts(mine):
        with pytest.raises(Problem) as caught:
            attempt()
        assert (caught.value.status, caught.value.code) == (503, "unavailable")
        assert caught.value.retry_after and "127.0.0.1" not in caught.value.detail


def test_a_bucket_whose_server_is_away_is_503_and_works_again_when_it_is_back(objects: Objects) -> None:
    tenant = new_id()
    bucket = blobs.connect(objects.location)
    mine = bucket.of("sales", tenant)
    with objects.away():
        assert_out_of_reach(mine)
        with refused(503):
            list(bucket.older_than("sales", EVER))
    assert stored(bucket, tenant) == []
    key = mine.put(io.BytesIO(b"x")).key
    with mine.open(key) as file:
        assert file.read() == b"x"


def test_a_bucket_that_is_not_there_and_a_key_that_may_not_are_503(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = blobs.connect("s3://no-such-bucket").of("sales", new_id())
    for attempt in list(attempts(absent))[:2]:
        with refused(503):
            attempt()
    monkeypatch.setenv("GUANXI_S3_SECRET_KEY", "another secret")
    assert_out_of_reach(blobs.connect(objects.location).of("sales", new_id()))


def test_a_server_that_takes_and_never_answers_is_given_up_in_time(
    objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tries of each, so that an answer comes within ten seconds all the same."""
    assert 2 * (s3.CONNECT_SECONDS + s3.READ_SECONDS) <= 12 and 2 * s3.READ_SECONDS < 9
    monkeypatch.setattr(s3, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("GUANXI_S3_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        assert_out_of_reach(blobs.connect(objects.location).of("sales", new_id()))
        assert time.monotonic() - began < 8


def test_a_folder_that_is_not_mounted_or_cannot_be_written_is_503(tmp_path: Path) -> None:
    absent = blobs.connect((tmp_path / "absent").as_uri()).of("sales", new_id())
    with refused(503):
        absent.open("a" * 64)
    (tmp_path / "file").write_bytes(b"")
    in_the_way = blobs.connect((tmp_path / "file").as_uri()).of("sales", new_id())
    with refused(503):
        in_the_way.put(io.BytesIO(b"x"))


PATCHED = """
from chassis.bus import start
start()
import io, time, eventlet
from chassis import blobs
from chassis.errors import Problem
from chassis.ids import new_id

def ticks():
    while True:
        eventlet.sleep(0.01)
        beat.append(time.monotonic())

beat = []
eventlet.spawn(ticks)
mine = blobs.connect({location!r}).of("sales", new_id())
pool = eventlet.GreenPool()
made = list(pool.imap(lambda one: mine.put(io.BytesIO(bytes([one]) * 6_000_000)).key, range(4)))
print(sum(len(mine.open(key).read()) for key in made))
import os
os.environ["GUANXI_S3_ENDPOINT"] = {silent!r}
from chassis import s3
s3.READ_SECONDS = 0.3
before = len(beat)
try:
    blobs.connect({location!r}).of("sales", new_id()).size(made[0])
except Problem as problem:
    print(problem.code, len(beat) - before > 10)
"""


def test_in_a_process_of_green_threads_others_go_on_while_a_bucket_is_waited_for(objects: Objects) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        script = PATCHED.format(location=objects.location, silent=f"http://127.0.0.1:{silent.getsockname()[1]}")
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60
        )
    assert done.stdout.splitlines() == ["24000000", "unavailable True"], done.stderr


MEMORY = """
import resource
from chassis import blobs
from chassis.ids import new_id

class Zeros:
    def __init__(self, left):
        self.left = left
    def read(self, size):
        part = bytes(min(size, self.left))
        self.left -= len(part)
        return part

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def up_and_down(size):
    with mine.open(mine.put(Zeros(size)).key) as file:
        while file.read(65536):
            pass

mine = blobs.connect({location!r}).of("sales", new_id())
up_and_down(12 * 1024**2)
before = most()
up_and_down(96 * 1024**2)
print(most() - before)
"""


def test_a_hundred_megabytes_go_up_and_down_in_the_memory_of_twelve(objects: Objects) -> None:
    script = MEMORY.format(location=objects.location)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=300)
    assert int(done.stdout) < 16, done.stderr


def test_settings_name_what_is_missing_of_a_bucket(monkeypatch: pytest.MonkeyPatch, objects: Objects) -> None:
    from chassis import settings

    secret = "x" * 32
    for name, value in {
        "DATABASE_URL": "postgresql://u:p@localhost/postgres",
        "DATABASE_SECRET": secret,
        "CONTEXT_KEY": secret,
        "BUS": "amqp://x",
    }.items():
        monkeypatch.setenv(f"GUANXI_{name}", value)
    monkeypatch.setenv("GUANXI_BLOBS", objects.location)
    assert settings.from_environment().blobs == objects.location
    monkeypatch.delenv("GUANXI_S3_SECRET_KEY")
    with pytest.raises(SettingsError, match="GUANXI_BLOBS: GUANXI_S3_ACCESS_KEY and GUANXI_S3_SECRET_KEY"):
        settings.from_environment()


# --- what is needed


@pytest.fixture(params=["folder", "bucket"])
def suite(request: pytest.FixtureRequest, suite_of: Callable[..., Suite]) -> Suite:
    made = suite_of("customer")
    if request.param == "bucket":
        made.blobs = made.runtime("customer").blobs = blobs.connect(request.getfixturevalue("objects").location)
    return made


def test_blobs_that_nothing_holds_are_swept_after_two_days(suite: Suite) -> None:
    mine, runtime = suite.blobs.of("customer", suite.tenant), suite.runtime("customer")
    held, loose = mine.put(io.BytesIO(b"held")).key, mine.put(io.BytesIO(b"loose")).key
    with suite.work("customer") as work:
        blobs.hold(work, held, "attachment:1")
    now = dt.datetime.now(dt.UTC)
    blobs.sweep(suite.blobs, runtime.database, "customer", now + dt.timedelta(days=1))
    assert mine.size(loose) == 5
    blobs.sweep(suite.blobs, runtime.database, "customer", now + dt.timedelta(days=3))
    assert (mine.size(held), mine.size(loose)) == (4, None)
    with suite.work("customer") as work:
        blobs.release(work, "attachment:1")
    blobs.sweep(suite.blobs, runtime.database, "customer", now + dt.timedelta(days=3))
    assert mine.size(held) is None


def test_what_cannot_be_reached_is_not_held_and_nothing_is_written(
    suite_of: Callable[..., Suite], objects: Objects
) -> None:
    suite = suite_of("customer")
    suite.blobs = suite.runtime("customer").blobs = blobs.connect(objects.location)
    key = suite.blobs.of("customer", suite.tenant).put(io.BytesIO(b"x")).key
    with objects.away(), refused(503), suite.work("customer") as work:
        blobs.hold(work, key, "attachment:1")
    with suite.work("customer") as work:
        assert work.sql("SELECT count(*) FROM blob_holds WHERE key = %s", (key,)).scalar() == 0


def test_housekeeping_goes_on_while_the_store_is_away(suite_of: Callable[..., Suite], objects: Objects) -> None:
    runtime = suite_of("customer").runtime("customer")
    before, runtime.blobs = runtime.blobs, blobs.connect(objects.location)
    try:
        with objects.away():
            runtime.tidy()
    finally:
        runtime.blobs = before
