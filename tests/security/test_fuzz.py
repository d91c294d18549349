"""Generated requests to every operation: no fault of the server, every answer as published, and sound books after it.

`EXAMPLES` is how many requests each operation gets, `SEED` what they are made from.
"""

from __future__ import annotations

import os
from typing import Any

import pytest

from contracts.children import DECLARED
from contracts.registry import SERVICES, registry
from tests.security.fuzz import Fuzz, Report
from tests.security.shop import Shop
from tests.security.world import World

EXAMPLES = int(os.environ.get("EXAMPLES", "3"))
SEED = int(os.environ.get("SEED", "20261123"))
SHARE = 0.3

LEDGERS = {
    "what is on hand is the sum of the stock ledger": (
        "inventory",
        "SELECT l.product_id, l.on_hand, m.moved FROM stock_levels AS l FULL JOIN"
        " (SELECT tenant_id, product_id, warehouse_id, sum(change) AS moved FROM stock_moves GROUP BY 1, 2, 3) AS m"
        " USING (tenant_id, product_id, warehouse_id) WHERE coalesce(l.on_hand, 0) <> coalesce(m.moved, 0)",
    ),
    "what is reserved is the sum of the reservations": (
        "inventory",
        "SELECT l.product_id, l.reserved, r.held FROM stock_levels AS l FULL JOIN"
        " (SELECT tenant_id, (line ->> 'product_id')::uuid AS product_id, warehouse_id,"
        "  sum((line ->> 'quantity')::numeric) AS held FROM reservations, jsonb_array_elements(lines) AS line"
        "  WHERE status = 'made' GROUP BY 1, 2, 3) AS r"
        " USING (tenant_id, product_id, warehouse_id) WHERE coalesce(l.reserved, 0) <> coalesce(r.held, 0)",
    ),
    "what is open is the sum of the receivable's entries": (
        "sales",
        "SELECT r.id, r.open, e.entered FROM receivables AS r LEFT JOIN"
        " (SELECT tenant_id, receivable_id, sum(amount) AS entered FROM receivable_entries GROUP BY 1, 2) AS e"
        " ON e.tenant_id = r.tenant_id AND e.receivable_id = r.id WHERE r.open IS DISTINCT FROM e.entered",
    ),
    "points are the sum of their entries": (
        "marketing",
        "SELECT a.account_id, a.balance, e.entered FROM point_accounts AS a FULL JOIN"
        " (SELECT tenant_id, account_id, sum(points) AS entered FROM point_entries GROUP BY 1, 2) AS e"
        " USING (tenant_id, account_id) WHERE coalesce(a.balance, 0) <> coalesce(e.entered, 0)",
    ),
}


# A build walks along the links of a fifth of all collections, another fifth for each seed; `make fuzz` along all.
TAGS = sorted([*registry.load().collections, *(kind.collection for kind in DECLARED.values())])
WALKED = TAGS[SEED % 5 :: 5] if EXAMPLES < 10 else TAGS


@pytest.mark.timeout(0)
@pytest.mark.parametrize("collection", WALKED)
def test_no_walk_along_the_links_breaks_the_suite(walker: Fuzz, collection: str) -> None:
    walker.report = Report(SEED)
    report = walker.follow(collection, EXAMPLES, 8)
    assert not report.failures, f"{len(report.failures)} failures\n" + "\n\n".join(report.failures[:10])
    assert report.led > 0, f"nothing leads on from the answers of {collection}"
    sound(walker.world)


@pytest.fixture(scope="module")
def walker(world: World) -> Fuzz:
    return Fuzz(world, Shop(world, world.tenant("walk")), SEED)


@pytest.mark.timeout(0)
def test_no_generated_request_breaks_the_suite(world: World, capsys: pytest.CaptureFixture[Any]) -> None:
    shop = Shop(world, world.tenant("fuzz"))
    report = Fuzz(world, shop, SEED).run(EXAMPLES)
    with capsys.disabled():
        print(f"\n{report}")
    assert not report.failures, f"{len(report.failures)} failures\n" + "\n\n".join(report.failures[:10])
    assert report.share >= SHARE, str(report)
    sound(world)


def sound(world: World) -> None:
    """No message is dead, and every balance is the sum of its ledger."""
    world.settle()
    for service in SERVICES:
        dead = world.rows(service, "SELECT consumer, type, error FROM inbox WHERE state <> 'done'")
        assert dead == [], (service, dead[:5])
    for rule, (service, sql) in LEDGERS.items():
        assert world.rows(service, sql) == [], rule
