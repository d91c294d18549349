"""The line between a job's process and the one that started it: calls to services go up, and its end means the end.

A job's process has no bus of its own, so that it runs the same beside a broker and beside none. Frames are JSON with
their length in four bytes before them.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import orjson

from chassis.bus.ports import BusUnavailable, Caller, OutcomeUnknown
from chassis.errors import unavailable

JSON = dict[str, Any]
LARGEST = 16 * 1024 * 1024


def send(line: socket.socket, document: JSON) -> None:
    raw = orjson.dumps(document)
    line.sendall(len(raw).to_bytes(4, "big") + raw)


def receive(line: socket.socket) -> JSON | None:
    """The next frame; None when the other side is gone."""
    head = _exactly(line, 4)
    if head is None:
        return None
    size = int.from_bytes(head, "big")
    if size > LARGEST:
        return None
    raw = _exactly(line, size)
    if raw is None:
        return None
    document: JSON = orjson.loads(raw)
    return document


def _exactly(line: socket.socket, size: int) -> bytes | None:
    parts = []
    while size:
        try:
            part = line.recv(min(size, 65536))
        except OSError:
            return None
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def serve(line: socket.socket, caller: Caller) -> None:
    """Answer the calls of a job's process until it ends."""
    while (frame := receive(line)) is not None:
        try:
            reply = caller.call(frame["service"], frame["request"], timeout=frame["timeout"])
        except (BusUnavailable, OutcomeUnknown) as error:
            reply = {"error": unavailable(str(error)).document()}
        try:
            send(line, {"number": frame["number"], "reply": reply})
        except OSError:
            return


class LineCaller:
    """The `Caller` of a job's process. `ended` is called when who started the process is gone."""

    def __init__(self, line: socket.socket, ended: Callable[[], Any] = lambda: None) -> None:
        self._line, self._lock, self._number = line, threading.Lock(), 0
        self._answers: dict[int, JSON] = {}
        self._arrived = threading.Condition()
        self._ended = ended
        threading.Thread(target=self._listen, daemon=True, name="line").start()

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        with self._lock:
            self._number += 1
            number = self._number
            send(self._line, {"number": number, "service": service, "request": request, "timeout": timeout})
        with self._arrived:
            if not self._arrived.wait_for(lambda: number in self._answers, timeout + 2):
                raise OutcomeUnknown(f"{service} did not answer in time")
            return self._answers.pop(number)

    def close(self) -> None:
        self._line.shutdown(socket.SHUT_RDWR)

    def _listen(self) -> None:
        while (frame := receive(self._line)) is not None:
            with self._arrived:
                self._answers[frame["number"]] = frame["reply"]
                self._arrived.notify_all()
        self._ended()
