"""One connection to RabbitMQ that is kept alive by a thread of its own."""

from __future__ import annotations

import logging
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, urlsplit

import amqp
from amqp import spec
from amqp.exceptions import AMQPError
from amqp.method_framing import frame_handler
from amqp.transport import TCPTransport

HEARTBEAT = 15
CONNECT_SECONDS = 2.0
# A broker that has just started answers at once, but its quorum queues need seconds to find their leaders.
SETUP_SECONDS = 5.0
WRITE_SECONDS = 5.0
# Accepted work must go on within 5 s of the broker's return, so the pause between two attempts stays well below.
MAX_PAUSE = 1.5
LARGEST_READ = 16384
# How long written bytes may stay unacknowledged. py-amqp's second is too short for a busy machine; without any limit a
# black hole is noticed after minutes.
SOCKET_SETTINGS = {socket.TCP_USER_TIMEOUT: 10_000} if hasattr(socket, "TCP_USER_TIMEOUT") else {}
CONTENT_HEADER = 2  # the type of the frame that holds a message's properties

S = TypeVar("S")
log = logging.getLogger(__name__)


class Down(Exception):
    """Nothing was written: there is no connection, or it broke before the whole message had left."""


class _Socket(TCPTransport):  # type: ignore[misc]
    """Reads in large pieces, through a socket object of its own.

    Stock py-amqp asks the kernel for each frame's parts one by one. The second object has its own timeout, so that
    a reader who waits for a second does not change how long another thread's write may take.
    """

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self.reader = self.sock.dup()
        self.reader.settimeout(CONNECT_SECONDS)
        self._quick_recv = lambda wanted: self.reader.recv(max(wanted, LARGEST_READ))

    def close(self) -> None:
        super().close()
        if reader := getattr(self, "reader", None):
            reader.close()


def _tolerant_frames(connection: Any, callback: Callable[..., None]) -> Callable[[tuple[int, int, bytes]], bool]:
    """py-amqp's frame handler, except that properties which it cannot parse (a date of the year 50,000) count as none.

    An error here would end the connection, the broker would deliver the message again, and so on for ever. Without
    properties the message is simply unreadable, and set aside as such.
    """
    handler = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        try:
            return bool(handler(frame))
        except (ValueError, ArithmeticError, LookupError, struct.error, amqp.exceptions.FrameSyntaxError):
            if kind != CONTENT_HEADER:
                raise
            return bool(handler((kind, channel, payload[:12] + b"\0\0")))

    return on_frame


class _Connection(amqp.Connection):  # type: ignore[misc]
    def Transport(self, host: str, connect_timeout: float, ssl: Any = False, *args: Any, **kwargs: Any) -> _Socket:
        return _Socket(host, connect_timeout=connect_timeout, socket_settings=kwargs.get("socket_settings"))


def addresses(url: str) -> list[str]:
    """The brokers of a cluster, named one after the other with `;` in between, as kombu does; usually one."""
    return [each.strip() for each in url.split(";") if each.strip()]


def clustered(url: str) -> bool:
    """Whether this names several brokers, so that the loss of one is to be survived."""
    return len(addresses(url)) > 1


def virtual_host(url: str) -> str:
    """The virtual host, which is the same on every node."""
    return unquote(urlsplit(addresses(url)[0]).path[1:]) or "/"


def connect(url: str, name: str, **callbacks: Any) -> Any:
    """An open py-amqp connection. No step of opening waits longer than 2 s. Raises OSError or an amqp error.

    Of several brokers one takes it that can, each the same share of all connections.
    """
    *others, last = random.sample(addresses(url), k=len(addresses(url)))
    for each in others:
        try:
            return _connect(each, name, **callbacks)
        except (OSError, AMQPError) as error:
            log.debug("%s: a broker of several does not answer: %s", name, error)
    return _connect(last, name, **callbacks)


def _connect(url: str, name: str, **callbacks: Any) -> Any:
    parts = urlsplit(url)
    connection = _Connection(
        host=f"{parts.hostname or 'localhost'}:{parts.port or 5672}",
        userid=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        login_method="PLAIN",
        virtual_host=virtual_host(url),
        client_properties={"connection_name": name},
        connect_timeout=CONNECT_SECONDS,
        frame_handler=_tolerant_frames,
        heartbeat=HEARTBEAT,
        socket_settings=SOCKET_SETTINGS,
        **callbacks,
    )
    connection.connect()
    connection.transport.sock.settimeout(WRITE_SECONDS)
    connection.transport.reader.settimeout(SETUP_SECONDS)
    return connection


def publish(channel: Any, exchange: str, routing_key: str, message: Any, *, mandatory: bool = False) -> None:
    """Write one message. Not `basic_publish`, which reads from the socket first and so disturbs the reading thread."""
    channel.send_method(spec.Basic.Publish, "Bssbb", (0, exchange, routing_key, mandatory, False), message)


