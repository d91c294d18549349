"""The change row is history, event and outbox at once: one for each version, in the transaction of the change."""

from __future__ import annotations

from typing import Any

import pytest

from chassis import relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.changes import envelope
from chassis.tests.given import changes_of, rows
from contracts.registry import registry
from contracts.values import is_uuid, parse_instant

CONTACT = "customer.contact"
PERSONAL = {"name": "Ann", "phone": "0190", "email": "ann@example.com", "birthday": "1990-02-03"}


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def test_each_version_has_one_row_and_one_event(suite: Any) -> None:
    made = suite.create(CONTACT, PERSONAL)
    suite.update(CONTACT, made["id"], {"title": "Buyer"})
    suite.update(CONTACT, made["id"], {"title": "Buyer"})
    suite.call("customer", "record.delete", {"record": CONTACT, "id": made["id"]})
    found = changes_of(suite, "customer", made["id"])
    assert [(row.version, row.type.rsplit(".", 1)[1]) for row in found] == [
        (1, "created"),
        (2, "updated"),
        (3, "deleted"),
    ]
    suite.settle()
    events = suite.events(CONTACT)
    assert [(event["version"], event["id"]) for event in events] == [(row.version, str(row.id)) for row in found]
    assert rows(suite, "customer", "SELECT 1 FROM unsent WHERE tenant_id = %s") == []


def test_personal_values_stand_only_in_private(suite: Any) -> None:
    made = suite.create(CONTACT, PERSONAL)
    suite.update(CONTACT, made["id"], {"phone": "0191", "title": "Buyer"})
    for row in changes_of(suite, "customer", made["id"]):
        plain = str((row.snapshot, row.previous))
        assert not any(value in plain for value in (*PERSONAL.values(), "0191"))
        assert row.private["snapshot"]["name"] == "Ann"
    assert row.private["previous"] == {"phone": "0190"}
    assert set(row.changed) == {"phone", "title"}


def test_an_event_carries_the_whole_record_what_changed_and_what_was_before(suite: Any) -> None:
    made = suite.create(CONTACT, PERSONAL)
    changed = suite.update(CONTACT, made["id"], {"phone": "0191", "title": "Buyer"})
    suite.settle()
    event = suite.events(CONTACT)[-1]
    data = dict(event["data"])
    assert sorted(data.pop("changed")) == ["phone", "title"]
    assert data.pop("previous") == {"phone": "0190", "title": None}
    assert data == changed
    first = suite.events(CONTACT)[0]["data"]
    assert {"name", "phone"} <= set(first["changed"])
    assert first["previous"] == {}


def test_the_envelope_is_a_cloudevent_that_names_tenant_actor_version_and_cause(suite: Any) -> None:
    context = suite.context()
    made = suite.create(CONTACT, PERSONAL, context=context)
    suite.settle()
    [event] = suite.events(CONTACT)
    assert event["specversion"] == "1.0"
    assert event["type"] in registry.events
    assert event["source"] == "/customer"
    assert event["subject"] == f"contact/{made['id']}"
    assert event["datacontenttype"] == "application/json"
    assert event["dataschema"] == "/events/customer.contact.created.v1"
    assert is_uuid(event["id"])
    assert parse_instant(event["time"]) == parse_instant(made["updated_at"])
    assert (event["tenant"], event["actor"], event["version"]) == (suite.tenant, context.actor, 1)
    assert event["correlationid"] == context.correlation_id
    assert "traceparent" not in event


def test_the_times_of_a_record_never_run_backwards_when_the_clock_does(suite: Any) -> None:
    suite.clock.forward(hours=1)
    made = suite.create(CONTACT, PERSONAL)
    suite.clock.forward(hours=-3)
    changed = suite.update(CONTACT, made["id"], {"title": "Buyer"})
    assert changed["updated_at"] >= made["updated_at"]
    at = [row.at for row in changes_of(suite, "customer", made["id"])]
    assert at == sorted(at)
    past = {"record": CONTACT, "id": made["id"], "as_of": changed["updated_at"]}
    assert suite.call("customer", "record.get", past)["version"] == 2


def test_a_transaction_that_fails_leaves_no_change_and_nothing_to_send(suite: Any) -> None:
    contacts = suite.runtime("customer").stores[CONTACT]

    def fail() -> None:
        with suite.work("customer") as work:
            contacts.add(work, contacts.make(name="Ann"))
            work.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    for table in ("contacts", "changes", "unsent"):
        assert rows(suite, "customer", f"SELECT 1 FROM {table} WHERE tenant_id = %s") == []


def test_more_than_one_statement_of_changes_are_all_written(suite: Any) -> None:
    contacts = suite.runtime("customer").stores[CONTACT]
    with suite.work("customer") as work:
        contacts.add_all(work, [contacts.make(name=f"Contact {index}") for index in range(1_001)])
    for table in ("changes", "unsent"):
        [row] = rows(suite, "customer", f"SELECT count(*) AS number FROM {table} WHERE tenant_id = %s")
        assert row.number == 1_001
    suite.settle()
    assert len({event["id"] for event in suite.events(CONTACT)}) == 1_001


def test_only_what_was_confirmed_is_taken_off_the_list(suite: Any) -> None:
    class Refusing:
        def publish(self, batch: list[Outgoing]) -> list[Outcome]:
            return [Outcome.CONFIRMED if index % 2 else Outcome.FAILED for index, _ in enumerate(batch)]

    suite.settle()
    for name in "ABCD":
        suite.create(CONTACT, {"name": name})
    database = suite.runtime("customer").database
    mine = "SELECT 1 FROM unsent WHERE tenant_id = %s"
    assert len(rows(suite, "customer", mine)) == 4
    confirmed, unconfirmed = relay.publish_once(database, "customer", Refusing())  # type: ignore[arg-type]
    assert confirmed and unconfirmed
    assert relay.backlog(database)[0] >= unconfirmed
    suite.settle()
    assert rows(suite, "customer", mine) == []


def test_one_busy_tenant_does_not_fill_the_window_of_the_others(suite: Any) -> None:
    contacts = suite.runtime("customer").stores[CONTACT]
    suite.settle()
    with suite.work("customer") as work:
        contacts.add_all(work, [contacts.make(name=f"Contact {index}") for index in range(300)])
    small = suite.context(tenant=suite.user_id)
    suite.create(CONTACT, {"name": "Small"}, context=small)
    relay.publish_once(suite.runtime("customer").database, "customer", suite.bus, window=128)
    assert any(b"Small" in one.body for one in suite.bus.seen)
    suite.settle()


def test_a_row_of_history_can_be_published_again_as_the_same_event(suite: Any) -> None:
    made = suite.create(CONTACT, PERSONAL)
    suite.settle()
    [row] = changes_of(suite, "customer", made["id"])
    assert envelope(row) == suite.events(CONTACT)[0]
