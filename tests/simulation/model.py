"""Orders, stock and money as a clerk with a pencil would keep them: written from the rules, not from the code.

The clerk reads what each service has committed, in the order of its commits, says at each line whether it was allowed,
and in the end what the books must show.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

JSON = dict[str, Any]
CENT = Decimal("0.01")
AFTER = {
    None: {"draft"},
    "draft": {"draft", "placed", "cancelled"},
    "placed": {"confirmed", "rejected", "cancelled"},
    "confirmed": {"shipped", "cancelled"},
    "shipped": {"completed"},
}


class Broken(AssertionError):
    """A line of the books that the rules do not allow."""


def require(condition: bool, complaint: str) -> None:
    if not condition:
        raise Broken(complaint)


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


class Books:
    """`stock` is what lies there in the beginning, `limits` the credit of those accounts that have a limit."""

    def __init__(self, stock: dict[str, Decimal], limits: dict[str, Decimal]) -> None:
        self.on_hand: defaultdict[str, Decimal] = defaultdict(Decimal, stock)
        self.reserved: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.moved: defaultdict[str, Decimal] = defaultdict(Decimal, stock)
        self.held: dict[str, str] = {}
        """What became of each order's reservation: made, refused, released, issued."""
        self._limits = limits
        self.orders: dict[str, JSON] = {}
        self.owed: dict[str, JSON] = {}
        """By receivable: order, account, what is open, its state, and the whole units that it is worth in points."""
        self.payments: list[JSON] = []

    # --- inventory

    def inventory(self, kind: str, version: int, now: JSON) -> None:
        if kind == "inventory.stock-move.created":
            self.moved[now["product_id"]] += Decimal(now["change"])
            if now["order_id"] is None:
                self.on_hand[now["product_id"]] += Decimal(now["change"])
        elif kind.startswith("inventory.reservation."):
            self._reservation(kind.rsplit(".", 1)[1], version, now)

    def _reservation(self, what: str, version: int, now: JSON) -> None:
        order, before = now["order_id"], self.held.get(now["order_id"])
        lines = {line["product_id"]: Decimal(line["quantity"]) for line in now["lines"]}
        enough = all(self.on_hand[each] - self.reserved[each] >= quantity for each, quantity in lines.items())
        if what == "made" and before is None:
            require(enough, f"reserved more than there was for {order}")
        elif what == "refused":
            require(before is None and not enough, f"refused {order} although there was enough")
        elif what == "made":
            require(before == "issued", f"a reservation that was {before} was made again")
        else:
            require(before == "made", f"a reservation that was {before} was {what}")
        sign = {"made": 1, "refused": 0}.get(what, -1)
        for each, quantity in lines.items():
            self.reserved[each] += sign * quantity
            if what == "issued" or before == "issued":
                self.on_hand[each] += sign * quantity
        self.held[order] = what

    # --- sales

    def sales(self, kind: str, version: int, now: JSON) -> None:
        if kind.startswith("sales.order."):
            self._order(now)
        elif kind == "sales.receivable.opened":
            self._opened(now)
        elif kind == "sales.receivable.reversed":
            self.owed[now["id"]].update(open=Decimal(0), status="reversed")
        elif kind == "sales.payment.created":
            self._paid(now)

    def _order(self, now: JSON) -> None:
        order = self.orders.setdefault(now["id"], {"status": None})
        status = now["status"]
        require(status in AFTER.get(order["status"], ()), f"an order went from {order['status']} to {status}")
        if status in ("draft", "placed"):
            total = sum((self._line(line) for line in now["lines"]), Decimal(0))
            require(Decimal(now["total"]["amount"]) == total, f"an order of {total} costs {now['total']}")
        require(status != "rejected" or now["reason"] in ("stock", "credit", "timeout"), f"rejected: {now['reason']}")
        order.update(status=status, total=Decimal(now["total"]["amount"]), account=now["account_id"])
        order.update(reason=now["reason"], net=Decimal(now["net"]["amount"]))
        if status == "confirmed":
            require(self._credit_for(order), "an order was confirmed beyond the credit limit")
        if status == "placed":
            order["short"] = not self._credit_for(order)
        if status == "rejected" and now["reason"] == "credit":
            # It was refused before its stock was given back, and somebody may have paid meanwhile.
            require(order["short"], "an order was refused credit that there was all the time")

    @staticmethod
    def _line(line: JSON) -> Decimal:
        net = cents(Decimal(line["quantity"]) * Decimal(line["unit_price"]["amount"]))
        return net + cents(net * Decimal(line["tax_rate"]) / 100)

    def _credit_for(self, order: JSON) -> bool:
        limit, account = self._limits.get(order["account"]), order["account"]
        owed = sum((each["open"] for each in self.owed.values() if each["account"] == account), Decimal(0))
        return limit is None or owed + order["total"] <= limit

    def _opened(self, now: JSON) -> None:
        order = self.orders[now["order_id"]]
        require(all(each["order"] != now["order_id"] for each in self.owed.values()), "an order is owed twice")
        require(Decimal(now["amount"]["amount"]) == order["total"], "another amount is owed than ordered")
        self.owed[now["id"]] = {
            "order": now["order_id"],
            "account": order["account"],
            "open": order["total"],
            "status": "open",
            "points": int(order["net"]),
        }
        for other in self.orders.values():
            if other["status"] == "placed" and not self._credit_for(other):
                other["short"] = True

    def _paid(self, now: JSON) -> None:
        self.payments.append(now)
        for share in now["allocations"]:
            owed = self.owed[share["receivable_id"]]
            owed["open"] -= Decimal(share["amount"]["amount"])
            require(owed["status"] != "reversed", "a payment went to a receivable that was reversed")
            require(owed["open"] >= 0, "more was paid than was open")
            owed["status"] = "paid" if owed["open"] == 0 else "partly_paid"

    # --- what must be so in the end

    def points(self) -> dict[str, int]:
        """What each account has earned by paying; what was reversed has been given back."""
        earned: dict[str, int] = {}
        for owed in self.owed.values():
            if owed["status"] == "paid":
                earned[owed["account"]] = earned.get(owed["account"], 0) + owed["points"]
        return {account: points for account, points in earned.items() if points}

    def check_orders(self) -> None:
        """Each order has the reservation, and is owed as its state says: no more and no less."""
        owed = {each["order"]: each["status"] for each in self.owed.values()}
        for order_id, order in self.orders.items():
            status, held = order["status"], self.held.get(order_id)
            allowed: dict[str, set[str | None]] = {
                "draft": {None},
                "confirmed": {"made"},
                "shipped": {"issued"},
                "completed": {"issued"},
                "rejected": {"refused"} if order["reason"] == "stock" else {None, "refused", "released"},
                "cancelled": {None, "refused", "released"},
            }
            require(status in allowed, f"an order rests as {status}")
            require(held in allowed[status], f"an order that is {status} has a reservation that is {held}")
            due = owed.get(order_id)
            if status in ("confirmed", "shipped"):
                require(due is not None and due != "reversed", f"an order that is {status} has a receivable: {due}")
            elif status == "completed":
                require(due == "paid", f"a completed order is {due}")
            else:
                require(due in (None, "reversed"), f"an order that is {status} is still owed: {due}")
            require(not (status == "shipped" and due == "paid"), "shipped and paid is completed")