class Link(Generic[S]):
    """A connection that comes back by itself.

    Its thread connects, reads, beats and reconnects. Each time it calls `opened(connection)`, which declares and
    returns the session that writers get; then, with writing allowed, `consume(session)`; and `lost(session)` when the
    connection is gone. Other threads only write, one after the other, within a time limit. Works with real threads
    and, in a patched process, with green ones.
    """

    def __init__(
        self,
        url: str,
        name: str,
        opened: Callable[[Any], S],
        consume: Callable[[S], None] = lambda _: None,
        lost: Callable[[S], None] = lambda _: None,
    ) -> None:
        self._url, self._name = url, name
        self._opened, self._consume, self._lost = opened, consume, lost
        self._writing = threading.Lock()
        self._up = threading.Event()
        self._closing = threading.Event()
        self._down_since = time.monotonic()
        self._connection: Any = None
        # py-amqp's own `transport` attribute would connect anew when it is read after the end of a connection.
        self._socket: Any = None
        self.session: S | None = None
        self._broken = False
        self.blocked = False
        self._thread = threading.Thread(target=self._run, name=f"bus {name}", daemon=True)

    def start(self) -> None:
        self._down_since = time.monotonic()
        self._thread.start()

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    @property
    def closed(self) -> bool:
        return self._closing.is_set()

    def wait(self, seconds: float) -> bool:
        """Whether the connection is up, after waiting for it. What has been down for that long already is not waited
        for, so that an outage makes callers fail at once instead of one after the other."""
        # Never zero: green threads that ask again and again would not let the reconnecting one run.
        return self._up.wait(max(0.02, seconds - (time.monotonic() - self._down_since)))

    def come_up(self, seconds: float) -> bool:
        """Whether the connection is up within this time, however long it has been down."""
        return self._up.wait(seconds)

    def write(self, action: Callable[[S], None], seconds: float = WRITE_SECONDS) -> None:
        """Run `action(session)`, which writes whole messages. Raises Down when they did not leave in time."""
        end = time.monotonic() + seconds
        if not self._writing.acquire(timeout=max(0.0, seconds)):
            raise Down("other writers are stuck")
        try:
            session = self.session
            if session is None or self._broken:
                raise Down("not connected")
            self.allow(end - time.monotonic())
            try:
                action(session)
            except BaseException as error:
                # Half a frame may be on the wire; nothing can follow it, whatever interrupted the write.
                self._broken = True
                self.abort()
                if isinstance(error, Exception):
                    raise Down(f"write failed: {error}") from error
                raise
        finally:
            self._writing.release()

    def allow(self, seconds: float) -> None:
        """Limit the next write on the wire, within `write`."""
        self._socket.sock.settimeout(min(max(seconds, 0.001), WRITE_SECONDS))

    def abort(self) -> None:
        """Break the connection; the thread notices at once and opens a new one."""
        with suppress(OSError, AttributeError):  # It may be gone already.
            self._socket.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Say good-bye if the broker listens and end the thread."""
        self._closing.set()
        try:
            self.write(lambda _: self._connection.send_method(spec.Connection.Close, "BsBB", (0, "", 0, 0)), 1.0)
        except Down:
            self.abort()
        self._thread.join(2.0)
        self.abort()

    def _run(self) -> None:
        pause, complained = 0.05, False
        while not self._closing.is_set():
            try:
                self._open()
                pause, complained = 0.05, False
                self._read()
            except Exception as error:  # py-amqp lets errors of every kind out of a broken connection.
                if not self._closing.is_set() and not complained:
                    log.warning("%s: connection to the broker lost: %s", self._name, error or type(error).__name__)
                    complained = not self.connected
            finally:
                self._drop()
            self._closing.wait(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, MAX_PAUSE)

    def _open(self) -> None:
        self._connection = connection = connect(
            self._url, self._name, on_blocked=self._on_blocked, on_unblocked=self._on_unblocked
        )
        self._socket = connection.transport
        self.session = session = self._opened(connection)
        self._consume(session)
        self._socket.reader.settimeout(1.0)
        self._up.set()

    def _read(self) -> None:
        connection = self._connection
        beat_at = time.monotonic() + 1
        while connection.connected:
            try:
                connection.blocking_read()
            except TimeoutError:
                if self._closing.is_set():
                    return
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + 1
                if self._writing.acquire(timeout=1):
                    try:
                        connection.heartbeat_tick()
                    finally:
                        self._writing.release()

    def _drop(self) -> None:
        if self._up.is_set():
            self._down_since = time.monotonic()
            self._up.clear()
        self.abort()
        with self._writing:
            session, self.session = self.session, None
            self._broken = self.blocked = False
            connection, self._connection, self._socket = self._connection, None, None
            try:
                connection.collect()
            except Exception:  # A connection that failed half-way has nothing, or only parts, to collect.
                log.debug("%s: could not tidy up", self._name, exc_info=True)
        if session is not None:
            self._lost(session)

    def _on_blocked(self, reason: str) -> None:
        log.warning("%s: the broker accepts no messages: %s", self._name, reason)
        self.blocked = True

    def _on_unblocked(self) -> None:
        self.blocked = False
