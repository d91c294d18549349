"""What an order costs. Lines round one by one, so that what a customer adds up by hand is what the order says."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

from chassis.database import Work
from chassis.errors import invalid
from chassis.money import round_half_up, total, zero
from chassis.records.references import copy_of
from contracts.values import Amount
from services.sales.models import CreditNote, Order

HUNDRED = Decimal(100)
# A quantity and a unit price have up to 21 digits each and a discount 7: their product is still exact, so that it is
# rounded once. What comes of it must be an amount that the wire can carry.
EXACT = Context(prec=60)
MOST = Decimal(10) ** 15


def price(order: Order, work: Work) -> None:
    """Fill in what lines left out from the product, then nets, taxes and sums. 422 beyond 15 digits.

    net = round_half_up(quantity × unit_price × (1 − discount/100)), tax = round_half_up(net × rate/100), both to the
    currency's minor unit; total = net + tax + freight.
    """
    with localcontext(EXACT):
        _price(order, order.currency, work)


def price_credit(note: CreditNote, work: Work) -> None:
    """As an order is priced, without freight. 422 beyond 15 digits."""
    with localcontext(EXACT):
        _price_lines(note, note.currency, work)
        note.total = total((note.net, note.tax), note.currency)
        if note.total.amount >= MOST:
            raise invalid({"total": "Must be below 10^15."})


def _price_lines(order: Any, currency: str, work: Work) -> None:
    for index, line in enumerate(order.lines):
        if line.unit_price is None or line.tax_rate is None:
            _from_product(line, index, currency, work)
        if line.unit_price.currency != currency:
            raise invalid({f"lines.{index}.unit_price.currency": f"The document is in {currency}."})
        line.discount_percent = line.discount_percent if line.discount_percent is not None else Decimal(0)
        line.net = round_half_up(
            line.quantity * line.unit_price.amount * (1 - line.discount_percent / HUNDRED), currency
        )
        line.tax = round_half_up(line.net.amount * line.tax_rate / HUNDRED, currency)
    order.net = total((line.net for line in order.lines), currency)
    order.tax = total((line.tax for line in order.lines), currency)


def _price(order: Order, currency: str, work: Work) -> None:
    _price_lines(order, currency, work)
    if order.freight is not None and order.freight.currency != currency:
        raise invalid({"freight.currency": f"The order is in {currency}."})
    order.total = total((order.net, order.tax, order.freight or zero(currency)), currency)
    if order.total.amount >= MOST:
        raise invalid({"total": "Must be below 10^15."})


def _from_product(line: Any, index: int, currency: str, work: Work) -> None:
    product = copy_of(work, "inventory.product", line.product_id)
    if product is None:
        raise invalid({f"lines.{index}.product_id": "There is no such record."}, code="unknown_reference")
    if line.tax_rate is None:
        line.tax_rate = Decimal(product.get("tax_rate") or "0")
    if line.unit_price is None:
        listed = product.get("price")
        if listed is None or listed["currency"] != currency:
            raise invalid({f"lines.{index}.unit_price": f"The product has no price in {currency}."})
        line.unit_price = Amount(Decimal(listed["amount"]), currency)
