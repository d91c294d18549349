"""When all is quiet: the clerk's books against the services' tables, and both against what the clients were told."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tests.proof.tenants import Tenants
from tests.simulation.clients import Operation
from tests.simulation.model import Books, require

TAKING_PART = ("inventory", "sales", "marketing", "eventlog")
STOCK = {"tea": Decimal(100), "rare": Decimal(2)}
LIMIT = Decimal("20.00")


class Audit:
    def __init__(self, tenants: Tenants, tenant: str, known: dict[str, str]) -> None:
        self._tenants, self._tenant, self._known = tenants, tenant, known

    def check(self, done: Sequence[Operation]) -> None:
        """Raises Broken for the first thing that is not as it must be."""
        for service in TAKING_PART:
            left = self._ask(
                service, "SELECT consumer, type, error FROM inbox WHERE tenant_id = %s AND state <> 'done'"
            )
            require(not left, f"{service} has not done {left}")
        books = Books(
            {self._known[name]: quantity for name, quantity in STOCK.items()}, {self._known["limited"]: LIMIT}
        )
        self._log(self._read(books))
        books.check_orders()
        self._stock(books)
        self._money(books)
        self._points(books)
        self._answers(books, [each for each in done if each.answer and "ok" in each.answer])

    def _ask(self, service: str, statement: str) -> list[Any]:
        return self._tenants.query(service, statement, (self._tenant,))

    def _sums(self, service: str, table: str, by: str, what: str) -> dict[str, Any]:
        rows = self._ask(service, f"SELECT {by}::text, sum({what}) FROM {table} WHERE tenant_id = %s GROUP BY {by}")
        return {key: total for key, total in rows if total}

    def _read(self, books: Books) -> list[str]:
        """Let the clerk read what was committed. Returns the ids of the changes, which are those of the events."""
        told: list[str] = []
        for service, enter in (("inventory", books.inventory), ("sales", books.sales), ("marketing", None)):
            last: dict[str, int] = {}
            # One transaction follows the other here, so their numbers are the order of their commits; within one it is
            # the order of the ids, as the clock goes on in it. Over all, clocks tell nothing.
            for event, record, kind, version, now in self._ask(
                service,
                "SELECT id::text, record_id::text, type, version, snapshot FROM changes WHERE tenant_id = %s"
                " ORDER BY xmin::text::bigint, id",
            ):
                told.append(event)
                before = last.get(record, version - 1)
                require(version == before + 1, f"{kind}: version {version} follows {before}")
                last[record] = version
                if enter is not None:
                    enter(kind, version, {**now, "id": record})
        return told

    def _log(self, told: list[str]) -> None:
        rows = self._ask("eventlog", "SELECT position, id::text FROM events WHERE tenant_id = %s ORDER BY position")
        require(
            [position for position, _ in rows] == list(range(1, len(rows) + 1)), "the log's positions are not dense"
        )
        require(sorted(event for _, event in rows) == sorted(told), "the log does not hold each change once")

    def _stock(self, books: Books) -> None:
        levels = self._ask(
            "inventory", "SELECT product_id::text, on_hand, reserved, available FROM stock_levels WHERE tenant_id = %s"
        )
        found = {product: figures for product, *figures in levels}
        for name in STOCK:
            product = self._known[name]
            hand, reserved = books.on_hand[product], books.reserved[product]
            require(
                found[product] == [hand, reserved, hand - reserved], f"{name}: {found[product]}, not {hand}, {reserved}"
            )
            require(books.moved[product] == hand, f"{name}: the ledger sums to {books.moved[product]}, not {hand}")

    def _money(self, books: Books) -> None:
        rows = self._ask("sales", "SELECT id::text, open, status FROM receivables WHERE tenant_id = %s")
        expected = {key: (each["open"], each["status"]) for key, each in books.owed.items()}
        found = {key: (left, status) for key, left, status in rows}
        require(found == expected, f"receivables are {found}, not {expected}")
        ledger = self._sums("sales", "receivable_entries", "receivable_id", "amount")
        left = {key: each["open"] for key, each in books.owed.items() if each["open"]}
        require(ledger == left, f"the ledgers of receivables sum to {ledger}, not {left}")
        require(not self._ask("sales", "SELECT 1 FROM credit_holds WHERE tenant_id = %s"), "credit is still held")

    def _points(self, books: Books) -> None:
        expected = books.points()
        balances = self._sums("marketing", "point_accounts", "account_id", "balance")
        require(balances == expected, f"points are {balances}, not {expected}")
        entered = self._sums("marketing", "point_entries", "account_id", "points")
        require(entered == expected, f"the ledger of points sums to {entered}, not {expected}")

    def _answers(self, books: Books, granted: list[Operation]) -> None:
        """What was answered with success is there, and once; what was refused is not."""
        made = sorted(each.answer["ok"]["body"]["id"] for each in granted if each.what == "order" and each.answer)
        require(made == sorted(books.orders), "the orders that were answered are not those that there are")
        paid = sorted(each.key for each in granted if each.what == "payment")
        noted = sorted(each["reference"] for each in books.payments)
        require(paid == noted, f"payments {paid} were answered, {noted} are there")
        receipts = sum(Decimal(each.params["data"]["quantity"]) for each in granted if each.what == "receipt")
        received = self._ask(
            "inventory",
            "SELECT coalesce(sum(change), 0) FROM stock_moves WHERE tenant_id = %s AND reason = 'bought'",
        )[0][0]
        require(received == receipts, f"{receipts} were answered as received, {received} were")
        turned_back = {
            record
            for (record,) in self._ask(
                "sales",
                "SELECT record_id::text FROM sagas WHERE tenant_id = %s AND name = 'ship_order'"
                " AND state = 'compensated'",
            )
        }
        for operation in granted:
            if operation.order is None:
                continue
            status = books.orders[operation.order]["status"]
            right = {
                "place": status != "draft",
                "cancel": status == "cancelled",
                "ship": status in ("shipped", "completed") or operation.order in turned_back,
            }.get(operation.what, True)
            require(right, f"{operation.label} was answered with success, and the order is {status}")
