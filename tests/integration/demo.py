"""What a suite with the demo shows through its API, read once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.integration.support import Api, EmbeddedSuite

JSON = dict[str, Any]
COLLECTIONS = (
    "users",
    "accounts",
    "contacts",
    "categories",
    "suppliers",
    "shippers",
    "products",
    "warehouses",
    "orders",
    "receivables",
    "stock-levels",
    "stock-moves",
    "reservations",
    "notifications",
    "point-accounts",
    "point-entries",
)


@dataclass(frozen=True)
class Demo:
    """`records` by collection, `events` in the order of the feed, and the credentials with the file's mode."""

    records: dict[str, list[JSON]]
    events: list[JSON]
    credentials: JSON
    mode: int

    @classmethod
    def read(cls, suite: EmbeddedSuite) -> Demo:
        api = suite.api()
        mode = (suite.folder / "credentials.json").stat().st_mode & 0o777
        return cls({name: api.all(name) for name in COLLECTIONS}, api.feed(), suite.credentials, mode)

    def by_old_key(self, collection: str) -> dict[str, JSON]:
        """Records by Northwind's own id."""
        found = {item["external_ids"].get("northwind"): item for item in self.records[collection]}
        return {key: item for key, item in found.items() if key is not None}


def stock(levels: list[JSON]) -> dict[str, tuple[Decimal, Decimal]]:
    """On hand and reserved by product, where there is either. Every level must be consistent in itself."""
    found = {}
    for level in levels:
        on_hand, reserved = Decimal(level["on_hand"]), Decimal(level["reserved"])
        assert on_hand - reserved == Decimal(level["available"]) >= 0, level
        if on_hand or reserved:
            found[level["product_id"]] = (on_hand, reserved)
    return found


def ledger(api: Api) -> dict[str, tuple[Decimal, Decimal]]:
    """The same from what the levels must be the sum of: the stock moves, and the reservations that hold."""
    sums: dict[str, list[Decimal]] = {}
    for move in api.all("stock-moves"):
        sums.setdefault(move["product_id"], [Decimal(0), Decimal(0)])[0] += Decimal(move["change"])
    for reservation in api.all("reservations", status="made"):
        for line in reservation["lines"]:
            sums.setdefault(line["product_id"], [Decimal(0), Decimal(0)])[1] += Decimal(line["quantity"])
    return {product: (on_hand, reserved) for product, (on_hand, reserved) in sums.items() if on_hand or reserved}
