"""A field that a role hides is in no answer: not as a value, a name, a filter, a sort, a group, a change or a hit."""

from __future__ import annotations

from typing import Any

import pytest

from contracts import fields as f
from contracts.documents.schemas import SORTED, expandable
from contracts.records import STANDARD, Record
from contracts.registry import registry
from tests.security.examples import Examples
from tests.security.refusals import assert_refused
from tests.security.shop import Shop
from tests.security.world import Api, World

JSON = dict[str, Any]
RECORDS = sorted(registry.load().records)
MARK = "Zephyrine"
# Words of the contract that no role can take away without making the answer something else.
KEPT = (*STANDARD, "number")


def concealed(record: type[Record]) -> list[str]:
    """Everything that a record has of its own."""
    return [name for name in record.declared() if name not in KEPT]


@pytest.fixture(scope="module")
def examples(world: World, shop: Shop) -> Examples:
    made = Examples(shop)
    for name in RECORDS:
        made.id_of(name)
    world.settle()
    return made


@pytest.fixture(scope="module")
def blinkered(world: World, shop: Shop, examples: Examples) -> Api:
    """Somebody who may do everything, and sees no field that a record has of its own."""
    masks = {name: {"hidden": fields} for name in RECORDS if (fields := concealed(registry.records[name]))}
    _, api = world.person(shop.api, "blinkered", grants={"*": {"*": "all"}}, masks=masks)
    return api


@pytest.mark.parametrize("name", RECORDS)
def test_a_hidden_field_is_in_no_answer(examples: Examples, blinkered: Api, name: str) -> None:
    record, record_id = registry.records[name], examples.id_of(name)
    root, gone = f"/v1/{record.collection}", set(concealed(registry.records[name]))
    assert not gone & set(blinkered.get(f"{root}/{record_id}"))
    for items in (blinkered.get(root)["items"], blinkered.post(f"{root}/search")["items"]):
        assert items and not any(gone & set(item) for item in items)
    if "history" in record.operations:
        for version in blinkered.get(f"{root}/{record_id}/history")["items"]:
            assert not gone & {change["field"] for change in version["changes"]}
        moment = blinkered.get(f"{root}/{record_id}")["updated_at"]
        assert not gone & set(blinkered.get(f"{root}/{record_id}?as_of={moment}"))
    if "changes" in record.operations:
        for item in blinkered.get(f"{root}/changes?limit=200")["items"]:
            assert not gone & set(item["record"] or ())
    for event in blinkered.get(f"/v1/events?limit=500&types={name}.*")["items"]:
        assert not gone & (set(event["data"]) | set(event["data"]["changed"]) | set(event["data"]["previous"]))


@pytest.mark.parametrize("name", RECORDS)
def test_a_hidden_field_is_no_oracle(world: World, examples: Examples, blinkered: Api, name: str) -> None:
    """Neither filters nor sorts, groups, measures, choices of fields or expansions tell anything about it."""
    record = registry.records[name]
    root, declared = f"/v1/{record.collection}", registry.records[name].declared()
    visible = [f"{word}_id" for word in expandable(record) if f"{word}_id" in KEPT]
    with world.untouched():
        for field in concealed(record):
            tree = {"filter": {"field": field, "op": "empty"}}
            assert_refused(blinkered.send("POST", f"{root}/search", tree), 400, "unknown_parameter", field)
            assert_refused(blinkered.send("GET", f"{root}?fields={field}"), 400, "unknown_parameter")
            if isinstance(declared[field], SORTED):
                assert_refused(blinkered.send("GET", f"{root}?sort={field}"), 400, "unknown_parameter")
            if "aggregate" in record.operations:
                groups = {"measures": [{"fn": "count"}], "group_by": [field]}
                assert_refused(blinkered.send("POST", f"{root}/aggregate", groups), 400, "unknown_parameter")
                count = {"measures": [{"fn": "count", "field": field}]}
                assert_refused(blinkered.send("POST", f"{root}/aggregate", count), 400, "unknown_parameter")
            if isinstance(declared[field], f.Ref) and field.endswith("_id") and field not in visible:
                word = field.removesuffix("_id")
                if word in expandable(record):
                    assert_refused(blinkered.send("GET", f"{root}?expand={word}"), 400, "unknown_parameter")


@pytest.mark.parametrize("name", [name for name in RECORDS if "update" in registry.records[name].operations])
def test_a_hidden_field_is_not_written_either(
    world: World, shop: Shop, examples: Examples, blinkered: Api, name: str
) -> None:
    record, record_id = registry.records[name], examples.id_of(name)
    now = shop.api.get(f"/v1/{record.collection}/{record_id}")
    with world.untouched():
        for field, declared in record.declared().items():
            if field in KEPT or declared.computed or declared.once:
                continue
            answer = blinkered.send("PATCH", f"/v1/{record.collection}/{record_id}", {field: now[field]})
            if answer.body["code"] != "invalid":
                assert_refused(answer, *_guarded(answer.status), field if answer.status == 422 else None)


def _guarded(status: int) -> tuple[int, str]:
    """A guard of the record's state may come before its fields."""
    return (422, "field_read_only") if status == 422 else (409, "order_not_draft")


def test_a_hidden_value_is_found_by_nobody_it_is_hidden_from(world: World, shop: Shop, blinkered: Api) -> None:
    """An account's phone, e-mail and notes, which search indexes or copies carry elsewhere."""
    secret = {"phone": f"{MARK} 5551234", "email": f"{MARK}@example.com", "notes": MARK, "industry": MARK}
    made = shop.api.post("/v1/accounts", {"name": "Quiet Ltd", **secret})
    shop.api.patch(f"/v1/accounts/{made['id']}", {"notes": f"{MARK} again", "currencies": ["USD"]})
    order = shop.api.post("/v1/orders", shop.order() | {"account_id": made["id"]})
    world.settle()
    masks = {"customer.account": {"hidden": list(secret)}}
    _, masked = world.person(shop.api, "masked", grants={"*": {"*": "all"}}, masks=masks)
    one = f"/v1/accounts/{made['id']}"
    paths = [one, f"{one}/history", f"{one}/overview", "/v1/accounts?limit=200", f"/v1/search?q={MARK}&limit=100"]
    paths += ["/v1/search?q=Quiet", "/v1/events?limit=500&types=customer.account.*", "/v1/accounts/changes?limit=200"]
    paths += [f"/v1/orders/{order['id']}?expand=account", f"/v1/search?q={MARK}5551234&limit=100"]
    for path in paths:
        answer = masked.send("GET", path)
        assert answer.status == 200, (path, str(answer))
        assert MARK not in answer.text, (path, str(answer))
    assert masked.get(f"/v1/search?q={MARK}")["items"] == []
    assert made["id"] in {hit["id"] for hit in shop.api.get(f"/v1/search?q={MARK}")["items"]}
    clash = masked.send("PATCH", one, {"name": "Loud Ltd"}, headers={"If-Match": '"1"'})
    assert clash.status == 200 and MARK not in clash.text
    bulk = masked.send(
        "POST", "/v1/accounts/bulk", {"items": [{"op": "update", "id": made["id"], "data": {"notes": ""}}]}
    )
    assert bulk.body["items"][0]["error"]["code"] == "field_read_only"


def test_what_may_not_be_read_is_not_expanded(world: World, shop: Shop) -> None:
    grants = {"sales.order": {"read": "all"}, "customer.account": {"read": "none"}}
    _, api = world.person(shop.api, "narrow", grants=grants)
    found = api.get(f"/v1/orders/{shop.draft['id']}?expand=account")
    assert found["account"] is None and found["account_id"] == shop.account["id"]
