"""A small HTTP client of the suite's own API, for imports and checks from the command line."""

from __future__ import annotations

import http.client
import io
import json
import time
from typing import IO, Any
from urllib.parse import urlencode, urlsplit

JSON = dict[str, Any]
PATIENCE = 60.0
"""Seconds for which a request is repeated while its outcome is not known."""


class Refused(Exception):
    """An answer that is not 2xx: `status` and the problem document."""

    def __init__(self, status: int, problem: Any) -> None:
        super().__init__(f"{status}: {problem}")
        self.status, self.problem = status, problem


class Client:
    """One connection with one API key. What failed without a known outcome is repeated with the same key."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self._host, self._port, self._https = parts.hostname or "127.0.0.1", parts.port, parts.scheme == "https"
        self._token = token
        self._connection: http.client.HTTPConnection | None = None
        self._reached = False

    def request(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, query: JSON | None = None
    ) -> Any:
        """The parsed body of a 2xx answer. Raises Refused, or OSError when the suite cannot be reached."""
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body).encode()
        return self._repeated(method, target, content, headers)

    def upload(self, path: str, file: IO[bytes], media_type: str, *, key: str, query: JSON | None = None) -> Any:
        """Send a file, without holding it in memory."""
        size = file.seek(0, io.SEEK_END)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Idempotency-Key": key}
        headers |= {"Content-Type": media_type, "Content-Length": str(size)}
        return self._repeated("POST", f"{path}?{urlencode(query or {})}", file, headers)

    def _repeated(self, method: str, target: str, content: Any, headers: JSON) -> Any:
        key = headers.get("Idempotency-Key")
        repeatable = key is not None or method == "GET"
        end, pause = time.monotonic() + PATIENCE, 0.25
        while True:
            if hasattr(content, "seek"):
                content.seek(0)
            try:
                status, answer = self._send(method, target, content, headers)
            except (OSError, http.client.HTTPException):
                self._connection = None
                # Where nobody ever answered the address is wrong, and patience would not mend it.
                if not (repeatable and self._reached) or time.monotonic() > end:
                    raise
            else:
                self._reached = True
                document = json.loads(answer) if answer else None
                if status < 300:
                    return document
                if not (repeatable and _passes(status, document)) or time.monotonic() > end:
                    raise Refused(status, document)
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _send(self, method: str, target: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            self._connection = kind(self._host, self._port, timeout=30)
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def all(self, collection: str, **query: Any) -> list[JSON]:
        """Every record of a list, page by page."""
        items: list[JSON] = []
        after = None
        while True:
            page = self.request(
                "GET", f"/v1/{collection}", query={"limit": 200, **query, **({"after": after} if after else {})}
            )
            items += page["items"]
            after = page["next"]
            if after is None:
                return items


def _passes(status: int, problem: Any) -> bool:
    """Whether a refusal is one of the moment: a busy machine, or the first of two equal requests still running."""
    return status in (503, 504) or (status == 409 and isinstance(problem, dict) and problem.get("code") == "in_flight")
