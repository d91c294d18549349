"""The import of the Online Retail data (UCI 352): every line of a year of a British wholesaler, by the import API.

One pass over the file makes four: accounts, products, orders and credit notes, each of which is imported by a job as
any user's would be. Lines that take something back (a negative quantity, or a negative price) become credit notes.
Lines without a customer belong to one account of their own. Repeating the import changes nothing.
"""

from __future__ import annotations

import csv
import gzip
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite import importing
from suite.importing import Client, Rejected

JSON = dict[str, Any]
SYSTEM = "online-retail"
CURRENCY = "GBP"
ADJUSTMENT = "B"
NOBODY, NOBODY_NAME = "none", "Customers without an account (散客)"
COLUMNS = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"]
Say = Callable[[str, int, int], None]
BY_KEY = f"external:{SYSTEM}"
DOCUMENT = [BY_KEY, "account_id", "lines.product_id", "lines.quantity", "lines.unit_price"]
FORMATS = {"account_id": BY_KEY, "lines.product_id": BY_KEY}
CONSTANTS = {"currency": CURRENCY, "lines.tax_rate": "0"}


@dataclass
class Report:
    """The results of the jobs, by collection, and how many lines the file had."""

    lines: int = 0
    results: dict[str, JSON] = field(default_factory=dict)

    def total(self, what: str) -> int:
        return sum(result[what] for result in self.results.values())


def run(client: Client, path: Path, say: Say, *, most: int | None = None) -> Report:
    """Import the file (`.csv` or `.csv.gz`), or its first `most` lines. Raises Rejected."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="guanxi-retail-") as folder:
        report.lines = prepare(path, Path(folder), most)
        for collection, mapping in MAPPINGS.items():
            report.results[collection] = _import(client, collection, Path(folder) / f"{collection}.csv", mapping, say)
    return report


def rows_of(path: Path, most: int | None = None) -> Iterator[list[str]]:
    """The lines of the file, without its header."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as text:
        reader = csv.reader(text)
        if next(reader, None) != COLUMNS:
            raise Rejected(f"{path.name} does not have the columns {', '.join(COLUMNS)}.")
        for count, row in enumerate(reader):
            if most is not None and count >= most:
                return
            yield row


def is_credit(quantity: str, price: str) -> bool:
    return quantity.startswith("-") or price.startswith("-")


# What is imported in this order, each with the mapping of its columns.
MAPPINGS: dict[str, JSON] = {
    "accounts": {},
    "products": {},
    "orders": {"formats": FORMATS, "constants": CONSTANTS},
    "credit-notes": {"formats": FORMATS, "constants": CONSTANTS},
}
_HEADERS = {
    "accounts": [BY_KEY, "name", "address.country"],
    "products": [BY_KEY, "sku", "name"],
    "orders": [*DOCUMENT, "ordered_on", "history.shipped_on"],
    "credit-notes": [*DOCUMENT, "issued_on", "settled_on", "reason"],
}


def prepare(path: Path, folder: Path, most: int | None = None) -> int:
    """Write the four files into the folder; returns how many lines were read.

    Lines of an invoice stand together in an import, and in the source nearly always; so the lines are kept by invoice
    as text until all are read: about a hundred bytes for each.
    """
    accounts: dict[str, str] = {}
    products: dict[str, str] = {}
    documents: dict[tuple[str, bool], list[str]] = {}
    count = 0
    for row in rows_of(path, most):
        count += 1
        invoice, code, description, quantity, moment, price, customer, country = row
        account = customer.removesuffix(".0") or NOBODY
        accounts.setdefault(account, country)
        products[code] = products.get(code) or description.strip()
        credit = is_credit(quantity, price)
        line = [invoice, account, code, quantity.removeprefix("-"), price.removeprefix("-"), moment[:10], moment[:10]]
        if credit:
            line.append("Adjustment" if code == ADJUSTMENT else "Return")
        documents.setdefault((invoice, credit), []).append("\t".join(line))
    _write(folder, "accounts", ([key, _name(key), accounts[key] if key != NOBODY else ""] for key in accounts))
    _write(folder, "products", ([code, _sku(code), products[code] or code] for code in products))
    for collection, wanted in (("orders", False), ("credit-notes", True)):
        lines = (line.split("\t") for (_, credit), lines in documents.items() if credit is wanted for line in lines)
        _write(folder, collection, lines)
    return count


def _name(key: str) -> str:
    return NOBODY_NAME if key == NOBODY else f"Customer {key}"


def _sku(code: str) -> str:
    return code.replace(" ", "-")


def _write(folder: Path, collection: str, rows: Iterable[list[str]]) -> None:
    with (folder / f"{collection}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEADERS[collection])
        writer.writerows(rows)


def _import(client: Client, collection: str, file: Path, mapping: JSON, say: Say) -> JSON:
    if mapping:
        client.request("PUT", f"/v1/{collection}/import/mappings/{SYSTEM}", mapping, key=secrets.token_hex(16))
    query = {"mode": "upsert", "match": BY_KEY, "mapping": SYSTEM if mapping else None}
    job = importing.send(client, file, collection, query, lambda done, total: say(collection, done, total))
    result: JSON = job["result"]
    if result["rejected"]:
        raise Rejected(f"{result['rejected']} of {collection} were rejected, see {job['errors_url']}")
    return result
