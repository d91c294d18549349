"""Secrets: passwords (Argon2id), opaque access and refresh tokens, API keys. Only hashes are stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets as random
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from chassis.bus import offload
from chassis.database import Work

hasher = PasswordHasher()
# Verified when there is no such user, so that a wrong name takes as long as a wrong password.
NOBODY = hasher.hash(random.token_hex(16))
ACCESS = dt.timedelta(minutes=30)
REFRESH = dt.timedelta(days=30)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def verified(hashed: str | None, password: str) -> bool:
    """Whether the password fits; takes its ~100 ms of CPU outside the event loop."""
    try:
        return offload(hasher.verify, hashed or NOBODY, password) and hashed is not None
    except (Argon2Error, InvalidHashError):
        return False


def issue(
    work: Work, kind: str, user_id: str, holder_id: str, expires_at: dt.datetime | None, *, secret: str | None = None
) -> str:
    """A new secret of 32 random bytes, known only to the answer that carries it."""
    prefix = {"key": "gx_", "access": "gxa_", "refresh": "gxr_"}[kind]
    secret = secret or prefix + random.token_urlsafe(32)
    work.sql(
        "INSERT INTO secrets (tenant_id, hash, kind, user_id, holder_id, expires_at, used)"
        " VALUES (%s, %s, %s, %s, %s, %s, false)",
        (work.tenant, digest(secret), kind, user_id, holder_id, expires_at),
    )
    return secret


def look_up(database: Any, secret: str) -> Any:
    """The row of a secret in any tenant, or None."""
    with database.operations() as connection:
        return connection.exec_driver_sql(
            "SELECT tenant_id, hash, kind, user_id, holder_id, expires_at, used FROM secrets WHERE hash = %s",
            (digest(secret),),
        ).first()
