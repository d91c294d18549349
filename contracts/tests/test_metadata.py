"""The metadata must be enough to draw lists and forms without knowing any collection beforehand."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from contracts import fields as f
from contracts.documents.metadata import child_metadata, collection_metadata
from contracts.documents.openapi import openapi
from contracts.registry import registry

registry.load()
COMPONENTS = openapi(registry)["components"]
ORDER = collection_metadata(registry.collections["orders"], {"update": "own", "place": "all"})
FIELDS = {field["name"]: field for field in ORDER["fields"]}


@pytest.mark.parametrize("collection", sorted(registry.collections))
def test_the_metadata_of_every_collection_is_what_the_interface_promises(collection: str) -> None:
    document = {"$ref": "#/components/schemas/CollectionMetadata", "components": COMPONENTS}
    found = collection_metadata(registry.collections[collection], {})
    assert list(jsonschema_rs.Draft202012Validator(document).iter_errors(found)) == []


@pytest.mark.parametrize("kind", ["note", "attachment"])
@pytest.mark.parametrize("collection", sorted(registry.collections))
def test_so_is_that_of_its_notes_and_attachments(collection: str, kind: str) -> None:
    document = {"$ref": "#/components/schemas/ChildMetadata", "components": COMPONENTS}
    found = child_metadata(registry.collections[collection], kind, {"read": "all"})
    assert list(jsonschema_rs.Draft202012Validator(document).iter_errors(found)) == []
    assert set(found["columns"]) <= {field["name"] for field in found["fields"]}


def test_who_may_update_a_record_may_write_notes_and_who_may_only_create_it_where_nobody_updates_it() -> None:
    def writable(collection: str, **access: str) -> bool:
        found = child_metadata(registry.collections[collection], "note", {"read": "all", **access})
        (text,) = [field for field in found["fields"] if field["name"] == "text"]
        return bool(text["writable"]["create"])

    assert writable("orders", update="own") and not writable("orders", create="all")
    assert "update" not in registry.collections["payments"].operations
    assert writable("payments", create="all") and not writable("payments", update="all")
    others = child_metadata(registry.collections["orders"], "note", {"read": "all", "update": "all", "delete": "own"})
    assert others["access"]["others"] == "own"


def test_every_declared_field_is_described_in_its_order() -> None:
    assert [field["name"] for field in ORDER["fields"]] == list(registry.collections["orders"].declared())


def test_a_state_tells_its_choices_its_beginning_and_its_moves() -> None:
    status = FIELDS["status"]
    assert status["first"] == "draft"
    assert status["moves"]["draft"] == ["placed", "cancelled"]
    assert {"value": "draft", "label": {"en": "Draft", "zh": "草稿"}} in status["choices"]


def test_a_reference_tells_where_to_look_records_up() -> None:
    assert FIELDS["account_id"]["target"] == "customer.account"
    assert FIELDS["account_id"]["target_collection"] == "accounts"


def test_lines_tell_their_own_fields() -> None:
    lines = {field["name"]: field for field in FIELDS["lines"]["fields"]}
    assert lines["quantity"]["required"]
    assert lines["net"]["computed"]
    assert FIELDS["lines"]["at_least"] == 1


def test_a_list_learns_what_filters_and_sorts() -> None:
    assert "gte" in FIELDS["total"]["filters"]
    assert FIELDS["total"]["sort"]
    assert FIELDS["total"]["indexed"] == {"filter": True, "sort": True}
    assert "contains" in FIELDS["reason_detail"]["filters"]
    assert FIELDS["reason_detail"]["indexed"] == {"filter": False, "sort": False}
    assert FIELDS["lines"]["filters"] == []
    assert FIELDS["created_at"]["sort"]


def test_personal_fields_are_marked() -> None:
    contact = collection_metadata(registry.collections["contacts"], {})
    assert {field["name"]: field["pii"] for field in contact["fields"]}["birthday"]


def test_a_command_tells_what_it_asks_for() -> None:
    commands: dict[str, Any] = {command["name"]: command for command in ORDER["commands"]}
    assert [field["name"] for field in commands["cancel"]["fields"]] == ["reason"]
    assert commands["place"] == {
        "name": "place",
        "label": {"en": "Place", "zh": "下单"},
        "answers": 202,
        "errors": ["order_not_draft"],
        "leads": {"draft": "placed"},
        "fields": [],
    }


def test_what_the_caller_may_do_is_handed_on() -> None:
    assert ORDER["access"] == {"update": "own", "place": "all"}


@pytest.mark.parametrize("command", sorted(registry.commands))
def test_a_command_leads_where_the_state_machine_allows(command: str) -> None:
    declared = registry.commands[command]
    moves = [field.moves for field in declared.on.declared().values() if isinstance(field, f.State)]
    assert all(any(to in machine[state] for machine in moves) for state, to in declared.leads.items())


def test_what_is_hidden_is_missing_and_what_is_read_only_says_so() -> None:
    masked = collection_metadata(
        registry.collections["orders"], {"create": "all", "update": "own"}, hidden={"total"}, read_only={"freight"}
    )
    fields = {field["name"]: field for field in masked["fields"]}
    assert "total" not in fields and "total" not in masked["columns"]
    assert fields["freight"]["writable"] == {"create": False, "update": False}
    assert fields["currency"]["writable"] == {"create": True, "update": True}
    assert fields["history"]["writable"] == {"create": True, "update": False}


def test_a_tenants_custom_fields_are_described_like_the_others() -> None:
    definition = {
        "name": "colour",
        "type": "choice",
        "label": {"en": "Colour", "zh": None},
        "help": None,
        "active": True,
    }
    definition |= {"position": 1, "required": True, "default": "red", "indexed": True, "searchable": False}
    definition |= {"choices": [{"value": "red", "label": {"en": "Red", "zh": "红"}}], "min": None, "max": None}
    orders = registry.collections["orders"]
    [found] = collection_metadata(orders, {"create": "all"}, custom=[definition])["custom_fields"]
    assert (found["name"], found["key"], found["type"]) == ("custom.colour", "colour", "choice")
    assert (found["required"], found["default"], found["filters"][0]) == (True, "red", "eq")
    assert found["label"] == {"en": "Colour", "zh": "Colour"}
    for gone in ({"hidden": {"custom.colour"}}, {"hidden": {"custom"}}):
        assert collection_metadata(orders, {}, custom=[definition], **gone)["custom_fields"] == []
    assert collection_metadata(orders, {}, custom=[{**definition, "active": False}])["custom_fields"] == []


def test_what_search_counts_and_narrows_by_is_told() -> None:
    colour = {
        "name": "colour",
        "type": "choice",
        "label": {"en": "Colour"},
        "help": None,
        "active": True,
        "position": 1,
    }
    colour |= {"required": False, "default": None, "indexed": True, "searchable": False, "choices": []}
    size = {**colour, "name": "size", "type": "number", "indexed": False, "searchable": True, "min": None, "max": None}
    neither = {**colour, "name": "neither", "indexed": False}
    told = collection_metadata(registry.collections["orders"], {}, custom=[colour, size, neither], hidden={"total"})
    assert {"status", "currency", "custom.colour"} <= set(told["search"]["facets"])
    assert {"status.in", "ordered_on.gte", "created_at.within", "custom.colour", "custom.size.lt"} <= set(
        told["search"]["filters"]
    )
    unwanted = {"total.gte", "custom.neither", "custom.colour.gte", "ordered_on.empty", "birthday"}
    assert not unwanted & set(told["search"]["filters"])
    facets = {one["key"]: one["facet"] for one in told["custom_fields"]}
    assert facets == {"colour": True, "size": False, "neither": False}


def test_numbers_import_and_export_are_told() -> None:
    assert ORDER["number"] == {"pattern": "SO-{year}-{seq:05}", "scope": "year", "gaps": "none"}
    assert {"account_id", "lines.quantity", "ship_to.city"} <= set(ORDER["import"]["columns"])
    assert "total" not in ORDER["import"]["columns"]
    assert ORDER["export"]["formats"] == ["csv", "xlsx", "jsonl"]
    assert FIELDS["account_id"]["lookup"]["search"] == "/v1/search?types=account&q="
