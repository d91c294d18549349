"""One order from its draft to the points it earns, through HTTP alone: the same walk embedded and on real servers."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import Any

from tests.integration.support import Api, until

JSON = dict[str, Any]
FLOW = (
    "sales.order.created",
    "sales.order.placed",
    "inventory.reservation.made",
    "sales.order.confirmed",
    "sales.receivable.opened",
    "notify.notification.created",
)


def key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Shop:
    """Somebody who sells, somebody who buys, and tea in stock."""

    api: Api
    owner_id: str
    account_id: str
    product_id: str

    @classmethod
    def open(cls, api: Api, stock: str = "100") -> Shop:
        mark = uuid.uuid4().hex[:8]
        owner = api.post("/v1/users", {"name": f"Ida {mark}", "email": f"ida.{mark}@tea.example"}, key=key())
        account = api.post("/v1/accounts", {"name": f"Oolong {mark}", "owner_id": owner["id"]}, key=key())
        price = {"amount": "4.995", "currency": "USD"}
        product = api.post("/v1/products", {"name": f"Tea {mark}", "sku": f"T-{mark}", "price": price}, key=key())
        move = {"kind": "receipt", "product_id": product["id"], "quantity": stock, "reason": "Opening stock"}
        api.post("/v1/stock-moves", move, key=key())
        return cls(api, owner["id"], account["id"], product["id"])

    def draft(self, quantity: str = "3", **more: Any) -> JSON:
        """What to send for an order of tea."""
        return {
            "account_id": self.account_id,
            "owner_id": self.owner_id,
            "currency": "USD",
            "ordered_on": "2026-03-02",
            "lines": [{"product_id": self.product_id, "quantity": quantity, "tax_rate": "19"}],
            **more,
        }

    def create(self, quantity: str = "3", **more: Any) -> JSON:
        made: JSON = self.api.post("/v1/orders", self.draft(quantity, **more), key=key())
        return made

    def place(self, order_id: str) -> None:
        answer = self.api.send("POST", f"/v1/orders/{order_id}/place", {}, key=key())
        assert answer.status == 202 and answer.body["status"] == "placed", answer
        assert answer.headers["Location"].endswith(f"/v1/orders/{order_id}/saga")

    def decided(self, order_id: str, seconds: float = 60) -> JSON:
        """The order once its saga has ended."""
        until(lambda: self.saga(order_id)["ended_at"], seconds, every=0.02, what="the saga of the order has ended")
        order: JSON = self.api.get(f"/v1/orders/{order_id}")
        return order

    def saga(self, order_id: str) -> JSON:
        found: JSON = self.api.get(f"/v1/orders/{order_id}/saga")
        return found

    def level(self) -> tuple[str, str, str]:
        """What is on hand, reserved and available."""
        (level,) = self.api.get("/v1/stock-levels", product_id=self.product_id)["items"]
        return level["on_hand"], level["reserved"], level["available"]

    def receivable(self, order_id: str) -> JSON:
        (found,) = self.api.get("/v1/receivables", order_id=order_id)["items"]
        return found

    def pay(self, receivable: JSON) -> JSON:
        allocation = {"receivable_id": receivable["id"], "amount": receivable["open"]}
        body = {
            "account_id": self.account_id,
            "amount": receivable["open"],
            "received_on": "2026-03-09",
            "reference": "wire",
            "allocations": [allocation],
        }
        paid: JSON = self.api.post("/v1/payments", body, key=key())
        return paid


def seconds_to_confirm(shop: Shop) -> float:
    """From the place request to an answer that says confirmed, as a frontend would see it."""
    order = shop.create("1")
    begin = time.monotonic()
    shop.place(order["id"])
    until(lambda: shop.api.get(f"/v1/orders/{order['id']}")["status"] == "confirmed", 60, every=0.01)
    return time.monotonic() - begin


def about(event: JSON, order_id: str) -> bool:
    data = event["data"]
    return order_id in (data.get("id"), data.get("order_id")) or data.get("about") == f"order/{order_id}"


def assert_confirmed_with_everything_that_follows(shop: Shop, order_id: str, copied: str, after: int) -> None:
    """The order, its stock, its receivable, its events, those who were told, and what search finds."""
    order = shop.decided(order_id)
    assert order["status"] == "confirmed" and order["number"].startswith("SO-"), order
    # 3 × 4.995 = 14.985, half up; 19 % of 14.99 is 2.8481.
    amounts = [order[name]["amount"] for name in ("net", "tax", "freight", "total")]
    assert amounts == ["14.99", "2.85", "1.00", "18.84"]
    saga = shop.saga(order_id)
    assert [step["state"] for step in saga["steps"]] == ["done"] * 4, saga
    receivable = shop.receivable(order_id)
    assert (receivable["status"], receivable["open"]) == ("open", order["total"])

    def told() -> set[str]:
        return {item["user_id"] for item in shop.api.get("/v1/notifications", about=f"order/{order_id}")["items"]}

    until(lambda: told() >= {shop.owner_id, copied}, what="the owner and who gets copies were told")
    assert told() == {shop.owner_id, copied}
    assert_feed_tells_in_order(shop.api, order_id, after)
    found = until(lambda: shop.api.get("/v1/search", q=order["number"])["items"], what="search finds the order")
    assert ("order", order_id) in {(item["type"], item["id"]) for item in found}


def assert_feed_tells_in_order(api: Api, order_id: str, after: int) -> None:
    """Every event of the flow, each behind the one that caused it, at positions without a gap."""

    def told() -> list[str]:
        return [event["type"] for event in api.feed(after) if about(event, order_id)]

    until(lambda: set(FLOW) <= set(told()), what="the feed tells of the whole order")
    kinds = told()
    firsts = [kinds.index(kind) for kind in FLOW]
    assert firsts == sorted(firsts), kinds
    assert_no_gap(api)


def assert_no_gap(api: Api) -> None:
    positions = [event["position"] for event in api.feed()]
    assert positions == list(range(1, len(positions) + 1))


def assert_shipped_paid_and_rewarded(shop: Shop, order_id: str) -> None:
    """Shipping takes the goods, paying completes the order, and one point comes for each whole unit of its net."""
    before = shop.level()
    shop.api.post(f"/v1/orders/{order_id}/ship", {}, key=key())
    until(lambda: shop.api.get(f"/v1/orders/{order_id}")["status"] == "shipped", what="the order is shipped")
    after = shop.level()
    assert int(before[0]) - int(after[0]) == int(before[1]) - int(after[1]) == 3
    assert shop.api.get("/v1/point-entries", order_id=order_id)["items"] == []
    shop.pay(shop.receivable(order_id))
    assert shop.receivable(order_id)["status"] == "paid"
    assert shop.api.get(f"/v1/orders/{order_id}")["status"] == "completed"
    entries = until(lambda: shop.api.get("/v1/point-entries", order_id=order_id)["items"], what="points were entered")
    assert [(entry["points"], entry["kind"]) for entry in entries] == [(14, "earned")]

    def told() -> list[str]:
        return [event["type"] for event in shop.api.feed() if about(event, order_id)]

    until(lambda: "marketing.point-entry.created" in told(), what="the feed tells of the points")
    assert told().index("sales.receivable.paid") < told().index("marketing.point-entry.created")
