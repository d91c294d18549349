"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

from uuid_utils import uuid7

_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


GENERATED_KEY = "request "
"""How the idempotency keys begin that the gateway gives to writes without one. Clients' keys have no blanks."""


FIRST_ID = "00000000-0000-0000-0000-000000000000"
"""Before every id: where a walk in the order of ids begins."""


def new_id() -> str:
    return str(uuid7())


def made_at(identifier: str) -> dt.datetime:
    """When a UUIDv7 was made; of any other id the answer means nothing."""
    return dt.datetime.fromtimestamp(int(identifier.replace("-", "")[:12], 16) / 1000, dt.UTC)


def derived_id(*parts: str) -> str:
    """An id that the same parts always give, for work that must be repeatable.

    It is a UUIDv7 whose time is the latest of the UUIDv7s within the parts, so that what is made of an event or a saga
    sorts where it belongs; the rest is a digest of the parts. Raises ValueError when no part holds a time.
    """
    text = "\x1f".join(parts)
    times = [int(found.replace("-", "")[:12], 16) for found in _UUID7.findall(text)]
    if not times:
        raise ValueError("one of the parts must hold a UUIDv7")
    digest = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    value = (max(times) << 80) | (digest & ((1 << 80) - 1))
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    hexed = f"{value:032x}"
    return f"{hexed[:8]}-{hexed[8:12]}-{hexed[12:16]}-{hexed[16:20]}-{hexed[20:]}"
