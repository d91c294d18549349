"""Credit notes are documents of their own, taken over as settled."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.tests.given import refused, rows

NOTE = "sales.credit-note"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer", "inventory", "sales", "marketing")


@pytest.fixture
def data(suite: Any) -> Any:
    account = suite.create("customer.account", {"name": "Tea House"})
    product = suite.create("inventory.product", {"name": "Oolong", "price": {"amount": "4.00", "currency": "EUR"}})
    suite.settle()
    line = {"product_id": product["id"], "quantity": "3", "unit_price": {"amount": "0.335", "currency": "EUR"}}
    return {
        "account_id": account["id"],
        "currency": "EUR",
        "issued_on": "2025-03-01",
        "settled_on": "2025-03-05",
        "reason": "Return",
        "lines": [{**line, "tax_rate": "19"}, {"product_id": product["id"], "quantity": "1"}],
    }


def test_a_credit_note_is_priced_line_by_line_and_numbered(suite: Any, data: Any) -> None:
    note = suite.create(NOTE, data)
    assert [line["net"]["amount"] for line in note["lines"]] == ["1.01", "4.00"]
    assert (note["net"]["amount"], note["tax"]["amount"], note["total"]["amount"]) == ("5.01", "0.19", "5.20")
    assert note["number"].startswith("CN-") and note["account_name"] == "Tea House"
    assert note["lines"][0]["unit_price"] == {"amount": "0.335", "currency": "EUR"}


def test_a_credit_note_from_before_moves_no_receivable_no_stock_and_no_points(suite: Any, data: Any) -> None:
    suite.create(NOTE, data)
    suite.settle()
    assert suite.dead() == []
    assert suite.list("sales.receivable") == [] and suite.list("marketing.point-entry") == []
    assert rows(suite, "inventory", "SELECT 1 FROM stock_moves WHERE tenant_id = %s") == []


def test_it_is_taken_over_by_who_may_import_and_names_an_order_of_its_account(suite: Any, data: Any) -> None:
    with refused(403):
        suite.create(NOTE, data, context=suite.context(grants={NOTE: {"*": "own"}}))
    other = suite.create("customer.account", {"name": "Other"})
    suite.settle()
    order = {
        "account_id": other["id"],
        "currency": "EUR",
        "ordered_on": "2025-02-01",
        "lines": [{"product_id": data["lines"][0]["product_id"], "quantity": "1"}],
    }
    theirs = suite.create("sales.order", order)
    with refused(422, "unknown_reference", "order_id"):
        suite.create(NOTE, {**data, "order_id": theirs["id"]})
    ours = suite.create("sales.order", {**order, "account_id": data["account_id"]})
    assert suite.create(NOTE, {**data, "order_id": ours["id"]})["order_id"] == ours["id"]
