"""`kill -9` while files stream in: each upload that was answered is whole, and what a kill left over is swept."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import os
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.support import Answer, Api, EmbeddedSuite, until

JSON = dict[str, Any]
KILLS = 4


@dataclass
class Uploads:
    """A client that attaches one file after the other, each under a key of its own, whatever becomes of it."""

    suite: EmbeddedSuite
    root: str
    stop: threading.Event = field(default_factory=threading.Event)
    answered: dict[str, JSON | None] = field(default_factory=dict)

    def run(self) -> None:
        while not self.stop.is_set():
            name = f"file-{len(self.answered)}.txt"
            self.answered[name] = None
            self.answered[name] = self.send(name)
            if self.answered[name] is None:
                self.stop.wait(0.05)

    def content(self, name: str) -> bytes:
        return f"{name} {self.root}\n".encode() * 20_000

    def send(self, name: str) -> JSON | None:
        known, body = self.suite.credentials, self.content(name)
        connection = http.client.HTTPConnection("127.0.0.1", urlsplit(known["url"]).port, timeout=20)
        try:
            headers = {"Authorization": f"Bearer {known['api_key']}", "Content-Type": "text/plain"}
            headers["Idempotency-Key"] = f"upload-{name}"
            connection.request("POST", f"{self.root}?name={name}", body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        if answer.status == 201:
            return {"location": answer.headers["Location"]}
        assert answer.status in (503, 504), answer
        return None


def test_after_kills_every_answered_upload_is_whole_and_what_was_left_over_is_swept(embedded: EmbeddedSuite):
    api, chance = embedded.api(), random.Random(seed := random.randrange(10**6))
    account = api.post("/v1/accounts", {"name": "Uploads"})
    uploads = Uploads(embedded, f"/v1/accounts/{account['id']}/attachments")
    with ThreadPoolExecutor(1) as client:
        flowing = client.submit(uploads.run)
        try:
            for _ in range(KILLS):
                threading.Event().wait(chance.uniform(0.3, 2.0))
                embedded.kill()
                embedded.start(120)
        finally:
            uploads.stop.set()
        flowing.result(60)
    unknown = [name for name, answer in uploads.answered.items() if answer is None]
    print(f"\nseed {seed}: {len(uploads.answered)} uploads, {len(unknown)} without an answer")
    assert len(uploads.answered) - len(unknown) >= KILLS and unknown, "nothing was interrupted, so nothing was tested"
    for name in unknown:
        uploads.answered[name] = until(lambda name=name: uploads.send(name), 60)
        assert uploads.send(name) == uploads.answered[name]

    found = {one["name"]: one for one in api.all(uploads.root.removeprefix("/v1/"))}
    assert found.keys() == uploads.answered.keys(), "each is there once"
    for name, answer in uploads.answered.items():
        assert answer is not None
        assert api.send("GET", f"{answer['location']}/content").ok() == uploads.content(name)
    _leave_over(api, embedded, account["id"])
    checked = embedded.command("check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _leave_over(api: Api, embedded: EmbeddedSuite, account_id: str) -> None:
    """What a process left that died between the file and its row, three days ago: only that is swept at a start."""
    stored = sorted(_files(embedded))
    loose = hashlib.sha256(account_id.encode()).hexdigest()
    folder = stored[0].parent.parent
    half, whole = folder / "in" / "left", folder / loose[:2] / loose[2:]
    for path in (half, whole):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(account_id.encode())
    old = (dt.datetime.now() - dt.timedelta(days=3)).timestamp()
    for path in (*stored, half, whole):
        os.utime(path, (old, old))
    embedded.kill()
    embedded.start(120)
    until(lambda: not half.exists() and not whole.exists(), 30, what="what nothing needs is swept")
    assert [path for path in stored if not path.exists() and not _is_left_over(path)] == []


def _files(embedded: EmbeddedSuite) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in (embedded.folder / "blobs" / "customer").glob("*/*/*") if path.is_file())


def _is_left_over(path: Path) -> bool:
    """A kill in the middle of the stream has left some of its own, which went as well."""
    return path.parent.name == "in"
