"""A small business in which everything that the check looks at has happened, and copies of it to be spoilt."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis.context import Context
from chassis.testing import Databases, Suite
from suite.check.command import check
from suite.check.rules import Result

JSON = dict[str, Any]
OPERATOR = "00000000-0000-0000-0000-000000000000"
_copies = itertools.count(1)


def usd(amount: str) -> JSON:
    return {"amount": amount, "currency": "USD"}


class Business:
    """One tenant's doings, through the services."""

    def __init__(self, suite: Suite, slug: str) -> None:
        self.suite = suite
        request = {
            "method": "identity.provision",
            "context": suite.signer.sign(Context(tenant=OPERATOR, actor="service:operator")),
            "params": {
                "slug": slug,
                "name": slug.title(),
                "currency": "USD",
                "email": f"owner@{slug}.example",
                "password": "a long enough password",
            },
        }
        made = suite.bus.call("identity", request, timeout=10)["ok"]["body"]
        self.tenant, self.user = made["tenant_id"], made["user_id"]
        self.turn()
        suite.settle()
        self.account = suite.create("customer.account", {"name": f"Alfreds of {slug}"})["id"]
        self.product = suite.create("inventory.product", {"name": "Tea", "price": usd("10"), "tax_rate": "0"})["id"]
        self.receive("100")
        suite.settle()

    def turn(self) -> None:
        """From here on the suite acts for this tenant."""
        self.suite.tenant, self.suite.user_id = self.tenant, self.user

    def receive(self, quantity: str) -> None:
        self.suite.create("inventory.stock-move", {"kind": "receipt", "product_id": self.product, "quantity": quantity})

    def draft(self, quantity: str, **data: Any) -> str:
        line = {"product_id": self.product, "quantity": quantity}
        order = {"account_id": self.account, "currency": "USD", "ordered_on": "2026-11-23", "lines": [line], **data}
        return str(self.suite.create("sales.order", order)["id"])

    def order(self, quantity: str, *verbs: str) -> str:
        """An order that was placed, and what was done with it then."""
        order = self.draft(quantity)
        for verb in ("place", *verbs):
            self.suite.run("sales.order", order, verb)
            self.suite.settle()
        return order

    def pay(self, amount: str, **shares: str) -> str:
        """A payment; `shares` gives the amounts by order."""
        payment = {"account_id": self.account, "amount": usd(amount), "received_on": "2026-11-23"}
        return str(self.suite.create("sales.payment", {**payment, "allocations": self._allocations(shares)})["id"])

    def allocate(self, record: str, record_id: str, **shares: str) -> None:
        """What a payment or credit note has left settles these orders."""
        self.suite.run(record, record_id, "allocate", {"allocations": self._allocations(shares)})

    def credit(self, amount: str, **shares: str) -> str:
        """A credit note; `shares` gives the amounts by order."""
        line = {"product_id": self.product, "quantity": "1", "unit_price": usd(amount)}
        note = {"account_id": self.account, "currency": "USD", "reason": "Broken", "lines": [line]}
        note |= {"issued_on": "2026-11-24", "settled_on": "2026-11-24", "allocations": self._allocations(shares)}
        return str(self.suite.create("sales.credit-note", note)["id"])

    def _allocations(self, shares: dict[str, str]) -> list[JSON]:
        found = {one["order_id"]: one["id"] for one in self.suite.list("sales.receivable")}
        return [{"receivable_id": found[order], "amount": usd(share)} for order, share in shares.items()]


