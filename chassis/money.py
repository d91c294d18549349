"""Arithmetic on money: exact decimals, rounded half up to the currency's minor unit, never floats."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from contracts.values import MINOR_UNITS, Amount


def round_half_up(value: Decimal, currency: str) -> Amount:
    """`value` to the minor unit of `currency`: 2.345 EUR is 2.35, 0.5 JPY is 1; half is rounded away from zero."""
    return Amount(value.quantize(Decimal(1).scaleb(-MINOR_UNITS[currency]), ROUND_HALF_UP), currency)


def zero(currency: str) -> Amount:
    return round_half_up(Decimal(0), currency)


def total(amounts: Iterable[Amount | None], currency: str) -> Amount:
    """The sum of amounts of one currency; empty ones count as nothing. Raises ValueError for another currency."""
    result = Decimal(0)
    for amount in amounts:
        if amount is None:
            continue
        if amount.currency != currency:
            raise ValueError(f"{amount.currency} cannot be added to {currency}")
        result += amount.amount
    return round_half_up(result, currency)
