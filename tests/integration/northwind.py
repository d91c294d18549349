"""What the demo must contain, worked out from the CSV files alone: nothing of the suite's own code is used here."""

from __future__ import annotations

import csv
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path

FILES = Path(__file__).parents[2] / "suite" / "data" / "northwind"
CENT = Decimal("0.01")


def rows(name: str) -> list[dict[str, str]]:
    with (FILES / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def net_of(line: dict[str, str]) -> Decimal:
    """quantity × unit price × (1 − discount), exactly, then rounded half up to the cent."""
    exact = Fraction(line["Quantity"]) * Fraction(line["UnitPrice"]) * (1 - Fraction(line["Discount"]))
    cents = exact * 100
    whole, rest = divmod(cents.numerator, cents.denominator)
    return Decimal(whole + (1 if 2 * rest >= cents.denominator else 0)) * CENT


class Expected:
    """The demo's facts, all keyed by Northwind's own ids."""

    def __init__(self) -> None:
        self.orders = {row["OrderID"]: row for row in rows("orders")}
        self.lines: dict[str, list[dict[str, str]]] = defaultdict(list)
        for row in rows("order_details"):
            self.lines[row["OrderID"]].append(row)
        self.history = {key for key, row in self.orders.items() if row["ShippedDate"]}
        self.open = sorted(set(self.orders) - self.history, key=int)
        self.managers = {row["EmployeeID"]: row["ReportsTo"] or None for row in rows("employees")}
        self.accounts = {row["CustomerID"]: row["CompanyName"] for row in rows("customers")}
        self.contacts = {row["CustomerID"]: row["ContactName"] for row in rows("customers")}
        self.products = {row["ProductID"]: row["ProductName"] for row in rows("products")}
        self.opening = {row["ProductID"]: Decimal(row["UnitsInStock"]) for row in rows("products")}
        self.reserved: dict[str, Decimal] = defaultdict(Decimal)
        self.confirmed = [key for key in self.open if self._serve(key)]
        self.rejected = [key for key in self.open if key not in self.confirmed]

    def _serve(self, key: str) -> bool:
        """All lines or none, from what the orders before this one have left."""
        wanted: dict[str, Decimal] = defaultdict(Decimal)
        for line in self.lines[key]:
            wanted[line["ProductID"]] += Decimal(line["Quantity"])
        if any(self.reserved[product] + amount > self.opening[product] for product, amount in wanted.items()):
            return False
        for product, amount in wanted.items():
            self.reserved[product] += amount
        return True

    def net(self, key: str) -> Decimal:
        return sum((net_of(line) for line in self.lines[key]), Decimal(0))

    def total(self, key: str) -> Decimal:
        """Net and freight; the demo's orders carry no tax."""
        return self.net(key) + Decimal(self.orders[key]["Freight"]).quantize(CENT, ROUND_HALF_UP)
