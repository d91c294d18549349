"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

import uuid

from uuid_utils.compat import uuid7

_NAMESPACE = uuid.UUID("0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b")


def new_id() -> str:
    return str(uuid7())


def derived_id(*parts: str) -> str:
    """An id that the same parts always give (UUIDv5), for work that must be repeatable."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(parts)))
