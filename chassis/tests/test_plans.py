"""Pages walk an index, as the service's own role under row-level security, whatever lies in the table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from chassis.database import Work
from chassis.ids import new_id

ROWS = 20_000
PAGE = 50
ACCOUNT = "customer.account"
OWNER = new_id()


@pytest.fixture(scope="module")
def filled(databases: Any) -> Any:
    """A suite whose tenant has many accounts, with those of other tenants among them; an owner has one in a hundred."""
    from chassis.testing import Suite

    suite = Suite(databases, ("customer",))
    for tenant, many in ((suite.tenant, ROWS), (new_id(), ROWS // 4)):
        with suite.work("customer", suite.context(tenant=tenant)) as work:
            work.sql(
                "INSERT INTO accounts (tenant_id, id, name, name_key, kind, lifecycle, credit_limit,"
                " credit_limit_currency, version, created_at, created_by, updated_at, updated_by, owner_id,"
                " external_ids, custom, next_action_on)"
                " SELECT %s::uuid, gen_random_uuid(), 'Name ' || n, 'name ' || lpad(n::text, 6, '0'),"
                " CASE n %% 50 WHEN 0 THEN 'partner' ELSE 'customer' END, 'get', n, 'EUR',"
                " 1, now(), 'user:x', now(), 'user:x', CASE n %% 100 WHEN 0 THEN %s::uuid END, '{}', '{}',"
                " CASE WHEN n %% 2 = 0 THEN date '2026-01-01' + n END"
                " FROM generate_series(1, %s) AS n",
                (tenant, OWNER, many),
            )
    analyse(databases)
    return suite


def analyse(databases: Any) -> None:
    from sqlalchemy import create_engine

    engine = create_engine(databases.url("customer", "owner"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE accounts")
    engine.dispose()


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The plans of every SELECT on accounts that a test causes, as they ran."""
    seen: list[str] = []

    def explaining(inner: Any) -> Any:
        def explained(self: Work, statement: str, parameters: Any = ()) -> Any:
            if '"accounts"' in statement:
                rows = inner(self, f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {statement}", parameters)
                seen.append("\n".join(row[0] for row in rows))
            return inner(self, statement, parameters)

        return explained

    monkeypatch.setattr(Work, "sql", explaining(Work.sql))
    monkeypatch.setattr(Work, "rows", explaining(Work.rows))
    yield seen
    assert seen, "nothing was explained"


def _walked(plan: str) -> int:
    """The most rows that any node of a plan produced or threw away."""
    produced = [float(found) for found in re.findall(r"actual rows=([\d.]+)", plan)]
    removed = [int(found) for found in re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", plan)]
    return int(max([*produced, *removed, 0]))


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="newest first"),
        pytest.param({"sort": "created_at"}, id="oldest first"),
        pytest.param({"sort": "name"}, id="by name"),
        pytest.param({"sort": "-name"}, id="by name downwards"),
        pytest.param({"sort": "name", "where": [["name", "starts", "name 0199"]]}, id="name prefix"),
        pytest.param({"sort": "-created_at", "where": [["kind", "eq", "partner"]]}, id="one kind"),
        pytest.param({"sort": "-created_at", "where": [["name", "eq", "name 000777"]]}, id="one name"),
        pytest.param({"sort": "-created_at", "where": [["credit_limit", "gte", "19990"]]}, id="large amounts"),
        pytest.param({"sort": "-created_at", "where": [["owner_id", "eq", OWNER]]}, id="one owner"),
    ],
)
def test_a_page_reads_about_as_many_rows_as_it_shows(filled: Any, plans: list[str], query: Any) -> None:
    ask = {"record": ACCOUNT, "query": {**query, "limit": PAGE}}
    first = filled.call("customer", "record.list", ask)
    assert first["items"]
    if first["next"]:
        ask["query"]["after"] = first["next"]
        assert filled.call("customer", "record.list", ask)["items"]
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert _walked(plan) <= 8 * (PAGE + 1), plan


@pytest.mark.parametrize("granted", ["own", "team"])
def test_a_page_of_own_records_walks_the_owner_index(filled: Any, plans: list[str], granted: str) -> None:
    grants = {ACCOUNT: {"read": granted}}
    somebody = filled.context(user_id=OWNER, teams=[new_id(), new_id()], grants=grants)
    body = filled.call("customer", "record.list", {"record": ACCOUNT, "query": {"limit": PAGE}}, context=somebody)
    assert len(body["items"]) == PAGE
    [plan] = plans
    assert "Seq Scan" not in plan, plan
    assert "ix_accounts_owner_id" in plan, plan
    assert _walked(plan) <= 2 * (PAGE + 1), plan


def test_a_page_in_the_middle_costs_no_more_than_the_first(filled: Any, plans: list[str]) -> None:
    query: dict[str, Any] = {"sort": "name", "limit": 200}
    for _ in range(30):
        body = filled.call("customer", "record.list", {"record": ACCOUNT, "query": query})
        query["after"] = body["next"]
    assert body["items"][0]["name"] == "Name 5801"
    assert _walked(plans[-1]) <= 201, plans[-1]


def test_a_page_behind_a_date_downwards_costs_no_more_than_the_first(filled: Any, plans: list[str]) -> None:
    # The field can be empty, and the empty ones come first when descending: the range still begins at the cursor.
    query: dict[str, Any] = {"sort": "-next_action_on", "limit": 200, "where": [["next_action_on", "empty", "false"]]}
    for _ in range(20):
        body = filled.call("customer", "record.list", {"record": ACCOUNT, "query": query})
        query["after"] = body["next"]
    assert len(body["items"]) == 200
    assert _walked(plans[-1]) <= 201, plans[-1]


def test_one_record_is_read_by_its_key(filled: Any, plans: list[str]) -> None:
    [some] = filled.list(ACCOUNT, ("name", "eq", "name 000500"))
    plans.clear()
    filled.get(ACCOUNT, some["id"])
    assert "pk_accounts" in plans[0]
    assert _walked(plans[0]) == 1
