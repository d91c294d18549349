"""The example in `examples/erp_subscriber`, run as a program against a real RabbitMQ and the real services."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chassis.bus.ports import Outcome, Outgoing
from chassis.bus.transport import connect
from chassis.bus.wire import encode
from chassis.ids import new_id
from services.eventlog.publishing import Outside

JSON = dict[str, Any]
SCRIPT = Path(__file__).parents[2] / "examples" / "erp_subscriber" / "subscriber.py"
SUBSCRIPTION = "eventlog.event-subscription"


class Shop:
    """A tenant that sells tea, and the subscription of its ERP system."""

    def __init__(self, suite: Any, publisher: Any) -> None:
        self.suite, self.publisher = suite, publisher
        suite.runtime("eventlog").publisher = publisher
        suite.user_id = suite.create("identity.user", {"name": "Ida", "email": "ida@example.com"})["id"]
        self.account = suite.create("customer.account", {"name": "Oolong"})["id"]
        price = {"amount": "10.00", "currency": "EUR"}
        self.product = suite.create("inventory.product", {"name": "Tea", "sku": "T-1", "price": price})["id"]
        warehouse = suite.create("inventory.warehouse", {"name": "Main", "code": "MAIN"})["id"]
        move = {
            "kind": "receipt",
            "product_id": self.product,
            "warehouse_id": warehouse,
            "quantity": "30",
            "reason": "x",
        }
        suite.create("inventory.stock-move", move)
        grants = {"sales.order": {"read": "all"}, "sales.receivable": {"read": "all"}}
        role = suite.create("identity.role", {"name": "ERP", "grants": grants})["id"]
        user = suite.create("identity.user", {"name": "ERP", "email": "erp@example.com", "role_ids": [role]})["id"]
        suite.settle()
        self.subscription = suite.create(SUBSCRIPTION, {"name": "ERP", "user_id": user})

    def order(self, quantity: str = "1") -> JSON:
        """An order that was placed; stock decides what became of it."""
        line = {"product_id": self.product, "quantity": quantity}
        data = {"account_id": self.account, "currency": "EUR", "ordered_on": "2026-03-02", "lines": [line]}
        made = self.suite.create("sales.order", data)
        self.suite.run("sales.order", made["id"], "place")
        self.suite.settle()
        return self.suite.get("sales.order", made["id"])

    def pay(self, order: JSON, amount: str) -> None:
        (receivable,) = self.suite.list("sales.receivable", ("order_id", "eq", order["id"]))
        money = {"amount": amount, "currency": "EUR"}
        allocation = {"receivable_id": receivable["id"], "amount": money}
        payment = {"account_id": self.account, "amount": money, "received_on": "2026-03-03", "reference": new_id()}
        self.suite.create("sales.payment", {**payment, "allocations": [allocation]})

    def trade(self) -> None:
        """Every fate that an order can have: confirmed, paid in part, paid and shipped, cancelled, rejected."""
        self.order("1")
        self.pay(self.order("2"), "5.00")
        whole = self.order("1")
        self.pay(whole, "10.00")
        self.suite.run("sales.order", whole["id"], "ship", {})
        self.suite.settle()
        self.suite.run("sales.order", self.order("3")["id"], "cancel", {"reason": "changed his mind"})
        self.order("999")
        self.suite.settle()

    def publish(self) -> int:
        """Bring the subscription's exchange to the end of the feed, as a leader that has just begun does."""
        self.suite.settle()
        runtime, published = self.suite.runtime("eventlog"), 0
        with self.suite.work("eventlog") as work:
            head = work.sql("SELECT position FROM feed_positions WHERE tenant_id = %s", (work.tenant,)).scalar_one()
        # A round that finds the broker gone waits for it and brings nothing, so that another one is due.
        for _ in range(10):
            published += Outside().publish(runtime)
            if self.suite.get(SUBSCRIPTION, self.subscription["id"])["position"] == head:
                return published
        raise AssertionError("the subscription does not reach the end of the feed")

    def documents(self) -> dict[str, tuple[Any, ...]]:
        """What the suite itself says, in the form of the ledger."""
        orders = [(one, "order", one["total"]) for one in self.suite.list("sales.order")]
        receivables = [(one, "receivable", one["amount"]) for one in self.suite.list("sales.receivable")]
        return {
            one["id"]: (
                kind,
                one["version"],
                one["number"],
                one["status"],
                money["amount"],
                (one.get("open") or {}).get("amount"),
            )
            for one, kind, money in orders + receivables
        }


