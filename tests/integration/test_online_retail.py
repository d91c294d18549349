"""A year of a wholesaler's lines: what the suite holds of them is what the file says, counted independently."""

from __future__ import annotations

import csv
import gzip
import os
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from contracts.registry import registry
from suite import online_retail

DATA = Path(os.environ.get("GUANXI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "online-retail" / "online_retail.csv.gz"
LINES = 10_000
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


def _expected() -> JSON:
    """The file by itself: counts, and nets rounded line by line."""
    with gzip.open(FILE, "rt", encoding="utf-8", newline="") as text:
        rows = [row for row, _ in zip(csv.DictReader(text), range(LINES), strict=False)]
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


@pytest.mark.skipif(not FILE.exists(), reason=f"NOT CHECKED: the Online Retail data is not at {FILE}")
def test_every_line_of_online_retail_becomes_what_it_is_and_a_second_import_changes_nothing(suite_of: Any) -> None:
    suite = suite_of("customer", "inventory", "sales")
    report = online_retail.run(Direct(suite), FILE, lambda *_: None, most=LINES)
    expected = _expected()
    assert report.lines == LINES
    assert {name: result["created"] for name, result in report.results.items()} == {
        name: len(expected[name]) for name in ("accounts", "products", "orders", "credit-notes")
    }
    for collection, table in (("orders", "orders"), ("credit-notes", "credit_notes")):
        with suite.work("sales") as work:
            rows = work.sql(
                f"SELECT external_ids->>'online-retail', jsonb_array_length(lines), net FROM {table}"
                " WHERE tenant_id = %s",
                (work.tenant,),
            ).all()
        assert {key: [lines, net] for key, lines, net in rows} == expected[collection]
    with suite.work("sales") as work:
        prices = work.sql(
            "SELECT DISTINCT (line->'unit_price'->>'amount')::numeric FROM"
            " (SELECT tenant_id, lines FROM orders UNION ALL SELECT tenant_id, lines FROM credit_notes) AS d,"
            " jsonb_array_elements(lines) AS line WHERE tenant_id = %s ORDER BY 1",
            (work.tenant,),
        ).scalars()
        assert list(prices) == expected["prices"]
        owed = work.sql("SELECT count(*), sum(open) FROM receivables WHERE tenant_id = %s", (work.tenant,)).one()
        assert tuple(owed) == (len(expected["orders"]), 0)
    assert len(suite.list("customer.account", ("name", "eq", online_retail.NOBODY_NAME))) == 1
    again = online_retail.run(Direct(suite), FILE, lambda *_: None, most=LINES)
    assert [again.total(what) for what in ("created", "updated")] == [0, 0]
    assert again.total("unchanged") == report.total("created")
