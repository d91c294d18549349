"""What every declaration keeps to, whoever adds the next one."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator

import pytest

from contracts import deleting
from contracts import fields as f
from contracts.records import Part, Record
from contracts.registry import Registry, registry

registry.load()

HAN = re.compile(r"[\u4e00-\u9fff]")

COLLECTIONS = {
    "users": {"deactivate", "activate", "reset-password"},
    "teams": set(),
    "roles": set(),
    "api-keys": set(),
    "tenants": set(),
    "event-subscriptions": {"replay"},
    "accounts": {"claim", "release", "transfer"},
    "contacts": set(),
    "groups": set(),
    "activities": {"complete"},
    "interactions": set(),
    "pipelines": set(),
    "opportunities": {"move", "win", "lose"},
    "orders": {"place", "cancel", "ship"},
    "receivables": set(),
    "payments": set(),
    "targets": set(),
    "campaigns": {"launch", "pause", "finish"},
    "leads": {"qualify", "convert", "disqualify"},
    "segments": set(),
    "point-accounts": set(),
    "point-entries": set(),
    "service-requests": {"assign", "hold", "resume", "resolve", "reopen", "close"},
    "service-contracts": set(),
    "articles": set(),
    "products": set(),
    "categories": set(),
    "suppliers": set(),
    "warehouses": set(),
    "shippers": set(),
    "shipments": set(),
    "stock-moves": set(),
    "stock-levels": set(),
    "reservations": set(),
    "purchase-orders": {"confirm", "receive"},
    "notifications": {"read"},
    "deliveries": set(),
}
READ_ONLY = ("stock-levels", "reservations")


def parts() -> Iterator[tuple[str, type[Part]]]:
    """Everything that a frontend shows a form or a table for."""
    for record in registry.records.values():
        yield record.record_name, record
        for field in record.declared().values():
            if isinstance(field, (f.Parts, f.Embedded)):
                yield f"{record.record_name} {field.part.__name__}", field.part
    for command in registry.commands.values():
        if command.request:
            yield command.name, command.request


def labels() -> Iterator[tuple[str, f.Label | None]]:
    for record in registry.records.values():
        yield record.record_name, record.record_label
    for command in registry.commands.values():
        yield command.name, command.label
    for where, part in parts():
        for name, field in part.declared().items():
            # The id of a part is not shown to anybody.
            if name != "id" or issubclass(part, Record):
                yield f"{where}.{name}", field.label
            if field.help:
                yield f"{where}.{name} help", field.help
            if isinstance(field, f.Choice):
                yield from ((f"{where}.{name}={value}", label) for value, label in field.choices.items())


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_every_collection_that_outsiders_rely_on_is_declared_with_its_verbs(collection: str) -> None:
    record = registry.collections[collection]
    assert COLLECTIONS[collection] <= {command.verb for command in registry.commands_of(record)}


def test_the_overview_of_an_account_is_declared() -> None:
    assert "overview" in {query.path for query in registry.queries_of(registry.collections["accounts"])}


@pytest.mark.parametrize("collection", READ_ONLY)
def test_balances_cannot_be_written(collection: str) -> None:
    record = registry.collections[collection]
    assert not record.operations & {"create", "update", "delete", "bulk", "upsert"}
    assert not registry.commands_of(record)


def test_every_label_is_in_english_and_in_chinese_with_han_characters() -> None:
    faults = [where for where, label in labels() if not label or not label[0].strip() or not HAN.search(label[1])]
    assert not faults


def test_what_a_label_alone_cannot_say_is_told_by_a_help_text() -> None:
    """A switch says what it does, a count of what it is, a list of what it is made, a document how it reads."""
    kinds = (f.Boolean, f.Integer, f.Texts, f.Choices, f.Document, f.StringMap)
    silent = [
        f"{name}.{field_name}"
        for name, record in registry.records.items()
        for field_name, field in record.declared().items()
        if isinstance(field, kinds) and not field.computed and field_name not in Record.declared() and not field.help
    ]
    assert not silent


def test_every_event_is_named_by_its_record_and_a_past_participle() -> None:
    for name, event in registry.events.items():
        assert name.startswith(f"{event.of.record_name}."), name
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name.rsplit(".", 1)[1])


@pytest.mark.parametrize("word", ["changed", "previous"])
def test_a_field_cannot_take_a_word_of_the_event(word: str) -> None:
    with pytest.raises(TypeError, match="envelope"):
        type(Record)(
            "Taken",
            (Record,),
            {word: f.Text(), "__module__": __name__},
            name="sales.taken",
            collection="taken",
            label=("Taken", "占用"),
        )
    assert "sales.taken" not in registry.records


def test_a_name_is_declared_once() -> None:
    other = Registry()
    record = registry.collections["orders"]
    other.add_record(record)
    with pytest.raises(TypeError, match="declared twice"):
        other.add_record(record)


def test_every_reference_names_a_declared_record() -> None:
    targets = {
        field.target
        for _, part in parts()
        for field in part.declared().values()
        if isinstance(field, f.Ref) and field.target
    }
    assert targets <= registry.records.keys()


def test_every_state_machine_moves_between_its_own_states_and_reaches_all_of_them() -> None:
    for _, part in parts():
        for field in part.declared().values():
            if not isinstance(field, f.State):
                continue
            assert {state for following in field.moves.values() for state in following} <= field.moves.keys()
            reached, ahead = set(), [field.first]
            while ahead:
                state = ahead.pop()
                if state not in reached:
                    reached.add(state)
                    ahead += field.moves[state]
            # Some records begin in another state, such as a reservation that is refused at once.
            assert reached | {state for state in field.moves if not _entered(field, state)} == field.moves.keys()


def _entered(field: f.State, state: str) -> bool:
    return any(state in following for following in field.moves.values())


def test_every_reference_of_a_record_says_what_its_records_deletion_means() -> None:
    silent = [
        f"{tie.holder.record_name}.{tie.name}"
        for record in registry.load().records.values()
        for tie in deleting.ties_of(record)
        if not tie.policy
    ]
    assert silent == []


def test_what_goes_with_another_record_is_held_by_nothing_and_refers_by_a_field_of_its_own() -> None:
    """Else deleting the one would have to ask for the other as well."""
    for record in registry.load().records.values():
        for tie in deleting.ties_of(record):
            if tie.policy != "cascade":
                continue
            assert tie.kind == "one" and "delete" in record.operations, tie
            held = [one for one in deleting.ties_to(record.record_name) if one.policy == "restrict"]
            assert held == [], tie


def test_a_service_keeps_copies_of_what_its_references_are_told_about() -> None:
    for record in registry.load().records.values():
        definition = importlib.import_module(f"services.{record.service}.service").service
        for tie in deleting.ties_of(record):
            if tie.policy in ("restrict", "cascade") and tie.target.split(".")[0] != record.service:
                assert tie.target in definition.copies, tie
