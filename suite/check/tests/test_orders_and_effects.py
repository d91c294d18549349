"""What I1 and I2 catch: promises that are not kept, and effects that came twice or not at all."""

from __future__ import annotations

import pytest

from suite.check import effects, orders
from suite.check.tests.world import World

HELD = ("I1", orders.reservations.says)
LEFT = ("I1", orders.issues.says)
OWED = ("I1", orders.receivables_of_orders.says)
OWING = ("I1", orders.orders_of_receivables.says)


def order_in(world: World, status: str) -> str:
    found = world.ask(
        "sales",
        f"SELECT id FROM orders WHERE tenant_id = '{world.one.tenant}' AND status = '{status}' AND history IS NULL"
        " ORDER BY id LIMIT 1",
    )
    return str(found[0].id)


def test_a_confirmed_order_whose_reservation_ended_is_found(world: World) -> None:
    order = order_in(world, "confirmed")
    # Its stock was let go as well, so that stock by itself is right.
    world.spoil(
        "inventory",
        "UPDATE stock_levels AS l SET reserved = reserved - 2, available = available + 2 FROM reservations AS r"
        f" WHERE r.order_id = '{order}' AND l.tenant_id = r.tenant_id AND l.warehouse_id = r.warehouse_id",
        f"UPDATE reservations SET status = 'released' WHERE order_id = '{order}'",
    )
    assert world.violated() == {HELD}


def test_a_reservation_of_another_quantity_than_ordered_is_found(world: World) -> None:
    order = order_in(world, "confirmed")
    world.spoil("sales", f"UPDATE orders SET lines = jsonb_set(lines, '{{0,quantity}}', '\"7\"') WHERE id = '{order}'")
    assert world.violated() == {HELD}


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
def test_an_order_that_failed_and_still_holds_stock_is_found(world: World, status: str) -> None:
    order, held = order_in(world, status), order_in(world, "confirmed")
    world.spoil(
        "inventory",
        f"DELETE FROM reservations WHERE order_id = '{order}'",
        f"UPDATE reservations SET order_id = '{order}' WHERE order_id = '{held}'",
    )
    assert HELD in world.violated()
    faults = next(one.seen.faults for one in world.check() if one.rule is orders.reservations)
    assert {fault.subject for fault in faults} == {f"order {order}", f"order {held}"}


def test_a_placed_order_may_hold_stock(world: World) -> None:
    order = order_in(world, "confirmed")
    world.spoil("sales", f"UPDATE orders SET status = 'placed' WHERE id = '{order}'")
    assert HELD not in world.violated()


def test_a_shipped_order_whose_goods_never_left_is_found(world: World) -> None:
    order = order_in(world, "shipped")
    world.spoil("inventory", f"UPDATE stock_moves SET order_id = NULL WHERE order_id = '{order}'")
    assert world.violated() == {LEFT}


def test_goods_that_left_for_an_order_that_is_not_shipped_are_found(world: World) -> None:
    order, other = order_in(world, "shipped"), order_in(world, "cancelled")
    world.spoil("inventory", f"UPDATE stock_moves SET order_id = '{other}' WHERE order_id = '{order}'")
    assert world.violated() == {LEFT}


def test_an_order_under_a_saga_is_named_as_such(world: World) -> None:
    order = order_in(world, "shipped")
    world.spoil("inventory", f"UPDATE stock_moves SET order_id = NULL WHERE order_id = '{order}'")
    world.spoil(
        "sales",
        f"UPDATE sagas SET ended_at = NULL, deadline_at = now() + interval '1 hour' WHERE record_id = '{order}'"
        " AND name = 'ship_order'",
    )
    fault = next(one.seen.faults[0] for one in world.check() if one.rule is orders.issues)
    assert "ship_order is still running" in fault.says


def test_a_confirmed_order_without_its_receivable_is_found(world: World) -> None:
    order, draft = order_in(world, "confirmed"), order_in(world, "draft")
    world.spoil("sales", f"UPDATE receivables SET order_id = '{draft}' WHERE order_id = '{order}'")
    assert world.violated() == {OWED, OWING}


def test_an_order_with_two_receivables_is_found(world: World) -> None:
    order, history = order_in(world, "confirmed"), world.ask("sales", "SELECT id FROM orders WHERE history IS NOT NULL")
    world.unguard("sales", "receivables")
    world.spoil("sales", f"UPDATE receivables SET order_id = '{order}', net = 0 WHERE order_id = '{history[0].id}'")
    assert world.violated() == {OWED}


