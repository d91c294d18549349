"""The one door to addresses that tenants name: webhooks and whatever else calls out on somebody's behalf.

A tenant must not be able to reach what only this installation can reach (server-side request forgery). So a name is
resolved once, every answer must be a public address, the connection goes to the address that was checked, and what came
back is not followed and not shown.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.bus import offload
from chassis.environment import SettingsError

SECONDS = 10.0
LARGEST_ANSWER = 64 * 1024
PORTS = (443, 8443)
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The special-purpose address registries of IANA (RFC 6890 and its updates), multicast and the former site-local range.
# The flags of Python's `ipaddress` call some of them public.
# fmt: off
_SPECIAL = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
    "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7",
    "fe80::/10", "fec0::/10", "ff00::/8",
)
# fmt: on
CLOSED: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in _SPECIAL)


class Refused(ValueError):
    """This address is not called, now or later."""


class Failed(OSError):
    """The other side did not answer as it should; it may do so another time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status without its body, which nobody may see, and `Retry-After` in seconds where it was given so."""

    status: int
    retry_after: float | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Target:
    """An address that may be called: taken apart, its name in ASCII."""

    scheme: str
    host: str
    port: int
    path: str
    inside: bool
    """Whether the operator has opened this host although it is not public."""


def opened() -> tuple[frozenset[str], tuple[Network, ...]]:
    """`GUANXI_EGRESS_OPEN`: hosts and networks of one's own that may be called all the same, also without TLS and on
    any port, such as `erp.internal 10.1.2.0/24`. Raises SettingsError for a network that is none."""
    words = os.environ.get("GUANXI_EGRESS_OPEN", "").replace(",", " ").lower().split()
    try:
        networks = [ipaddress.ip_network(word) for word in words if "/" in word]
    except ValueError as error:
        raise SettingsError({"GUANXI_EGRESS_OPEN": f"Must be hosts and networks: {error}."}) from None
    return frozenset(word for word in words if "/" not in word), tuple(networks)


def understood(url: str) -> Target:
    """The target of a URL, before anything is resolved. Raises Refused with a reason for its author."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in url) or "\\" in url:
        raise Refused("It must not contain spaces, control characters or backslashes.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError:
        raise Refused("It is not a URL.") from None
    if parts.scheme not in ("https", "http") or not host:
        raise Refused("It must begin with https:// and name a host.")
    if parts.username is not None or parts.password is not None:
        raise Refused("It must not carry a user name or password.")
    if parts.fragment:
        raise Refused("It must not have a fragment.")
    host = _ascii(host)
    hosts, networks = opened()
    literal = _literal(host)
    inside = host in hosts or (literal is not None and any(_within(literal, network) for network in networks))
    port = port if port is not None else 443 if parts.scheme == "https" else 80
    if not inside:
        if parts.scheme != "https":
            raise Refused("It must begin with https://.")
        if port not in PORTS:
            raise Refused("Its port must be 443 or 8443.")
        if literal is not None and not is_public(literal):
            raise Refused("It must be a public address.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise Refused("Its path must be percent-encoded.")
    return Target(parts.scheme, host, port, path, inside)


def _ascii(host: str) -> str:
    if ":" in host:
        return host
    try:
        name = host.encode("idna").decode().lower()
    except UnicodeError:
        raise Refused("Its host name is not valid.") from None
    labels = name.split(".")
    if len(name) > 253 or not all(re.fullmatch(r"\w([\w-]*\w)?", label, re.ASCII) for label in labels):
        raise Refused("Its host name is not valid.")
    # The system's resolver reads 127.1, 2130706433 and 0x7f.1 as addresses. A real name ends in letters.
    last = labels[-1]
    if _literal(name) is None and (last.isdigit() or (last.startswith("0x") and last[2:].isalnum())):
        raise Refused("Its host is a number in disguise.")
    return name


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _within(address: Address, network: Network) -> bool:
    return address.version == network.version and address in network


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public Internet, also where it wraps another one inside (RFC 4291, 6052)."""
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or int(address) >> 125 != 1):
        # Of IPv6 only 2000::/3 is global unicast.
        return False
    return not any(_within(address, network) for network in CLOSED)


def resolve(target: Target) -> list[Address]:
    """The addresses of a host, all of them allowed. Raises Refused when one is not, Failed when there is none."""
    literal = _literal(target.host)
    if literal is not None:
        found = [literal]
    else:
        try:
            answers = offload(socket.getaddrinfo, target.host, target.port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise Failed(f"its host has no address: {error}") from None
        found = list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0]).split("%")[0]) for answer in answers))
    networks = opened()[1]
    for address in found:
        if not (is_public(address) or target.inside or any(_within(address, network) for network in networks)):
            # One bad answer spoils all: the next look-up might give only that one.
            raise Refused("Its host has an address that is not public.")
    if not found:
        raise Failed("its host has no address")
    return found


def post(url: str, body: bytes, headers: dict[str, str], *, seconds: float = SECONDS) -> Answer:
    """POST within this time, from the first look-up to the last byte. Redirects are answers like any other.

    Raises Refused for an address that is not allowed, Failed for everything that goes wrong on the way.
    """
    began = time.monotonic()
    target = understood(url)
    address = resolve(target)[0]
    try:
        return _exchange(target, address, body, headers, began, seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, Failed):
            raise
        late = time.monotonic() - began >= seconds
        raise Failed(f"no answer within {seconds:g} s" if late else _reason(error)) from None


def _exchange(
    target: Target, address: Address, body: bytes, headers: dict[str, str], began: float, seconds: float
) -> Answer:
    def left() -> float:
        rest = seconds - (time.monotonic() - began)
        if rest <= 0:
            raise Failed(f"no answer within {seconds:g} s")
        return rest

    wire = socket.create_connection((str(address), target.port), timeout=left())
    # A timeout of the socket counts from one byte to the next; this one counts for all of them together.
    held = [wire]
    alarm = threading.Timer(left(), _cut, (held,))
    alarm.daemon = True
    alarm.start()
    try:
        if target.scheme == "https":
            wire = held[0] = ssl.create_default_context().wrap_socket(wire, server_hostname=target.host)
        connection = http.client.HTTPConnection(target.host, target.port, timeout=left())
        connection.sock = wire
        usual = target.port == (443 if target.scheme == "https" else 80)
        name = f"[{target.host}]" if ":" in target.host else target.host
        connection.putrequest("POST", target.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", name if usual else f"{name}:{target.port}")
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        for header, value in headers.items():
            connection.putheader(header, value)
        connection.endheaders(body)
        response = connection.getresponse()
        if len(response.read(LARGEST_ANSWER + 1)) > LARGEST_ANSWER:
            raise Failed(f"its answer is longer than {LARGEST_ANSWER // 1024} KiB")
        left()
        return Answer(response.status, _seconds(response), round((time.monotonic() - began) * 1000))
    finally:
        alarm.cancel()
        wire.close()


def _cut(held: list[socket.socket]) -> None:
    try:
        held[0].shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # It had ended by itself.


def _seconds(response: http.client.HTTPResponse) -> float | None:
    text = (response.getheader("Retry-After") or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


def _reason(error: Exception) -> str:
    """What a tenant may know of a failure: its kind, and nothing that the other side has said."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or 'no certificate that is trusted'}"
    if isinstance(error, OSError) and error.strerror:
        return f"no connection: {error.strerror}"
    return f"no valid answer: {type(error).__name__}"
