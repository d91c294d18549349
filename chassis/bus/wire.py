"""JSON as it travels: plain values out, strictly checked values in. Both transports carry exactly these bytes."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import orjson

MAX_DEPTH = 64
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1
# White space may separate a key from its colon, and a backslash may hide a quote. Where neither occurs, every key is
# followed by exactly `":`, so that counting those finds repeated keys without a second parser.
_UNUSUAL = (b"\\", b"\n", b"\r", b"\t", b" :")


class Undecodable(ValueError):
    """These bytes are no acceptable JSON. The text is a short reason without any of the content."""


def encode(value: Any) -> bytes:
    """JSON bytes of dict (str keys), list, str, int (64 bit), finite float, bool and None, at most 64 levels deep.

    Raises TypeError for anything else, also for what orjson would convert silently (UUID, datetime, tuple, NaN), since
    the published schemas know none of it, and for NUL, which PostgreSQL cannot store and `decode` refuses.
    """
    level = [value]
    depth = 0
    while level:
        below: list[Any] = []
        deeper = False
        for item in level:
            kind = type(item)
            if kind is dict:
                deeper = True
                below.extend(item.values())
            elif kind is list:
                deeper = True
                below.extend(item)
            elif kind is float:
                if not math.isfinite(item):
                    raise TypeError("a float is not finite")
            elif kind is not str and kind is not int and item is not None and kind is not bool:
                raise TypeError(f"{kind.__name__} is not a plain JSON type")
        depth += deeper
        if depth > MAX_DEPTH:
            raise TypeError(f"nested deeper than {MAX_DEPTH} levels")
        level = below
    body = orjson.dumps(value)
    if b"\\u0000" in body and _holds_nul(value):
        raise TypeError("a string contains NUL")
    return body


def decode(body: bytes) -> Any:
    """The value of these bytes. Raises Undecodable for NaN, infinity, repeated keys, NUL, lone surrogates, more than
    64 levels, integers beyond 64 bit and everything that is not JSON in UTF-8."""
    try:
        value = orjson.loads(body)
    except ValueError as error:
        raise Undecodable(str(error).partition(":")[0]) from None
    keys, large = _count(value)
    if large or keys != body.count(b'":') or any(mark in body for mark in _UNUSUAL):
        _check_closely(body)
    if b"\\" in body and b"\\u0000" in body and _holds_nul(value):
        raise Undecodable("a string contains NUL")
    return value


def _count(value: Any) -> tuple[int, bool]:
    """Number of keys in all objects, and whether a float is so large that it may have been written as an integer."""
    keys, large, depth = 0, False, 0
    level = [value]
    while level:
        below: list[Any] = []
        deeper = False
        for item in level:
            kind = type(item)
            if kind is dict:
                deeper = True
                keys += len(item)
                below.extend(item.values())
            elif kind is list:
                deeper = True
                below.extend(item)
            elif kind is float and not -1e18 < item < 1e18:
                large = True
        depth += deeper
        if depth > MAX_DEPTH:
            raise Undecodable(f"nested deeper than {MAX_DEPTH} levels")
        level = below
    return keys, large


def _check_closely(body: bytes) -> None:
    """The slow and certain check for repeated keys and large integers, for the few bodies that may hold some."""
    json.loads(body, object_pairs_hook=_unique, parse_int=_bounded)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise Undecodable("an object repeats a key")


def _bounded(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else _too_large()
    return number if _INT_MIN <= number <= _INT_MAX else _too_large()


def _too_large() -> NoReturn:
    raise Undecodable("an integer exceeds 64 bit")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
