"""The same key: one effect and one answer, however often and however simultaneously it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from chassis.errors import Problem
from chassis.ids import new_id
from chassis.tests.given import at_once, refused, rows

ACCOUNT = "customer.account"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    return suite_of("customer")


def _create(suite: Any, name: str, key: str = "k", **options: Any) -> Any:
    params = {"record": ACCOUNT, "data": {"name": name}}
    return suite.request("customer", "record.create", params, key=key, **options)


def test_a_repeated_request_gets_the_first_answer_marked_as_a_replay(suite: Any) -> None:
    first, again = _create(suite, "Alpha"), _create(suite, "Alpha")
    assert "replayed" not in first
    assert again == {**first, "replayed": True}
    assert len(suite.list(ACCOUNT)) == 1


def test_the_same_key_with_another_body_is_refused(suite: Any) -> None:
    _create(suite, "Alpha")
    with refused(422, "idempotency_mismatch"):
        _create(suite, "Beta")
    assert len(suite.list(ACCOUNT)) == 1


def test_a_key_belongs_to_one_tenant_principal_and_route(suite: Any) -> None:
    first = _create(suite, "Alpha")
    _create(suite, "Beta", context=suite.context(user_id=new_id()))
    _create(suite, "Gamma", context=suite.context(tenant=new_id()))
    params = {"record": ACCOUNT, "id": first["body"]["id"], "patch": {"name": "Delta"}}
    suite.request("customer", "record.update", params, key="k")
    assert len(suite.list(ACCOUNT)) == 2


def test_a_refusal_is_not_kept_and_is_evaluated_anew(suite: Any) -> None:
    params = {"record": ACCOUNT, "data": {"name": "Alpha", "external_ids": {"erp": "1"}}}
    other = suite.create(ACCOUNT, params["data"])
    with refused(409, "external_id_taken"):
        suite.request("customer", "record.create", params, key="k")
    assert rows(suite, "customer", "SELECT 1 FROM idempotency WHERE tenant_id = %s") == []
    suite.update(ACCOUNT, other["id"], {"external_ids": {"erp": None}})
    assert suite.request("customer", "record.create", params, key="k")["status"] == 201


@pytest.mark.parametrize("round_", range(5))
def test_of_twins_sent_at_once_one_has_an_effect(suite: Any, round_: int) -> None:
    answers = at_once(*[lambda: _create(suite, "Alpha")] * 6)
    assert len(suite.list(ACCOUNT)) == 1
    made = {answer["body"]["id"] for answer in answers if not isinstance(answer, Problem)}
    assert len(made) == 1
    assert {answer.code for answer in answers if isinstance(answer, Problem)} <= {"in_flight"}
    assert sum(not isinstance(answer, Problem) and "replayed" not in answer for answer in answers) == 1


def test_while_the_first_still_runs_its_twin_is_told_to_come_back(suite: Any) -> None:
    from chassis import idempotency

    context = suite.context()
    with suite.work("customer", context) as work:
        assert idempotency.recall(work, "record.create", "k", {}) is None
        with refused(409, "in_flight") as caught:
            _create(suite, "Alpha", context=context)
    assert caught.value.retry_after == 1
    assert _create(suite, "Alpha", context=context)["status"] == 201


def test_the_answer_is_kept_in_the_transaction_of_its_effect(suite: Any) -> None:
    first = _create(suite, "Alpha")
    kept = rows(suite, "customer", "SELECT answer, at, principal, route FROM idempotency WHERE tenant_id = %s")
    assert [(row.answer["body"], row.principal, row.route) for row in kept] == [
        (first["body"], f"user:{suite.user_id}", "record.create")
    ]


def test_a_secret_is_in_the_first_answer_and_never_kept(suite: Any) -> None:
    accounts = suite.runtime("customer").stores[ACCOUNT]

    def reveal(entity: Any, work: Any) -> None:
        work.reveal["secret"] = "s3cret"

    accounts._created.append(reveal)
    try:
        first, again = _create(suite, "Alpha"), _create(suite, "Alpha")
    finally:
        accounts._created.remove(reveal)
    assert first["body"]["secret"] == "s3cret"
    assert "secret" not in again["body"]
    for table in ("idempotency", "changes"):
        assert "s3cret" not in str(rows(suite, "customer", f"SELECT * FROM {table} WHERE tenant_id = %s"))
