"""The proxy that stands between every two parts does to a connection exactly what its mode says."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy

PATIENCE = 10
RESET = b"reset"


class Echo:
    """A server that sends back what it gets, and keeps it."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            while piece := connection.recv(4096):
                if piece == RESET:
                    # Closing with a linger time of zero sends RST instead of FIN, as a server does that crashed.
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                self.heard += piece
                connection.sendall(piece)
        except OSError:
            return
        finally:
            connection.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)


def ask(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(4096)


def test_passing_carries_both_directions_unchanged(proxy: Proxy):
    payload = bytes(range(256)) * 4096
    with connect(proxy) as connection:
        threading.Thread(target=connection.sendall, args=(payload,)).start()
        heard = b""
        while len(heard) < len(payload):
            heard += connection.recv(65536)
    assert heard == payload


def test_the_end_of_one_side_reaches_the_other(proxy: Proxy):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def test_a_reset_of_the_server_reaches_the_client(proxy: Proxy):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        connection.sendall(RESET)
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_refusing_refuses_new_connections_and_leaves_existing_ones(proxy: Proxy):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.set("refuse")
        with pytest.raises(ConnectionRefusedError):
            connect(proxy)
        assert ask(connection, b"b") == b"b"
        proxy.set("pass")
        with connect(proxy) as later:
            assert ask(later, b"c") == b"c"


def test_resetting_breaks_existing_and_new_connections(proxy: Proxy):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.set("reset")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    with pytest.raises(ConnectionResetError), connect(proxy) as fresh:
        ask(fresh, b"b")
    proxy.set("pass")
    with connect(proxy) as later:
        assert ask(later, b"c") == b"c"


def test_a_black_hole_swallows_everything_without_a_word(proxy: Proxy, echo: Echo):
    with connect(proxy) as old:
        assert ask(old, b"a") == b"a"
        proxy.set("black-hole")
        with connect(proxy) as fresh:
            for connection in (old, fresh):
                connection.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    ask(connection, b"lost")
        assert echo.heard == b"a"


def test_a_stream_that_lost_bytes_in_a_black_hole_is_reset_when_the_hole_closes(proxy: Proxy):
    with connect(proxy) as touched, connect(proxy) as untouched:
        assert ask(touched, b"a") == ask(untouched, b"a") == b"a"
        proxy.set("black-hole")
        touched.settimeout(0.3)
        with pytest.raises(TimeoutError):
            ask(touched, b"lost")
        proxy.set("pass")
        with pytest.raises(ConnectionResetError):
            touched.recv(1)
        assert ask(untouched, b"b") == b"b"


def test_slowness_delays_each_direction(proxy: Proxy):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.set("slow", delay=0.2)
        begin = time.monotonic()
        assert ask(connection, b"b") == b"b"
        assert time.monotonic() - begin >= 0.4


def test_a_half_closed_link_still_carries_what_the_client_sends(proxy: Proxy, echo: Echo):
    with connect(proxy) as connection:
        assert ask(connection, b"a") == b"a"
        proxy.set("half-close")
        assert connection.recv(1) == b""
        connection.sendall(b"b")
        end = time.monotonic() + PATIENCE
        while bytes(echo.heard) != b"ab":
            assert time.monotonic() < end
            time.sleep(0.01)


def test_there_is_no_other_mode(proxy: Proxy):
    with pytest.raises(ValueError, match="explode"):
        proxy.set("explode")
