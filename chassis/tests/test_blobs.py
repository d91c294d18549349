"""Blobs: by content, per service and tenant, bounded, and swept when nothing needs them."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis import blobs
from chassis.ids import new_id
from chassis.testing import Suite
from chassis.tests.given import refused

CONTENT = b"0123456789abcdef" * 100_000


@pytest.fixture
def store(tmp_path: Path) -> blobs.Store:
    return blobs.connect(tmp_path.as_uri())


def test_a_blob_is_named_by_its_content_and_stored_once(store: blobs.Store, tmp_path: Path) -> None:
    mine = store.of("sales", new_id())
    first, second = mine.put(io.BytesIO(CONTENT)), mine.put(io.BytesIO(CONTENT))
    assert first == second == blobs.Blob(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    with mine.open(first.key) as file:
        assert file.read() == CONTENT
    assert mine.size(first.key) == len(CONTENT)
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1
    mine.delete(first.key)
    assert mine.size(first.key) is None


def test_a_blob_is_of_one_service_and_one_tenant(store: blobs.Store) -> None:
    tenant = new_id()
    key = store.of("sales", tenant).put(io.BytesIO(b"secret")).key
    for other in (store.of("sales", new_id()), store.of("customer", tenant)):
        with refused(404):
            other.open(key)


def test_a_stream_above_the_cap_is_refused_and_leaves_nothing(store: blobs.Store, tmp_path: Path) -> None:
    with refused(413, "body_too_large"):
        store.of("sales", new_id()).put(io.BytesIO(CONTENT), at_most=len(CONTENT) - 1)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("key", ["../../../etc/passwd", "a" * 63, "A" * 64, "", "a" * 64 + "/..", "\0" * 64])
def test_a_key_cannot_name_anything_else(store: blobs.Store, key: str) -> None:
    with refused(404):
        store.of("sales", new_id()).open(key)


@pytest.mark.parametrize("address", ["", "file://relative", "/no/scheme", "ftp://host/x", "file://host/x"])
def test_an_address_of_another_kind_is_no_store(address: str) -> None:
    with pytest.raises(ValueError, match="no place for blobs"):
        blobs.connect(address)


def test_blobs_that_nothing_holds_are_swept_after_two_days(suite_of: Callable[..., Suite]) -> None:
    suite = suite_of("customer")
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
