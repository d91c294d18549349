"""A shop: a tenant with stock, customers and a default warehouse, on all four services that an order needs."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chassis import relay
from chassis.bus.wire import encode
from chassis.context import Context
from chassis.ids import new_id
from chassis.testing import Suite

JSON = dict[str, Any]
SERVICES = ("identity", "customer", "inventory", "sales")


def usd(amount: str | Decimal) -> JSON:
    return {"amount": str(amount), "currency": "USD"}


def shop(suite_of: Callable[..., Suite]) -> Suite:
    suite = suite_of(*SERVICES)
    params = {
        "slug": f"s-{new_id()[-12:]}",
        "name": "Shop",
        "email": "a@example.com",
        "password": "long enough password",
    }
    operator = Context(tenant=new_id(), actor="service:operator")
    made = suite.call("identity", "identity.provision", params, context=operator)
    suite.tenant, suite.user_id = made["tenant_id"], made["user_id"]
    suite.settle()
    return suite


def account(suite: Suite, name: str = "Alfreds", **fields: Any) -> str:
    return str(suite.create("customer.account", {"name": name, **fields})["id"])


def product(suite: Suite, name: str = "Tea", *, on_hand: str = "100", price: str | None = "10", **fields: Any) -> str:
    data = {"name": name, **({"price": usd(price)} if price else {}), **fields}
    made: str = suite.create("inventory.product", data)["id"]
    if Decimal(on_hand):
        suite.create("inventory.stock-move", {"kind": "receipt", "product_id": made, "quantity": on_hand})
    return made


def order(suite: Suite, account_id: str, lines: list[JSON] | str, quantity: str = "1", **fields: Any) -> JSON:
    """A draft; `lines` may be just one product."""
    context = {"context": fields.pop("context")} if "context" in fields else {}
    wanted = [{"product_id": lines, "quantity": quantity}] if isinstance(lines, str) else lines
    data = {"account_id": account_id, "currency": "USD", "ordered_on": "2026-11-23", "lines": wanted, **fields}
    return suite.create("sales.order", data, **context)


def placed(suite: Suite, account_id: str, product_id: str, quantity: str = "1", **fields: Any) -> JSON:
    """An order that was placed and came to its end: confirmed or rejected."""
    made = order(suite, account_id, product_id, quantity, **fields)
    suite.run("sales.order", made["id"], "place")
    suite.settle()
    return suite.get("sales.order", made["id"])


def shipped(suite: Suite, order_id: str) -> JSON:
    suite.run("sales.order", order_id, "ship")
    suite.settle()
    return suite.get("sales.order", order_id)


def receivable(suite: Suite, order_id: str) -> JSON:
    (found,) = suite.list("sales.receivable", ["order_id", "eq", order_id])
    return found


def pay(suite: Suite, account_id: str, amount: str, /, *shares: tuple[str, str], **fields: Any) -> JSON:
    """Money from an account, with (receivable, amount) for each share."""
    allocations = [{"receivable_id": receivable_id, "amount": usd(share)} for receivable_id, share in shares]
    data = {"account_id": account_id, "amount": usd(amount), "received_on": "2026-11-23", "allocations": allocations}
    return suite.create("sales.payment", {**data, **fields})


def level(suite: Suite, product_id: str) -> tuple[Decimal, Decimal]:
    """On hand and reserved."""
    (found,) = suite.list("inventory.stock-level", ["product_id", "eq", product_id])
    return Decimal(found["on_hand"]), Decimal(found["reserved"])


def saga(suite: Suite, order_id: str) -> JSON:
    described: JSON = suite.call("sales", "record.saga", {"record": "sales.order", "id": order_id})
    return described


def types(suite: Suite, after: int) -> list[str]:
    return [event["type"] for event in suite.events()][after:]


def publish(suite: Suite, service: str) -> None:
    """Let one service's relay run once."""
    relay.publish_once(suite.runtime(service).database, service, suite.bus)


def messages(suite: Suite, service: str, after: int = 0) -> list[bytes]:
    """What was sent to a service since the bus had seen `after` deliveries."""
    return [bytes(one.body) for one in suite.bus.seen[after:] if one.routing_key == service]


def asked(suite: Suite, name: str, body: JSON, *, saga: str, undo: bool = False) -> None:
    """A saga of marketing asks sales, twice."""
    message = {
        "kind": "ask",
        "id": new_id(),
        "name": name,
        "saga": saga,
        "saga_name": "convert_lead",
        "record_id": body["lead_id"],
        "step": 1,
        "undo": undo,
        "reply_to": "marketing",
        "tenant": suite.tenant,
        "context": suite.signer.sign(suite.runtime("sales").principal(suite.tenant, f"saga:{saga}")),
        "body": body,
    }
    for _ in range(2):
        suite.runtime("sales").message(encode(message))


def wrong_ledgers(suite: Suite) -> list[Any]:
    """Receivables whose open amount is not the sum of their entries, or whose state does not fit it: must be empty."""
    with suite.work("sales") as work:
        return work.sql(
            "SELECT r.id, r.status, r.amount, r.open, sum(e.amount) FROM receivables AS r"
            " LEFT JOIN receivable_entries AS e ON e.tenant_id = r.tenant_id AND e.receivable_id = r.id"
            " WHERE r.tenant_id = %s GROUP BY r.tenant_id, r.id HAVING r.open IS DISTINCT FROM sum(e.amount)"
            " OR (r.status = 'open') <> (r.open = r.amount AND r.open > 0)"
            " OR (r.status IN ('paid', 'reversed')) <> (r.open = 0)",
            (work.tenant,),
        ).all()
