"""Deleting and referring at the same moment: one of the two is refused, whoever comes first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from chassis.errors import Problem
from tests.deleting.given import ACCOUNT, CONTACT, ORDER, House

ROUNDS = 12
ALLOWED = {"unknown_reference", "unavailable", "referenced", "not_found"}


@pytest.fixture
def house(suite_of: Callable[..., Any]) -> House:
    return House(suite_of("identity", "customer", "inventory", "sales", "service"))


def _at_once(*acts: Callable[[], Any]) -> list[str]:
    """Each act in a thread of its own, let go together: what it was refused for, or ""."""
    gate = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> str:
        gate.wait()
        try:
            act()
        except Problem as problem:
            return problem.code
        return ""

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(one, acts))


def test_no_open_order_is_left_with_a_deleted_account(house: House) -> None:
    product = house.product()
    accounts = [house.account(f"Number {number}") for number in range(ROUNDS)]
    house.suite.settle()
    deleted = 0
    for account in accounts:
        told = _at_once(
            lambda account=account: house.delete(ACCOUNT, account),
            *[lambda account=account: house.order(account, product)] * 3,
        )
        assert set(told) <= {*ALLOWED, ""}
        gone = not house.is_there(ACCOUNT, account)
        orders = house.suite.list(ORDER, ["account_id", "eq", account])
        assert gone == (told[0] == "")
        assert not (gone and orders), told
        assert len(orders) == told[1:].count("")
        deleted += gone
    house.suite.settle()
    for account in accounts:
        assert not (house.suite.list(ORDER, ["account_id", "eq", account]) and not house.is_there(ACCOUNT, account))
    assert house.suite.dead() == []


def test_no_contact_is_left_with_a_deleted_account_of_its_own_service(house: House) -> None:
    for number in range(ROUNDS):
        account = house.account(f"Number {number}")
        told = _at_once(
            lambda account=account: house.delete(ACCOUNT, account),
            *[lambda account=account: house.suite.create(CONTACT, {"name": "Ann", "account_id": account})] * 3,
        )
        assert set(told) <= {*ALLOWED, ""}
        assert told[0] == ""
        assert house.suite.list(CONTACT, ["account_id", "eq", account]) == []


def test_two_who_delete_the_same_record_delete_it_once(house: House) -> None:
    account = house.account()
    assert sorted(_at_once(*[lambda: house.delete(ACCOUNT, account)] * 2)) == ["", "not_found"]
    assert [one["type"] for one in house.history(ACCOUNT, account)] == [f"{ACCOUNT}.deleted", f"{ACCOUNT}.created"]
