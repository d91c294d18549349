"""What these tests share: polling with a deadline, HTTP as an outsider speaks it, and the real command as a process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import psutil

from suite.servers.postgres import Postgres

JSON = dict[str, Any]
T = TypeVar("T")
GUANXI = Path(sys.executable).with_name("guanxi")


def until(found: Callable[[], T], seconds: float = 30, *, every: float = 0.05, what: str = "") -> T:
    """The first true answer of `found`. Fails when none came within `seconds`."""
    end = time.monotonic() + seconds
    while True:
        answer = found()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds:g} s: {what or found}; the last answer was {answer!r}"
        time.sleep(every)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any

    def ok(self) -> Any:
        assert 200 <= self.status < 300, f"{self.status}: {self.body}"
        return self.body


class Api:
    """HTTP with a token, each request on a connection of its own, so that no answer hides a broken one."""

    def __init__(self, url: str, token: str | None = None, timeout: float = 30) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._token, self._timeout = token, timeout

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = None, **query: Any) -> Answer:
        """Any answer at all. Raises OSError or HTTPException when there is none."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            headers |= {"Idempotency-Key": key} if key else {}
            headers |= {"Content-Type": "application/json"} if body is not None else {}
            target = f"{path}?{urlencode(query)}" if query else path
            connection.request(method, target, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            content = response.read()
            is_json = response.headers.get_content_subtype().endswith("json")
            return Answer(response.status, response.headers, json.loads(content) if content and is_json else content)
        finally:
            connection.close()

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, **query).ok()

    def post(self, path: str, body: Any, *, key: str | None = None) -> Any:
        return self.send("POST", path, body, key=key).ok()

    def all(self, collection: str, **query: Any) -> list[JSON]:
        """Every record of a list, page by page."""
        return list(self._pages(f"/v1/{collection}", {"limit": 200, **query}))

    def _pages(self, path: str, query: JSON) -> Iterator[JSON]:
        after: JSON = {}
        while True:
            page = self.get(path, **query, **after)
            yield from page["items"]
            if page["next"] is None:
                return
            after = {"after": page["next"]}

    def feed(self, after: int = 0, **query: Any) -> list[JSON]:
        """Every event after a position."""
        events: list[JSON] = []
        while True:
            page = self.get("/v1/events", after=after, limit=500, **query)
            events += page["items"]
            if page["next"] == after:
                return events
            after = page["next"]

    def position(self) -> int:
        """Where the feed ends now."""
        return max((event["position"] for event in self.feed()), default=0)


class EmbeddedSuite:
    """`guanxi up` as a process of its own in a data folder; `start`, `stop` and `kill` as often as a test likes."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.log = folder / "up.log"
        self.seconds = 0.0
        """How long the last start took until `/readyz` answered 200."""
        self.settings: dict[str, str] = {}
        """What the next start finds in its environment beside folder and port."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return environment(GUANXI_DATA=str(self.folder), GUANXI_PORT=str(self.port), **self.settings)

    @property
    def credentials(self) -> JSON:
        found: JSON = json.loads((self.folder / "credentials.json").read_text())
        return found

    def api(self, timeout: float = 30) -> Api:
        known = self.credentials
        return Api(known["url"], known["api_key"], timeout)

    def start(self, seconds: float) -> None:
        begin = time.monotonic()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [GUANXI, "up"], env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        until(self._ready, seconds, what="/readyz answers 200")
        self.seconds = time.monotonic() - begin

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"guanxi up has ended:\n{self.log.read_text()[-3000:]}"
        with suppress(OSError, http.client.HTTPException):
            return Api(f"http://127.0.0.1:{self.port}", timeout=5).send("GET", "/readyz").status == 200
        return False

    def memory(self) -> float:
        """Resident megabytes of the process itself, its PostgreSQL apart."""
        assert self._process is not None
        return psutil.Process(self._process.pid).memory_info().rss / 1e6

    def command(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run another `guanxi` command against this suite."""
        return subprocess.run(
            [GUANXI, *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def stop(self) -> float:
        """Ctrl-C; returns the seconds until it had ended. Fails when its end was not an orderly one."""
        assert self._process is not None
        begin = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(60)
        assert code == 0, f"it ended with {code}:\n{self.log.read_text()[-3000:]}"
        self._process = None
        return time.monotonic() - begin

    def kill(self) -> None:
        """SIGKILL to the suite and to its PostgreSQL with every backend, as if the machine had gone."""
        assert self._process is not None
        ours = psutil.Process(self._process.pid)
        everybody = [*ours.children(recursive=True), ours]
        for process in everybody:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everybody, timeout=30)
        self._process.wait(30)
        self._process = None

    def remove(self) -> None:
        """End what runs and delete the databases, which may lie outside of the folder."""
        if self._process is not None:
            self.kill()
        Postgres(self.folder / "postgres", say=lambda _: None).remove()


def environment(**values: str) -> dict[str, str]:
    """This process's environment, without whatever another suite's settings would bring in."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GUANXI_")}
    return {**plain, **values, "PYTHONUNBUFFERED": "1"}
