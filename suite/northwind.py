"""The import of the Northwind traders' data, through the public API as any user would do it; repeating changes nothing.

Orders with a shipped date come as history. The others are placed through the real flow, one after the other in the
order of their ids, and stock decides which are confirmed.
"""

from __future__ import annotations

import csv
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from suite.client import Client

JSON = dict[str, Any]
SYSTEM = "northwind"
CURRENCY = "USD"
# A batch must be written within the time of one request, on a slow and busy machine too.
BATCH = 50
Say = Callable[[str, int, int], None]
"""Told of progress: what is imported, how many are done, how many there are."""


@dataclass
class Report:
    """How many records were made, changed and found as they should be."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    placed: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)

    def told(self) -> str:
        """What became of the open orders, as a sentence; nothing where none was placed."""
        if not self.outcomes:
            return ""
        return "Open orders: " + ", ".join(f"{count} {status}" for status, count in sorted(self.outcomes.items())) + "."


class Rejected(Exception):
    """A row that the suite refused."""


def files_missing(folder: Path) -> list[str]:
    names = ("customers", "employees", "categories", "suppliers", "products", "shippers", "orders", "order_details")
    return [f"{name}.csv" for name in names if not (folder / f"{name}.csv").is_file()]


def run(client: Client, folder: Path, say: Say) -> Report:
    """Import the folder of CSV files. Raises Rejected for a row that the suite refuses."""
    return _Import(client, folder, say).run()


class _Import:
    def __init__(self, client: Client, folder: Path, say: Say) -> None:
        self.client, self.folder, self.say, self.report = client, folder, say, Report()
        self.ids: dict[str, dict[str, str]] = {}

    def run(self) -> Report:
        self._employees()
        self._simple("shippers", "shippers", lambda r: {"name": r["CompanyName"], "phone": r["Phone"]}, "ShipperID")
        self._simple(
            "categories",
            "categories",
            lambda r: {"name": r["CategoryName"], "description": r["Description"]},
            "CategoryID",
        )
        self._simple("suppliers", "suppliers", _supplier, "SupplierID")
        self._simple("customers", "accounts", _account, "CustomerID")
        self._simple("customers", "contacts", self._contact, "CustomerID")
        self._simple("products", "products", self._product, "ProductID")
        self._opening_stock()
        self._orders()
        return self.report

    def _rows(self, name: str) -> list[dict[str, str]]:
        with (self.folder / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    # --- master data

    def _simple(self, name: str, collection: str, make: Callable[[dict[str, str]], JSON], key: str) -> None:
        self._upsert(collection, [(row[key], make(row)) for row in self._rows(name)])

    def _upsert(self, collection: str, records: list[tuple[str, JSON]], before: int = 0, total: int = 0) -> None:
        """Bring records to their values by their external keys; `before` of `total` were done already."""
        known = {item["external_ids"].get(SYSTEM): item for item in self.client.all(collection, fields="external_ids")}
        ids = self.ids.setdefault(collection, {key: item["id"] for key, item in known.items() if key})
        done = before
        for part in _parts(records, BATCH):
            items = [{"op": "upsert", "system": SYSTEM, "key": key, "data": _present(data)} for key, data in part]
            answer = self._bulk(collection, items, atomic=False)
            for (key, _), result in zip(part, answer["items"], strict=True):
                if "error" in result:
                    raise Rejected(f"{collection} {key}: {result['error']}")
                ids[key] = result["id"]
                if result["status"] == 201:
                    self.report.created += 1
                elif result["version"] == known[key]["version"]:
                    self.report.unchanged += 1
                else:
                    self.report.updated += 1
            done += len(part)
            self.say(collection, done, total or len(records))

    def _bulk(self, collection: str, items: list[JSON], *, atomic: bool) -> JSON:
        body = {"items": items, "atomic": atomic}
        answer: JSON = self.client.request("POST", f"/v1/{collection}/bulk", body, key=secrets.token_hex(16))
        return answer

    def _employees(self) -> None:
        """Managers before those who report to them."""
        rows = {row["EmployeeID"]: row for row in self._rows("employees")}
        waiting, placed = dict(rows), set()
        while waiting:
            level = [row for row in waiting.values() if not row["ReportsTo"] or row["ReportsTo"] in placed]
            records = [(row["EmployeeID"], self._user(row)) for row in level]
            self._upsert("users", records, len(placed), len(rows))
            for row in level:
                placed.add(row["EmployeeID"])
                del waiting[row["EmployeeID"]]

    def _user(self, row: dict[str, str]) -> JSON:
        local = f"{row['FirstName']}.{row['LastName']}".lower().replace(" ", "")
        return {
            "name": f"{row['FirstName']} {row['LastName']}",
            "email": f"{local}@northwind.example",
            "title": row["Title"],
            "phone": row["HomePhone"],
            "hired_on": row["HireDate"],
            "manager_id": self.ids.get("users", {}).get(row["ReportsTo"]),
        }

    def _contact(self, row: dict[str, str]) -> JSON:
        return {
            "account_id": self.ids["accounts"][row["CustomerID"]],
            "name": row["ContactName"],
            "title": row["ContactTitle"],
            "phone": row["Phone"],
            "primary": True,
        }

    def _product(self, row: dict[str, str]) -> JSON:
        return {
            "name": row["ProductName"],
            "sku": f"NW-{int(row['ProductID']):03}",
            "category_id": self.ids["categories"][row["CategoryID"]],
            "supplier_id": self.ids["suppliers"][row["SupplierID"]],
            "unit": row["QuantityPerUnit"],
            "price": _money(row["UnitPrice"]),
            "reorder_level": row["ReorderLevel"],
            "discontinued": row["Discontinued"] == "1",
        }

    def _opening_stock(self) -> None:
        """One receipt for each product that lies in stock, keyed by the product, so that it is entered once."""
        rows = [row for row in self._rows("products") if int(row["UnitsInStock"])]
        moves = self.client.all("stock-moves", kind="receipt", fields="external_ids")
        known = {item["external_ids"].get(SYSTEM) for item in moves}
        for done, row in enumerate(rows, 1):
            if f"opening-{row['ProductID']}" in known:
                self.report.unchanged += 1
            else:
                self.client.request(
                    "POST",
                    "/v1/stock-moves",
                    {
                        "kind": "receipt",
                        "product_id": self.ids["products"][row["ProductID"]],
                        "quantity": row["UnitsInStock"],
                        "reason": "Opening stock",
                        "external_ids": {SYSTEM: f"opening-{row['ProductID']}"},
                    },
                    key=f"northwind-opening-{row['ProductID']}",
                )
                self.report.created += 1
            self.say("opening stock", done, len(rows))

    # --- orders

    def _orders(self) -> None:
        lines: dict[str, list[JSON]] = {}
        for row in self._rows("order_details"):
            lines.setdefault(row["OrderID"], []).append(self._line(row))
        rows = sorted(self._rows("orders"), key=lambda row: int(row["OrderID"]))
        fields = {"fields": "external_ids,status"}
        known = {item["external_ids"].get(SYSTEM): item for item in self.client.all("orders", **fields)}
        history = [row for row in rows if row["ShippedDate"]]
        fresh = [row for row in history if row["OrderID"] not in known]
        self.report.unchanged += len(history) - len(fresh)
        done = len(history) - len(fresh)
        for part in _parts(fresh, BATCH):
            items = [{"op": "create", "data": self._order(row, lines[row["OrderID"]], history=True)} for row in part]
            self._bulk("orders", items, atomic=True)
            self.report.created += len(part)
            done += len(part)
            self.say("order history", done, len(history))
        open_rows = [row for row in rows if not row["ShippedDate"]]
        for number, row in enumerate(open_rows, 1):
            self._place(row, lines[row["OrderID"]], known.get(row["OrderID"]))
            self.say("open orders", number, len(open_rows))

    def _line(self, row: dict[str, str]) -> JSON:
        percent = (Decimal(row["Discount"]) * 100).quantize(Decimal("0.01")).normalize()
        return {
            "product_id": self.ids["products"][row["ProductID"]],
            "quantity": row["Quantity"],
            "unit_price": _money(row["UnitPrice"]),
            "discount_percent": format(percent, "f"),
            "tax_rate": "0",
        }

    def _order(self, row: dict[str, str], lines: list[JSON], *, history: bool) -> JSON:
        data = {
            "account_id": self.ids["accounts"][row["CustomerID"]],
            "owner_id": self.ids["users"][row["EmployeeID"]],
            "currency": CURRENCY,
            "ordered_on": row["OrderDate"],
            "required_on": row["RequiredDate"],
            "shipper_id": self.ids["shippers"][row["ShipVia"]],
            "freight": _money(row["Freight"]),
            "ship_name": row["ShipName"],
            "ship_to": _address(row, "Ship"),
            "lines": lines,
            "external_ids": {SYSTEM: row["OrderID"]},
        }
        if history:
            data["history"] = {"shipped_on": row["ShippedDate"]}
        return _present(data)

    def _place(self, row: dict[str, str], lines: list[JSON], known: JSON | None) -> None:
        """Draft and place one order, and wait until its saga has decided."""
        if known is None:
            known = self.client.request(
                "POST", "/v1/orders", self._order(row, lines, history=False), key=f"northwind-order-{row['OrderID']}"
            )
            self.report.created += 1
        elif known["status"] not in ("draft", "placed"):
            self.report.unchanged += 1
            self._count(known["status"])
            return
        order_id = known["id"]
        if known["status"] == "draft":
            self.client.request("POST", f"/v1/orders/{order_id}/place", {}, key=f"northwind-place-{row['OrderID']}")
            self.report.placed += 1
        deadline = time.monotonic() + 150
        while (status := self.client.request("GET", f"/v1/orders/{order_id}")["status"]) == "placed":
            if time.monotonic() > deadline:
                raise Rejected(f"order {row['OrderID']} was neither confirmed nor rejected in time")
            time.sleep(0.02)
        self._count(status)

    def _count(self, status: str) -> None:
        self.report.outcomes[status] = self.report.outcomes.get(status, 0) + 1


def _supplier(row: dict[str, str]) -> JSON:
    return {
        "name": row["CompanyName"],
        "contact_name": row["ContactName"],
        "contact_title": row["ContactTitle"],
        "phone": row["Phone"],
        "fax": row["Fax"],
        "website": row["HomePage"].strip("#"),
        "address": _address(row),
    }


def _account(row: dict[str, str]) -> JSON:
    return {"name": row["CompanyName"], "phone": row["Phone"], "fax": row["Fax"], "address": _address(row)}


def _address(row: dict[str, str], prefix: str = "") -> JSON:
    return {
        "street": row[f"{prefix}Address"] or None,
        "city": row[f"{prefix}City"] or None,
        "region": row[f"{prefix}Region"] or None,
        "postal_code": row[f"{prefix}PostalCode"] or None,
        "country": row[f"{prefix}Country"] or None,
    }


def _money(amount: str) -> JSON:
    return {"amount": amount, "currency": CURRENCY}


def _present(data: JSON) -> JSON:
    """Without what the file leaves empty."""
    return {name: value for name, value in data.items() if value not in (None, "")}


def _parts(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
