"""I4: stock levels are the sums of the ledger and of the active reservations, and never below zero."""

from __future__ import annotations

from suite.check.rules import Seen, rule
from suite.check.sources import Look

SUBJECT = "'product ' || product_id || ' in warehouse ' || warehouse_id AS subject"


@rule("I4", "what is on hand is the sum of the stock ledger")
def on_hand(look: Look) -> Seen:
    return look.audit(
        "inventory",
        f"SELECT tenant_id, {SUBJECT}, CASE WHEN coalesce(on_hand, 0) <> coalesce(moved, 0) THEN"
        " 'on hand are ' || coalesce(on_hand, 0) || ', the ledger says ' || coalesce(moved, 0) END AS fault"
        " FROM stock_levels FULL JOIN (SELECT tenant_id, product_id, warehouse_id, sum(change) AS moved"
        "  FROM stock_moves GROUP BY 1, 2, 3) AS ledger USING (tenant_id, product_id, warehouse_id)",
    )


@rule("I4", "what is reserved is the sum of the active reservations")
def reserved(look: Look) -> Seen:
    return look.audit(
        "inventory",
        f"SELECT tenant_id, {SUBJECT}, CASE WHEN coalesce(reserved, 0) <> coalesce(held, 0) THEN"
        " 'reserved are ' || coalesce(reserved, 0) || ', the reservations say ' || coalesce(held, 0) END AS fault"
        " FROM stock_levels FULL JOIN (SELECT tenant_id, (line->>'product_id')::uuid AS product_id, warehouse_id,"
        "  sum((line->>'quantity')::numeric) AS held FROM reservations, jsonb_array_elements(lines) AS line"
        "  WHERE status = 'made' GROUP BY 1, 2, 3) AS active USING (tenant_id, product_id, warehouse_id)",
    )


@rule("I4", "available is on hand without reserved, and nothing is below zero")
def available(look: Look) -> Seen:
    return look.audit(
        "inventory",
        f"SELECT tenant_id, {SUBJECT}, CASE WHEN available IS DISTINCT FROM on_hand - reserved"
        " OR least(on_hand, reserved, available) < 0"
        " THEN 'on hand ' || on_hand || ', reserved ' || reserved || ', available ' || available END AS fault"
        " FROM stock_levels",
    )


rules = (on_hand, reserved, available)
