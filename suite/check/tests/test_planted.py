"""Every rule of the check catches a violation that was planted for it; a rule without one fails here."""

from __future__ import annotations

import pytest

from suite.check import broker, delivery, effects, files, index, money, orders, stock, tenants, versions, work
from suite.check.command import RULES
from suite.check.rules import Rule, examine
from suite.check.sources import Sources
from suite.check.tests.world import World

# For each rule statements that spoil one service's database.
PLANTED: dict[Rule, tuple[str, ...]] = {
    orders.reservations: ("inventory", "DELETE FROM reservations WHERE status = 'made'"),
    orders.issues: ("inventory", "UPDATE stock_moves SET order_id = NULL WHERE order_id IS NOT NULL"),
    orders.receivables_of_orders: ("sales", "UPDATE orders SET total = total + 1 WHERE status = 'confirmed'"),
    orders.orders_of_receivables: ("sales", "UPDATE receivables SET status = 'paid' WHERE status = 'reversed'"),
    effects.stock_moves: (
        "inventory",
        "ALTER TABLE stock_moves DROP CONSTRAINT {unique}",
        "UPDATE stock_moves SET cause = 'once' WHERE kind = 'receipt'",
    ),
    effects.receivable_entries: ("sales", "UPDATE receivable_entries SET cause = 'once' WHERE kind = 'opened'"),
    effects.events: (
        "eventlog",
        "UPDATE events AS e SET record_id = o.record_id, version = o.version, record = o.record FROM events AS o"
        " WHERE e.position = 2 AND o.position = 3 AND e.tenant_id = o.tenant_id",
    ),
    effects.points: ("marketing", "DELETE FROM point_entries WHERE order_id IS NOT NULL"),
    effects.follow_ups: ("service", "DELETE FROM changes WHERE record = 'service.request'"),
    delivery.logged: ("eventlog", "DELETE FROM events WHERE position = 3"),
    delivery.positions: ("eventlog", "DELETE FROM events WHERE position = 3"),
    delivery.taken_in: ("notify", "DELETE FROM inbox WHERE consumer = 'on_order_confirmed'"),
    delivery.sent_in_time: (
        "sales",
        "INSERT INTO unsent (tenant_id, record_id, version, at, queued_at)"
        " SELECT tenant_id, record_id, version, at, now() - interval '1 hour' FROM changes LIMIT 1",
    ),
    delivery.nothing_dead: ("notify", "UPDATE inbox SET state = 'dead' WHERE consumer = 'on_order_confirmed'"),
    stock.on_hand: ("inventory", "UPDATE stock_levels SET on_hand = on_hand + 1, available = available + 1"),
    stock.reserved: ("inventory", "UPDATE stock_levels SET reserved = reserved + 1, available = available - 1"),
    stock.available: (
        "inventory",
        "ALTER TABLE stock_levels DROP CONSTRAINT ck_stock_levels_available",
        "UPDATE stock_levels SET available = available + 1",
    ),
    money.open_is_the_sum: ("sales", "UPDATE receivables SET open = open - 1 WHERE status = 'open'"),
    money.status_agrees: ("sales", "UPDATE receivables SET status = 'paid' WHERE status = 'open'"),
    money.no_floats: ("sales", "ALTER TABLE credit_holds ADD COLUMN fee double precision"),
    money.receivables_are_conserved: ("sales", "UPDATE receivables SET open = open - 1 WHERE status = 'open'"),
    money.payments_are_conserved: ("sales", "UPDATE payments SET unallocated = unallocated + 1"),
    money.allocations_are_entered: ("sales", "DELETE FROM receivable_entries WHERE starts_with(cause, 'payment:')"),
    money.credit_notes_are_conserved: ("sales", "UPDATE credit_notes SET unallocated = unallocated + 1"),
    money.credits_are_entered: ("sales", "DELETE FROM receivable_entries WHERE kind = 'uncredited'"),
    money.points_are_conserved: ("marketing", "UPDATE point_accounts SET balance = balance + 1"),
    work.sagas_end: ("sales", "UPDATE sagas SET ended_at = NULL, deadline_at = now() - interval '1 hour'"),
    work.steps_are_decided: ("sales", "UPDATE sagas SET state = 'running'"),
    work.ends_agree: ("sales", "UPDATE orders SET status = 'draft' WHERE status = 'confirmed'"),
    work.nothing_is_stuck: ("sales", "UPDATE orders SET status = 'placed' WHERE status = 'draft'"),
    versions.versions_are_dense: ("sales", "DELETE FROM changes WHERE version = 1"),
    versions.rows_are_the_latest: ("sales", "UPDATE orders SET version = version + 1"),
    index.documents: ("search", "DELETE FROM documents WHERE record = 'customer.account'"),
    index.words: ("search", "UPDATE documents SET deleted = true WHERE record = 'customer.account'"),
    files.attachments_hold: ("customer", "DELETE FROM blob_holds"),
    files.files_are_there: ("customer", "UPDATE blob_holds SET key = repeat('0', 64)"),
    tenants.protected: ("sales", "ALTER TABLE payments NO FORCE ROW LEVEL SECURITY"),
    tenants.foreign_keys: (
        "sales",
        "CREATE UNIQUE INDEX u ON orders (id)",
        "ALTER TABLE credit_holds ADD CONSTRAINT bad FOREIGN KEY (order_id) REFERENCES orders (id)",
    ),
    tenants.columns_are_placed: ("sales", "ALTER TABLE credit_holds ADD COLUMN gadget_id uuid"),
    tenants.inside: ("inventory", "UPDATE products SET supplier_id = gen_random_uuid()"),
    tenants.across: ("service", "UPDATE service_requests SET account_id = gen_random_uuid()"),
}


def test_every_rule_has_a_violation_planted_for_it() -> None:
    """What is planted in the broker is in `tests/integration/test_check_broker.py`."""
    assert [rule.says for rule in RULES if rule not in PLANTED and rule not in broker.rules] == []


@pytest.mark.parametrize("rule", PLANTED, ids=lambda rule: f"{rule.invariant} {rule.check.__name__}")
def test_a_planted_violation_is_caught(world: World, rule: Rule) -> None:
    service, *statements = PLANTED[rule]
    if "{unique}" in statements[0]:
        table = statements[0].split()[2]
        world.unguard(service, table)
        del statements[0]
    world.spoil(service, *statements)
    sources = Sources(world)
    try:
        (result,) = examine(sources, (rule,), lambda seconds: None, ())
    finally:
        sources.close()
    assert result.state == "violated"
    assert result.seen.rows > 0
