"""What I4, I5 and I6 catch: balances that are not the sums of their ledgers."""

from __future__ import annotations

import pytest

from suite.check import money, stock
from suite.check.tests.world import World


def test_a_level_that_is_not_the_sum_of_its_ledger_is_found(world: World) -> None:
    world.spoil("inventory", "UPDATE stock_levels SET on_hand = on_hand + 1, available = available + 1")
    assert world.violated() == {("I4", stock.on_hand.says)}


def test_a_ledger_without_a_level_is_found(world: World) -> None:
    world.spoil("inventory", f"DELETE FROM stock_levels WHERE tenant_id = '{world.one.tenant}'")
    assert world.violated() == {("I4", stock.on_hand.says), ("I4", stock.reserved.says)}


def test_reserved_stock_that_no_order_holds_is_found(world: World) -> None:
    world.spoil("inventory", "UPDATE stock_levels SET reserved = reserved + 1, available = available - 1")
    assert world.violated() == {("I4", stock.reserved.says)}


def test_available_stock_that_is_already_reserved_is_found(world: World) -> None:
    world.spoil(
        "inventory",
        "ALTER TABLE stock_levels DROP CONSTRAINT ck_stock_levels_available",
        "UPDATE stock_levels SET available = available + 1",
    )
    assert world.violated() == {("I4", stock.available.says)}


def test_stock_below_zero_is_found(world: World) -> None:
    world.spoil(
        "inventory",
        "ALTER TABLE stock_levels DROP CONSTRAINT ck_stock_levels_on_hand, DROP CONSTRAINT ck_stock_levels_enough",
        "INSERT INTO stock_moves SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(), 'change',"
        " -9999, 'cause', 'theft'))).* FROM stock_moves AS m WHERE kind = 'receipt' LIMIT 1",
        "UPDATE stock_levels AS l SET on_hand = on_hand - 9999, available = available - 9999 FROM stock_moves AS m"
        " WHERE m.cause = 'theft' AND m.tenant_id = l.tenant_id AND m.product_id = l.product_id",
    )
    assert ("I4", stock.available.says) in world.violated()
    assert ("I4", stock.on_hand.says) not in world.violated()


def test_open_money_that_is_not_the_sum_of_its_ledger_is_found(world: World) -> None:
    """One entry is split over two receivables of one account, so that the account's total stays right."""
    world.spoil(
        "sales",
        "UPDATE receivable_entries AS e SET receivable_id = r.id FROM receivables AS r"
        " WHERE r.tenant_id = e.tenant_id AND r.account_id = e.account_id AND e.kind = 'reversed'"
        " AND r.status = 'open'",
    )
    assert world.violated() == {("I5", money.open_is_the_sum.says)}


def test_an_entry_in_another_currency_is_found(world: World) -> None:
    world.spoil(
        "sales", "UPDATE receivables SET open_currency = 'EUR', amount_currency = 'EUR' WHERE status = 'partly_paid'"
    )
    assert ("I5", money.open_is_the_sum.says) in world.violated()


def test_an_entry_of_the_wrong_sign_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE receivable_entries SET kind = 'refunded' WHERE kind = 'reversed'")
    assert world.violated() == {("I5", money.open_is_the_sum.says)}


@pytest.mark.parametrize(("status", "other"), [("open", "paid"), ("partly_paid", "open"), ("paid", "partly_paid")])
def test_a_status_that_the_ledger_denies_is_found(world: World, status: str, other: str) -> None:
    world.spoil("sales", f"UPDATE receivables SET status = '{other}' WHERE status = '{status}'")
    assert ("I5", money.status_agrees.says) in world.violated()
    assert {invariant for invariant, _ in world.violated()} <= {"I5", "I2"}


def test_a_paid_receivable_that_is_overdue_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE receivables SET overdue = true WHERE status = 'reversed'")
    assert world.violated() == {("I5", money.status_agrees.says)}


@pytest.mark.parametrize("kind", ["real", "double precision", "money"])
def test_a_column_that_rounds_money_is_found(world: World, kind: str) -> None:
    world.spoil("sales", f"ALTER TABLE credit_holds ADD COLUMN fee {kind}")
    assert world.violated() == {("I5", money.no_floats.says)}


def test_money_that_went_to_another_account_is_found(world: World) -> None:
    """Each receivable is right by itself; only the accounts' sums are not."""
    account = world.ask(
        "customer", f"SELECT id FROM accounts WHERE tenant_id = '{world.one.tenant}' AND kind = 'prospect'"
    )
    world.spoil("sales", f"UPDATE receivable_entries SET account_id = '{account[0].id}' WHERE kind = 'reversed'")
    assert world.violated() == {("I6", money.receivables_are_conserved.says)}


def test_a_payment_that_does_not_add_up_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE payments SET unallocated = unallocated + 1")
    assert world.violated() == {("I6", money.payments_are_conserved.says)}


def test_an_allocation_that_is_not_on_the_ledger_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE receivable_entries SET cause = 'gift:' || id WHERE starts_with(cause, 'payment:')")
    assert world.violated() == {("I6", money.allocations_are_entered.says)}


def test_an_entry_that_no_payment_allocates_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE payments SET allocations = '[]', unallocated = amount")
    assert world.violated() == {("I6", money.allocations_are_entered.says)}


def test_a_credit_note_that_does_not_add_up_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE credit_notes SET unallocated = unallocated + 1 WHERE status = 'issued'")
    assert world.violated() == {("I6", money.credit_notes_are_conserved.says)}


def test_a_credit_that_is_not_on_the_ledger_and_one_of_no_credit_note_are_found(world: World) -> None:
    world.spoil("sales", "UPDATE receivable_entries SET cause = 'gift:' || id WHERE kind = 'credited'")
    assert world.violated() == {("I6", money.credits_are_entered.says)}


def test_a_cancelled_credit_that_was_not_taken_back_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE credit_notes SET status = 'cancelled' WHERE status = 'issued'")
    assert world.violated() == {("I6", money.credits_are_entered.says)}


def test_a_receivable_that_says_another_credit_than_its_ledger_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE receivables SET credited = credited + 1 WHERE status = 'open'")
    assert world.violated() == {("I5", money.open_is_the_sum.says)}


def test_points_that_are_not_the_sum_of_their_entries_are_found(world: World) -> None:
    world.spoil("marketing", "UPDATE point_accounts SET balance = balance + 1")
    assert world.violated() == {("I6", money.points_are_conserved.says)}
