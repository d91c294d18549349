"""What may travel as JSON."""

import datetime
import decimal
import enum
import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.bus.wire import Undecodable, decode, encode

text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | text
    | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


class Colour(enum.StrEnum):
    RED = "red"


def nested(levels):
    return b"[" * levels + b"]" * levels


@given(values)
def test_what_is_encoded_is_decoded_to_the_same_value(value):
    assert decode(encode(value)) == value


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_json_of_any_layout_is_decoded(value, indent, escaped):
    assert decode(json.dumps(value, indent=indent, ensure_ascii=escaped).encode()) == value


@given(st.dictionaries(text, scalars, min_size=1), st.sampled_from(["", " ", "\n", "\t"]))
def test_a_repeated_key_is_refused_in_any_layout(value, space):
    pairs = [f"{json.dumps(key)}{space}:{json.dumps(item)}" for key, item in value.items()]
    with pytest.raises(Undecodable):
        decode(f"[{{{','.join([*pairs, pairs[0]])}}}]".encode())


@pytest.mark.parametrize(
    "value",
    [
        uuid.UUID(int=1),
        datetime.datetime(2026, 1, 1),
        datetime.date(2026, 1, 1),
        decimal.Decimal(1),
        (1,),
        {1},
        b"x",
        Colour.RED,
        float("nan"),
        float("inf"),
        {1: 2},
        {"a": {None: 1}},
        2**64,
        -(2**63) - 1,
        "\ud800",
        "a\0b",
        {"\0": 1},
        object(),
    ],
    ids=repr,
)
def test_only_plain_json_values_are_encoded(value):
    with pytest.raises(TypeError):
        encode({"items": [value]})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"[1e999]",
        b'{"a":1,"a":2}',
        b'{"a" :":x","a" :1}',
        b'{"a":1,"\\u0061":2}',
        b'["\\u0000"]',
        b'{"\\u0000":1}',
        b'["a\0b"]',
        b'["\\ud800"]',
        b'["\\udc00"]',
        b'["\xff"]',
        b'["\xed\xa0\x80"]',
        b"[18446744073709551616]",
        b"[-9223372036854775809]",
        b"[" + b"9" * 5000 + b"]",
        nested(65),
        nested(5000),
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b"{'a':1}",
        b"[1,]",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_unsafe_or_ambiguous_json_is_refused(body):
    with pytest.raises(Undecodable):
        decode(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'["\\\\u0000"]', ["\\u0000"]),
        (b'{"a":":\\":b","c":"x\\\\"}', {"a": ':":b', "c": "x\\"}),
        (b'{"a":":b"}', {"a": ":b"}),
        (b'{"a":{"a":{"a":1}}}', {"a": {"a": {"a": 1}}}),
        (b"[18446744073709551615,-9223372036854775808,1e30]", [2**64 - 1, -(2**63), 1e30]),
    ],
)
def test_unusual_but_sound_json_is_accepted(body, value):
    assert decode(body) == value


def test_sixty_four_levels_are_the_limit_of_both_directions():
    assert encode(decode(nested(64))) == nested(64)
    value = decode(nested(64))
    with pytest.raises(TypeError):
        encode([value])


def test_a_refusal_repeats_nothing_of_the_content():
    with pytest.raises(Undecodable) as refusal:
        decode(b'{"password":"hunter2",}')
    assert "hunter2" not in str(refusal.value)
