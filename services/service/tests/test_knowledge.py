"""Service contracts have numbers and a sensible period; articles keep what they are told."""

from __future__ import annotations

import pytest

from chassis.errors import Problem
from chassis.ids import new_id

CONTRACT, ARTICLE = "service.contract", "service.article"


@pytest.fixture
def suite(suite_of):
    return suite_of("customer", "service")


@pytest.fixture
def account(suite):
    return suite.create("customer.account", {"name": "Tea House"})["id"]


def test_service_contracts_are_numbered_from_the_beginning(suite, account):
    data = {"name": "Gold", "account_id": account, "starts_on": "2026-01-01"}
    year = suite.clock.now().year
    assert [suite.create(CONTRACT, data)["number"] for _ in range(2)] == [f"SC-{year}-00001", f"SC-{year}-00002"]


def test_a_changed_service_contract_keeps_its_number(suite, account):
    made = suite.create(CONTRACT, {"name": "Gold", "account_id": account, "starts_on": "2026-01-01"})
    assert suite.update(CONTRACT, made["id"], {"name": "Platinum"})["number"] == made["number"]


def test_a_service_contract_does_not_end_before_it_starts(suite, account):
    data = {"name": "Gold", "account_id": account, "starts_on": "2026-02-01"}
    with pytest.raises(Problem) as refused:
        suite.create(CONTRACT, {**data, "ends_on": "2026-01-31"})
    assert (refused.value.status, refused.value.errors[0]["field"]) == (422, "ends_on")
    made = suite.create(CONTRACT, {**data, "ends_on": "2026-02-01"})
    with pytest.raises(Problem):
        suite.update(CONTRACT, made["id"], {"starts_on": "2026-02-02"})


def test_a_service_contract_needs_an_account_that_exists(suite):
    for account in ({}, {"account_id": new_id()}):
        with pytest.raises(Problem) as refused:
            suite.create(CONTRACT, {"name": "Gold", "starts_on": "2026-01-01", **account})
        assert refused.value.status == 422


def test_articles_are_written_changed_and_found_by_whom_may(suite):
    made = suite.create(ARTICLE, {"title": "Warm tea", "body": "Use hot water.", "tags": ["tea"]})
    assert suite.update(ARTICLE, made["id"], {"tags": ["tea", "hot"]})["tags"] == ["tea", "hot"]
    reader = suite.context(grants={ARTICLE: {"read": "all"}}, user_id=new_id())
    assert [one["title"] for one in suite.list(ARTICLE, context=reader)] == ["Warm tea"]
    with pytest.raises(Problem) as refused:
        suite.update(ARTICLE, made["id"], {"title": "Cold tea"}, context=reader)
    assert refused.value.status == 403
