"""Values that travel in records: money and the currencies that exist, and the wire form of decimals, instants and ids.

Currency codes and their minor units follow ISO 4217 (list of 2024-06-25).
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import ValidationError

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
    "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD "
    "SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER "
    "ZAR ZMW ZWG"
)
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"

MINOR_UNITS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
}


class Amount(NamedTuple):
    """An amount of money: an exact decimal and an ISO 4217 code. Rounding lives in `chassis.money`."""

    amount: Decimal
    currency: str


_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?", re.ASCII)
# Years 1000 to 8999: whatever the offset, the moment in UTC is one that Python and PostgreSQL can hold.
_INSTANT = re.compile(r"[1-8]\d{3}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def parse_decimal(value: Any) -> Decimal:
    """A decimal from its string; exponents, NaN, infinities and numbers beyond 15 digits are refused."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise ValidationError('Must be a decimal number in a string, such as "12.34".')
    return Decimal(value)


def parse_instant(value: Any) -> dt.datetime:
    """An aware UTC moment from RFC 3339 text."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise ValidationError("Must be an instant such as 2026-11-23T08:00:00Z.")
    try:
        return dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
    except ValueError:
        raise ValidationError("Not a moment of the calendar.") from None


def is_uuid(value: Any) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def parse_uuid(value: Any) -> str:
    """The canonical lower-case text of an id."""
    if is_uuid(value):
        return str(value).lower()
    raise ValidationError("Must be an id (UUID).")


def plain(number: Decimal) -> str:
    """A decimal without exponent: Decimal("1E+2") is written 100."""
    return format(number, "f")


def instant(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    if moment.utcoffset():
        moment = moment.astimezone(dt.UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"