def populate(suite: Suite) -> tuple[Business, Business]:
    """Two tenants: one with every kind of outcome, and a smaller one beside it."""
    small = Business(suite, "contoso")
    small.order("1")
    one = Business(suite, "northwind")
    one.receive("5")
    one.order("2")
    first, second, third = one.order("3"), one.order("4"), one.order("5")
    one.order("6", "cancel")
    one.order("900")
    one.order("901")
    one.draft("1")
    one.draft("7", history={"shipped_on": "2025-01-02"})
    for order in (first, second):
        suite.run("sales.order", order, "ship")
        suite.settle()
    # Two orders are paid in full, one is paid in part, from what was left of a payment; some money is left over.
    one.pay("75", **{first: "30", second: "40"})
    one.allocate("sales.payment", one.pay("20"), **{third: "20"})
    suite.run("sales.order", third, "ship")
    # What was credited is owed no more, and earns no points; a cancelled credit is owed again.
    broken = one.order("4")
    one.allocate("sales.credit-note", one.credit("12", **{broken: "10"}), **{third: "2"})
    one.pay("30", **{broken: "30"})
    suite.run("sales.credit-note", one.credit("5", **{third: "5"}), "cancel")
    suite.create("marketing.point-entry", {"account_id": one.account, "points": 5, "reason": "welcome"})
    lead = suite.create("marketing.lead", {"name": "Ana Trujillo", "company": "Emparedados"})["id"]
    suite.run("marketing.lead", lead, "qualify")
    suite.run("marketing.lead", lead, "convert", {})
    gone = suite.create("customer.account", {"name": "Gone for good", "external_ids": {"old": "7"}})["id"]
    suite.call("customer", "record.delete", {"record": "customer.account", "id": gone})
    contract = suite.blobs.of("customer", one.tenant).put(io.BytesIO(b"signed"))
    about = {"record": "customer.account", "id": one.account, "data": {"name": "contract.txt"}}
    suite.call("customer", "child.attach", {**about, "blob": {"key": contract.key, "size": contract.size}})
    suite.create("inventory.supplier", {"name": "Exotic Liquids"})
    suite.settle()
    return one, small


class World:
    """The databases of both businesses at rest, and copies of single ones that a test may spoil."""

    def __init__(self, databases: Databases, one: Business, small: Business) -> None:
        self._databases, self.one, self.small = databases, one, small
        self._replaced: dict[str, str] = {}

    bus = ""
    management = None

    @property
    def blobs(self) -> str:
        return self._databases.files.as_uri()

    def database_url(self, service: str, role: str) -> str:
        url = make_url(self._databases.url(service, role))
        return url.set(database=self._replaced.get(service, url.database)).render_as_string(hide_password=False)

    def spoil(self, service: str, *statements: str) -> None:
        """Change a copy of a service's database, as the superuser, past triggers, keys and row-level security."""
        if service not in self._replaced:
            name = f"{self._databases.name}_{service}"
            copy = f"{name}_{next(_copies)}"
            self._run(None, f'CREATE DATABASE "{copy}" TEMPLATE "{name}" STRATEGY WAL_LOG')
            self._replaced[service] = copy
        self._run(self._replaced[service], "SET session_replication_role = replica", *statements)

    def unguard(self, service: str, table: str) -> None:
        """Take the unique keys from a table of a copy, so that what they refuse can be there."""
        names = self.ask(
            service, f"SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'u'"
        )
        self.spoil(service, *(f'ALTER TABLE "{table}" DROP CONSTRAINT "{row.conname}"' for row in names))

    def ask(self, service: str, statement: str) -> list[Any]:
        """What a service's database holds."""
        database = self._replaced.get(service, f"{self._databases.name}_{service}")
        return self._run(database, statement)

    def restore(self) -> None:
        """Drop what was spoilt."""
        for database in self._replaced.values():
            self._run(None, f'DROP DATABASE "{database}" WITH (FORCE)')
        self._replaced.clear()

    def _run(self, database: str | None, *statements: str) -> list[Any]:
        url = make_url(self._databases.server)
        engine = create_engine(url.set(database=database) if database else url, isolation_level="AUTOCOMMIT")
        rows: list[Any] = []
        try:
            with engine.connect() as connection:
                for statement in statements:
                    done = connection.exec_driver_sql(statement)
                    if done.returns_rows:
                        rows = list(done)
                    elif statement.startswith(("UPDATE", "INSERT", "DELETE")):
                        assert done.rowcount > 0, f"nothing was spoilt by {statement}"
        finally:
            engine.dispose()
        return rows

    def check(self, tenant: str | None = None, **options: Any) -> list[Result]:
        return check(self, tenant, **{"wait": lambda seconds: None, "pauses": (), **options})

    def violated(self, tenant: str | None = None) -> set[tuple[str, str]]:
        """Invariant and rule of everything that is violated."""
        return {(one.rule.invariant, one.rule.says) for one in violations(self.check(tenant))}


def violations(results: Sequence[Result]) -> list[Result]:
    return [result for result in results if result.state == "violated"]