class Erp:
    """The example as a process."""

    def __init__(self, subscription: JSON, ledger: Path) -> None:
        self.ledger = ledger
        self.command = [sys.executable, str(SCRIPT), "--url", subscription["amqp_url"]]
        self.command += ["--exchange", subscription["exchange"], "--ledger", str(ledger)]

    def drain(self) -> list[str]:
        """Run it until nothing more comes; its lines."""
        run = subprocess.run([*self.command, "--drain", "1.5"], capture_output=True, text=True, timeout=60, check=True)
        return run.stdout.splitlines()

    def run(self) -> subprocess.Popen[str]:
        """Start it for good; returns when it listens."""
        process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        read(process, "listening")
        return process

    def rows(self, sql: str) -> list[Any]:
        with sqlite3.connect(self.ledger) as connection:
            return connection.execute(sql).fetchall()

    def documents(self) -> dict[str, tuple[Any, ...]]:
        rows = self.rows("SELECT id, kind, version, number, status, amount, open FROM documents")
        return {row[0]: tuple(row[1:]) for row in rows}


def read(process: subprocess.Popen[str], start: str, count: int = 1) -> None:
    """Wait for so many lines of a running example that begin with this word."""
    assert process.stdout is not None
    while count:
        line = process.stdout.readline()
        assert line, "the example has ended"
        count -= line.startswith(start)


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def shop(suite_of: Any, broker: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("GUANXI_BROKER_MANAGEMENT_URL", broker.management_url)
    monkeypatch.setenv("GUANXI_BUS", broker.url)
    monkeypatch.delenv("GUANXI_BROKER_URL", raising=False)
    publisher = connect(broker.url).publisher()
    yield Shop(suite_of("identity", "customer", "inventory", "sales", "eventlog"), publisher)
    publisher.close()


@pytest.fixture
def erp(shop: Shop, tmp_path: Path) -> Erp:
    return Erp(shop.subscription, tmp_path / "ledger.db")


def test_the_example_is_short_and_needs_nothing_of_ours():
    text = SCRIPT.read_text("utf-8")
    assert len(text.splitlines()) <= 100
    ours = ("contracts", "chassis", "services", "gateway", "suite")
    assert not [line for line in text.splitlines() if line.startswith(tuple(f"from {name}" for name in ours))]
    assert not [line for line in text.splitlines() if line.startswith(tuple(f"import {name}" for name in ours))]


def test_the_ledger_equals_ours(shop: Shop, erp: Erp):
    erp.drain()
    shop.trade()
    assert shop.publish() > 10
    lines = erp.drain()
    assert not [line for line in lines if line.startswith("refused")]
    ours = shop.documents()
    assert erp.documents() == ours
    assert {status for _, _, _, status, _, _ in ours.values()} >= {
        "confirmed",
        "completed",
        "cancelled",
        "rejected",
        "paid",
    }
    owed = sum(Decimal(row[0]) for row in erp.rows("SELECT open FROM documents WHERE kind = 'receivable'"))
    assert owed == Decimal("25.00")


def test_a_replay_changes_nothing_in_the_ledger(shop: Shop, erp: Erp):
    erp.drain()
    shop.trade()
    shop.publish()
    erp.drain()
    before = erp.rows("SELECT * FROM seen ORDER BY id"), erp.documents()
    shop.suite.run(SUBSCRIPTION, shop.subscription["id"], "replay")
    again = shop.publish()
    assert len([line for line in erp.drain() if line.startswith("taken")]) == again > 10
    assert (erp.rows("SELECT * FROM seen ORDER BY id"), erp.documents()) == before


def test_an_example_that_is_killed_goes_on_where_it_was(shop: Shop, erp: Erp):
    erp.drain()
    shop.trade()
    published = shop.publish()
    process = erp.run()
    read(process, "taken", published // 2)
    process.kill()
    process.wait(20)
    erp.drain()
    assert erp.documents() == shop.documents()
    assert erp.rows("SELECT count(*) FROM seen") == [(published,)]


def test_the_example_survives_a_restart_of_the_broker(shop: Shop, erp: Erp, broker: Any):
    process = erp.run()
    shop.trade()
    read(process, "taken", shop.publish())
    broker.restart()
    read(process, "listening")
    shop.trade()
    read(process, "taken", shop.publish())
    end(process)
    assert erp.documents() == shop.documents()


def test_data_that_breaks_the_published_schema_is_kept_apart(shop: Shop, erp: Erp):
    erp.drain()
    data = {"id": "no-uuid", "version": "one", "changed": [], "previous": {}}
    bad = {"id": new_id(), "type": "sales.order.placed", "subject": "order/no-uuid", "data": data}
    unknown = {**bad, "id": new_id(), "type": "sales.order.evaporated"}
    outgoing = [Outgoing(shop.subscription["exchange"], one["type"], one["id"], encode(one)) for one in (bad, unknown)]
    assert set(shop.publisher.publish(outgoing)) == {Outcome.CONFIRMED}
    assert len([line for line in erp.drain() if line.startswith("refused")]) == 2
    assert erp.documents() == {}
    problems = dict(erp.rows("SELECT id, problem FROM seen"))
    assert "version" in problems[bad["id"]] or "id" in problems[bad["id"]]
    assert "no schema" in problems[unknown["id"]]
