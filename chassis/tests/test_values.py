"""Money, signed contexts, ids and problems: small things that everything leans on."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from chassis.context import EVERYTHING, Context, Signer, service_context
from chassis.errors import Problem, from_validation, invalid
from chassis.ids import derived_id, new_id
from chassis.money import round_half_up, total, zero
from chassis.tests.given import PROPERTY, refused
from contracts.values import MINOR_UNITS, Amount, is_uuid

KEY = "a key of an installation, 32 bytes or more"


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [
        ("2.345", "EUR", "2.35"),
        ("2.344999", "EUR", "2.34"),
        ("2.335", "EUR", "2.34"),
        ("-2.345", "EUR", "-2.35"),
        ("0.005", "CNY", "0.01"),
        ("0.5", "JPY", "1"),
        ("1.4999", "JPY", "1"),
        ("-0.5", "JPY", "-1"),
        ("1.0005", "KWD", "1.001"),
        ("1.0004", "KWD", "1.000"),
        ("7", "EUR", "7.00"),
        ("123456789012345.675", "EUR", "123456789012345.68"),
    ],
)
def test_money_is_rounded_half_up_to_the_minor_unit(value: str, currency: str, rounded: str) -> None:
    result = round_half_up(Decimal(value), currency)
    assert (str(result.amount), result.currency) == (rounded, currency)


@PROPERTY
@given(
    value=st.decimals(min_value=-(10**12), max_value=10**12, places=8, allow_nan=False),
    currency=st.sampled_from(sorted(MINOR_UNITS)),
)
def test_rounding_moves_by_at_most_half_a_unit_and_only_once(value: Decimal, currency: str) -> None:
    once = round_half_up(value, currency)
    assert abs(once.amount - value) <= Decimal(1).scaleb(-MINOR_UNITS[currency]) / 2
    assert round_half_up(once.amount, currency) == once
    assert round_half_up(-value, currency).amount == -once.amount


def test_a_total_counts_empty_amounts_as_nothing_and_never_adds_currencies() -> None:
    assert total([Amount(Decimal("1.10"), "EUR"), None, Amount(Decimal("2.20"), "EUR")], "EUR").amount == Decimal(
        "3.30"
    )
    assert total([], "JPY") == zero("JPY") == Amount(Decimal("0"), "JPY")
    with pytest.raises(ValueError, match="USD"):
        total([Amount(Decimal(1), "USD")], "EUR")


def _context(**more: Any) -> Context:
    return Context(tenant=new_id(), actor="user:1", user_id="1", teams=("a", "b"), grants=EVERYTHING, **more)


def test_a_context_comes_back_from_its_token_as_it_went() -> None:
    context = _context(masks={"x": {"hidden": ["y"]}}, deadline=12.5, correlation_id="c", zone="Asia/Shanghai")
    assert Signer(KEY).verify(Signer(KEY).sign(context)) == context


def test_a_key_below_32_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer("x" * 31)
    Signer("x" * 32)


def test_a_context_that_was_forged_or_altered_is_refused() -> None:
    signer, context = Signer(KEY), _context()
    token = signer.sign(context)
    head, body, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    altered = jwt.encode({**claims, "tenant": new_id()}, "another key, which is long enough too", algorithm="HS256")
    unsigned = jwt.encode(claims, None, algorithm="none")
    partial = jwt.encode({"tenant": context.tenant}, KEY, algorithm="HS256")
    without_teams = jwt.encode({**claims, "teams": None}, KEY, algorithm="HS256")
    swapped = f"{head}.{altered.split('.')[1]}.{signature}"
    wrong = [altered, unsigned, partial, without_teams, swapped, f"{head}.{body}.", "", "x", None, 5, {}, [token]]
    for forged in wrong:
        with refused(401, "context_refused"):
            signer.verify(forged)


def test_a_request_after_its_deadline_is_not_begun(suite_of: Any) -> None:
    from dataclasses import replace

    suite = suite_of("customer")
    late = replace(suite.context(), deadline=time.time() - 1)
    with refused(504, "deadline_passed"):
        suite.create("customer.account", {"name": "Alpha"}, context=late)
    assert suite.list("customer.account") == []
    assert _context().time_left() == 3600


def test_a_service_acts_in_its_own_name_for_one_tenant() -> None:
    tenant = new_id()
    context = service_context("sales", tenant, cause="event:1")
    assert (context.tenant, context.actor, context.user_id, context.cause) == (tenant, "service:sales", None, "event:1")
    assert is_uuid(context.correlation_id)


def test_ids_sort_by_the_time_they_were_made_and_derived_ones_repeat() -> None:
    made = [new_id() for _ in range(1_000)]
    assert made == sorted(made)
    assert len(set(made)) == 1_000
    cause = made[0]
    assert derived_id("a", "bc", cause) == derived_id("a", "bc", cause) != derived_id("ab", "c", cause)
    assert is_uuid(derived_id("a", cause))


def test_a_problem_travels_as_plain_json() -> None:
    problem = Problem(409, "busy", "Busy.", errors=[{"field": "a", "message": "b"}], extra={"x": 1}, retry_after=3)
    assert Problem.read(problem.document()).document() == problem.document()
    assert Problem(404, "not_found", "No.").document() == {"status": 404, "code": "not_found", "detail": "No."}
    assert invalid({"a": "b"}).errors == [{"field": "a", "message": "b"}]


def test_nested_messages_become_dotted_fields() -> None:
    error = ValidationError({"lines": {0: {"quantity": ["Too low.", "Odd."]}}, "_schema": ["Wrong."]})
    assert from_validation(error).errors == [
        {"field": "lines.0.quantity", "message": "Too low."},
        {"field": "lines.0.quantity", "message": "Odd."},
        {"field": "", "message": "Wrong."},
    ]


def test_an_error_of_ours_tells_nothing_of_our_inside(suite_of: Any) -> None:
    suite = suite_of("customer")
    with refused(500, "internal") as caught:
        suite.call("customer", "record.get", {"id": new_id()})
    assert caught.value.detail == "Something went wrong on our side."
    with refused(404, "not_found"):
        suite.call("customer", "record.shred", {"record": "customer.account"})
    with refused(404, "not_found"):
        suite.list("customer.spaceship")
