"""Customers of the suite who do not wait for each other: an open-loop load at a fixed rate of arrivals.

What arrives is drawn by weight: orders that are created, placed, shipped, paid or cancelled, edits, bulk writes, stock
receipts and reads, of several tenants, a third of the orders for the same product. One write in twenty is submitted
twice at the same moment with the same key, and one in fifty is repeated with another body.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tests.faults.history import Attempt, Effect, History, Operation
from tests.faults.stack import TENANTS, Stack
from tests.integration.support import until

JSON = dict[str, Any]
DOUBLE, MISMATCH, LEFT_ALONE = 0.05, 0.02, 0.3
RIPE = 3.0
"""Seconds after which a placed order is shipped or cancelled; whether it is confirmed by then, the suite must say."""
CLIENTS = 120


class Tenant:
    """What one tenant's customers order from whom."""

    def __init__(self, stack: Stack, slug: str) -> None:
        self.slug, self.api = slug, stack.api(slug)
        usd = {"amount": "7.5", "currency": "USD"}
        made = [self._post("products", {"name": f"Product {n}", "sku": f"P-{n}", "price": usd}) for n in range(5)]
        self.products = [each["id"] for each in made]
        for number, product in enumerate(self.products):
            # The hot product runs out after a while, so that orders are rejected, too.
            quantity = "150" if number == 0 else "100000"
            self._post("stock-moves", {"kind": "receipt", "product_id": product, "quantity": quantity})
        self.accounts = [self._post("accounts", {"name": f"Account {n}"})["id"] for n in range(8)]
        self.placed: deque[tuple[float, str]] = deque()
        self.shipped: deque[tuple[float, str]] = deque()

    def _post(self, collection: str, body: JSON) -> JSON:
        made: JSON = self.api.post(f"/v1/{collection}", body, key=str(uuid.uuid4()))
        return made

    def settled(self) -> bool:
        """Whether sales knows the products and accounts by its own copies, so that it need ask nobody."""
        body = _order(self.accounts[-1], self.products[-1], "1", "warm")
        return self.api.send("POST", "/v1/orders", body, key=str(uuid.uuid4())).status == 201


