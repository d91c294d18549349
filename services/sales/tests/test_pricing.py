"""What an order costs: compared with sums in exact fractions."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from chassis.errors import Problem
from chassis.testing import Suite
from contracts import sales as contracts
from contracts.values import MINOR_UNITS, Amount
from services.sales.models import Order
from services.sales.pricing import price
from services.sales.tests import given


@pytest.fixture(scope="module")
def shop(databases):
    return given.shop(lambda *services: Suite(databases, services))


def half_up(exact: Fraction, currency: str) -> Decimal:
    """Round half up in whole minor units, without decimals or contexts."""
    scale = 10 ** MINOR_UNITS[currency]
    return Decimal(math.floor(exact * scale + Fraction(1, 2))).scaleb(-MINOR_UNITS[currency])


def priced(currency, lines, freight=None):
    """An order of (quantity, unit price, discount, tax rate), priced by the rule."""
    made = [
        contracts.OrderLine.make(
            {
                "quantity": Decimal(quantity),
                "unit_price": Amount(Decimal(unit_price), currency),
                "discount_percent": Decimal(discount),
                "tax_rate": Decimal(tax_rate),
            }
        )
        for quantity, unit_price, discount, tax_rate in lines
    ]
    order = Order(currency=currency, lines=made, freight=Amount(Decimal(freight), currency) if freight else None)
    price(order, None)
    return order


@pytest.mark.parametrize(
    ("currency", "line", "net", "tax"),
    [
        ("USD", ("3", "9.995", "0", "19"), "29.99", "5.70"),
        ("USD", ("1", "0.005", "0", "0"), "0.01", "0.00"),
        ("USD", ("1", "0.0049", "0", "0"), "0.00", "0.00"),
        ("USD", ("7", "1.10", "15", "7.5"), "6.55", "0.49"),
        ("USD", ("1", "2.50", "100", "19"), "0.00", "0.00"),
        ("USD", ("0.5", "2.01", "0", "50"), "1.01", "0.51"),
        ("JPY", ("1", "0.5", "0", "10"), "1", "0"),
        ("JPY", ("3", "333", "12.5", "10"), "874", "87"),
        ("BHD", ("1", "1.0005", "0", "5"), "1.001", "0.050"),
        # 0.004999999999999999 above a whole number: rounded first to 28 digits it would become a half.
        ("USD", ("1.000003", "627258852222.633333", "9.9999", "0"), "564535287860.00", "0.00"),
    ],
)
def test_a_line_rounds_half_up_to_the_minor_unit_of_its_currency(currency, line, net, tax):
    (made,) = priced(currency, [line]).lines
    assert (str(made.net.amount), str(made.tax.amount)) == (net, tax)


def test_lines_round_one_by_one_before_they_are_added():
    order = priced("USD", [("1", "0.005", "0", "10")] * 3, freight="4.50")
    assert (str(order.net.amount), str(order.tax.amount), str(order.total.amount)) == ("0.03", "0.00", "4.53")


def decimals(places, most):
    return st.decimals(min_value=0, max_value=most, places=places, allow_nan=False, allow_infinity=False)


LINE = st.tuples(
    st.one_of(decimals(6, 10**4), decimals(6, 10**9)).filter(bool),
    st.one_of(decimals(6, 10**4), decimals(6, 10**5)),
    decimals(4, 100),
    decimals(4, 100),
)


@settings(max_examples=300, deadline=None)
@drawn(st.sampled_from(["USD", "JPY", "BHD"]), st.lists(LINE, min_size=1, max_size=5), decimals(0, 10**6))
def test_nets_taxes_and_sums_are_exact_whatever_the_digits(currency, lines, freight):
    order = priced(currency, lines, freight)
    net = tax = Decimal(0)
    for line, (quantity, unit_price, discount, rate) in zip(order.lines, lines, strict=True):
        exact = Fraction(quantity) * Fraction(unit_price) * (1 - Fraction(discount) / 100)
        assert line.net.amount == half_up(exact, currency)
        assert line.tax.amount == half_up(Fraction(line.net.amount) * Fraction(rate) / 100, currency)
        net, tax = net + line.net.amount, tax + line.tax.amount
    assert (order.net.amount, order.tax.amount) == (net, tax)
    assert order.total.amount == net + tax + freight


def test_an_order_beyond_fifteen_digits_is_refused_instead_of_rounded(shop):
    tea = given.product(shop, on_hand="0")
    line = {"product_id": tea, "quantity": "999999999999999", "unit_price": given.usd("999999999999999.123456")}
    with pytest.raises(Problem) as refused:
        given.order(shop, given.account(shop), [line])
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"] == "total"


def test_price_and_tax_rate_come_from_the_product_when_a_line_names_none(shop):
    tea = given.product(shop, on_hand="0", price="9.995", tax_rate="19")
    account = given.account(shop)
    lines = [
        {"product_id": tea, "quantity": "3"},
        {"product_id": tea, "quantity": "1", "unit_price": given.usd("5"), "tax_rate": "0"},
    ]
    order = given.order(shop, account, lines, freight=given.usd("2.50"))
    assert [line["net"]["amount"] for line in order["lines"]] == ["29.99", "5.00"]
    assert [line["tax"]["amount"] for line in order["lines"]] == ["5.70", "0.00"]
    assert order["total"] == given.usd("43.19")


def test_a_later_price_of_the_product_does_not_change_a_draft(shop):
    tea = given.product(shop, on_hand="0", price="10")
    order = given.order(shop, given.account(shop), tea)
    shop.update("inventory.product", tea, {"price": given.usd("20")})
    shop.settle()
    again = shop.update("sales.order", order["id"], {"ship_name": "Maria"})
    assert again["total"] == given.usd("10.00")


def test_changed_lines_are_priced_again(shop):
    tea = given.product(shop, on_hand="0", price="10")
    order = given.order(shop, given.account(shop), tea)
    (line,) = order["lines"]
    kept = {"id": line["id"], "product_id": tea, "quantity": "4", "discount_percent": "25"}
    changed = shop.update("sales.order", order["id"], {"lines": [kept]})
    assert (changed["lines"][0]["id"], changed["total"]) == (line["id"], given.usd("30.00"))


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"currency": "EUR"}, "lines.0.unit_price", "invalid"),
        ({"freight": {"amount": "1", "currency": "EUR"}}, "freight.currency", "invalid"),
        ({"lines": []}, "lines", "invalid"),
        ({"currency": "XXX"}, "currency", "invalid"),
        ({"account_id": "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"}, "account_id", "unknown_reference"),
        ({"warehouse_id": "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"}, "warehouse_id", "unknown_reference"),
        ({"total": {"amount": "1", "currency": "USD"}}, "total", "invalid"),
        ({"status": "confirmed"}, "status", "invalid"),
    ],
)
def test_an_order_that_does_not_add_up_is_refused_by_field(shop, fields, field, code):
    tea = given.product(shop, on_hand="0")
    whole = {"account_id": given.account(shop), "lines": [{"product_id": tea, "quantity": "1"}], **fields}
    with pytest.raises(Problem) as refused:
        given.order(shop, **whole)
    assert (refused.value.status, refused.value.code) == (422, code)
    assert refused.value.errors[0]["field"] == field


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"quantity": "0"}, "lines.0.quantity"),
        ({"discount_percent": "101"}, "lines.0.discount_percent"),
        ({"tax_rate": "-1"}, "lines.0.tax_rate"),
        ({"unit_price": {"amount": "-1", "currency": "USD"}}, "lines.0.unit_price.amount"),
        ({"unit_price": {"amount": "1", "currency": "EUR"}}, "lines.0.unit_price.currency"),
        ({"product_id": "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"}, "lines.0.product_id"),
        ({"net": {"amount": "1", "currency": "USD"}}, "lines.0.net"),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_field(shop, line, field):
    tea = given.product(shop, on_hand="0")
    with pytest.raises(Problem) as refused:
        given.order(shop, given.account(shop), [{"product_id": tea, "quantity": "1", **line}])
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"] == field


def test_a_product_without_a_price_needs_one_on_the_line(shop):
    bare = given.product(shop, on_hand="0", price=None)
    with pytest.raises(Problem) as refused:
        given.order(shop, given.account(shop), bare)
    assert refused.value.errors[0]["field"] == "lines.0.unit_price"
    line = {"product_id": bare, "quantity": "2", "unit_price": given.usd("1.5")}
    assert given.order(shop, given.account(shop), [line])["total"] == given.usd("3.00")


def test_an_account_orders_only_in_its_currencies(shop):
    tea = given.product(shop, on_hand="0")
    european = given.account(shop, currencies=["EUR", "CHF"])
    with pytest.raises(Problem) as refused:
        given.order(shop, european, tea)
    assert refused.value.code == "currency_not_allowed"
    line = {"product_id": tea, "quantity": "1", "unit_price": {"amount": "3", "currency": "CHF"}}
    assert given.order(shop, european, [line], currency="CHF")["total"]["currency"] == "CHF"
    assert given.order(shop, given.account(shop, currencies=[]), tea)["currency"] == "USD"
