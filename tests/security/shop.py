"""A tenant at work: customers, stock, and an order in every state that matters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chassis.ids import new_id
from tests.security.world import Api, Tenant, World

JSON = dict[str, Any]


def usd(amount: str) -> JSON:
    return {"amount": amount, "currency": "USD"}


@dataclass
class Shop:
    world: World
    tenant: Tenant
    account: JSON = field(init=False)
    product: JSON = field(init=False)
    draft: JSON = field(init=False)
    confirmed: JSON = field(init=False)
    shipped: JSON = field(init=False)
    receivable: JSON = field(init=False)
    """It belongs to the confirmed order; 20 USD of it are open."""

    def __post_init__(self) -> None:
        api = self.api
        self.account = api.post(
            "/v1/accounts",
            {
                "name": "Oolong & Sons",
                "phone": "+49 30 5550001",
                "notes": "pays late",
                "currencies": ["USD", "EUR"],
                "external_ids": {"erp": "O-1"},
            },
        )
        api.post("/v1/contacts", {"name": "Ada Leaf", "account_id": self.account["id"], "email": "ada@oolong.example"})
        self.product = api.post("/v1/products", {"name": "Tea", "sku": "TEA-1", "price": usd("10.00")})
        api.post("/v1/stock-moves", {"kind": "receipt", "product_id": self.product["id"], "quantity": "100"})
        # Its delivery waits for a sender, which does not run here.
        hook = api.post("/v1/webhooks", {"name": "ERP", "url": "https://example.com/hook"})
        api.post(f"/v1/webhooks/{hook['id']}/test")
        self.world.settle()
        self.draft = api.post("/v1/orders", self.order("1"))
        self.confirmed = self._placed("2")
        self.shipped = self._placed("3")
        api.post(f"/v1/orders/{self.shipped['id']}/ship")
        self.world.settle()
        self.shipped = api.get(f"/v1/orders/{self.shipped['id']}")
        assert (self.confirmed["status"], self.shipped["status"]) == ("confirmed", "shipped")
        self.receivable = self._receivable(self.confirmed)
        self.pay(self._receivable(self.shipped))
        self.world.settle()

    @property
    def api(self) -> Api:
        return self.tenant.api

    def order(self, quantity: Any = "1", **more: Any) -> JSON:
        """The body of an order that would be taken."""
        return {
            "account_id": self.account["id"],
            "currency": "USD",
            "ordered_on": "2026-03-02",
            "lines": [{"product_id": self.product["id"], "quantity": quantity}],
            **more,
        }

    def payment(self, receivable: JSON, amount: str, share: str | None = None) -> JSON:
        """The body of a payment, of which `share` settles the receivable."""
        return {
            "account_id": self.account["id"],
            "amount": usd(amount),
            "received_on": "2026-03-09",
            "allocations": [{"receivable_id": receivable["id"], "amount": usd(share or amount)}],
        }

    def pay(self, receivable: JSON) -> None:
        self.api.post("/v1/payments", self.payment(receivable, receivable["open"]["amount"]))

    def key(self, user_id: str, **more: Any) -> tuple[str, Api]:
        """A further key of a user: its id, and what it opens."""
        made = self.api.post("/v1/api-keys", {"name": f"Key {new_id()}", "user_id": user_id, **more})
        return made["id"], self.world.api(made["secret"])

    def _placed(self, quantity: str) -> JSON:
        made = self.api.post("/v1/orders", self.order(quantity))
        self.api.post(f"/v1/orders/{made['id']}/place")
        self.world.settle()
        found: JSON = self.api.get(f"/v1/orders/{made['id']}")
        return found

    def _receivable(self, order: JSON) -> JSON:
        (found,) = self.api.get(f"/v1/receivables?order_id={order['id']}")["items"]
        return found