class Load:
    """One run: `start`, break something, `stop`, `resolve`. Its random choices follow from the seed."""

    def __init__(self, stack: Stack, tenants: list[Tenant], rate: float, seed: str) -> None:
        self.stack, self.history = stack, History()
        self._tenants, self._rate, self.seed = tenants, rate, seed
        self._chance = random.Random(seed)
        self._mark = f"{seed}-{uuid.uuid4().hex[:6]}"
        self._numbers = 0
        self._clients = ThreadPoolExecutor(CLIENTS)
        self._stopping = threading.Event()
        self._arrivals = threading.Thread(target=self._arrive, daemon=True)
        self._acts: list[tuple[float, Callable[[Tenant, random.Random], None]]] = [
            (0.30, self._order),
            (0.10, self._ship),
            (0.05, self._pay),
            (0.04, self._cancel),
            (0.08, self._account),
            (0.08, self._edit),
            (0.04, self._delete_and_restore),
            (0.04, self._external),
            (0.03, self._bulk),
            (0.06, self._receipt),
            (0.18, self._read),
        ]

    def start(self) -> None:
        self._arrivals.start()

    def run(self, seconds: float) -> None:
        """Let it flow for so long."""
        time.sleep(seconds)

    def stop(self) -> None:
        """Let nothing new arrive, and wait until everybody has his answer."""
        self._stopping.set()
        if self._arrivals.is_alive():
            self._arrivals.join()
        self._clients.shutdown(wait=True)

    def resolve(self, seconds: float = 60) -> None:
        """Repeat what has no answer yet, with the same key, until it has one."""
        with ThreadPoolExecutor(8) as clients:
            list(
                clients.map(lambda one: self._find_out(one, seconds), [o for o in self.history.operations if o.unknown])
            )

    def _find_out(self, operation: Operation, seconds: float) -> None:
        with suppress(AssertionError):
            until(lambda: not operation.unknown or self._attempt(operation, late=True).definite, seconds, every=0.3)

    def _arrive(self) -> None:
        chance = self._chance
        at = time.monotonic()
        weights = [weight for weight, _ in self._acts]
        while not self._stopping.is_set():
            ((_, act),) = chance.choices(self._acts, weights)
            tenant, seed = chance.choice(self._tenants), chance.random()
            self._clients.submit(self._guarded, act, tenant, random.Random(seed))
            at += chance.expovariate(self._rate)
            self._stopping.wait(max(0.0, at - time.monotonic()))

    def _guarded(self, act: Callable[[Tenant, random.Random], None], tenant: Tenant, chance: random.Random) -> None:
        try:
            act(tenant, chance)
        except Exception as error:
            self.history.surprise(f"the load itself failed: {error!r}")

    # --- what customers do

    def _order(self, tenant: Tenant, chance: random.Random) -> None:
        product = tenant.products[0] if chance.random() < 0.3 else chance.choice(tenant.products)
        mark = self._next("order")
        body = _order(chance.choice(tenant.accounts), product, str(chance.randint(1, 3)), mark)
        effect = Effect("sales", "sales.order.created", "ship_name", mark)
        made = self._write(tenant, chance, "create order", "POST", "/v1/orders", body, effect)
        if made is not None:
            placed = Effect("sales", "sales.order.placed", "id", made["id"])
            if self._write(tenant, chance, "place order", "POST", f"/v1/orders/{made['id']}/place", {}, placed):
                tenant.placed.append((time.monotonic() + RIPE, made["id"]))

    def _ship(self, tenant: Tenant, chance: random.Random) -> None:
        if order_id := _ripe(tenant.placed):
            # What 202 promises is that it is seen to; where stock does not answer in time, the order stays as it was.
            effect = Effect("sales", "saga ship_order", "id", order_id)
            if self._write(tenant, chance, "ship order", "POST", f"/v1/orders/{order_id}/ship", {}, effect):
                tenant.shipped.append((time.monotonic() + RIPE, order_id))

    def _cancel(self, tenant: Tenant, chance: random.Random) -> None:
        if order_id := _ripe(tenant.placed):
            effect = Effect("sales", "sales.order.cancelled", "id", order_id)
            self._write(tenant, chance, "cancel order", "POST", f"/v1/orders/{order_id}/cancel", {}, effect)

    def _pay(self, tenant: Tenant, chance: random.Random) -> None:
        if not (order_id := _ripe(tenant.shipped)):
            return
        read = self._look(tenant, "read receivable", "/v1/receivables", order_id=order_id)
        for receivable in (read.body or {}).get("items", []) if read.acknowledged else []:
            mark = self._next("payment")
            body = {
                "account_id": receivable["account_id"],
                "amount": receivable["open"],
                "received_on": "2026-03-09",
                "reference": mark,
                "allocations": [{"receivable_id": receivable["id"], "amount": receivable["open"]}],
            }
            effect = Effect("sales", "sales.payment.created", "reference", mark)
            self._write(tenant, chance, "pay", "POST", "/v1/payments", body, effect)

    def _account(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("account")
        effect = Effect("customer", "customer.account.created", "name", mark)
        self._write(tenant, chance, "create account", "POST", "/v1/accounts", {"name": mark}, effect)

    def _edit(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("edit")
        effect = Effect("customer", "customer.account.updated", "notes", mark)
        path = f"/v1/accounts/{chance.choice(tenant.accounts)}"
        self._write(tenant, chance, "edit account", "PATCH", path, {"notes": mark}, effect)

    def _delete_and_restore(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("group")
        effect = Effect("customer", "customer.group.created", "name", mark)
        made = self._write(tenant, chance, "create group", "POST", "/v1/groups", {"name": mark}, effect)
        for verb, method, path in (("deleted", "DELETE", ""), ("restored", "POST", "/restore")):
            if made is not None:
                effect = Effect("customer", f"customer.group.{verb}", "id", made["id"])
                done = self._write(
                    tenant, chance, f"group {verb}", method, f"/v1/groups/{made['id']}{path}", None, effect
                )
                made = made if done is not None else None

    def _external(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("external")
        effect = Effect("customer", "customer.account.created", "name", mark)
        path = f"/v1/accounts/by-external/erp/{mark}"
        self._write(tenant, chance, "upsert account", "PUT", path, {"name": mark}, effect)

    def _bulk(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("bulk")
        effect = Effect("customer", "customer.account.created", "website", f"https://{mark}.example", 3)
        data = [{"name": f"{mark} {n}", "website": effect.value} for n in range(3)]
        body = {"items": [{"op": "create", "data": each} for each in data], "atomic": True}
        self._write(tenant, chance, "bulk accounts", "POST", "/v1/accounts/bulk", body, effect)

    def _receipt(self, tenant: Tenant, chance: random.Random) -> None:
        mark = self._next("receipt")
        body = {"kind": "receipt", "product_id": chance.choice(tenant.products), "quantity": "1", "reason": mark}
        effect = Effect("inventory", "inventory.stock-move.created", "reason", mark)
        self._write(tenant, chance, "receive stock", "POST", "/v1/stock-moves", body, effect)

    def _read(self, tenant: Tenant, chance: random.Random) -> None:
        collection = chance.choice(("accounts", "orders", "products", "receivables"))
        self._look(tenant, f"list {collection}", f"/v1/{collection}", limit=20)

    def import_batch(self, tenant: Tenant, size: int) -> Operation:
        """One big write: so many accounts at once, sent a first time."""
        mark = self._next("batch")
        effect = Effect("customer", "customer.account.created", "website", f"https://{mark}.example", size)
        data = [{"name": f"{mark} {number}", "website": effect.value} for number in range(size)]
        body = {"items": [{"op": "create", "data": each} for each in data], "atomic": True}
        return self._begin(tenant, "import accounts", "POST", "/v1/accounts/bulk", body, effect, resolve=True)

    def repeat(self, operation: Operation) -> None:
        """The same request with the same key."""
        self._attempt(operation)

    # --- asking and noting

    def _next(self, what: str) -> str:
        with self.history._lock:
            self._numbers += 1
            return f"{what}-{self._mark}-{self._numbers}"

    def _look(self, tenant: Tenant, what: str, path: str, **query: Any) -> Attempt:
        attempt = self._send(tenant.slug, "GET", path, None, None, **query)
        self.history.note(what, attempt)
        return attempt

    def _write(
        self, tenant: Tenant, chance: random.Random, kind: str, method: str, path: str, body: Any, effect: Effect
    ) -> JSON | None:
        """The acknowledged answer, or None. Sometimes sent twice at once, sometimes once more with another body."""
        resolve, twice = chance.random() >= LEFT_ALONE, chance.random() < DOUBLE
        one = self._begin(tenant, kind, method, path, body, effect, resolve=resolve, twice=twice)
        if one.acknowledged and method == "POST" and isinstance(body, dict) and chance.random() < MISMATCH:
            self._mismatch(one)
        return one.answer if one.answer is not None else ({} if one.acknowledged else None)

    def _begin(
        self,
        tenant: Tenant,
        kind: str,
        method: str,
        path: str,
        body: Any,
        effect: Effect,
        *,
        resolve: bool,
        twice: bool = False,
    ) -> Operation:
        """A new operation, noted and attempted."""
        key = self._next("key")
        number = len(self.history.operations)
        one = Operation(number, kind, tenant.slug, method, path, body, key, effect, resolve)
        self.history.add(one)
        twin = threading.Thread(target=self._attempt, args=(one,)) if twice else None
        if twin:
            twin.start()
        self._attempt(one)
        if twin:
            twin.join()
        return one

    def _mismatch(self, one: Operation) -> None:
        # What cannot be another valid body of this request is refused before its key is looked at.
        if one.kind not in ("create account", "create order", "receive stock", "pay", "create group"):
            return
        names = {"create order": "ship_name", "receive stock": "reason", "pay": "reference"}
        other = {**one.body, names.get(one.kind, "name"): "another body"}
        attempt = self._send(one.tenant, one.method, one.path, other, one.key)
        self.history.note(f"{one.kind} with another body", attempt)
        if attempt.acknowledged or (attempt.status == 422 and attempt.code != "idempotency_mismatch"):
            self.history.surprise(f"{one.kind}: another body under the same key: answered {attempt.status}")

    def _attempt(self, one: Operation, *, late: bool = False) -> Attempt:
        attempt = self._send(one.tenant, one.method, one.path, one.body, one.key, late=late)
        self.history.note(f"{one.kind} {one.number}", attempt, method=one.method)
        one.attempts.append(attempt)
        return attempt

    def _send(
        self, tenant: str, method: str, path: str, body: Any, key: str | None, *, late: bool = False, **query: Any
    ) -> Attempt:
        began = self.history.now()
        try:
            answer = self.stack.api(tenant).send(method, path, body, key=key, **query)
        except (OSError, http.client.HTTPException, ValueError) as error:
            return Attempt(began, self.history.now() - began, None, type(error).__name__, None, None, late)
        content = answer.body if isinstance(answer.body, dict) else None
        code = str((content or {}).get("code", "")) if answer.status >= 400 else ""
        waited = self.history.now() - began
        return Attempt(began, waited, answer.status, code, answer.headers["Retry-After"], content, late)


def _order(account_id: str, product_id: str, quantity: str, mark: str) -> JSON:
    return {
        "account_id": account_id,
        "currency": "USD",
        "ordered_on": "2026-03-02",
        "ship_name": mark,
        "lines": [{"product_id": product_id, "quantity": quantity}],
    }


def _ripe(orders: deque[tuple[float, str]]) -> str | None:
    with suppress(IndexError):
        when, order_id = orders.popleft()
        if when <= time.monotonic():
            return order_id
        orders.appendleft((when, order_id))
    return None


def open_tenants(stack: Stack) -> list[Tenant]:
    """The tenants with their stock and customers, as soon as sales knows of these."""
    tenants = [Tenant(stack, slug) for slug in TENANTS]
    for tenant in tenants:
        until(tenant.settled, 60, what="sales takes orders")
    return tenants
