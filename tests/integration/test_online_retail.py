"""A year of a wholesaler's lines: what the suite holds of them is what the file says, counted independently."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from suite import online_retail
from tests.integration.retail import Direct, expected_of

DATA = Path(os.environ.get("GUANXI_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
FILE = DATA / "online-retail" / "online_retail.csv.gz"
LINES = 10_000


@pytest.mark.skipif(not FILE.exists(), reason=f"NOT CHECKED: the Online Retail data is not at {FILE}")
def test_every_line_of_online_retail_becomes_what_it_is_and_a_second_import_changes_nothing(suite_of: Any) -> None:
    suite = suite_of("customer", "inventory", "sales")
    report = online_retail.run(Direct(suite), FILE, lambda *_: None, most=LINES)
    expected = expected_of(FILE, LINES)
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
