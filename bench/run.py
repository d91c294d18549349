"""`make bench`: the real stack and, in the same run, the raw limits beside it, written to bench/results.md."""

from __future__ import annotations

import argparse
import datetime as dt
import time
from pathlib import Path
from typing import Any

from bench import raw
from bench.cost import Counted
from bench.load import Orders, quantiles, wrk
from bench.report import report
from bench.shares import Shares
from bench.stack import Stack

HERE = Path(__file__).parent
SECONDS = 10
CREATE = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"name": "Bench account", "phone": "030-0074321", "address": {"city": "Berlin", "country": "Germany"}}'
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter phases; for trying out the bench itself")
    seconds = 3 if parser.parse_args().quick else SECONDS
    with Stack() as stack:
        rows = measure(stack, seconds)
    (HERE / "results.md").write_text(report(rows, seconds))
    print(report(rows, seconds))


def measure(stack: Stack, seconds: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    accounts, products = _seed(stack)
    admin = stack.server.replace("+psycopg2", "").rsplit("/", 1)[0] + "/guanxi_customer"
    rows["raw"] = raw.http(admin, stack.tenant, accounts[0], seconds)
    rows["amqp"] = raw.amqp_rpc(stack.bus)
    rows["order sql"] = raw.order_transaction(admin, seconds)
    url, token = stack.url, stack.token
    rows["read"] = wrk(f"{url}/v1/accounts/{accounts[0]}", seconds, token=token)
    rows["list"] = wrk(f"{url}/v1/accounts?limit=50", seconds, token=token)
    shares = Shares(stack)
    with shares.of("create"):
        rows["create"] = wrk(f"{url}/v1/accounts", seconds, token=token, body=CREATE)
        _quiet(stack)
        shares.units = rows["create"]["rate"] * seconds
    rows["lag"] = _event_lag(stack, accounts[0], seconds)
    _quiet(stack)
    rows["alone"] = _one_by_one(stack, accounts, products, 20)
    rows["orders"] = _whole_orders(stack, accounts, products, 6 * seconds, shares)
    rows["shares"] = shares.found
    rows["cost"] = _cost(stack, accounts[0], products)
    return rows


def _seed(stack: Stack) -> tuple[list[str], list[str]]:
    accounts = [stack.request("POST", "/v1/accounts", {"name": f"Customer {n}"})["id"] for n in range(50)]
    products = []
    for number in range(40):
        product = stack.request(
            "POST", "/v1/products", {"name": f"Product {number}", "price": {"amount": "10", "currency": "USD"}}
        )
        stack.request(
            "POST", "/v1/stock-moves", {"kind": "receipt", "product_id": product["id"], "quantity": "1000000"}
        )
        products.append(product["id"])
    stack.seed_accounts(100_000)
    _quiet(stack)
    return accounts, products


def _quiet(stack: Stack, patience: float = 60) -> None:
    """Until no service has anything left to publish."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if not any(
            stack.sql(service, "SELECT 1 FROM unsent LIMIT 1")
            for service in ("customer", "inventory", "sales", "marketing", "notify")
        ):
            return
        time.sleep(0.1)


def _decided(stack: Stack, ids: list[str], patience: float = 60) -> None:
    """Until each of these orders was confirmed or rejected: what is on its way in the broker stands in no table."""
    end = time.monotonic() + patience
    waiting = "SELECT 1 FROM orders WHERE id = ANY(%s::uuid[]) AND status = 'placed' LIMIT 1"
    while stack.sql("sales", waiting, (ids,)) and time.monotonic() < end:
        time.sleep(0.1)


def _event_lag(stack: Stack, account: str, seconds: int) -> dict[str, float]:
    """From a change's commit to its consumer's, at 100 changes a second, by the clocks of the processes."""
    began = dt.datetime.now(dt.UTC)
    from concurrent.futures import ThreadPoolExecutor

    def write(number: int) -> None:
        stack.request("POST", "/v1/interactions", {"account_id": account, "summary": f"Call {number}"})

    with ThreadPoolExecutor(8) as pool:
        start = time.monotonic()
        for number in range(100 * seconds):
            pool.submit(write, number)
            time.sleep(max(0.0, start + (number + 1) / 100 - time.monotonic()))
    _quiet(stack)
    time.sleep(1)
    lags = stack.sql(
        "customer",
        "SELECT extract(epoch FROM i.received_at - c.at) * 1000 FROM changes c JOIN inbox i ON i.event_id = c.id"
        " WHERE c.type = 'customer.interaction.created' AND c.at > %s",
        (began,),
    )
    values = [float(row[0]) for row in lags]
    p50, p99 = quantiles(values)
    return {"events": len(values), "p50": p50, "p99": p99}


def _one_by_one(stack: Stack, accounts: list[str], products: list[str], count: int) -> dict[str, float]:
    """Place-to-confirmed of single orders on an otherwise idle stack, as a client sees it."""
    times = []
    for number in range(count):
        order = stack.request(
            "POST",
            "/v1/orders",
            {
                "account_id": accounts[number % len(accounts)],
                "currency": "USD",
                "ordered_on": "2026-11-23",
                "lines": [{"product_id": products[number % len(products)], "quantity": "1"}],
            },
        )
        began = time.perf_counter()
        stack.request("POST", f"/v1/orders/{order['id']}/place", {})
        while stack.request("GET", f"/v1/orders/{order['id']}")["status"] == "placed":
            time.sleep(0.002)
        times.append((time.perf_counter() - began) * 1000)
    p50, p99 = quantiles(times)
    return {"p50": p50, "p99": p99}


def _whole_orders(
    stack: Stack, accounts: list[str], products: list[str], seconds: int, shares: Shares
) -> dict[str, Any]:
    """Orders created, placed and confirmed at a steady pace, and how far behind the slowest consumer ever was."""
    host, port = "127.0.0.1", stack.port
    best: dict[str, Any] = {}
    for rate in (15, 25, 40, 60):
        load = Orders(host, port, stack.token, accounts, products)
        behind = _Behind(stack)
        behind.start()
        began = time.monotonic()
        with shares.of(f"order at {rate}/s"):
            load.run(min(seconds, 60) if rate == 25 else min(seconds, 20), rate)
            took = time.monotonic() - began
            worst = behind.stop()
            ids = [order for order, _ in load.placed]
            _decided(stack, ids)
            _quiet(stack)
            shares.units = len(ids)
        times = stack.sql(
            "sales",
            "SELECT extract(epoch FROM confirmed_at - placed_at) * 1000 FROM orders"
            " WHERE id = ANY(%s::uuid[]) AND confirmed_at IS NOT NULL",
            (ids,),
        )
        p50, p99 = quantiles([float(row[0]) for row in times])
        found = {
            "offered": rate,
            "rate": len(ids) / took,
            "confirmed": len(times),
            "placed": len(ids),
            "errors": load.errors,
            "p50": p50,
            "p99": p99,
            "behind": worst,
            "seconds": took,
        }
        best[str(rate)] = found
        if worst > 3 or load.errors:
            break
    return best


class _Behind:
    """Watches the age of the oldest unpublished row of every service, and the events that the log has not taken."""

    def __init__(self, stack: Stack) -> None:
        import threading

        self._stack, self._worst = stack, 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            for service in ("sales", "inventory", "notify", "marketing", "customer"):
                row = self._stack.sql(
                    service, "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(queued_at)), 0) FROM unsent"
                )[0]
                self._worst = max(self._worst, float(row[0]))
            newest = self._stack.sql(
                "sales", "SELECT at, id FROM changes WHERE at < now() - interval '1 second' ORDER BY at DESC LIMIT 1"
            )
            if newest and not self._stack.sql("eventlog", "SELECT 1 FROM events WHERE id = %s", (newest[0][1],)):
                self._worst = max(self._worst, 1.0 + (dt.datetime.now(dt.UTC) - newest[0][0]).total_seconds() - 1.0)

    def stop(self) -> float:
        self._done.set()
        self._thread.join(5)
        return self._worst


def _cost(stack: Stack, account: str, products: list[str]) -> dict[str, tuple[int, int]]:
    counted = Counted(stack, ("customer", "sales", "inventory"))
    try:
        for service, record, params in (
            ("customer", "customer.account", {"data": {"name": "Cost"}}),
            ("customer", "customer.account", {"data": {"name": "Cost"}}),
        ):
            counted.ask(service, "record.create", {"record": record, **params})
        found = {
            "read": counted.measure(
                lambda: counted.ask("customer", "record.get", {"record": "customer.account", "id": account})
            ),
            "list": counted.measure(
                lambda: counted.ask("customer", "record.list", {"record": "customer.account", "query": {"limit": 50}})
            ),
            "create": counted.measure(
                lambda: counted.ask(
                    "customer", "record.create", {"record": "customer.account", "data": {"name": "Cost"}}
                )
            ),
        }
        data = {
            "account_id": account,
            "currency": "USD",
            "ordered_on": "2026-11-23",
            "lines": [{"product_id": product, "quantity": "1"} for product in products[:3]],
        }
        order: dict[str, Any] = {}

        def draft() -> None:
            order.update(counted.ask("sales", "record.create", {"record": "sales.order", "data": data}))

        found["order: create"] = counted.measure(draft)
        place = {"record": "sales.order", "id": "", "verb": "place", "data": {}}
        found["order: place"] = counted.measure(
            lambda: counted.ask("sales", "record.command", {**place, "id": order["id"]})
        )
        return found
    finally:
        counted.close()


if __name__ == "__main__":
    main()
