"""Loader and schema must take exactly the same values: clients are written against the one and judged by the other."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import Schema, ValidationError

from contracts import fields as f
from contracts.documents.openapi import openapi
from contracts.documents.schemas import Schemas, component_names
from contracts.records import Part, Record
from contracts.registry import registry

registry.load()
SCHEMAS = openapi(registry)["components"]["schemas"]
CREATED = sorted(name for name, record in registry.collections.items() if "create" in record.operations)
PATCHED = sorted(name for name, record in registry.collections.items() if "update" in record.operations)

ID = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"
# Values of every kind, right and wrong: each is tried on every field.
CANDIDATES: list[Any] = [
    None, True, False, 0, 1, -1, 3.0, 2.5, 100, 365, 366, 2**31, -(2**31) - 1, 10**30, "", " ", "\u3000", "\u200b",
    "\ufeff", "a", "ä 张伟 😀", "a\nb", "a\n", "\x00", "a\x07b", "x\x7f", " a ", "\x85", "a" * 200, "a" * 201,
    "a" * 10_001, "a@b.co", "a@b", "a@b.co\n", "a b@c.de", "AB-12", "AB 12", "northwind", "en", "[A-Z]",
    "sales.order.*", "order/" + ID, "/" + ID, "USD", "usd", "XXX", "CNY ", "draft", "customer", "email", "task", "0",
    "-0", "-0.0", "0.0", "00", "1", "-1", "1.5", "1.", ".5", "1e3", "NaN", "٣", "1.000000", "1.0000000", "0.000001",
    "0.0000001", "100", "100.0", "100.00000", "100.1", "99.9999", "05", "999999999999999", "1000000000000000", "+1",
    " 1", "1\n", "2026-02-28", "2026-02-30", "2026-2-3", "0000-01-01", "0001-01-01", "9999-12-31", "2026-02-28\n",
    "20260228", "2026-02-28T10:00:00Z", "2026-02-28T10:00:00+08:00", "2026-02-28t10:00:00.123456z",
    "2026-02-28T10:00:00", "2026-02-28 10:00:00Z", "2026-02-28T25:00:00Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2026-02-28T10:00Z", ID, ID.upper(), ID.replace("-", ""), "{" + ID[2:] + "}",
    ID + "\n", ID[:-1] + "g", "1234567890123456789012345678901-2---", [], ["a"], ["a", "a"], [""], [1], [None],
    ["USD"], ["USD", "USD"], [ID], ["a"] * 101, [str(n) for n in range(101)], [{}], [[]], "[]", {}, {"a": "b"},
    {"A": "b"}, {"a": ""}, {"a": 1}, {"a": None}, {"a": " "}, {"a\n": "b"}, {f"k{n}": "v" for n in range(21)},
    {"nested": {"x": [1, None]}}, {"amount": "12.34", "currency": "CNY"}, {"amount": "12.345", "currency": "CNY"},
    {"amount": "12", "currency": "JPY"}, {"amount": "12.0", "currency": "JPY"},
    {"amount": "1.234", "currency": "KWD"}, {"amount": "-1", "currency": "CNY"},
    {"amount": "-0.00", "currency": "CNY"}, {"amount": 12, "currency": "CNY"}, {"amount": "12", "currency": "XXX"},
    {"amount": "12"}, {"amount": "1", "currency": "CNY", "x": 1}, {"amount": "1.123456", "currency": "USD"},
    {"amount": "1.1234567", "currency": "USD"}, {"amount": None, "currency": "CNY"}, {"city": "上海"}, {"city": None},
    {"city": "a" * 101}, {"town": "x"}, {"city": 1},
]  # fmt: skip


def validator(name: str) -> Any:
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)


def loads(part: type[Part], data: Any, *, partial: bool = False) -> bool:
    try:
        part().load(data, partial=partial)
    except ValidationError:
        return False
    return True


def example(field: f.Field) -> Any:
    """A value that the field takes."""
    if isinstance(field, f.Parts):
        return [smallest(field.part)] * max(field.at_least, 1)
    if isinstance(field, f.Embedded):
        return smallest(field.part)
    for candidate in ("x" * 12, "USD", "7", ID, "2026-01-31", "2026-01-31T08:00:00Z", "a@b.co", 7, 1, True, "AB-12"):
        if _takes(field, candidate):
            return candidate
    if isinstance(field, f.Choice):
        return next(iter(field.choices))
    if isinstance(field, f.Money):
        return {"amount": "12.34", "currency": "CNY"}
    if isinstance(field, (f.StringMap, f.Document)):
        return {"northwind": "ALFKI"}
    if isinstance(field, f.Texts):
        return [example(field.of)]
    return f"order/{ID}"


def _takes(field: f.Field, value: Any) -> bool:
    try:
        field.deserialize(value)
    except ValidationError:
        return False
    return True


def smallest(part: type[Part]) -> dict[str, Any]:
    return {name: example(field) for name, field in part.declared().items() if field.required and not field.computed}


def largest(part: type[Part]) -> dict[str, Any]:
    return {
        name: example(field)
        for name, field in part.declared().items()
        if not field.computed and not (name == "id" and not issubclass(part, Record))
    }


def name_of(part: type[Part]) -> str:
    return component_names(registry)[part]


@pytest.mark.parametrize("collection", CREATED)
def test_what_can_be_created_is_what_the_schema_says(collection: str) -> None:
    record = registry.collections[collection]
    schema = validator(f"{name_of(record)}Create")
    for data in (smallest(record), largest(record)):
        assert loads(record, data), data
        assert schema.is_valid(data), data


@pytest.mark.parametrize("collection", CREATED)
def test_schema_and_loader_agree_on_every_value_of_every_field(collection: str) -> None:
    record = registry.collections[collection]
    schema = validator(f"{name_of(record)}Create")
    base = smallest(record)
    disagreements = []
    for name in [*record.declared(), "unknown"]:
        for value in CANDIDATES:
            data = {**base, name: value}
            if loads(record, data) != schema.is_valid(data):
                disagreements.append((name, value, "loaded" if loads(record, data) else "refused by the loader"))
    assert not disagreements


@pytest.mark.parametrize("collection", CREATED)
def test_schema_and_loader_agree_on_what_is_required(collection: str) -> None:
    record = registry.collections[collection]
    schema = validator(f"{name_of(record)}Create")
    base = largest(record)
    for name in base:
        data = {key: value for key, value in base.items() if key != name}
        assert loads(record, data) == schema.is_valid(data) == (not record.declared()[name].required), name


@pytest.mark.parametrize("collection", PATCHED)
def test_schema_and_loader_agree_on_every_value_of_a_patch(collection: str) -> None:
    record = registry.collections[collection]
    schema = validator(f"{name_of(record)}Patch")
    disagreements = []
    for name, field in record.declared().items():
        # The inside of these is merged with what is there before it is loaded; what is written once is no part of it.
        if field.once or isinstance(field, (f.StringMap, f.Document, f.Embedded)):
            continue
        for value in CANDIDATES:
            if loads(record, {name: value}, partial=True) != schema.is_valid({name: value}):
                disagreements.append((name, value))
    assert not disagreements


def test_a_patch_takes_no_field_that_is_written_once() -> None:
    schema = validator("ApiKeyPatch")
    assert schema.is_valid({"name": "another"})
    assert not schema.is_valid({"user_id": ID})


def test_a_patch_removes_an_external_id_with_null() -> None:
    assert validator("AccountPatch").is_valid({"external_ids": {"northwind": None}})
    assert not validator("AccountCreate").is_valid({"name": "x", "external_ids": {"northwind": None}})


COMMANDS = sorted(name for name, command in registry.commands.items() if command.request)


@pytest.mark.parametrize("command", COMMANDS)
def test_schema_and_loader_agree_on_every_value_of_every_command(command: str) -> None:
    request = registry.commands[command].request
    assert request is not None
    schema = validator(f"{name_of(request)}Input")
    base = smallest(request)
    assert loads(request, base)
    assert schema.is_valid(base)
    for name in [*request.declared(), "unknown"]:
        for value in CANDIDATES:
            data = {**base, name: value}
            assert loads(request, data) == schema.is_valid(data), (name, value)


KINDS: list[f.Field] = [
    f.Text(), f.Text(required=True), f.Text(max=3, min=2), f.Email(), f.Code(), f.Currency(),
    f.Integer(least=0, most=9), f.Number(), f.Number(least=0), f.Quantity(above=0), f.Number(above=0, places=0),
    f.Percent(), f.Money(), f.Money(signed=True), f.Money(places=6), f.Date(), f.Instant(), f.Boolean(), f.Id(),
    f.Texts(), f.StringMap(), f.Document(),
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=12),
    st.from_regex(r"\A-?[0-9]{0,3}(\.[0-9]{0,8})?\Z"),
    st.from_regex(r"\A[a-z]{1,3}@[a-z]{1,3}(\.[a-z]{0,3}){0,2}\Z"),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
    st.dates().map(str),
    st.uuids().map(str),
    st.sampled_from(["USD", "JPY", "KWD"]),
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.fixed_dictionaries({"amount": TEXTS, "currency": st.sampled_from(["USD", "JPY", "KWD", "usd"])}),
)


@given(value=VALUES)
@settings(max_examples=400, deadline=None)
def test_schema_and_loader_agree_on_whatever_comes(value: Any) -> None:
    for field, schema in _KIND_SCHEMAS:
        assert _takes(field, value) == schema.is_valid(value), (type(field).__name__, vars(field))


def _kind_schemas() -> list[tuple[f.Field, Any]]:
    found = []
    for field in KINDS:
        schema = field.json_schema()
        branches = [schema, {"type": "null"}] if field.allow_none else [schema]
        found.append((field, jsonschema_rs.Draft202012Validator({"anyOf": branches}, validate_formats=True)))
    return found


_KIND_SCHEMAS = _kind_schemas()


@pytest.mark.parametrize("collection", sorted(registry.collections))
def test_what_a_record_answers_is_what_its_reply_schema_says(collection: str) -> None:
    record = registry.collections[collection]
    schema = validator(name_of(record))
    for data in (smallest(record), largest(record)):
        assert schema.is_valid(answer(record, data)), list(schema.iter_errors(answer(record, data)))


def answer(record: type[Record], data: dict[str, Any]) -> dict[str, Any]:
    """The wire form of a stored record: what was sent, the standard fields, and states at their beginning."""
    made = record.make(record().load(copy.deepcopy(data)))
    for name, field in record.declared().items():
        if isinstance(field, f.State):
            setattr(made, name, field.first)
    stamps = {"created_at": "2026-01-31T08:00:00Z", "updated_at": "2026-01-31T08:00:00Z"}
    return {
        **record.wire(made),
        **stamps,
        "id": str(uuid.uuid4()),
        "version": 1,
        "created_by": "user:x",
        "updated_by": "user:x",
    }


def test_a_reply_promises_no_bounds_so_that_they_may_grow() -> None:
    name = SCHEMAS["Account"]["properties"]["name"]
    assert "maxLength" not in name
    assert SCHEMAS["AccountCreate"]["properties"]["name"]["maxLength"] == 200


def test_computed_fields_are_in_replies_and_not_in_requests() -> None:
    assert "net" in SCHEMAS["OrderLine"]["properties"]
    assert "net" not in SCHEMAS["OrderLineInput"]["properties"]
    assert "total" in SCHEMAS["Order"]["properties"]
    assert "total" not in SCHEMAS["OrderCreate"]["properties"]


def test_two_parts_of_one_name_are_told_apart_by_the_module_that_declares_them() -> None:
    class Move(Part):
        to = f.Text()

    Move.__module__ = "contracts.inventory"
    names = component_names(_Shown(registry, Move))
    assert names[Move] == "InventoryMove"
    assert "PipelinesMove" in names.values()


class _Shown:
    """The registry with one more command request."""

    def __init__(self, original: Any, part: type[Part]) -> None:
        self.records, self.children, self.queries = original.records, original.children, original.queries
        self.commands = {**original.commands, "one.more": type("More", (), {"request": part})}


def test_a_component_that_refers_to_itself_is_made_once() -> None:
    schemas = Schemas(registry)
    inner = schemas.reference("Tree", lambda: {"items": schemas.reference("Tree", dict)})
    assert inner == {"$ref": "#/components/schemas/Tree"}
    assert schemas.components["Tree"] == {"items": inner}


@given(data=st.data(), collection=st.sampled_from(CREATED), partial=st.booleans())
@settings(max_examples=300, deadline=None)
def test_loading_is_what_marshmallow_loads_with_the_same_errors(data: Any, collection: str, partial: bool) -> None:
    record = registry.collections[collection]
    body = copy.deepcopy(data.draw(st.sampled_from([smallest(record), largest(record)])))
    for name in data.draw(st.sets(st.sampled_from([*record.declared(), "unknown"]), max_size=3)):
        if name in body and data.draw(st.booleans()):
            del body[name]
        else:
            body[name] = data.draw(st.one_of(VALUES, st.sampled_from(CANDIDATES)))
    outcomes = []
    for load in (Schema.load, Part.load):
        try:
            loaded = load(record(), copy.deepcopy(body), partial=partial)
        except ValidationError as error:
            outcomes.append(("refused", error.messages))
        else:
            outcomes.append(("taken", loaded, list(loaded)))
    assert outcomes[0] == outcomes[1]
