"""What hangs on a record when it is deleted, in its own service and in others, and what comes back with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from tests.deleting.given import ACCOUNT, CONTACT, OPPORTUNITY, ORDER, PRODUCT, REQUEST, House, refused


@pytest.fixture
def house(suite_of: Callable[..., Any]) -> House:
    return House(suite_of("identity", "customer", "inventory", "sales", "marketing", "service"))


def test_an_account_with_open_orders_stays_and_the_refusal_counts_what_stands_against_it(house: House) -> None:
    account, product = house.account(), house.product()
    orders = [house.order(account, product) for _ in range(2)]
    house.suite.create(REQUEST, {"subject": "Cold tea", "account_id": account})
    problem = refused(lambda: house.delete(ACCOUNT, account))
    assert (problem.status, problem.code) == (409, "referenced")
    assert problem.extra == {
        "references": [{"collection": "orders", "count": 2}, {"collection": "service-requests", "count": 1}],
        "unseen": False,
    }
    assert house.is_there(ACCOUNT, account)
    house.suite.settle()
    assert [event["type"] for event in house.suite.events(ACCOUNT)] == ["customer.account.created"]
    assert [house.is_there(ORDER, order) for order in orders] == [True, True]


def test_what_the_caller_may_not_see_stands_against_it_without_being_told(house: House) -> None:
    account, product = house.account(), house.product()
    clerk = house.suite.context(
        user_id=new_id(), grants={ACCOUNT: {"*": "all"}, ORDER: {"*": "own"}, REQUEST: {"read": "none"}}
    )
    for _ in range(2):
        house.order(account, product)
    house.order(account, product, context=clerk)
    problem = refused(lambda: house.delete(ACCOUNT, account, context=clerk))
    assert problem.extra == {"references": [{"collection": "orders", "count": 1}], "unseen": True}


def test_orders_that_have_ended_let_their_account_go_and_keep_its_name(house: House) -> None:
    account, product = house.account("Alfreds"), house.product()
    order = house.order(account, product)
    house.cancel(order)
    house.delete(ACCOUNT, account)
    house.suite.settle()
    kept = house.suite.get(ORDER, order)
    assert (kept["account_id"], kept["account_name"]) == (account, "Alfreds")
    (shown,) = house.suite.list(ORDER, ["id", "eq", order], expand=["account"])
    assert shown["account"] == {"id": account, "name": "Alfreds", "deleted": True}
    assert house.suite.dead() == []


def test_the_lines_of_an_open_order_hold_its_products(house: House) -> None:
    account, product, other = house.account(), house.product(), house.product("coffee")
    order = house.order(account, product)
    problem = refused(lambda: house.delete(PRODUCT, product))
    assert problem.extra["references"] == [{"collection": "orders", "count": 1}]
    house.delete(PRODUCT, other)
    house.cancel(order)
    house.delete(PRODUCT, product)


def _with_people(house: House) -> tuple[str, dict[str, list[str]]]:
    """An account with people, talks, and chances in another service; one of each was deleted before."""
    suite, account = house.suite, house.account()
    made: dict[str, list[str]] = {}
    for record, data in (
        (CONTACT, {"name": "Maria"}),
        ("customer.activity", {"subject": "Call"}),
        ("customer.interaction", {"summary": "Called"}),
        (OPPORTUNITY, {"name": "Tea for all"}),
    ):
        made[record] = [suite.create(record, {**data, "account_id": account})["id"] for _ in range(3)]
        house.delete(record, made[record][0])
    suite.run(OPPORTUNITY, made[OPPORTUNITY][1], "win")
    suite.settle()
    return account, made


def test_what_belongs_to_an_account_goes_with_it_in_every_service_with_a_change_of_its_own(house: House) -> None:
    account, made = _with_people(house)
    before = house.suite.get(CONTACT, made[CONTACT][2])["version"]
    house.delete(ACCOUNT, account)
    house.suite.settle()
    for record in (CONTACT, "customer.activity", "customer.interaction"):
        assert [house.is_there(record, one) for one in made[record]] == [False, False, False], record
    assert [house.is_there(OPPORTUNITY, one) for one in made[OPPORTUNITY]] == [False, True, False]
    for record in (CONTACT, OPPORTUNITY):
        (last, *_) = house.history(record, made[record][2])
        assert (last["type"], last["cause"]) == (f"{record}.deleted", f"delete:account/{account}")
    assert house.history(CONTACT, made[CONTACT][2])[0]["version"] == before + 1
    assert house.suite.dead() == []


def test_restoring_brings_back_exactly_what_went_with_it_in_every_service(house: House) -> None:
    account, made = _with_people(house)
    there = {(record, one): house.is_there(record, one) for record, ids in made.items() for one in ids}
    house.delete(ACCOUNT, account)
    house.suite.settle()
    house.restore(ACCOUNT, account)
    house.suite.settle()
    assert {(record, one): house.is_there(record, one) for record, one in there} == there
    assert sum(there.values()) == 8
    (last, *_) = house.history(OPPORTUNITY, made[OPPORTUNITY][2])
    assert (last["type"], last["cause"]) == (f"{OPPORTUNITY}.restored", f"restore:account/{account}")
    with house.suite.work("sales") as work:
        assert work.sql("SELECT count(*) FROM gone_with WHERE tenant_id = %s", (work.tenant,)).scalar_one() == 0
    assert house.suite.dead() == []


def test_deleting_and_restoring_in_quick_turn_ends_as_the_last_of_them(house: House) -> None:
    """Their events arrive in any order and twice."""
    account, made = _with_people(house)
    for _ in range(3):
        house.delete(ACCOUNT, account)
        house.restore(ACCOUNT, account)
    house.suite.settle()
    assert [house.is_there(OPPORTUNITY, one) for one in made[OPPORTUNITY]] == [False, True, True]
    house.delete(ACCOUNT, account)
    house.restore(ACCOUNT, account)
    house.delete(ACCOUNT, account)
    house.suite.settle()
    assert [house.is_there(OPPORTUNITY, one) for one in made[OPPORTUNITY]] == [False, True, False]
    assert house.suite.dead() == []


def test_more_than_one_batch_follows_into_another_service(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.records.deleting.BATCH", 2)
    account = house.account()
    deals = [house.suite.create(OPPORTUNITY, {"name": "Tea", "account_id": account})["id"] for _ in range(5)]
    house.delete(ACCOUNT, account)
    house.suite.settle()
    assert not any(house.is_there(OPPORTUNITY, deal) for deal in deals)
    house.restore(ACCOUNT, account)
    house.suite.settle()
    assert all(house.is_there(OPPORTUNITY, deal) for deal in deals)


def test_what_belongs_to_something_deleted_is_not_restored_alone(house: House) -> None:
    account, made = _with_people(house)
    house.delete(ACCOUNT, account)
    house.suite.settle()
    for record in (CONTACT, OPPORTUNITY):
        problem = refused(lambda record=record: house.restore(record, made[record][2]))
        assert (problem.status, problem.code, problem.extra["id"]) == (409, "parent_deleted", account)


def test_a_key_that_somebody_took_meanwhile_stays_his(house: House) -> None:
    account = house.account()
    contact = house.suite.create(CONTACT, {"name": "Ann", "account_id": account, "external_ids": {"erp": "7"}})["id"]
    house.delete(ACCOUNT, account)
    other = house.suite.create(CONTACT, {"name": "Bo", "external_ids": {"erp": "7"}})["id"]
    house.restore(ACCOUNT, account)
    assert house.suite.get(CONTACT, contact)["external_ids"] == {}
    assert house.suite.get(CONTACT, other)["external_ids"] == {"erp": "7"}


def test_an_account_is_not_deleted_while_a_service_that_may_refer_to_it_is_away(house: House) -> None:
    account = house.account()
    sales = house.suite.bus.runtimes.pop("sales")
    house.suite.bus.runtimes["sales"] = Away()  # type: ignore[assignment]
    problem = refused(lambda: house.delete(ACCOUNT, account))
    assert problem.status == 503
    house.suite.bus.runtimes["sales"] = sales
    assert house.is_there(ACCOUNT, account)


class Away:
    """A service that answers nothing."""

    def rpc(self, request: Any) -> Any:
        from chassis.bus.ports import BusUnavailable

        raise BusUnavailable("nobody there")


def test_a_refusal_by_one_service_leaves_no_hold_in_the_others(house: House) -> None:
    account, product = house.account(), house.product()
    house.suite.create(REQUEST, {"subject": "Cold tea", "account_id": account})
    refused(lambda: house.delete(ACCOUNT, account))
    with house.suite.work("sales") as work:
        assert work.sql("SELECT count(*) FROM held_records WHERE tenant_id = %s", (work.tenant,)).scalar_one() == 0
    house.order(account, product)


def test_a_hold_whose_deletion_never_came_gives_way_to_the_next_writer(house: House) -> None:
    """The deleting process died behind the hold: its owner says that the account lives."""
    account, product = house.account(), house.product()
    params = {"record": ACCOUNT, "versions": {account: 1}, "hold_id": new_id()}
    assert house.suite.call("sales", "record.hold", params) == {"standing": {}}
    house.order(account, product)
    with house.suite.work("sales") as work:
        assert work.sql("SELECT count(*) FROM held_records WHERE tenant_id = %s", (work.tenant,)).scalar_one() == 0


def test_a_held_account_takes_no_new_orders_while_and_after_it_goes(house: House) -> None:
    account, product = house.account(), house.product()
    house.suite.settle()
    with house.suite.work("customer") as work:
        accounts = house.suite.runtime("customer").stores[ACCOUNT]
        entity = accounts.find(work, account, lock=True)
        params = {"record": ACCOUNT, "versions": {account: 1}, "hold_id": new_id()}
        house.suite.call("sales", "record.hold", params)
        assert refused(lambda: house.order(account, product)).status == 503
        accounts.remove(work, entity)
    # Sales has not heard of it yet.
    assert refused(lambda: house.order(account, product)).code == "unknown_reference"
    house.suite.settle()
    assert refused(lambda: house.order(account, product)).code == "unknown_reference"
    with house.suite.work("sales") as work:
        assert work.sql("SELECT count(*) FROM held_records WHERE tenant_id = %s", (work.tenant,)).scalar_one() == 0


def test_many_accounts_are_deleted_in_bulk_with_one_question_to_each_service(house: House) -> None:
    product = house.product()
    accounts = [house.account(f"Number {number}") for number in range(5)]
    house.order(accounts[2], product)
    asked: list[str] = []
    sales = house.suite.runtime("sales")
    answer = sales.rpc
    sales.rpc = lambda request: asked.append(request["method"]) or answer(request)  # type: ignore[assignment,func-returns-value]
    params = {"record": ACCOUNT, "items": [{"op": "delete", "id": one} for one in accounts], "atomic": False}
    result = house.suite.call("customer", "record.bulk", params)
    assert [item["status"] for item in result["items"]] == [200, 200, 409, 200, 200]
    assert asked.count("record.hold") == 1


def test_a_bulk_job_deletes_accounts_and_leaves_those_with_orders(house: House) -> None:
    product = house.product()
    accounts = [house.account(f"Number {number}") for number in range(3)]
    house.order(accounts[1], product)
    params = {"record": ACCOUNT, "action": "delete", "all": True, "filter": None}
    preview = house.suite.request("customer", "record.bulk_job", params)["body"]
    house.suite.run_jobs("customer")
    house.suite.call("customer", "job.run", {"id": preview["id"].partition("-")[2]})
    house.suite.run_jobs("customer")
    assert [house.is_there(ACCOUNT, account) for account in accounts] == [False, True, False]


def test_a_problem_of_another_service_is_told_as_it_is(house: House) -> None:
    with pytest.raises(Problem) as caught:
        house.suite.call("sales", "record.hold", {"record": "no.such", "versions": {}, "hold_id": new_id()})
    assert caught.value.status == 404
