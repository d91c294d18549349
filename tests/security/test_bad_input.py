"""Well-formed requests with wrong values: a 4xx problem that names the field, and no row of any table has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.security.refusals import assert_refused
from tests.security.shop import Shop, usd
from tests.security.world import World

JSON = dict[str, Any]
Change = Callable[[Shop, Shop], JSON]
MISSING = "0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f3a4b"

QUANTITIES: list[Any] = [
    "-1",
    "0",
    "-0",
    "0.0",
    "0.0000001",
    "1e3",
    "",
    " 1",
    "１",
    "NaN",
    "Infinity",
    "9" * 16,
    "0x10",
]
QUANTITIES += [True, None, [], {}, 1.5, -1]
LINES: list[tuple[str, Any]] = [
    ("colour", "red"),
    ("net", usd("0.01")),
    ("unit_price", usd("-1")),
    ("unit_price", usd("1.0000001")),
    ("unit_price", 10),
    ("unit_price", {"amount": "1"}),
    ("unit_price", {"amount": "1", "currency": "ZZZ"}),
    ("unit_price", {"amount": 1, "currency": "USD"}),
    ("unit_price", {"amount": "1", "currency": "USD", "rate": "1"}),
    ("discount_percent", "100.01"),
    ("discount_percent", "-5"),
    ("tax_rate", "abc"),
    ("product_id", "TEA-1"),
]
ORDERS: dict[str, tuple[str, str, Change]] = {
    "2,001 lines": ("lines", "invalid", lambda s, r: {"lines": s.order()["lines"] * 2001}),
    "no lines": ("lines", "invalid", lambda s, r: {"lines": []}),
    "lines that are no list": ("lines", "invalid", lambda s, r: {"lines": {"0": s.order()["lines"][0]}}),
    "lines that are no objects": ("lines.0", "invalid", lambda s, r: {"lines": ["tea"]}),
    "two lines of one id": ("lines", "invalid", lambda s, r: {"lines": [s.order()["lines"][0] | {"id": MISSING}] * 2}),
    "an unknown field": ("colour", "invalid", lambda s, r: {"colour": "red"}),
    "an account of a wrong type": ("account_id", "invalid", lambda s, r: {"account_id": 7}),
    "an account that is no id": ("account_id", "invalid", lambda s, r: {"account_id": "ALFKI"}),
    "a missing account": ("account_id", "unknown_reference", lambda s, r: {"account_id": MISSING}),
    "another tenant's account": ("account_id", "unknown_reference", lambda s, r: {"account_id": r.account["id"]}),
    "a missing product": ("lines.0.product_id", "unknown_reference", lambda s, r: _of(MISSING)),
    "another tenant's product": ("lines.0.product_id", "unknown_reference", lambda s, r: _of(r.product["id"])),
    "a missing warehouse": ("warehouse_id", "unknown_reference", lambda s, r: {"warehouse_id": MISSING}),
    "another tenant's user": ("owner_id", "unknown_reference", lambda s, r: {"owner_id": r.tenant.user_id}),
    "a currency that the account lacks": ("currency", "currency_not_allowed", lambda s, r: {"currency": "JPY"}),
    "an unknown currency": ("currency", "invalid", lambda s, r: {"currency": "usd"}),
    "a day that is not in the calendar": ("ordered_on", "invalid", lambda s, r: {"ordered_on": "2026-02-30"}),
    "an instant for a date": ("ordered_on", "invalid", lambda s, r: {"ordered_on": "2026-03-02T00:00:00Z"}),
    "freight with three decimals": ("freight", "invalid", lambda s, r: {"freight": usd("1.005")}),
    "freight in another currency": (
        "freight",
        "invalid",
        lambda s, r: {"freight": {"amount": "1.00", "currency": "EUR"}},
    ),
    "an outside system in capitals": ("external_ids", "invalid", lambda s, r: {"external_ids": {"ERP": "1"}}),
    "21 outside systems": ("external_ids", "invalid", lambda s, r: {"external_ids": {f"s{n}": "1" for n in range(21)}}),
    "custom fields that are a list": ("custom", "invalid", lambda s, r: {"custom": []}),
}
# What clients try to set although it is the suite's own: identity, bookkeeping, state and sums.
NOT_YOURS = (
    *("tenant_id", "id", "version", "created_at", "created_by", "updated_at", "updated_by", "deleted_at"),
    *("status", "total", "net", "tax", "number", "placed_at", "account_name", "reason", "__proto__", "constructor"),
)


def _of(product_id: str) -> JSON:
    return {"lines": [{"product_id": product_id, "quantity": "1"}]}


@pytest.mark.parametrize("quantity", QUANTITIES, ids=repr)
def test_a_line_needs_a_plain_decimal_quantity_above_zero(world: World, shop: Shop, quantity: Any) -> None:
    with world.untouched():
        answer = shop.api.send("POST", "/v1/orders", shop.order(quantity))
    assert_refused(answer, 422, "invalid", "lines.0.quantity")


@pytest.mark.parametrize(("field", "value"), LINES, ids=repr)
def test_a_line_refuses_what_its_contract_does_not_say(world: World, shop: Shop, field: str, value: Any) -> None:
    body = shop.order()
    body["lines"][0][field] = value
    with world.untouched():
        answer = shop.api.send("POST", "/v1/orders", body)
    assert_refused(answer, 422, "invalid", f"lines.0.{field}")


@pytest.mark.parametrize("name", ORDERS)
def test_an_order_refuses_and_names_the_field(world: World, shop: Shop, rival: Shop, name: str) -> None:
    field, code, change = ORDERS[name]
    with world.untouched():
        answer = shop.api.send("POST", "/v1/orders", shop.order() | change(shop, rival))
    assert_refused(answer, 422, code, field)


@pytest.mark.parametrize("field", NOT_YOURS)
def test_nothing_but_the_suite_sets_its_own_fields(world: World, shop: Shop, field: str) -> None:
    """Creating, patching, upserting and bulk refuse mass assignment alike."""
    value = shop.draft.get(field, "x")
    with world.untouched():
        for answer in (
            shop.api.send("POST", "/v1/orders", {**shop.order(), field: value}),
            shop.api.send("PATCH", f"/v1/orders/{shop.draft['id']}", {field: value}),
            shop.api.send("PUT", "/v1/orders/by-external/erp/9", {**shop.order(), field: value}),
        ):
            assert_refused(answer, 422, "invalid", field)
        item = {"op": "create", "data": {**shop.order(), field: value}}
        answer = shop.api.send("POST", "/v1/orders/bulk", {"items": [item], "atomic": True})
        assert_refused(answer, 422, "invalid", f"items.0.{field}")
        (result,) = shop.api.post("/v1/orders/bulk", {"items": [item]})["items"]
        assert (result["status"], result["error"]["code"]) == (422, "invalid")


STATES: dict[str, tuple[str, Callable[[Shop], str], Any, str]] = {
    "placing twice": ("POST", lambda s: f"{s.confirmed['id']}/place", {}, "order_not_draft"),
    "placing what was shipped": ("POST", lambda s: f"{s.shipped['id']}/place", {}, "order_not_draft"),
    "cancelling what was shipped": ("POST", lambda s: f"{s.shipped['id']}/cancel", {}, "order_not_cancellable"),
    "shipping a draft": ("POST", lambda s: f"{s.draft['id']}/ship", {}, "order_not_confirmed"),
    "shipping twice": ("POST", lambda s: f"{s.shipped['id']}/ship", {}, "order_not_confirmed"),
    "editing what is confirmed": ("PATCH", lambda s: s.confirmed["id"], {"freight": usd("1.00")}, "order_not_draft"),
    "deleting what is confirmed": ("DELETE", lambda s: s.confirmed["id"], None, "order_not_draft"),
    "restoring what was not deleted": ("POST", lambda s: f"{s.draft['id']}/restore", {}, "not_deleted"),
}


@pytest.mark.parametrize("name", STATES)
def test_an_order_does_only_what_its_state_allows(world: World, shop: Shop, name: str) -> None:
    method, path, body, code = STATES[name]
    with world.untouched():
        answer = shop.api.send(method, f"/v1/orders/{path(shop)}", body)
    assert_refused(answer, 409, code, "deleted_at" if code == "not_deleted" else "status")


PAYMENTS: dict[str, tuple[str, str, Callable[[Shop, Shop], JSON]]] = {
    "more than is open": ("more_than_open", "allocations.0.amount", lambda s, r: s.payment(s.receivable, "20.01")),
    "allocations above the payment": (
        "over_allocated",
        "allocations",
        lambda s, r: s.payment(s.receivable, "5.00", share="5.01"),
    ),
    "one receivable twice, together more than is open": (
        "more_than_open",
        "allocations.1.amount",
        lambda s, r: s.payment(s.receivable, "30.00") | {"allocations": _shares(s, "15.00", "15.00")},
    ),
    "nothing": ("invalid", "amount", lambda s, r: s.payment(s.receivable, "0.00")),
    "less than nothing": ("invalid", "amount", lambda s, r: s.payment(s.receivable, "-5.00")),
    "a share of nothing": (
        "invalid",
        "allocations.0.amount",
        lambda s, r: s.payment(s.receivable, "5.00", share="0.00"),
    ),
    "another currency than is owed": (
        "invalid",
        "allocations.0.amount",
        lambda s, r: s.payment(s.receivable, "5.00") | {"amount": {"amount": "5.00", "currency": "EUR"}},
    ),
    "another tenant's receivable": (
        "unknown_reference",
        "allocations.0.receivable_id",
        lambda s, r: s.payment(r.receivable, "5.00"),
    ),
    "a missing receivable": (
        "unknown_reference",
        "allocations.0.receivable_id",
        lambda s, r: s.payment({"id": MISSING}, "5.00"),
    ),
    "what is left over, set by hand": (
        "invalid",
        "unallocated",
        lambda s, r: s.payment(s.receivable, "5.00") | {"unallocated": usd("5.00")},
    ),
}


def _shares(shop: Shop, *amounts: str) -> list[JSON]:
    return [{"receivable_id": shop.receivable["id"], "amount": usd(amount)} for amount in amounts]


@pytest.mark.parametrize("name", PAYMENTS)
def test_a_payment_is_never_more_than_is_owed(world: World, shop: Shop, rival: Shop, name: str) -> None:
    code, field, make = PAYMENTS[name]
    with world.untouched():
        answer = shop.api.send("POST", "/v1/payments", make(shop, rival))
    assert_refused(answer, 422, code, field)


MOVES: list[tuple[JSON, str]] = [
    ({"kind": "receipt", "quantity": "0"}, "quantity"),
    ({"kind": "receipt", "quantity": "-5"}, "quantity"),
    ({"kind": "adjustment", "quantity": "0"}, "quantity"),
    ({"kind": "theft", "quantity": "1"}, "kind"),
    ({"kind": "transfer", "quantity": "1"}, "to_warehouse_id"),
    ({"kind": "receipt", "quantity": "1", "change": "100"}, "change"),
    ({"kind": "receipt", "quantity": "1", "order_id": MISSING}, "order_id"),
]


@pytest.mark.parametrize(("move", "field"), MOVES, ids=repr)
def test_the_stock_ledger_takes_only_whole_movements(world: World, shop: Shop, move: JSON, field: str) -> None:
    with world.untouched():
        answer = shop.api.send("POST", "/v1/stock-moves", {"product_id": shop.product["id"], **move})
    assert_refused(answer, 422, "invalid", field)


def test_no_more_leaves_than_is_on_hand(world: World, shop: Shop) -> None:
    move = {"kind": "issue", "product_id": shop.product["id"], "quantity": "1000000"}
    with world.untouched():
        answer = shop.api.send("POST", "/v1/stock-moves", move)
    assert_refused(answer, 409, "stock", "quantity")
    assert answer.body["product_ids"] == [shop.product["id"]]


BULKS: dict[str, tuple[Any, str]] = {
    "no items": ({"items": []}, "items"),
    "501 items": ({"items": [{"op": "delete", "id": MISSING}] * 501}, "items"),
    "items that are no list": ({"items": {}}, "items"),
    "an unknown operation": ({"items": [{"op": "drop", "id": MISSING}]}, "items.0"),
    "an operation that is no text": ({"items": [{"op": ["delete"], "id": MISSING}]}, "items.0"),
    "a member too many": ({"items": [{"op": "delete", "id": MISSING, "force": True}]}, "items.0"),
    "atomic in words": ({"items": [{"op": "delete", "id": MISSING}], "atomic": "yes"}, "atomic"),
    "an unknown member": ({"items": [{"op": "delete", "id": MISSING}], "dry_run": True}, "dry_run"),
    "an id that is none": ({"items": [{"op": "delete", "id": "1"}]}, "items.0"),
}


@pytest.mark.parametrize("name", BULKS)
def test_a_bulk_of_the_wrong_shape_is_refused_whole(world: World, shop: Shop, name: str) -> None:
    body, field = BULKS[name]
    with world.untouched():
        assert_refused(shop.api.send("POST", "/v1/accounts/bulk", body), 422, "invalid", field)


def test_one_foreign_id_among_a_hundred_refuses_an_atomic_bulk(world: World, shop: Shop, rival: Shop) -> None:
    items = [{"op": "create", "data": {"name": f"Account {number}"}} for number in range(99)]
    items.insert(57, {"op": "update", "id": rival.account["id"], "data": {"name": "mine"}})
    with world.untouched():
        answer = shop.api.send("POST", "/v1/accounts/bulk", {"items": items, "atomic": True})
    assert_refused(answer, 404, "not_found")


COMMANDS: list[tuple[str, JSON, str]] = [
    ("place", {"force": True}, "force"),
    ("cancel", {"reason": "x", "refund": True}, "refund"),
    ("cancel", {"reason": "x" * 201}, "reason"),
    ("ship", {"shipper_id": "DHL"}, "shipper_id"),
    ("restore", {"version": 1}, "version"),
]


@pytest.mark.parametrize(("verb", "body", "field"), COMMANDS, ids=lambda value: str(value)[:40])
def test_a_commands_body_is_what_its_contract_says(world: World, shop: Shop, verb: str, body: JSON, field: str) -> None:
    with world.untouched():
        answer = shop.api.send("POST", f"/v1/orders/{shop.draft['id']}/{verb}", body)
    assert_refused(answer, 422, "invalid", field)
