"""Who asks, for whom and until when. It crosses the bus signed, so that no other broker user can forge it."""

from __future__ import annotations

import base64
import hmac
import time
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from chassis.errors import Problem
from chassis.ids import new_id

Grants = dict[str, dict[str, str]]
Masks = dict[str, dict[str, list[str]]]

EVERYTHING: Grants = {"*": {"*": "all"}}


@dataclass(frozen=True, slots=True)
class Context:
    """`actor` is `user:<id>`, `key:<id>` or `service:<name>`; `deadline` is in epoch seconds.

    `grants` maps record → action → `none | own | team | all`, `masks` record → `hidden | read_only` → fields.
    `cause` says what made this happen: `request`, `command:<verb>`, `event:<id>:<reaction>`, `saga:<id>`,
    `job:<id>:<kind>`, `timer:<name>` (`chassis.records.history` puts them into words).
    """

    tenant: str
    actor: str
    user_id: str | None = None
    teams: tuple[str, ...] = ()
    grants: Grants = field(default_factory=dict)
    masks: Masks = field(default_factory=dict)
    deadline: float = 0.0
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""
    cause: str = "request"
    zone: str = "UTC"

    def time_left(self) -> float:
        """Seconds until the deadline; a context without one has plenty."""
        return self.deadline - time.time() if self.deadline else 3600.0

    def caused_by(self, cause: str, causation_id: str = "") -> Context:
        return replace(self, cause=cause, causation_id=causation_id or self.causation_id)


def service_context(
    service: str, tenant: str, *, cause: str, correlation_id: str = "", causation_id: str = ""
) -> Context:
    """What a reaction, a saga, a timer or an import acts as: the named service principal of one tenant."""
    return Context(
        tenant=tenant,
        actor=f"service:{service}",
        grants=EVERYTHING,
        correlation_id=correlation_id or new_id(),
        causation_id=causation_id,
        cause=cause,
    )


_FIELDS = (
    "tenant",
    "actor",
    "user_id",
    "grants",
    "masks",
    "deadline",
    "correlation_id",
    "causation_id",
    "traceparent",
    "cause",
    "zone",
)


class Signer:
    """Signs and checks contexts with the key that an installation's processes share: a compact JWS (RFC 7515) in HS256.

    The algorithm is fixed, so nothing in a token can choose another. The key has at least 32 bytes.
    """

    def __init__(self, key: str) -> None:
        if len(key.encode()) < 32:
            raise ValueError("the context key needs at least 32 bytes")
        self._key = key.encode()

    def sign(self, context: Context) -> str:
        claims: dict[str, Any] = {name: getattr(context, name) for name in _FIELDS}
        claims["teams"] = list(context.teams)
        signed = _HEADER + b"." + _base64(orjson.dumps(claims))
        return (signed + b"." + self._mac(signed)).decode()

    def verify(self, token: Any) -> Context:
        """The context of a signed token. A forged, altered or missing one is refused with `context_refused`."""
        try:
            signed, _, mac = token.encode().rpartition(b".")
            header, _, payload = signed.partition(b".")
            if header == _HEADER and hmac.compare_digest(mac, self._mac(signed)):
                claims = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
                return Context(teams=tuple(claims["teams"]), **{name: claims[name] for name in _FIELDS})
        except (AttributeError, ValueError, KeyError, TypeError):
            pass
        raise Problem(401, "context_refused", "The request's identity is not signed by this installation.")

    def derived(self, purpose: str, *parts: str) -> bytes:
        """32 bytes that follow from the key and from nothing that is stored: a secret that no database has.

        The message begins with NUL, which no context does, so that neither can be taken for the other.
        """
        return hmac.digest(self._key, "\x00".join(["", purpose, *parts]).encode(), "sha256")

    def _mac(self, signed: bytes) -> bytes:
        return _base64(hmac.digest(self._key, signed, "sha256"))


def _base64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


_HEADER = _base64(b'{"alg":"HS256"}')
