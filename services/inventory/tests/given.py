"""Products on the shelf, and the sagas of sales that ask for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from chassis.bus.wire import encode
from chassis.ids import new_id
from chassis.testing import Suite

JSON = dict[str, Any]
ZERO = (Decimal(0), Decimal(0), Decimal(0))


def warehouse(suite: Suite, name: str = "Main", **fields: Any) -> str:
    return str(suite.create("inventory.warehouse", {"name": name, **fields})["id"])


def product(suite: Suite, name: str = "Tea", *, on_hand: str = "0", **fields: Any) -> str:
    product_id = str(suite.create("inventory.product", {"name": name, **fields})["id"])
    if Decimal(on_hand):
        move(suite, "receipt", product_id, on_hand)
    return product_id


def move(suite: Suite, kind: str, product_id: str, quantity: str, **fields: Any) -> JSON:
    data = {"kind": kind, "product_id": product_id, "quantity": quantity, "reason": "test", **fields}
    return suite.create("inventory.stock-move", data)


def level(suite: Suite, product_id: str, warehouse_id: str | None = None) -> tuple[Decimal, Decimal, Decimal]:
    """On hand, reserved and available of a product, in one warehouse or the only one."""
    where = [["product_id", "eq", product_id]]
    if warehouse_id is not None:
        where.append(["warehouse_id", "eq", warehouse_id])
    found = suite.list("inventory.stock-level", *where)
    if not found:
        return ZERO
    (one,) = found
    return Decimal(one["on_hand"]), Decimal(one["reserved"]), Decimal(one["available"])


def asked(suite: Suite, name: str, body: JSON, *, saga: str | None = None, undo: bool = False, times: int = 2) -> None:
    """A saga of sales asks inventory; the broker delivers it `times` times."""
    saga = saga or new_id()
    message = {
        "kind": "ask",
        "id": new_id(),
        "name": name,
        "saga": saga,
        "saga_name": "place_order",
        "record_id": body["order_id"],
        "step": 0,
        "undo": undo,
        "reply_to": "sales",
        "tenant": suite.tenant,
        "context": suite.signer.sign(suite.runtime("inventory").principal(suite.tenant, f"saga:{saga}")),
        "body": body,
    }
    for _ in range(times):
        suite.runtime("inventory").message(encode(message))


def reserve(suite: Suite, lines: dict[str, str], *, order_id: str | None = None, **fields: Any) -> str:
    """Ask for stock for an order; returns the order's id."""
    order_id = order_id or new_id()
    wanted = [{"product_id": product, "quantity": quantity} for product, quantity in lines.items()]
    options = {name: fields.pop(name) for name in ("saga", "times") if name in fields}
    asked(suite, "inventory.reserve", {"order_id": order_id, "lines": wanted, **fields}, **options)
    return order_id


def release(suite: Suite, order_id: str, **options: Any) -> None:
    asked(suite, "inventory.release", {"order_id": order_id}, undo=True, **options)


def issue(suite: Suite, order_id: str, **options: Any) -> None:
    asked(suite, "inventory.issue", {"order_id": order_id}, **options)


def take_back(suite: Suite, order_id: str, **options: Any) -> None:
    asked(suite, "inventory.take-back", {"order_id": order_id}, undo=True, **options)


def status(suite: Suite, order_id: str) -> str | None:
    found = suite.list("inventory.reservation", ["order_id", "eq", order_id])
    return found[0]["status"] if found else None


def answers(suite: Suite) -> list[Any]:
    """What inventory replied to sales, in order: the body, or the code of its refusal."""
    suite.settle()
    replies = [orjson.loads(one.body) for one in suite.bus.seen if one.routing_key == "sales"]
    return [
        reply["refused"]["code"] if "refused" in reply else reply["ok"]
        for reply in replies
        if reply["tenant"] == suite.tenant
    ]


def unbalanced(suite: Suite) -> list[Any]:
    """Levels that differ from the sums of the ledger and of the active reservations: must be empty."""
    with suite.work("inventory") as work:
        return work.sql(
            "WITH held AS (SELECT tenant_id, warehouse_id, (line->>'product_id')::uuid AS product_id,"
            "   sum((line->>'quantity')::numeric) AS quantity FROM reservations, jsonb_array_elements(lines) AS line"
            "   WHERE status = 'made' GROUP BY 1, 2, 3),"
            " moved AS (SELECT tenant_id, warehouse_id, product_id, sum(change) AS quantity"
            "   FROM stock_moves GROUP BY 1, 2, 3)"
            " SELECT product_id, warehouse_id, on_hand, moved.quantity, reserved, held.quantity FROM stock_levels"
            " FULL JOIN moved USING (tenant_id, warehouse_id, product_id)"
            " FULL JOIN held USING (tenant_id, warehouse_id, product_id)"
            " WHERE tenant_id = %s AND (coalesce(on_hand, 0) <> coalesce(moved.quantity, 0)"
            "  OR coalesce(reserved, 0) <> coalesce(held.quantity, 0)"
            "  OR available <> on_hand - reserved OR available < 0)",
            (work.tenant,),
        ).all()


def announced(suite: Suite, kind: str, data: JSON) -> None:
    """An event of a service that is not here, delivered twice."""
    event = {
        "id": new_id(),
        "type": kind,
        "subject": f"{kind.split('.')[1]}/{data['id']}",
        "tenant": suite.tenant,
        "correlationid": new_id(),
        "data": data,
    }
    for _ in range(2):
        suite.runtime("inventory").event(encode(event))
