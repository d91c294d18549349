"""Online Retail: its import without HTTP, and what the file itself says."""

from __future__ import annotations

import csv
import gzip
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from contracts.registry import registry

CENT = Decimal("0.01")
JSON = dict[str, Any]


class Direct:
    """The import API without HTTP: files go into the blobs, jobs run at once."""

    def __init__(self, suite: Any) -> None:
        self.suite = suite

    def request(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        if path.startswith("/v1/jobs/"):
            service, _, job_id = path.removeprefix("/v1/jobs/").partition("-")
            return self.suite.call(service, "job.get", {"id": job_id})
        record = registry.collections[path.split("/")[2]]
        params = {"record": record.record_name, "name": path.rsplit("/", 1)[1], "mapping": body}
        return self.suite.call(record.service, "import.save_mapping", params)

    def upload(self, path: str, file: Any, media_type: str, *, key: str, query: JSON) -> Any:
        record = registry.collections[path.split("/")[2]]
        blob = self.suite.blobs.of(record.service, self.suite.tenant).put(file)
        params = {"record": record.record_name, "blob": blob.key, "format": "csv", "saved": query.get("mapping")}
        params |= {"mode": query["mode"], "match": query["match"]}
        job = self.suite.call(record.service, "record.import", params)
        self.suite.run_jobs(record.service)
        return job


def expected_of(file: Path, lines: int | None) -> JSON:
    """The file by itself: lines and rounded net of each document, keys of accounts and products, prices."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        rows = list(islice(csv.DictReader(text), lines))
    found: JSON = {"orders": {}, "credit-notes": {}}
    for row in rows:
        value = Decimal(row["Quantity"]) * Decimal(row["UnitPrice"])
        kind = "credit-notes" if row["Quantity"].startswith("-") or row["UnitPrice"].startswith("-") else "orders"
        document = found[kind].setdefault(row["InvoiceNo"], [0, Decimal(0)])
        document[0] += 1
        document[1] += abs(value).quantize(CENT, ROUND_HALF_UP)
    found["accounts"] = {row["CustomerID"] for row in rows}
    found["products"] = {row["StockCode"] for row in rows}
    found["prices"] = sorted({Decimal(row["UnitPrice"]).copy_abs() for row in rows})
    return found
