"""Every saga of the suite, told as the business rule that it carries out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.registry import SERVICES
from suite.host import definition_of
from tests.sagas.story import (
    Story,
    a_confirmed_order,
    a_qualified_lead,
    an_order_is_placed,
    credit,
    is_silent,
    it_is,
    it_is_credited,
    it_is_paid,
    known,
    owed,
    refuses,
    speaks_again,
    stock,
    stock_is,
    the_account_owes,
    the_credit_is_cancelled,
    the_lead_is,
    the_order_is,
    the_saga,
    time_passes,
)


@pytest.fixture
def story(suite_of: Callable[..., Any]) -> Story:
    return Story(suite_of("identity", "customer", "inventory", "sales", "marketing"))


# --- place_order


def test_place_order_holds_the_stock_and_opens_the_receivable(story: Story) -> None:
    story.given(stock(5)).when(an_order_is_placed(3)).then(
        the_order_is("confirmed"),
        the_saga("completed", "done", "done", "done", "done"),
        stock_is(5, reserved=3),
        owed("open"),
    )


def test_place_order_rejects_what_the_stock_does_not_suffice_for(story: Story) -> None:
    story.given(stock(5)).when(an_order_is_placed(7)).then(
        the_order_is("rejected", "stock"),
        the_saga("compensated", "refused", "pending", "pending", "pending"),
        stock_is(5, reserved=0),
        owed(),
    )


def test_place_order_gives_the_stock_back_when_the_credit_is_used_up(story: Story) -> None:
    story.given(credit(20)).when(an_order_is_placed(3)).then(
        the_order_is("rejected", "credit"),
        the_saga("compensated", "undone", "refused", "pending", "pending"),
        stock_is(100, reserved=0),
        owed(),
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_place_order_rejects_when_inventory_does_not_answer_and_holds_nothing_afterwards(
    story: Story, backwards: bool
) -> None:
    story.given(is_silent("inventory")).when(
        an_order_is_placed(3), time_passes(21), speaks_again("inventory", backwards=backwards)
    ).then(
        the_order_is("rejected", "timeout"),
        the_saga("compensated", "undone", "pending", "pending", "pending"),
        stock_is(100, reserved=0),
        owed(),
    )


# --- ship_order


def test_ship_order_takes_the_goods_out_of_the_stock(story: Story) -> None:
    story.given(a_confirmed_order(3)).when(it_is("ship")).then(
        the_order_is("shipped"), the_saga("completed", "done", "done"), stock_is(97, reserved=0), owed("open")
    )


def test_ship_order_leaves_the_order_confirmed_when_inventory_refuses(story: Story) -> None:
    story.given(a_confirmed_order(3), refuses("inventory", "issue", "locked")).when(it_is("ship")).then(
        the_order_is("confirmed"), the_saga("compensated", "refused", "pending"), stock_is(100, reserved=3)
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_ship_order_takes_nothing_out_when_inventory_answers_too_late(story: Story, backwards: bool) -> None:
    story.given(a_confirmed_order(3), is_silent("inventory")).when(
        it_is("ship"), time_passes(21), speaks_again("inventory", backwards=backwards)
    ).then(the_order_is("confirmed"), the_saga("compensated", "undone", "pending"), stock_is(100, reserved=3))


# --- cancel_order


def test_cancel_order_gives_the_stock_back_and_owes_nothing(story: Story) -> None:
    story.given(a_confirmed_order(3)).when(it_is("cancel")).then(
        the_order_is("cancelled"), the_saga("completed", "done"), stock_is(100, reserved=0), owed("reversed")
    )


def test_cancel_order_asks_until_inventory_is_back(story: Story) -> None:
    story.given(a_confirmed_order(3), is_silent("inventory")).when(
        it_is("cancel"), time_passes(60), time_passes(60), speaks_again("inventory")
    ).then(the_order_is("cancelled"), the_saga("completed", "done"), stock_is(100, reserved=0))


# --- what is owed


def test_an_order_that_was_credited_and_paid_is_completed_and_owed_again_when_the_credit_is_cancelled(
    story: Story,
) -> None:
    story.given(a_confirmed_order(3), it_is("ship")).when(it_is_credited("10")).then(
        the_order_is("shipped"), owed("partly_paid"), the_account_owes("20.00", points=0)
    )
    story.when(it_is_paid("20")).then(the_order_is("completed"), owed("paid"), the_account_owes("0.00", points=20))
    story.when(the_credit_is_cancelled()).then(
        the_order_is("shipped"), owed("partly_paid"), the_account_owes("10.00", points=0)
    )
    story.when(it_is_paid("10")).then(the_order_is("completed"), owed("paid"), the_account_owes("0.00", points=30))


# --- convert_lead


def test_convert_lead_makes_a_customer_and_an_opportunity(story: Story) -> None:
    story.given(a_qualified_lead("Ana Trujillo", "Emparedados")).when(it_is("convert")).then(
        the_lead_is("converted"),
        the_saga("completed", "done", "done", "done"),
        known("customer.account", "Emparedados"),
        known("sales.opportunity", "Emparedados"),
    )


def test_convert_lead_takes_the_customer_back_when_sales_refuses(story: Story) -> None:
    story.given(
        a_qualified_lead("Ana Trujillo", "Emparedados"), refuses("sales", "create-from-lead", "no_pipeline")
    ).when(it_is("convert")).then(
        the_lead_is("qualified"),
        the_saga("compensated", "undone", "refused", "pending"),
        known("customer.account"),
        known("sales.opportunity"),
    )


@pytest.mark.parametrize("backwards", [False, True])
def test_convert_lead_leaves_nothing_behind_when_sales_answers_too_late(story: Story, backwards: bool) -> None:
    story.given(a_qualified_lead("Ana Trujillo", "Emparedados"), is_silent("sales")).when(
        it_is("convert"), time_passes(21), speaks_again("sales", backwards=backwards)
    ).then(
        the_lead_is("qualified"),
        the_saga("compensated", "undone", "undone", "pending"),
        known("customer.account"),
        known("sales.opportunity"),
    )


def test_every_saga_has_its_story() -> None:
    told = Path(__file__).read_text("utf-8")
    sagas = {saga.name for service in SERVICES for saga in definition_of(service).sagas}
    assert {name for name in sagas if f"def test_{name}_" not in told} == set()
