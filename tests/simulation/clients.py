"""Clients that order, pay, cancel and ship: one request at a time, repeated with its key until it is answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.bus import Dice

JSON = dict[str, Any]
VERBS = ("place", "ship", "cancel")


@dataclass
class Operation:
    """One request. `arriving` counts its copies on their way, `tried` how often it was sent."""

    label: str
    what: str
    service: str
    method: str
    params: JSON
    key: str
    order: str | None = None
    arriving: int = 0
    tried: int = 0
    answer: JSON | None = None


@dataclass
class Client:
    """Knows the orders that it was answered, and may look at them."""

    number: int
    dice: Dice
    known: dict[str, str]
    budget: int
    orders: list[str] = field(default_factory=list)
    current: Operation | None = None
    done: list[Operation] = field(default_factory=list)

    def next(self, names: dict[str, str], look: Callable[[str], tuple[str, JSON | None]]) -> Operation | None:
        """Think of something to do; None is to wait. `look` tells an order's status and what is open of it."""
        key = f"{self.number}-{len(self.done) + 1}"
        roll = self.dice.random()
        if not self.orders or roll < 0.15:
            made: Operation | None = self._order(key)
        elif roll < 0.2:
            made = self._receipt(key)
        else:
            order = self.orders[self.dice.randint(0, len(self.orders) - 1)]
            made = self._about(key, order, names, *look(order))
        if made is not None:
            self.budget -= 1
            self.current = made
        return made

    def _about(self, key: str, order: str, names: dict[str, str], status: str, owed: JSON | None) -> Operation | None:
        """What fits the order as it is; now and then what does not, as somebody asks who has not looked."""
        roll = self.dice.random()
        if roll > 0.85:
            return self._verb(key, order, names, VERBS[self.dice.randint(0, len(VERBS) - 1)])
        if status == "draft":
            return self._verb(key, order, names, "place")
        if status == "placed" and roll > 0.7:
            return self._verb(key, order, names, "cancel")
        if status == "confirmed" and roll > 0.4:
            return self._verb(key, order, names, "ship" if roll > 0.5 else "cancel")
        if status in ("confirmed", "shipped") and owed is not None:
            return self._payment(key, order, names, owed)
        return self._order(key) if status not in ("placed", "confirmed", "shipped") else None

    def _order(self, key: str) -> Operation:
        products = ["tea", "rare"][: self.dice.randint(1, 2)]
        account = "limited" if self.dice.random() < 0.4 else "account"
        lines = [
            {"product_id": self.known[product], "quantity": str(self.dice.randint(1, 4)), "tax_rate": "19"}
            for product in products
        ]
        data = {"account_id": self.known[account], "currency": "USD", "ordered_on": "2026-03-02", "lines": lines}
        params = {"record": "sales.order", "data": data}
        wanted = ", ".join(f"{line['quantity']} {product}" for line, product in zip(lines, products, strict=True))
        return Operation(f"order {wanted} for {account}", "order", "sales", "record.create", params, key)

    def _receipt(self, key: str) -> Operation:
        quantity = str(self.dice.randint(1, 5))
        data = {"kind": "receipt", "product_id": self.known["rare"], "quantity": quantity, "reason": "bought"}
        params = {"record": "inventory.stock-move", "data": data}
        return Operation(f"receive {quantity} rare", "receipt", "inventory", "record.create", params, key)

    def _verb(self, key: str, order: str, names: dict[str, str], verb: str) -> Operation:
        body = {"reason": "changed my mind"} if verb == "cancel" else {}
        params = {"record": "sales.order", "id": order, "verb": verb, "data": body}
        return Operation(f"{verb} {names[order]}", verb, "sales", "record.command", params, key, order)

    def _payment(self, key: str, order: str, names: dict[str, str], receivable: JSON) -> Operation:
        amount = {"amount": receivable["open"], "currency": "USD"}
        if self.dice.random() < 0.3:
            amount["amount"] = "5.00"
        data = {
            "account_id": receivable["account_id"],
            "amount": amount,
            "received_on": "2026-03-09",
            "reference": key,
            "allocations": [{"receivable_id": receivable["id"], "amount": amount}],
        }
        params = {"record": "sales.payment", "data": data}
        label = f"pay {amount['amount']} for {names[order]}"
        return Operation(label, "payment", "sales", "record.create", params, key, order)
