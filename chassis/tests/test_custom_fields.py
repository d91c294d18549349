"""Custom fields: what a tenant defines is checked, kept, hidden and brought back like a declared field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chassis.records import custom, custom_building
from chassis.tests.given import define, refused, rows

FIELD, ACCOUNT, CONTACT = "identity.custom-field", "customer.account", "customer.contact"
RED, BLUE = {"value": "red", "label": {"en": "Red", "zh": "红"}}, {"value": "blue", "label": {"en": "Blue"}}


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("identity", "customer")


def account(suite: Any, custom: Any, **more: Any) -> Any:
    return suite.create(ACCOUNT, {"name": "Acme", "custom": custom}, **more)


VALUES: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("text", {"max_length": 5, "pattern": "[A-Z]{2}\\d*"}, "AB12", "AB12345"),
    ("text", {}, "钢", 5),
    ("number", {"min": "0", "max": "10", "places": 1}, "9.5", "10.1"),
    ("number", {"places": 1}, "9.5", "9.55"),
    ("money", {"min": "1"}, {"amount": "5.00", "currency": "EUR"}, {"amount": "0.50", "currency": "EUR"}),
    ("date", {}, "2026-02-28", "2026-02-30"),
    ("instant", {}, "2026-02-28T10:00:00.000000Z", "yesterday"),
    ("choice", {"choices": [RED, BLUE]}, "red", "green"),
    ("multi_choice", {"choices": [RED, BLUE]}, ["red", "blue"], ["red", "green"]),
    ("boolean", {}, False, "no"),
]


@pytest.mark.parametrize(("kind", "more", "good", "bad"), VALUES)
def test_a_value_of_its_type_is_kept_and_any_other_is_refused_by_name(
    suite: Any, kind: str, more: Any, good: Any, bad: Any
) -> None:
    define(suite, "x", kind, **more)
    made = account(suite, {"x": good})
    assert suite.get(ACCOUNT, made["id"])["custom"] == {"x": good}
    with refused(422, "invalid") as caught:
        account(suite, {"x": bad})
    assert caught.value.errors[0]["field"].startswith("custom.x")
    with refused(422, "invalid", "custom.y"):
        account(suite, {"y": good})
    with refused(422, "invalid") as caught:
        suite.update(ACCOUNT, made["id"], {"custom": {"x": bad}})
    assert caught.value.errors[0]["field"].startswith("custom.x")
    assert suite.update(ACCOUNT, made["id"], {"custom": {"x": None}})["custom"] == {}
    suite.settle()
    assert not suite.dead()


def test_a_reference_leads_to_a_living_record(suite: Any) -> None:
    define(suite, "parent", "reference", target="accounts")
    define(suite, "adviser", "reference", target="users")
    parent = account(suite, {})
    assert account(suite, {"parent": parent["id"]})["custom"] == {"parent": parent["id"]}
    for name in ("parent", "adviser"):
        with refused(422, "invalid", f"custom.{name}"):
            account(suite, {name: "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"})


def test_a_field_that_was_just_defined_can_be_written_at_once(suite: Any) -> None:
    account(suite, {})
    define(suite, "x", "text", settle=False)
    assert account(suite, {"x": "a"})["custom"] == {"x": "a"}


def test_required_and_default_concern_new_records_only(suite: Any) -> None:
    old = account(suite, {})
    define(suite, "colour", "choice", choices=[RED, BLUE], default="blue")
    define(suite, "size", "number", required=True)
    with refused(422, "invalid", "custom.size"):
        account(suite, {})
    made = account(suite, {"size": "1"})
    assert made["custom"] == {"size": "1", "colour": "blue"}
    assert suite.update(ACCOUNT, old["id"], {"name": "Other"})["custom"] == {}
    with refused(422, "invalid", "custom.size"):
        suite.update(ACCOUNT, made["id"], {"custom": {"size": None}})


def test_relabelling_keeps_values_and_a_removed_field_brings_them_back(suite: Any) -> None:
    colour = define(suite, "colour", "choice", choices=[RED, BLUE])
    made = account(suite, {"colour": "red"})
    suite.update(FIELD, colour["id"], {"label": {"en": "Paint"}})
    with refused(422, "invalid", "name"):
        suite.update(FIELD, colour["id"], {"name": "paint"})
    suite.update(FIELD, colour["id"], {"active": False})
    suite.settle()
    assert suite.get(ACCOUNT, made["id"])["custom"] == {}
    assert suite.list(ACCOUNT)[0]["custom"] == {}
    for value in ("blue", None):
        with refused(422, "invalid", "custom.colour"):
            suite.update(ACCOUNT, made["id"], {"custom": {"colour": value}})
    suite.update(ACCOUNT, made["id"], {"name": "Renamed"})
    with refused(409, "duplicate"):
        define(suite, "colour", "number")
    suite.update(FIELD, colour["id"], {"active": True})
    suite.settle()
    assert suite.get(ACCOUNT, made["id"])["custom"] == {"colour": "red"}


def test_a_value_stays_when_its_definition_becomes_narrower(suite: Any) -> None:
    colour = define(suite, "colour", "choice", choices=[RED, BLUE])
    define(suite, "size", "number")
    made = account(suite, {"colour": "red"})
    suite.update(FIELD, colour["id"], {"choices": [BLUE]})
    suite.settle()
    assert suite.update(ACCOUNT, made["id"], {"custom": {"size": "3"}})["custom"] == {"colour": "red", "size": "3"}
    with refused(422, "invalid", "custom.colour"):
        account(suite, {"colour": "red"})


def test_custom_values_are_in_events_and_history(suite: Any) -> None:
    define(suite, "x", "text")
    made = account(suite, {"x": "a"})
    suite.update(ACCOUNT, made["id"], {"custom": {"x": "b"}})
    suite.settle()
    [event] = suite.events("customer.account.updated")
    assert event["data"]["custom"] == {"x": "b"} and event["data"]["previous"] == {"custom": {"x": "a"}}
    [latest, _] = suite.call("customer", "record.history", {"record": ACCOUNT, "id": made["id"]})["items"]
    assert {"field": "custom.x", "from": "a", "to": "b"} in latest["changes"]


def test_a_custom_field_is_hidden_or_read_only_by_role_like_any_other(suite: Any) -> None:
    define(suite, "x", "text")
    define(suite, "y", "text")
    made = account(suite, {"x": "a", "y": "b"})
    blinkered = suite.context(masks={ACCOUNT: {"hidden": ["custom.x"]}})
    guarded = suite.context(masks={ACCOUNT: {"read_only": ["custom.x"]}})
    assert suite.get(ACCOUNT, made["id"], context=blinkered)["custom"] == {"y": "b"}
    assert suite.list(ACCOUNT, context=blinkered)[0]["custom"] == {"y": "b"}
    history = suite.call("customer", "record.history", {"record": ACCOUNT, "id": made["id"]}, context=blinkered)
    assert "custom.x" not in {change["field"] for change in history["items"][0]["changes"]}
    for context in (blinkered, guarded):
        with refused(422, "field_read_only", "custom.x"):
            suite.update(ACCOUNT, made["id"], {"custom": {"x": "c"}}, context=context)
        with refused(422, "field_read_only", "custom.x"):
            account(suite, {"x": "c"}, context=context)
    assert suite.get(ACCOUNT, made["id"])["custom"] == {"x": "a", "y": "b"}


def test_two_writers_of_different_custom_fields_do_not_clash(suite: Any) -> None:
    define(suite, "x", "text")
    define(suite, "y", "text")
    made = account(suite, {"x": "a", "y": "b"})
    suite.update(ACCOUNT, made["id"], {"custom": {"x": "c"}}, if_match="1")
    merged = suite.update(ACCOUNT, made["id"], {"custom": {"y": "d"}}, if_match="1")
    assert merged["custom"] == {"x": "c", "y": "d"}
    with refused(412, "version_conflict", "custom.y"):
        suite.update(ACCOUNT, made["id"], {"custom": {"y": "e"}}, if_match="1")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"applies_to": "unicorns"}, "applies_to"),
        ({"applies_to": "custom-fields"}, "applies_to"),
        ({"applies_to": "receivables"}, "applies_to"),
        ({"name": "Colour"}, "name"),
        ({"label": {}}, "label.en"),
        ({"type": "choice"}, "choices"),
        ({"type": "choice", "choices": [RED, RED]}, "choices"),
        ({"choices": [RED]}, "choices"),
        ({"type": "number", "min": "3", "max": "1"}, "max"),
        ({"min": "3"}, "min"),
        ({"type": "number", "default": "x"}, "default"),
        ({"type": "number", "max": "1", "default": "2"}, "default"),
        ({"pattern": "(a+)+b"}, "pattern"),
        ({"pattern": "a+b+c+"}, "pattern"),
        ({"max_length": 2000}, "max_length"),
        ({"type": "reference"}, "target"),
        ({"type": "reference", "target": "webhooks"}, "target"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(suite: Any, fields: dict[str, Any], field: str) -> None:
    with refused(422, "invalid", field):
        define(suite, **{"name": "x", "kind": fields.pop("type", "text"), **fields})


def test_a_collection_has_at_most_twenty_indexed_fields(suite: Any) -> None:
    for index in range(20):
        define(suite, f"x{index}", "text", settle=False)
    with refused(409, "too_many_indexed"):
        define(suite, "x", "text")
    define(suite, "x", "text", indexed=False)
    made = account(suite, {"x": "a", "x1": "b"})
    found = rows(suite, "customer", "SELECT field, text FROM custom_values WHERE tenant_id = %s")
    assert [tuple(row) for row in found] == [("x1", "b")]
    suite.update(ACCOUNT, made["id"], {"custom": {"x1": "c", "x2": "d"}})
    found = rows(suite, "customer", "SELECT field, text FROM custom_values WHERE tenant_id = %s ORDER BY field")
    assert [tuple(row) for row in found] == [("x1", "c"), ("x2", "d")]


def test_a_further_field_is_not_indexed_later_where_twenty_are(suite: Any) -> None:
    plain = define(suite, "plain", "text", settle=False, indexed=False)
    made = [define(suite, f"x{index}", "text", settle=False) for index in range(20)]
    with refused(409, "too_many_indexed"):
        suite.update(FIELD, plain["id"], {"indexed": True})
    suite.update(FIELD, made[0]["id"], {"indexed": False})
    assert suite.update(FIELD, plain["id"], {"indexed": True})["indexed"] is True


def _indexed_later(suite: Any, field_id: str, *, ring: int | None = None) -> None:
    """Let the batches run: all of them, or so many alarms."""
    suite.update(FIELD, field_id, {"indexed": True})
    suite.settle()
    suite.clock.forward(seconds=31)
    if ring is None:
        suite.settle()
    for _ in range(ring or 0):
        assert suite.runtime("customer").ring_alarms()


def _kept(suite: Any, name: str = "size") -> list[Any]:
    statement = "SELECT record_id, number FROM custom_values WHERE tenant_id = %s AND field = %s ORDER BY record_id"
    return [tuple(row) for row in rows(suite, "customer", statement, name)]


def test_a_field_that_is_indexed_later_has_its_existing_values_indexed(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custom_building, "BATCH", 4)
    field = define(suite, "size", "number", indexed=False)
    made = [account(suite, {"size": str(size)} if size % 3 else {}) for size in range(10)]
    wanted = sorted((one["id"], Decimal(size)) for size, one in enumerate(made) if size % 3)
    assert _kept(suite) == []
    _indexed_later(suite, field["id"], ring=1)
    # Half way: filters do not count on the rows yet, and writers keep theirs.
    assert 0 < len(_kept(suite)) < len(wanted)
    assert len(suite.list(ACCOUNT, ("custom.size", "gte", "0"))) == len(wanted)
    suite.update(ACCOUNT, made[9]["id"], {"custom": {"size": "9"}})
    suite.update(ACCOUNT, made[1]["id"], {"custom": {"size": None}})
    suite.settle()
    wanted = sorted([*((one, size) for one, size in wanted if one != made[1]["id"]), (made[9]["id"], Decimal(9))])
    assert _kept(suite) == wanted
    assert len(suite.list(ACCOUNT, ("custom.size", "gte", "0"))) == len(wanted)
    suite.runtime("customer").definitions.forget(suite.tenant)
    with suite.work("customer") as work:
        assert work.service.definitions.fields(work, "accounts").indexed("size")
    assert not suite.dead()


def test_a_killed_batch_of_an_index_is_done_again_and_none_twice(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_building, "BATCH", 2)
    field = define(suite, "size", "number", indexed=False)
    made = [account(suite, {"size": str(size)}) for size in range(5)]
    insert, deaths = custom.insert, [True, True]

    def dying(*given: Any) -> None:
        insert(*given)
        if deaths:
            deaths.pop()
            raise KeyboardInterrupt

    _indexed_later(suite, field["id"], ring=1)
    monkeypatch.setattr(custom, "insert", dying)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            suite.runtime("customer").ring_alarms()
    suite.settle()
    assert _kept(suite) == sorted((one["id"], Decimal(size)) for size, one in enumerate(made))


def test_an_index_that_was_given_up_and_wanted_again_knows_what_happened_between(suite: Any) -> None:
    field = define(suite, "size", "number")
    gone, changed = account(suite, {"size": "1"}), account(suite, {"size": "2"})
    suite.update(FIELD, field["id"], {"indexed": False})
    suite.settle()
    suite.update(ACCOUNT, gone["id"], {"custom": {"size": None}})
    suite.update(ACCOUNT, changed["id"], {"custom": {"size": "3"}})
    _indexed_later(suite, field["id"])
    assert _kept(suite) == [(changed["id"], Decimal(3))]
    assert [one["id"] for one in suite.list(ACCOUNT, ("custom.size", "eq", "3"))] == [changed["id"]]


def test_the_records_of_identity_itself_are_indexed_later_too(suite: Any) -> None:
    field = define(suite, "desk", "number", indexed=False, applies_to="teams")
    team = suite.create("identity.team", {"name": "North", "custom": {"desk": "7"}})
    _indexed_later(suite, field["id"])
    found = rows(suite, "identity", "SELECT record_id, number FROM custom_values WHERE tenant_id = %s")
    assert [tuple(row) for row in found] == [(team["id"], Decimal(7))]


def test_a_custom_reference_is_expanded_for_who_may_read_what_it_names(suite: Any) -> None:
    define(suite, "parent", "reference", target="accounts")
    define(suite, "size", "number")
    parent = account(suite, {})
    child = account(suite, {"parent": parent["id"]})

    def expanded(**options: Any) -> Any:
        by_id = {one["id"]: one for one in suite.list(ACCOUNT, expand=["custom.parent"], **options)}
        return by_id[child["id"]]["custom.parent"]

    assert expanded()["name"] == "Acme"
    assert set(suite.list(ACCOUNT, expand=["custom.parent"], fields=["name"])[0]) == {
        "id",
        "version",
        "name",
        "custom.parent",
    }
    for name in ("custom.size", "custom.nothing"):
        with refused(400, "unknown_parameter", "expand"):
            suite.list(ACCOUNT, expand=[name])
    blind = suite.context(masks={ACCOUNT: {"hidden": ["custom.parent"]}})
    with refused(400, "unknown_parameter", "expand"):
        expanded(context=blind)
    user = suite.create("identity.user", {"name": "Ida", "email": "ida@example.com"})["id"]
    suite.settle()
    mine = suite.context(user_id=user, grants={ACCOUNT: {"read": "own"}})
    with suite.work("customer") as work:
        store = suite.runtime("customer").stores[ACCOUNT]
        store.change(work, child["id"], lambda one: setattr(one, "owner_id", mine.user_id))
    assert expanded(context=mine) is None
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": parent["id"]})
    assert expanded() == {"id": parent["id"], "name": parent["name"], "deleted": True}


def test_without_custom_fields_a_write_asks_for_nothing_more(suite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from chassis.database import Work

    account(suite, {})
    asked: list[str] = []
    send = Work.sql
    monkeypatch.setattr(
        Work, "sql", lambda work, *given, **more: (asked.append(given[0]), send(work, *given, **more))[1]
    )
    made = account(suite, {})
    suite.update(ACCOUNT, made["id"], {"name": "Other"})
    assert asked and not any("custom_values" in statement or "custom-field" in statement for statement in asked)


def test_another_tenants_fields_are_not_known(suite: Any) -> None:
    define(suite, "x", "text")
    stranger = suite.context(tenant=suite.user_id)
    with refused(422, "invalid", "custom.x"):
        account(suite, {"x": "a"}, context=stranger)
