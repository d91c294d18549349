"""Cells as people write them, in English and in Chinese, and never guessed where there are two readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.records.importing import mapping, outcomes
from chassis.records.importing.values import Bad, convert_of
from chassis.tests.given import refused
from contracts import fields as f
from contracts.registry import registry

registry.load()
CHOICE = f.Choice({"cash": ("Cash", "现金"), "card": ("Bank card", "银行卡")})


@pytest.mark.parametrize(
    ("field", "style", "text", "expected"),
    [
        (f.Number(), None, "12.50", "12.50"),
        (f.Number(), None, "+007.10", "7.10"),
        (f.Number(), None, "-0.00", "0.00"),
        (f.Number(), "1.234,5", "1.234,50", "1234.50"),
        (f.Number(), ",", "-3,5", "-3.5"),
        (f.Number(), "1,234.5", "1,234,567.5", "1234567.5"),
        (f.Number(), "1,234.5", "(12.5)", "-12.5"),
        (f.Number(), "1 234,5", "1\u202f234,5", "1234.5"),
        (f.Integer(), None, "12.0", 12),
        (f.Money(), None, "12.50", {"amount": "12.50"}),
        (f.Money(), None, "12.50 EUR", {"amount": "12.50", "currency": "EUR"}),
        (f.Money(), "1.234,5", "€ 1.234,50", {"amount": "1234.50", "currency": "EUR"}),
        (f.Money(), None, "99元", {"amount": "99", "currency": "CNY"}),
        (f.Date(), None, "2026-1-5", "2026-01-05"),
        (f.Date(), None, "2026年1月5日", "2026-01-05"),
        (f.Date(), "DD/MM/YYYY", "5/1/2026", "2026-01-05"),
        (f.Date(), "MM/DD/YY", "01/05/99", "1999-01-05"),
        (f.Date(), "D.M.YYYY HH:mm", "5.1.2026 08:30", "2026-01-05"),
        (f.Instant(), None, "2026-01-05 08:00", "2026-01-05T00:00:00.000000Z"),
        (f.Instant(), None, "2026-01-05T08:00:00+01:00", "2026-01-05T08:00:00+01:00"),
        (f.Boolean(), None, "是", True),
        (f.Boolean(), None, "NO", False),
        (CHOICE, None, "银行卡", "card"),
        (CHOICE, None, "bank CARD", "card"),
        (f.Texts(), None, "EUR; USD，CNY", ["EUR", "USD", "CNY"]),
        (f.Texts(), None, '["a;b"]', ["a;b"]),
        (f.Text(), None, "  as it is ", "  as it is "),
    ],
)
def test_a_cell_is_read_as_its_field_says(field: f.Field, style: str | None, text: str, expected: object) -> None:
    assert convert_of(field, style, "Asia/Shanghai")(text) == expected


@pytest.mark.parametrize(
    ("field", "style", "text"),
    [
        (f.Number(), None, "1,5"),
        (f.Number(), None, "1.234,50"),
        (f.Number(), "1.234,5", "1.5"),
        (f.Number(), "1,234.5", "1,5"),
        (f.Number(), None, "1e5"),
        (f.Number(), None, "NaN"),
        (f.Integer(), None, "3.5"),
        (f.Date(), None, "05/01/2026"),
        (f.Date(), None, "2026-02-30"),
        (f.Date(), "DD/MM/YYYY", "31/02/2026"),
        (f.Date(), "DD/MM/YYYY", "2026-01-05"),
        (f.Instant(), None, "2026-01-05 25:00"),
        (f.Boolean(), None, "maybe"),
        (CHOICE, None, "cheque"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(field: f.Field, style: str | None, text: str) -> None:
    with pytest.raises(Bad):
        convert_of(field, style, "UTC")(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_every_plain_number_comes_back(number: object) -> None:
    assert float(convert_of(f.Number(), None, "UTC")(str(format(number, "f")))) == float(str(number))  # type: ignore[arg-type]


@given(st.text())
def test_a_cell_that_was_defused_is_restored(text: str) -> None:
    assert outcomes.restored(outcomes.defused(text)) == text


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd", "@x", "\t=x", "＝1", "'=1"])
def test_no_cell_of_an_error_file_is_a_formula(text: str) -> None:
    assert outcomes.defused(text).startswith("'")


# --- columns


def _plan(headers: list[str], collection: str = "accounts", mode: str = "create", **given: object) -> mapping.Plan:
    match = given.pop("match", None)
    return mapping.plan(
        registry.collections[collection], headers, mapping.check_shape(given), match=match, mode=mode, zone="UTC"
    )


def _matched(headers: list[str], collection: str = "accounts", **given: object) -> dict[str, str]:
    return {column.header: column.target.path for column in _plan(headers, collection, **given).columns}


def test_columns_are_matched_by_name_and_label_in_both_languages() -> None:
    found = _matched(
        ["名称", "E-MAIL", "Ｐhone", "credit limit", "Credit_Limit.Currency", "external:erp", "负责人", "城市"]
    )
    assert list(found.values()) == [
        "name",
        "email",
        "phone",
        "credit_limit",
        "credit_limit.currency",
        "external:erp",
        "owner_id",
        "address.city",
    ]


def test_columns_of_lines_are_matched_too() -> None:
    found = _matched(["External:old", "Account", "Currency", "Ordered on", "Product", "数量", "明细单价"], "orders")
    assert list(found.values())[4:] == ["lines.product_id", "lines.quantity", "lines.unit_price"]


def test_what_the_suite_writes_itself_is_left_out_and_the_rest_reported() -> None:
    plan = _plan(["name", "version", "City", "address.city", "创建时间", "Shoe size", "", "#reason"])
    assert plan.ignored == ["#reason", "version", "City", "创建时间"] and plan.unmatched == ["Shoe size", "#7"]


def test_a_mapping_names_columns_leaves_some_out_and_adds_constants() -> None:
    plan = _plan(["Firma", "phone", "Land"], columns={"Firma": "name", "phone": None}, constants={"industry": "Steel"})
    assert [column.target.path for column in plan.columns] == ["name"]
    assert plan.ignored == ["phone"] and plan.unmatched == ["Land"]
    assert [(column.target.path, text) for column, text in plan.constants] == [("industry", "Steel")]


@pytest.mark.parametrize(
    ("headers", "collection", "given", "field"),
    [
        (["phone"], "accounts", {}, "name"),
        (["name", "名称"], "accounts", {}, "name"),
        (["name"], "accounts", {"columns": {"Firma": "name"}}, "mapping.columns.Firma"),
        (["name"], "accounts", {"columns": {"name": "created_at"}}, "mapping.columns.name"),
        (["name"], "accounts", {"formats": {"next_action_on": "YY"}}, "mapping.formats.next_action_on"),
        (["name"], "accounts", {"constants": {"nothing": "x"}}, "mapping.constants.nothing"),
        (["name"], "accounts", {"match": "email"}, "match"),
        (["name"], "accounts", {"match": "notes"}, "match"),
        (["account", "currency", "ordered on", "product", "quantity"], "orders", {}, "lines"),
        (["account", "currency", "ordered on", "external:x", "quantity"], "orders", {}, "lines.product_id"),
        (["name", "account"], "contacts", {"formats": {"account_id": "phone"}}, "mapping.formats.account_id"),
    ],
)
def test_columns_that_do_not_fit_are_named_before_any_row(
    headers: list[str], collection: str, given: dict[str, object], field: str
) -> None:
    with refused(422, field=field):
        _plan(headers, collection, **given)


@pytest.mark.parametrize(
    "given", [[], {"colums": {}}, {"columns": {"a": 1}}, {"empty": "no"}, {"constants": {"a": None}}]
)
def test_a_mapping_has_one_shape(given: object) -> None:
    with refused(422, "invalid"):
        mapping.check_shape(given)
