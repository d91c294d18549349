"""Sending a file to the import API, and waiting until its job has ended."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

JSON = dict[str, Any]
COUNTS = ("created", "updated", "unchanged", "rejected")
TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/csv",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
}


class Client(Protocol):
    """What an import needs of `suite.client.Client`."""

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any: ...

    def upload(self, path: str, file: IO[bytes], media_type: str, *, key: str, query: JSON | None = None) -> Any: ...


class Rejected(Exception):
    """A file that the suite did not take."""


def send(
    client: Client,
    path: Path,
    collection: str,
    query: JSON,
    say: Callable[[int, int], None] = lambda done, total: None,
) -> JSON:
    """Import a file and return its job once that has succeeded. `query` may hold mode, match, mapping and dry_run."""
    media_type = TYPES.get(path.suffix.lower())
    if media_type is None:
        raise Rejected(f"{path.name} is none of {', '.join(TYPES)}.")
    given = {name: value for name, value in query.items() if value is not None}
    with path.open("rb") as file:
        job: JSON = client.upload(f"/v1/{collection}/import", file, media_type, key=secrets.token_hex(16), query=given)
    while job["state"] in ("queued", "running"):
        time.sleep(0.2)
        job = client.request("GET", f"/v1/jobs/{job['id']}")
        if job["total"]:
            say(job["done"], job["total"])
    if job["state"] != "succeeded":
        raise Rejected(f"The job {job['id']} {job['state']}: {job['error']}")
    return job
