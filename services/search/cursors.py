"""The place where the next page begins, as an opaque text that is bound to its question and to who asked it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from chassis.errors import Problem, bad_request
from services.search.index import Cursor
from services.search.phrases import Phrase

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
BYTES = 12


@dataclass(frozen=True)
class Place:
    """Behind which hit a page begins, by which reading of the question, and by which attempt at typing errors."""

    last: Cursor
    reading: int
    slips: int


def digest_of(*question: Any) -> str:
    """What tells one question from another."""
    return hashlib.blake2b(orjson.dumps(question), digest_size=BYTES).hexdigest()


def write(place: Place, digest: str) -> str:
    """The text of a place, which only the question with this digest continues from."""
    score, changed_at, record_id = place.last
    plain = [score, (changed_at - EPOCH) // MICROSECOND, record_id, place.reading, place.slips]
    return _encoded([*plain, _seal(plain, digest)])


def read(text: Any, digest: str, readings: list[Phrase]) -> Place:
    """The place in a text of `write`. Raises Problem 400 `bad_cursor` for everything else: it comes from outside."""
    try:
        *plain, seal = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if seal != _seal(plain, digest) or _encoded([*plain, seal]) != text:
            raise _foreign()
        score, micros, record_id, reading, slips = plain
        place = Place(Cursor(score, EPOCH + micros * MICROSECOND, record_id), reading, slips)
    except (ValueError, TypeError, AttributeError):
        raise _foreign() from None
    if place.reading >= len(readings):
        raise _foreign()
    return place


def _seal(plain: list[Any], digest: str) -> str:
    return digest_of(digest, plain)


def _encoded(plain: list[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(plain)).rstrip(b"=").decode()


def _foreign() -> Problem:
    return bad_request("bad_cursor", "This cursor does not belong to this list.", "after")
