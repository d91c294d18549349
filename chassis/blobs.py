"""Big things outside the database: uploads, exports, error files, attachments. One port, by content.

A key is the SHA-256 of the content. Each service and tenant has a space of its own, so equal files of two tenants are
two blobs, and a service can tell by its own database (`hold`, `release`) which of its blobs are still needed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from marshmallow import ValidationError
from sqlalchemy import Column, DateTime, Index, MetaData, Table, Text, Uuid, text

from chassis.bus import offload
from chassis.errors import Problem, unavailable
from contracts.fields import parse_uuid

if TYPE_CHECKING:
    from chassis.database import Database, Work

log = logging.getLogger("guanxi")
CHUNK = 256 * 1024
# A blob is stored before the row that needs it; until then only its age protects it.
SWEPT_AFTER = dt.timedelta(days=2)
_KEY = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"[a-z]+")
_LOCK = "hashtextextended('blob:' || %s, 0)"
"""Who begins to hold a blob and who sweeps it meet at this lock of the database."""


@dataclass(frozen=True, slots=True)
class Blob:
    """`key` is the SHA-256 of the content in hexadecimal, `size` its bytes."""

    key: str
    size: int


class Missing(Problem):
    """404: no blob has this key."""

    def __init__(self) -> None:
        super().__init__(404, "not_found", "There is no such file.")


def out_of_reach(error: Exception) -> Problem:
    """503 for a store that fails or is away; why is for the log, since it names what lies inside."""
    log.warning("the store of files: %s: %s", type(error).__name__, error)
    return unavailable("The store of files does not answer.", 5)


def is_key(text: str) -> bool:
    return _KEY.fullmatch(text) is not None


def service_name(text: str) -> str:
    """A service as the part of a blob's name. Raises ValueError for what could be more than that."""
    if not _SERVICE.fullmatch(text):
        raise ValueError(f"{text} is no service")
    return text


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Blobs(Protocol):
    """The blobs of one service and tenant. All of it raises Problem 503 where the store fails or is away."""

    def put(self, stream: Source, *, at_most: int | None = None) -> Blob:
        """Store a stream without holding it in memory; what is there already is not stored twice.

        Raises Problem 413 `body_too_large` above `at_most` bytes."""

    def open(self, key: str, first: int = 0, length: int | None = None) -> IO[bytes]:
        """The content, or `length` bytes of it from the byte `first` on, to be read and closed. Raises Problem 404.

        A content that is read whole is compared with its key before its last bytes are given: a damaged one is 503."""

    def size(self, key: str) -> int | None: ...

    def delete(self, key: str) -> None: ...


class Store(Protocol):
    """Where an installation keeps its blobs."""

    def of(self, service: str, tenant: str) -> Blobs: ...

    def older_than(self, service: str, moment: dt.datetime) -> Iterator[tuple[str, str]]:
        """Tenant and key of a service's blobs that were stored before the moment."""


