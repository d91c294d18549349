"""Blobs in a store that speaks S3: `<prefix>/<service>/<tenant>/<key>` in one bucket.

A file is first received on this machine's disk, where its name, the SHA-256, is worked out. So an object appears under
its key only whole, its length is known, and one that breaks off on the way leaves nothing in the bucket.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, cast
from urllib.parse import urlsplit

import urllib3
from environs import Env
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error

from chassis import blobs
from chassis.errors import not_found
from contracts.fields import parse_uuid

PART = 5 * 1024**2
"""What is in memory of an upload at once; the smallest part that S3 takes."""
# A request may be tried twice, and every answer has to come within ten seconds.
CONNECT_SECONDS, READ_SECONDS = 2.0, 4.0

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Access:
    """Where the store is, and the pair of keys that may read, write, list and delete in the bucket."""

    endpoint: str
    region: str
    key: str
    secret: str


def from_environment() -> Access:
    env = Env()
    with env.prefixed("GUANXI_"):
        return Access(
            endpoint=env.str("S3_ENDPOINT", ""),
            region=env.str("S3_REGION", "us-east-1"),
            key=env.str("S3_ACCESS_KEY", ""),
            secret=env.str("S3_SECRET_KEY", ""),
        )


class Bucket:
    """Blobs as objects of one bucket, which somebody has made."""

    def __init__(self, access: Access, bucket: str, prefix: str = "") -> None:
        endpoint = urlsplit(access.endpoint)
        if endpoint.scheme not in ("http", "https") or not endpoint.netloc or endpoint.path not in ("", "/"):
            raise ValueError("GUANXI_S3_ENDPOINT must name the store as https://host or http://host:port")
        if not _BUCKET.fullmatch(bucket):
            raise ValueError(f"{bucket} is no name of a bucket")
        if not access.key or not access.secret:
            raise ValueError("GUANXI_S3_ACCESS_KEY and GUANXI_S3_SECRET_KEY are missing")
        self.bucket, self.root = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        # The region is given, so that nobody has to ask where the bucket is.
        self.client = Minio(
            endpoint.netloc,
            access_key=access.key,
            secret_key=access.secret,
            secure=endpoint.scheme == "https",
            region=access.region,
            http_client=urllib3.PoolManager(
                maxsize=16,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                # What fails on the way may come again: each of these requests has the same effect twice as once.
                retries=urllib3.Retry(total=1, redirect=0, status=0, allowed_methods=None),
                cert_reqs="CERT_REQUIRED",
            ),
        )

    def of(self, service: str, tenant: str) -> blobs.Blobs:
        return _Objects(self, f"{self.root}{blobs.service_name(service)}/{parse_uuid(tenant)}/")

    def older_than(self, service: str, moment: dt.datetime) -> Iterator[tuple[str, str]]:
        root = f"{self.root}{blobs.service_name(service)}/"
        with self.answering():
            for found in self.client.list_objects(self.bucket, prefix=root, recursive=True):
                tenant, _, key = (found.object_name or "").removeprefix(root).partition("/")
                if blobs.is_key(key) and found.last_modified is not None and found.last_modified < moment:
                    yield tenant, key

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What an object's absence and the store's are to the caller: 404, and 503 with nothing changed."""
        try:
            yield
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, S3Error) and error.code == "NoSuchKey" and self._is_there():
                raise blobs.Missing from None
            raise blobs.out_of_reach(error) from None

    def _is_there(self) -> bool:
        """Whether the bucket is: what is looked for in one that is not is missing in the same words."""
        try:
            return self.client.bucket_exists(self.bucket)
        except (MinioException, urllib3.exceptions.HTTPError, OSError):
            return False


class _Objects:
    def __init__(self, store: Bucket, root: str) -> None:
        self._store, self._client, self._bucket, self._root = store, store.client, store.bucket, root

    def _name(self, key: str) -> str:
        if not blobs.is_key(key):
            raise not_found("file")
        return self._root + key

    def put(self, stream: blobs.Source, *, at_most: int | None = None) -> blobs.Blob:
        with tempfile.TemporaryFile() as draft:
            key, size = blobs.copy(stream, draft, at_most)
            draft.seek(0)
            with self._store.answering():
                # Also over an equal one: its age starts anew, so that it is not swept before it is needed.
                self._client.put_object(
                    self._bucket, self._name(key), draft, size, part_size=PART, num_parallel_uploads=1
                )
        return blobs.Blob(key, size)

    def open(self, key: str, first: int = 0, length: int | None = None) -> IO[bytes]:
        with self._store.answering():
            try:
                answer = self._client.get_object(self._bucket, self._name(key), first, length or 0)
            except InvalidResponseError:
                # Some stores tell of errors in a type that the client does not read, but for a question without a body.
                self._client.stat_object(self._bucket, self._name(key))
                raise
        stream = _Stream(self._store, answer)
        if first or length is not None:
            return cast(IO[bytes], blobs.Bounded(stream, length))
        return blobs.whole(stream, key)

    def size(self, key: str) -> int | None:
        try:
            with self._store.answering():
                return self._client.stat_object(self._bucket, self._name(key)).size
        except blobs.Missing:
            return None

    def delete(self, key: str) -> None:
        with self._store.answering():
            self._client.remove_object(self._bucket, self._name(key))


class _Stream:
    """The body of an answer, as far as it has come."""

    def __init__(self, store: Bucket, answer: Any) -> None:
        self._store, self._answer = store, answer

    def read(self, size: int = -1, /) -> bytes:
        with self._store.answering():
            part: bytes = self._answer.read(None if size < 0 else size)
        return part

    def close(self) -> None:
        self._answer.close()
        self._answer.release_conn()
