"""Wrong input: the answer is a 4xx problem with a stable code that names the field, and no table has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chassis.ids import new_id
from tests.security.refusals import assert_refused
from tests.security.shop import Shop, usd
from tests.security.world import World

JSON = dict[str, Any]
MEBIBYTE = 1024 * 1024
MISSING = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"


@dataclass(frozen=True)
class Row:
    """One wrong request. `make` gives path and body from the shop and from another tenant's shop."""

    name: str
    method: str
    make: Callable[[Shop, Shop], tuple[str, Any]]
    status: int
    code: str
    field: str | None = None


def order(field: str, code: str = "invalid", **change: Any) -> Callable[[str, Callable[[Shop, Shop], JSON]], Row]:
    def row(name: str, make: Callable[[Shop, Shop], JSON]) -> Row:
        return Row(name, "POST", lambda s, r: ("/v1/orders", s.order() | make(s, r)), 422, code, field)

    return row


def line(name: str, field: str, **change: Any) -> Row:
    def make(s: Shop, r: Shop) -> tuple[str, Any]:
        body = s.order()
        body["lines"][0] |= change
        return "/v1/orders", body

    return Row(name, "POST", make, 422, "invalid", f"lines.0.{field}")


QUANTITIES: list[Any] = ["-1", "0", "-0", "0.0", "0.0000001", "1e3", "", " 1", "１", "NaN", "Infinity", "9" * 16, "0x10"]
QUANTITIES += [True, None, [], {}, 1.5, -1]
LINES = [line(f"a quantity of {quantity!r}", "quantity", quantity=quantity) for quantity in QUANTITIES] + [
    line("an unknown field of a line", "colour", colour="red"),
    line("a computed amount of a line", "net", net=usd("0.01")),
    line("a negative price", "unit_price", unit_price=usd("-1")),
    line("a price with seven decimals", "unit_price", unit_price=usd("1.0000001")),
    line("a price as a number", "unit_price", unit_price=10),
    line("a price without currency", "unit_price", unit_price={"amount": "1"}),
    line("a price in an unknown currency", "unit_price", unit_price={"amount": "1", "currency": "ZZZ"}),
    line("a discount above 100", "discount_percent", discount_percent="100.01"),
    line("a negative discount", "discount_percent", discount_percent="-5"),
    line("a product that is no id", "product_id", product_id="TEA-1"),
]
ORDERS = [
    order("lines")("2,001 lines", lambda s, r: {"lines": s.order()["lines"] * 2001}),
    order("lines")("no lines", lambda s, r: {"lines": []}),
    order("lines")("lines that are no list", lambda s, r: {"lines": {"0": s.order()["lines"][0]}}),
    order("lines")("two lines of one id", lambda s, r: {"lines": [s.order()["lines"][0] | {"id": MISSING}] * 2}),
    order("colour")("an unknown field", lambda s, r: {"colour": "red"}),
    order("account_id")("an account of a wrong type", lambda s, r: {"account_id": 7}),
    order("account_id")("an account that is no id", lambda s, r: {"account_id": "ALFKI"}),
    order("account_id", "unknown_reference")("a missing account", lambda s, r: {"account_id": MISSING}),
    order("account_id", "unknown_reference")("another tenant's account", lambda s, r: {"account_id": r.account["id"]}),
    order("lines.0.product_id", "unknown_reference")("a missing product", lambda s, r: {"lines": _of(MISSING)}),
    order("lines.0.product_id", "unknown_reference")(
        "another tenant's product", lambda s, r: {"lines": _of(r.product["id"])}
    ),
    order("owner_id", "unknown_reference")("another tenant's user", lambda s, r: {"owner_id": r.tenant.user_id}),
    order("currency", "currency_not_allowed")("a currency that the account lacks", lambda s, r: {"currency": "JPY"}),
    order("currency")("an unknown currency", lambda s, r: {"currency": "usd"}),
    order("ordered_on")("a day that is not in the calendar", lambda s, r: {"ordered_on": "2026-02-30"}),
    order("ordered_on")("an instant for a date", lambda s, r: {"ordered_on": "2026-03-02T00:00:00Z"}),
    order("freight")("freight with three decimals", lambda s, r: {"freight": usd("1.005")}),
    order("external_ids")("a key of an outside system with capitals", lambda s, r: {"external_ids": {"ERP": "1"}}),
    order("external_ids")("21 outside systems", lambda s, r: {"external_ids": {f"s{n}": "1" for n in range(21)}}),
    order("custom")("custom fields that are a list", lambda s, r: {"custom": []}),
]
GIVEN_BY_US = ("tenant_id", "id", "version", "created_at", "created_by", "updated_by", "deleted_at", "status", "total")
MASS = [
    Row(f"{verb} {name}", method, _with(name), 422, "invalid", name)
    for name in (*GIVEN_BY_US, "net", "tax", "number", "placed_at", "account_name", "reason")
    for verb, method, _with in (
        ("creating with", "POST", lambda name: lambda s, r: ("/v1/orders", s.order() | {name: MISSING})),
        ("patching", "PATCH", lambda name: lambda s, r: (f"/v1/orders/{s.draft['id']}", {name: MISSING})),
        ("upserting", "PUT", lambda name: lambda s, r: ("/v1/orders/by-external/erp/9", s.order() | {name: MISSING})),
        (
            "a bulk with",
            "POST",
            lambda name: lambda s, r: ("/v1/orders/bulk", _bulk(op="create", data=s.order() | {name: MISSING})),
        ),
    )
    for _with in [_with(name)]
] if False else []


def _of(product_id: str) -> list[JSON]:
    return [{"product_id": product_id, "quantity": "1"}]
