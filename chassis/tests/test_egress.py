"""The door to addresses that tenants name, against real sockets."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time

import pytest

from chassis import egress

INSIDE = """
http://example.com https://127.0.0.1 https://127.1 https://2130706433 https://0x7f.1 https://0x7f000001
https://0177.0.0.1 https://0 https://0.0.0.0 https://localhost.:443/ https://10.0.0.1 https://172.16.0.1 https://172.31.255.255
https://192.168.0.1 https://169.254.169.254/latest/meta-data https://100.64.0.1 https://100.127.255.254
https://192.0.0.8 https://192.0.2.1 https://198.18.0.1 https://198.51.100.1 https://203.0.113.1 https://224.0.0.1
https://240.0.0.1 https://255.255.255.255 https://192.88.99.1
https://[::1] https://[::] https://[::ffff:127.0.0.1] https://[::ffff:8.8.8.8] https://[64:ff9b::7f00:1]
https://[64:ff9b::a9fe:a9fe] https://[2002:7f00:1::] https://[2001:0:4136:e378::]
https://[fe80::1] https://[fc00::1]
https://[fd00:ec2::254] https://[ff02::1] https://[2001:db8::1] https://[100::1] https://[fec0::1]
https://[::127.0.0.1]
https://user@example.com https://user:pass@example.com https://example.com@127.0.0.1 https://example.com:22
https://example.com:80 https://example.com:0 https://example.com:99999 https://example.com/#fragment
https:///path https:// //example.com example.com ftp://example.com file:///etc/passwd gopher://example.com:443/_
dict://example.com javascript:alert(1) https://exa_mple..com https://.example.com https://-/ https://[::1
https://example.com\\@127.0.0.1 https://example.com/ü https://①②⑦.⓪.⓪.① https://127。0。0。1 https://0x7f.0.0.0x1
https://017700000001 https://127.0.0.1.:443 https://127.0.0.1:443 https://999.1.1.1 https://1.1
""".split()  # noqa: SIM905


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_inside_or_in_disguise_is_refused(url):
    """`localhost` and its like are names; they fall by what they resolve to."""
    with pytest.raises(egress.Refused):
        egress.resolve(egress.understood(url))


@pytest.mark.parametrize(
    "url", ["https://a.com/\r\nX: y", "https://a.com/ b", "https://a\x00.com/", "https://a.com/\t"]
)
def test_a_url_cannot_carry_headers(url):
    with pytest.raises(egress.Refused):
        egress.understood(url)


@pytest.mark.parametrize("url", ["https://8.8.8.8/x?y=1", "https://[2606:4700::1111]:8443/", "https://例え.テスト/"])
def test_a_public_address_is_understood(url):
    target = egress.understood(url)
    assert target.scheme == "https" and target.host.isascii() and not target.inside


def test_every_address_of_a_name_must_be_public(monkeypatch):
    """Two answers, one of them inside: whoever resolves again would perhaps get only that one."""
    answers = ["93.184.215.14", "127.0.0.1"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", (one, 443)) for one in answers])
    with pytest.raises(egress.Refused):
        egress.resolve(egress.understood("https://rebind.example.com"))
    del answers[1]
    assert egress.resolve(egress.understood("https://rebind.example.com")) == [ipaddress.ip_address("93.184.215.14")]


class Server:
    """Answers one connection after the other with these bytes, some of them slowly."""

    def __init__(self, answer: bytes, pause: float = 0.0) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/hook?a=1"
        self.requests: list[bytes] = []
        self._answer, self._pause, self._over = answer, pause, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(connection.recv(65536))
                try:
                    if not self._pause:
                        connection.sendall(self._answer)
                        continue
                    for byte in self._answer:
                        connection.sendall(bytes([byte]))
                        if self._over.wait(self._pause):
                            break
                except OSError:
                    continue

    def close(self) -> None:
        self._over.set()
        self._socket.close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("GUANXI_EGRESS_OPEN", "127.0.0.0/8")
    made: list[Server] = []

    def start(answer: bytes, pause: float = 0.0) -> Server:
        made.append(Server(answer, pause))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_an_open_network_is_called_and_only_the_status_comes_back(server):
    hook = server(b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 6\r\n\r\nsecret")
    answer = egress.post(hook.url, b"{}", {"Content-Type": "application/json"})
    assert (answer.status, answer.retry_after) == (503, 120.0)
    assert hook.requests[0].startswith(b"POST /hook?a=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert not hasattr(answer, "body")


def test_a_redirect_is_an_answer_and_nobody_goes_there(server):
    elsewhere = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    hook = server(f"HTTP/1.1 301 Moved\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode())
    assert egress.post(hook.url, b"{}", {}).status == 301
    assert elsewhere.requests == []


def test_dripping_byte_by_byte_does_not_stretch_the_time(server):
    hook = server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000, pause=0.05)
    began = time.monotonic()
    with pytest.raises(egress.Failed, match="no answer within"):
        egress.post(hook.url, b"{}", {}, seconds=0.5)
    assert time.monotonic() - began < 3


def test_an_endless_answer_is_cut(server):
    hook = server(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (10 * 1024 * 1024))
    with pytest.raises(egress.Failed, match="longer than 64 KiB"):
        egress.post(hook.url, b"{}", {})


def test_what_is_no_http_and_a_closed_port_are_failures(server):
    with pytest.raises(egress.Failed, match="no valid answer"):
        egress.post(server(b"220 smtp ready\r\n").url, b"{}", {})
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        with pytest.raises(egress.Failed, match="no connection"):
            egress.post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"{}", {}, seconds=2)


def test_a_certificate_that_nobody_vouches_for_is_a_failure(server):
    hook = server(b"not TLS at all, so much is certain")
    with pytest.raises(egress.Failed, match="TLS failed"):
        egress.post(hook.url.replace("http://", "https://"), b"{}", {}, seconds=3)
