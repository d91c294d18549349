"""Orders: drafted, placed, confirmed or rejected, shipped, completed or cancelled. The saga does what needs others."""

from __future__ import annotations

from typing import Any

from chassis import saga
from chassis.database import Work
from chassis.errors import conflict, invalid
from chassis.numbering import next_number
from chassis.records import Store
from chassis.records.references import copy_of
from contracts import sales as contracts
from services.sales import pricing
from services.sales.models import Order

JSON = dict[str, Any]
orders = Store(Order)


@orders.computes
def what_it_costs(order: Order, work: Work) -> None:
    """Only a draft is priced: from placing on, the prices are agreed."""
    if order.status == "draft":
        allow_account(order, work)
        pricing.price(order, work)


def allow_account(order: Order, work: Work) -> None:
    """The account exists and may order in this currency; its name is kept with the order."""
    if order.was and order.was["account_id"] == order.account_id and order.was["currency"] == order.currency:
        return
    account = copy_of(work, "customer.account", order.account_id)
    if account is None:
        raise invalid({"account_id": "There is no such record."}, code="unknown_reference")
    if account.get("currencies") and order.currency not in account["currencies"]:
        raise invalid({"currency": f"The account may not order in {order.currency}."}, code="currency_not_allowed")
    order.account_name = account["name"]


@orders.guards
def only_drafts_are_edited(order: Order, work: Work) -> None:
    if order.status != "draft":
        raise conflict(
            "order_not_draft", f"An order that is {order.status} is not edited.", field="status", state=order.status
        )


@orders.command(contracts.place)
def place(order: Order, work: Work) -> None:
    """Placing promises nothing yet: the saga asks stock and credit, then confirms or rejects."""
    from services.sales.sagas import place_order

    order.move("placed", code="order_not_draft")
    order.number, order.placed_at = next_number(work, order), work.now
    saga.start(work, place_order, order)


@orders.command(contracts.ship)
def ship(order: Order, work: Work, body: Any) -> None:
    """The goods leave by a saga; until it ends the order stays confirmed and cannot be cancelled."""
    from services.sales.sagas import ship_order

    if order.status != "confirmed":
        raise conflict(
            "order_not_confirmed",
            f"An order that is {order.status} cannot be shipped.",
            field="status",
            state=order.status,
        )
    _not_shipping(order, work)
    order.shipper_id = body.shipper_id or order.shipper_id
    saga.start(work, ship_order, order)


@orders.command(contracts.cancel)
def cancel(order: Order, work: Work, body: Any) -> None:
    """Before confirmation the saga turns back; afterwards stock is released and the receivable reversed."""
    from services.sales.receivables import reverse
    from services.sales.sagas import cancel_order, place_order

    before = order.status
    if before == "confirmed":
        _not_shipping(order, work)
    order.move("cancelled", code="order_not_cancellable")
    order.reason = body.reason
    if before == "placed":
        saga.cancel(work, place_order, order, "cancelled")
    elif before == "confirmed":
        reverse(work, order)
        saga.start(work, cancel_order, order)


def _not_shipping(order: Order, work: Work) -> None:
    if saga.running(work, order.id, "ship_order"):
        raise conflict("order_shipping", "The order is being shipped.", field="status", state=order.status)


def complete_if_settled(work: Work, order: Order, *, paid: bool) -> None:
    """Shipped and paid is completed."""
    if order.status == "shipped" and paid:
        order.move("completed")
        orders.save(work, order, event=contracts.OrderCompleted)


def reopen(work: Work, order: Order) -> None:
    """Something is owed for it again, so that it is only shipped."""
    if order.status == "completed":
        order.move("shipped")
        orders.save(work, order, event=contracts.OrderReopened)