def connect(location: str) -> Store:
    """The store at `file:///some/folder` or `s3://bucket/prefix`, of which the environment says the rest. Asks nobody.

    Raises ValueError for an address of another kind, or where something of the rest is missing."""
    parts = urlsplit(location)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return Folder(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc and not parts.query:
        # A process that has a folder does without the client.
        from chassis import s3

        return s3.Bucket(s3.from_environment(), parts.netloc, parts.path)
    raise ValueError("Must be file:///folder or s3://bucket.")


def check_location(location: str) -> None:
    """For settings: raises ValidationError where `connect` would refuse the address."""
    try:
        connect(location)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def default_location() -> str:
    """A folder within the data folder."""
    return (Path(os.environ.get("GUANXI_DATA") or ".guanxi") / "blobs").resolve().as_uri()


class Folder:
    """Blobs as files: `<root>/<service>/<tenant>/ab/cdef…`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def of(self, service: str, tenant: str) -> Blobs:
        return _FolderBlobs(self.root, self.root / service_name(service) / parse_uuid(tenant))

    def older_than(self, service: str, moment: dt.datetime) -> Iterator[tuple[str, str]]:
        for path in self.root.glob(f"{service}/*/*/*"):
            try:
                old = path.stat().st_mtime < moment.timestamp()
            except FileNotFoundError:
                continue
            if old:
                # What a killed process left of an upload has no key; it goes the same way.
                yield path.parent.parent.name, path.parent.name + path.name


class _FolderBlobs:
    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder

    def _path(self, key: str) -> Path:
        # A key is made of hexadecimal digits only, so it cannot name anything outside of the folder.
        if not is_key(key):
            raise Missing
        return self._folder / key[:2] / key[2:]

    def put(self, stream: Source, *, at_most: int | None = None) -> Blob:
        parts = self._folder / "in"
        with self._answering():
            parts.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor, draft = tempfile.mkstemp(dir=parts)
        try:
            with self._answering(), os.fdopen(descriptor, "wb") as file:
                digest, size = copy(stream, file, at_most)
                file.flush()
                offload(os.fsync, file.fileno())
                path = self._path(digest)
                path.parent.mkdir(mode=0o700, exist_ok=True)
                # Also over an equal one: its age starts anew, so that it is not swept before it is needed.
                os.replace(draft, path)
                offload(_sync_folder, path.parent)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return Blob(digest, size)

    def open(self, key: str, first: int = 0, length: int | None = None) -> IO[bytes]:
        with self._answering():
            file = self._path(key).open("rb")
            if first:
                file.seek(first)
        if first or length is not None:
            return cast(IO[bytes], Bounded(file, length))
        return whole(file, key)

    def size(self, key: str) -> int | None:
        try:
            with self._answering():
                return self._path(key).stat().st_size
        except Missing:
            return None

    def delete(self, key: str) -> None:
        path = self._path(key) if is_key(key) else self._folder / "in" / Path(key).name.removeprefix("in")
        with self._answering():
            path.unlink(missing_ok=True)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            # A volume that is not mounted is no reason to say that a file was never there.
            raise Missing() if self._root.is_dir() else out_of_reach(error) from None
        except OSError as error:
            raise out_of_reach(error) from None


class Bounded:
    """The next `left` bytes of a stream, or all that come."""

    def __init__(self, stream: Any, left: int | None) -> None:
        self._stream, self._left = stream, left

    def read(self, size: int = -1, /) -> bytes:
        if self._left is None:
            whole: bytes = self._stream.read(size)
            return whole
        part: bytes = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(part)
        return part

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Bounded:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Verified(io.RawIOBase):
    """A whole content, of which the last bytes are held back until its SHA-256 is that of its key."""

    def __init__(self, stream: Any, key: str) -> None:
        self._stream, self._key = stream, key
        self._digest, self._next = hashlib.sha256(), bytes(stream.read(1))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        given = self._next + (self._stream.read(len(buffer) - 1) if self._next else b"")
        # One byte more than is given tells whether there is more.
        self._next = bytes(self._stream.read(1))
        self._digest.update(given)
        if not self._next and self._digest.hexdigest() != self._key:
            log.error("the file %s is damaged", self._key)
            raise unavailable("The file is damaged.", 60)
        buffer[: len(given)] = given
        return len(given)

    def close(self) -> None:
        self._stream.close()
        super().close()


def whole(stream: Any, key: str) -> IO[bytes]:
    """A content that is read whole, compared with its key."""
    return io.BufferedReader(Verified(stream, key), CHUNK)


def copy(stream: Source, file: IO[bytes], at_most: int | None) -> tuple[str, int]:
    """Copy in chunks; the SHA-256 and the number of bytes. Raises Problem 413."""
    digest, size = hashlib.sha256(), 0
    while part := stream.read(CHUNK):
        size += len(part)
        if at_most is not None and size > at_most:
            raise Problem(413, "body_too_large", f"A file may have at most {at_most} bytes here.")
        digest.update(part)
        file.write(part)
    return digest.hexdigest(), size


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- which blobs are needed


def define(metadata: MetaData) -> None:
    table = Table(
        "blob_holds",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("key", Text, primary_key=True),
        Column("holder", Text, primary_key=True),
        Column("held_at", DateTime(timezone=True), nullable=False),
        # When the scanner, where there is one, is to look at it (`chassis.scanning`); null: it has.
        Column("scan_due", DateTime(timezone=True), server_default=text("'epoch'")),
    )
    Index("ix_blob_holds_scan_due", table.c.scan_due, postgresql_where=text("starts_with(holder, 'attachment:')"))


def hold(work: Work, key: str, holder: str) -> None:
    """Say in this transaction that `holder` (`job:<id>`, `attachment:<id>`) needs a blob of this service.

    The blob may have been there for long and be swept in this moment: raises Problem 503 where it is gone, and keeps
    the sweep from it until the transaction ends.
    """
    work.sql(f"SELECT pg_advisory_xact_lock_shared({_LOCK})", (f"{work.tenant}/{key}",))
    store: Store | None = work.service.blobs
    if store is not None and store.of(work.service.name, work.tenant).size(key) is None:
        raise unavailable("The file was not kept. Send it again.")
    work.sql(
        "INSERT INTO blob_holds (tenant_id, key, holder, held_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        (work.tenant, key, holder, work.now),
    )


def release(work: Work, holder: str) -> None:
    """The holder needs none of its blobs any more."""
    work.sql("DELETE FROM blob_holds WHERE tenant_id = %s AND holder = %s", (work.tenant, holder))


def sweep(store: Store, database: Database, service: str, now: dt.datetime) -> int:
    """Delete the blobs of a service that nothing holds and that are older than two days. Returns how many."""
    swept = 0
    with database.operations() as connection:
        connection.exec_driver_sql(
            "DELETE FROM blob_holds AS h WHERE holder LIKE 'job:%%' AND NOT EXISTS"
            " (SELECT 1 FROM jobs AS j WHERE j.tenant_id = h.tenant_id AND h.holder = 'job:' || j.id::text)"
        )
        for tenant, key in store.older_than(service, now - SWEPT_AFTER):
            if not _held(connection, tenant, key):
                swept += _delete_unheld(connection, store, service, tenant, key)
    return swept


def _held(connection: Any, tenant: str, key: str) -> bool:
    return bool(
        connection.exec_driver_sql(
            "SELECT EXISTS (SELECT 1 FROM blob_holds WHERE tenant_id = %s AND key = %s)", (tenant, key)
        ).scalar()
    )


def _delete_unheld(connection: Any, store: Store, service: str, tenant: str, key: str) -> bool:
    """Look again and delete, while nobody can begin to hold it."""
    connection.exec_driver_sql("BEGIN")
    try:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})", (f"{tenant}/{key}",))
        free = not _held(connection, tenant, key)
        if free:
            store.of(service, tenant).delete(key)
        return free
    finally:
        connection.exec_driver_sql("ROLLBACK")
