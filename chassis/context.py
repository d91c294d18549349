"""Who asks, for whom and until when. It crosses the bus signed, so that no other broker user can forge it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import jwt

from chassis.errors import Problem
from chassis.ids import new_id

Grants = dict[str, dict[str, str]]
Masks = dict[str, dict[str, list[str]]]

EVERYTHING: Grants = {"*": {"*": "all"}}


@dataclass(frozen=True, slots=True)
class Context:
    """`actor` is `user:<id>`, `key:<id>` or `service:<name>`; `deadline` is in epoch seconds.

    `grants` maps record → action → `none | own | team | all`, `masks` record → `hidden | read_only` → fields.
    `cause` says what made this happen: `request`, `event:<id>`, `saga:<id>`, `job:<id>`, `timer:<name>`, `import`.
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
    """Signs and checks contexts with the key that an installation's processes share (HS256, at least 32 bytes)."""

    def __init__(self, key: str) -> None:
        if len(key.encode()) < 32:
            raise ValueError("the context key needs at least 32 bytes")
        self._key = key

    def sign(self, context: Context) -> str:
        claims: dict[str, Any] = {name: getattr(context, name) for name in _FIELDS}
        claims["teams"] = list(context.teams)
        return jwt.encode(claims, self._key, algorithm="HS256")

    def verify(self, token: Any) -> Context:
        """The context of a signed token. A forged, altered or missing one is refused with `context_refused`."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["HS256"])
            return Context(teams=tuple(claims["teams"]), **{name: claims[name] for name in _FIELDS})
        except (jwt.PyJWTError, KeyError, TypeError) as error:
            raise Problem(
                401, "context_refused", "The request's identity is not signed by this installation."
            ) from error
