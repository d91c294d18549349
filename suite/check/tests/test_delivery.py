"""What I3 catches: events that were lost, invented, left lying or given up."""

from __future__ import annotations

import pytest

from suite.check import delivery
from suite.check.delivery import Subscription, subscriptions
from suite.check.tests.world import World

LOGGED = ("I3", delivery.logged.says)
POSITIONS = ("I3", delivery.positions.says)
TAKEN_IN = ("I3", delivery.taken_in.says)
SENT = ("I3", delivery.sent_in_time.says)
DEAD = ("I3", delivery.nothing_dead.says)


def lose_the_last_event(world: World) -> str:
    tenant = world.one.tenant
    last = world.ask("eventlog", f"SELECT * FROM events WHERE tenant_id = '{tenant}' ORDER BY position DESC LIMIT 1")[0]
    world.spoil(
        "eventlog",
        f"DELETE FROM events WHERE tenant_id = '{tenant}' AND position = {last.position}",
        f"UPDATE feed_positions SET position = position - 1 WHERE tenant_id = '{tenant}'",
    )
    return str(last.id)


def unsend(world: World, service: str, event: str, queued: str = "now()") -> None:
    world.spoil(
        service,
        "INSERT INTO unsent (tenant_id, record_id, version, at, queued_at)"
        f" SELECT tenant_id, record_id, version, at, {queued} FROM changes WHERE id = '{event}'",
    )


def source_of(world: World, event: str) -> str:
    return next(
        service
        for service in ("identity", "customer", "inventory", "sales", "marketing", "service", "notify")
        if world.ask(service, f"SELECT 1 FROM changes WHERE id = '{event}'")
    )


def test_an_event_that_never_reached_the_log_is_found(world: World) -> None:
    event = lose_the_last_event(world)
    assert world.violated() == {LOGGED}
    faults = next(one.seen.faults for one in world.check() if one.rule is delivery.logged)
    assert [fault.subject for fault in faults] == [f"event {event}"]


def test_an_event_that_waits_to_be_sent_is_not_lost(world: World) -> None:
    event = lose_the_last_event(world)
    unsend(world, source_of(world, event), event)
    assert world.violated() == set()


def test_an_event_in_the_log_that_no_service_changed_is_found(world: World) -> None:
    world.spoil("eventlog", "UPDATE events SET id = gen_random_uuid() WHERE position = 3")
    assert world.violated() == {LOGGED}


def test_a_gap_in_the_feed_is_found(world: World) -> None:
    world.spoil("eventlog", "UPDATE feed_positions SET position = position + 1")
    assert world.violated() == {POSITIONS}


def test_an_event_that_a_subscriber_never_got_is_found(world: World) -> None:
    world.spoil("notify", "DELETE FROM inbox WHERE consumer = 'on_order_confirmed'")
    assert world.violated() == {TAKEN_IN}


def test_an_event_that_nobody_sent_is_found_in_an_inbox(world: World) -> None:
    world.spoil(
        "notify",
        "INSERT INTO inbox (tenant_id, consumer, event_id, subject, type, state, attempts, received_at)"
        " SELECT tenant_id, consumer, ('ff' || substr(event_id::text, 3))::uuid, subject, type, state, attempts,"
        " received_at FROM inbox WHERE consumer = 'on_order_confirmed' LIMIT 1",
    )
    assert world.violated() == {TAKEN_IN}


def test_events_older_than_inboxes_are_kept_need_not_be_in_them(world: World) -> None:
    """An id tells when it was made."""
    world.spoil("notify", "DELETE FROM inbox WHERE consumer = 'on_order_confirmed'")
    world.spoil(
        "sales",
        "UPDATE changes SET id = ('00000000' || substr(id::text, 9))::uuid WHERE type = 'sales.order.confirmed'",
    )
    faults = next(one.seen.faults for one in world.check() if one.rule is delivery.taken_in)
    assert not [fault for fault in faults if "for on_order_confirmed" in fault.subject]


def test_what_waits_too_long_to_be_sent_is_found(world: World) -> None:
    event = str(world.ask("sales", "SELECT id FROM changes LIMIT 1")[0].id)
    unsend(world, "sales", event, "now() - interval '61 s'")
    assert world.violated() == {SENT}


def test_what_waits_a_moment_to_be_sent_is_fine(world: World) -> None:
    event = str(world.ask("sales", "SELECT id FROM changes LIMIT 1")[0].id)
    unsend(world, "sales", event, "now() - interval '30 s'")
    assert world.violated() == set()


def test_an_event_that_was_given_up_is_found(world: World) -> None:
    world.spoil("notify", "UPDATE inbox SET state = 'dead', attempts = 12, error = 'boom' WHERE type LIKE 'sales%%'")
    assert world.violated() == {DEAD}


def test_a_message_that_nobody_could_read_is_found(world: World) -> None:
    world.spoil("sales", "INSERT INTO dead_letters (queue, raw, headers, reason) VALUES ('q', 'x', '', 'no JSON')")
    assert world.violated() == {DEAD}


def test_a_dead_letter_is_of_no_single_tenant(world: World) -> None:
    world.spoil("sales", "INSERT INTO dead_letters (queue, raw, headers, reason) VALUES ('q', 'x', '', 'no JSON')")
    assert world.violated(world.one.tenant) == set()


@pytest.mark.parametrize(
    ("service", "consumer"),
    [("notify", "on_order_confirmed"), ("sales", "keep_copy"), ("service", "on_order_rejected")],
)
def test_subscriptions_come_from_the_services_declarations(world: World, service: str, consumer: str) -> None:
    assert (service, consumer) in {(one.service, one.consumer) for one in subscriptions()}


def test_a_pattern_means_one_level_of_event_types(world: World) -> None:
    one = Subscription("x", "y", ("sales.order.*", "sales.receivable.paid"))
    chosen = world.ask(
        "sales",
        "SELECT array_agg(type ORDER BY type) AS types FROM (VALUES ('sales.order.placed'), ('sales.order.a.b'),"
        " ('sales.orders.placed'), ('salesXorder.placed'), ('sales.receivable.paid'), ('sales.receivable.opened'))"
        f" AS given (type) WHERE {one.condition}",
    )
    assert chosen[0].types == ["sales.order.placed", "sales.receivable.paid"]
    assert one.sources == ["sales"]
