"""What I7, I9 and I10 catch: work that does not end, versions that are missing, an index that is not honest."""

from __future__ import annotations

import pytest

from suite.check import index, versions, work
from suite.check.tests.world import World


def test_a_saga_that_does_not_end_is_found(world: World) -> None:
    world.spoil(
        "sales",
        "UPDATE sagas SET ended_at = NULL, deadline_at = now() - interval '61 s' WHERE name = 'cancel_order'",
    )
    assert world.violated() == {("I7", work.sagas_end.says)}


def test_a_saga_within_its_time_is_fine(world: World) -> None:
    world.spoil("sales", "UPDATE sagas SET ended_at = NULL, deadline_at = now() WHERE name = 'cancel_order'")
    assert world.violated() == set()


@pytest.mark.parametrize("state", ["running", "undoing"])
def test_an_ended_saga_with_an_undecided_step_is_found(world: World, state: str) -> None:
    change = f"UPDATE sagas SET steps = jsonb_set(steps, '{{0,state}}', '\"{state}\"')"
    world.spoil("sales", f"{change} WHERE name = 'cancel_order'")
    world.spoil("sales", f"{change} WHERE state = 'compensated'")
    faults = next(one.seen.faults for one in world.check() if one.rule is work.steps_are_decided)
    assert world.violated() == {("I7", work.steps_are_decided.says)}
    assert {fault.says.split(" although")[0] for fault in faults} == {"is completed", "is compensated"}


def test_a_saga_that_ended_running_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE sagas SET state = 'compensating' WHERE name = 'cancel_order'")
    assert ("I7", work.steps_are_decided.says) in world.violated()


def test_an_order_that_is_not_where_its_saga_led_it_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE sagas SET state = 'compensated' WHERE name = 'place_order' AND state = 'completed'")
    assert world.violated() == {("I7", work.ends_agree.says)}


def test_a_lead_that_is_not_where_its_saga_led_it_is_found(world: World) -> None:
    world.spoil("marketing", "UPDATE leads SET status = 'qualified'")
    assert world.violated() == {("I7", work.ends_agree.says)}


def test_an_order_that_nothing_works_on_is_found(world: World) -> None:
    world.spoil("sales", "UPDATE orders SET status = 'placed' WHERE status = 'draft'")
    assert world.violated() == {("I7", work.nothing_is_stuck.says)}


def test_a_lead_that_nothing_works_on_is_found(world: World) -> None:
    world.spoil("marketing", "DELETE FROM sagas", "UPDATE leads SET status = 'converting'")
    assert world.violated() == {("I7", work.nothing_is_stuck.says)}


LATEST = "version = (SELECT max(version) FROM changes AS c WHERE c.record_id = changes.record_id)"


def test_a_gap_in_the_versions_of_a_record_is_found(world: World) -> None:
    """The row was moved along, so that only the gap is wrong."""
    world.spoil(
        "inventory",
        "UPDATE changes SET version = version + 1, snapshot = snapshot || jsonb_build_object('version', version + 1)"
        f" WHERE record = 'inventory.reservation' AND {LATEST}",
        "UPDATE reservations SET version = version + 1",
    )
    assert world.violated() == {("I9", versions.versions_are_dense.says)}


def test_a_row_behind_its_changes_is_found(world: World) -> None:
    world.spoil("inventory", "UPDATE reservations SET version = version + 1")
    assert world.violated() == {("I9", versions.rows_are_the_latest.says)}


def test_a_row_of_another_time_than_its_change_is_found(world: World) -> None:
    world.spoil("inventory", "UPDATE reservations SET updated_at = updated_at + interval '1 microsecond'")
    assert world.violated() == {("I9", versions.rows_are_the_latest.says)}


@pytest.mark.parametrize("told", ['{"version": 77}', '{"updated_at": "2020-01-01T00:00:00Z"}'])
def test_a_snapshot_that_says_otherwise_than_the_row_is_found(world: World, told: str) -> None:
    world.spoil(
        "inventory",
        f"UPDATE changes SET snapshot = snapshot || '{told}' WHERE record = 'inventory.reservation' AND {LATEST}",
    )
    assert world.violated() == {("I9", versions.rows_are_the_latest.says)}


def test_a_row_that_nobody_wrote_down_is_found(world: World) -> None:
    draft = world.ask("sales", "SELECT id FROM orders WHERE status = 'draft'")[0].id
    world.spoil(
        "inventory",
        "INSERT INTO reservations SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid(),"
        f" 'order_id', '{draft}'))).* FROM reservations AS r"
        f" WHERE status = 'released' AND tenant_id = '{world.one.tenant}' LIMIT 1",
    )
    assert world.violated() == {("I9", versions.rows_are_the_latest.says)}


def test_a_row_that_vanished_is_found(world: World) -> None:
    world.spoil("notify", "DELETE FROM notifications")
    assert world.violated() == {("I9", versions.rows_are_the_latest.says)}


def test_a_record_that_the_index_forgot_is_found(world: World) -> None:
    world.spoil("search", "DELETE FROM keys", "DELETE FROM documents WHERE record = 'customer.account' AND NOT deleted")
    assert world.violated() == {("I10", index.documents.says)}


def test_a_stale_document_is_found(world: World) -> None:
    world.spoil("search", "UPDATE documents SET version = version - 1 WHERE record = 'sales.order' AND version > 1")
    faults = next(one.seen.faults for one in world.check() if one.rule is index.documents)
    assert world.violated() == {("I10", index.documents.says)}
    assert all(" in the index in version " in fault.says for fault in faults)


def test_a_deleted_record_in_the_index_is_found(world: World) -> None:
    world.spoil("search", "UPDATE documents SET deleted = false WHERE deleted")
    faults = next(one.seen.faults for one in world.check() if one.rule is index.documents)
    assert world.violated() == {("I10", index.documents.says)}
    assert "but is deleted" in faults[0].says


def test_words_of_a_deleted_record_are_found(world: World) -> None:
    world.spoil(
        "search",
        "INSERT INTO keys (tenant_id, key, record, id, field)"
        " SELECT tenant_id, '=gone', record, id, 'name' FROM documents WHERE deleted",
    )
    assert world.violated() == {("I10", index.words.says)}