def test_a_receivable_of_another_amount_than_its_order_is_found(world: World) -> None:
    order = order_in(world, "confirmed")
    world.spoil("sales", f"UPDATE orders SET total = total + 1 WHERE id = '{order}'")
    assert world.violated() == {OWED}


def test_a_cancelled_order_that_still_owes_is_found(world: World) -> None:
    order = order_in(world, "cancelled")
    world.spoil("sales", f"UPDATE receivables SET status = 'paid', net = 0 WHERE order_id = '{order}'")
    assert world.violated() == {OWING}


def test_one_cause_that_moved_stock_twice_is_found(world: World) -> None:
    world.unguard("inventory", "stock_moves")
    world.spoil(
        "inventory",
        "UPDATE stock_moves SET cause = (SELECT cause FROM stock_moves AS m WHERE m.tenant_id = stock_moves.tenant_id"
        f" AND kind = 'receipt' ORDER BY id LIMIT 1) WHERE kind = 'receipt' AND tenant_id = '{world.one.tenant}'",
    )
    assert world.violated() == {("I2", effects.stock_moves.says)}


def test_one_cause_that_was_entered_twice_is_found(world: World) -> None:
    world.spoil(
        "sales",
        "UPDATE receivable_entries SET cause = (SELECT cause FROM receivable_entries AS e"
        " WHERE e.tenant_id = receivable_entries.tenant_id AND kind = 'opened' ORDER BY id LIMIT 1)"
        f" WHERE kind = 'opened' AND tenant_id = '{world.one.tenant}'",
    )
    assert world.violated() == {("I2", effects.receivable_entries.says)}


def test_an_event_that_was_logged_twice_is_found(world: World) -> None:
    """The log's positions stay dense, so that only the repetition is wrong."""
    tenant = world.one.tenant
    world.unguard("eventlog", "events")
    world.spoil(
        "eventlog",
        "INSERT INTO events SELECT e.tenant_id, p.position + 1, e.id, e.type, e.record, e.record_id, e.version, e.time,"
        " e.owner_id, e.team_id, e.envelope, e.private FROM events AS e JOIN feed_positions AS p USING (tenant_id)"
        f" WHERE e.tenant_id = '{tenant}' AND e.position = 3",
        f"UPDATE feed_positions SET position = position + 1 WHERE tenant_id = '{tenant}'",
    )
    assert world.violated() == {("I2", effects.events.says)}


def test_points_that_were_earned_twice_are_found(world: World) -> None:
    """The account's balance agrees with its entries, so that only the order gives it away."""
    world.spoil(
        "marketing",
        "UPDATE point_entries SET order_id = (SELECT order_id FROM point_entries WHERE order_id IS NOT NULL LIMIT 1)"
        " WHERE kind = 'adjusted'",
    )
    assert world.violated() == {("I2", effects.points.says)}


def test_points_for_history_are_found(world: World) -> None:
    world.spoil(
        "marketing",
        "UPDATE point_entries SET order_id = (SELECT order_id FROM order_points WHERE history) WHERE kind = 'adjusted'",
    )
    assert world.violated() == {("I2", effects.points.says)}


def test_a_rejected_order_with_two_follow_ups_is_found(world: World) -> None:
    """The world has two of them: the second one's becomes another of the first."""
    order = order_in(world, "rejected")
    world.spoil(
        "service",
        f"UPDATE changes SET snapshot = snapshot || jsonb_build_object('order_id', '{order}')"
        " WHERE record = 'service.request'"
        f" AND tenant_id = '{world.one.tenant}' AND snapshot->>'order_id' <> '{order}'",
    )
    assert world.violated() == {("I2", effects.follow_ups.says)}
    faults = next(one.seen.faults for one in world.check() if one.rule is effects.follow_ups)
    assert f"order {order}" in {fault.subject for fault in faults if "too many" in fault.says}


def test_a_rejected_order_without_a_follow_up_is_found(world: World) -> None:
    world.spoil("service", "UPDATE changes SET actor = 'user:somebody' WHERE record = 'service.request'")
    assert world.violated() == {("I2", effects.follow_ups.says)}
