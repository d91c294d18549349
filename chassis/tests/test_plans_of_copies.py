"""Filters through a reference to another service's record walk an index too, as the service's own role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine

from chassis.database import Work
from chassis.ids import new_id
from chassis.records import references
from chassis.tests.given import refused
from chassis.tests.test_plans import EXPLAIN, MADE, _walked

ORDERS, ACCOUNTS, TOWNS, PAGE = 100_000, 5_000, 1_000, 50
OWNER = new_id()


@pytest.fixture(scope="module")
def filled(databases: Any) -> Any:
    """A hundred thousand orders of five thousand accounts in a thousand towns: a town has a hundred of them."""
    from chassis.testing import Suite

    suite = Suite(databases, ("sales",))
    with suite.work("sales") as work:
        for n in range(1, ACCOUNTS + 1):
            document = {"id": _account(n), "version": 1, "deleted_at": None, "name": f"Firm {n}", "owner_id": None}
            document |= {"city": f"Town {n % TOWNS}", "owner_id": OWNER if n % TOWNS == 8 and n < TOWNS else None}
            references.store(work, "customer.account", document, work.service.copies["customer.account"])
    with suite.work("sales") as work:
        work.sql(
            "INSERT INTO orders (tenant_id, id, account_id, currency, ordered_on, status, lines, version, created_at,"
            " created_by, updated_at, updated_by, external_ids, custom)"
            f" SELECT %s::uuid, {MADE},"
            f" ('00000000-0000-7000-8000-' || lpad((n %% {ACCOUNTS} + 1)::text, 12, '0'))::uuid, 'EUR',"
            " date '2026-01-01', 'draft', '[]', 1, now(), 'user:x', now(), 'user:x', '{}', '{}'"
            f" FROM generate_series(1, {ORDERS}) AS n",
            (suite.tenant,),
        )
    engine = create_engine(databases.url("sales", "owner"), isolation_level="AUTOCOMMIT")
    with engine.connect() as owner:
        owner.exec_driver_sql("ANALYZE orders, copies, copy_keys")
    engine.dispose()
    return suite


def _account(n: int) -> str:
    return f"00000000-0000-7000-8000-{n:012}"


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    seen: list[str] = []
    inner = Work.rows

    def explained(self: Work, statement: str, parameters: Any = ()) -> Any:
        if '"orders"' in statement:
            before, mark, last = statement.rpartition("; ")
            rows = inner(self, f"{before}{mark}{EXPLAIN} {last}", parameters)
            seen.append("\n".join(row[0] for row in rows))
        return inner(self, statement, parameters)

    monkeypatch.setattr(Work, "rows", explained)
    yield seen
    assert seen, "nothing was explained"


def _page(suite: Any, *where: Any, context: Any = None, **query: Any) -> list[Any]:
    params = {"record": "sales.order", "query": {"where": [list(one) for one in where], "limit": PAGE, **query}}
    found: list[Any] = suite.call("sales", "record.list", params, context=context)["items"]
    return found


@pytest.mark.parametrize(
    ("condition", "accounts"),
    [
        (("account.city", "eq", "TOWN 8"), {n for n in range(1, ACCOUNTS + 1) if n % TOWNS == 8}),
        (("account.city", "in", "town 8,town 9"), {n for n in range(1, ACCOUNTS + 1) if n % TOWNS in (8, 9)}),
        (("account.name", "eq", "firm 77"), {77}),
        (("account.name", "starts", "firm 499"), {499, *range(4990, 5000)}),
    ],
)
def test_orders_of_a_town_are_read_through_the_keys_of_the_copies(
    filled: Any, plans: list[str], condition: Any, accounts: set[int]
) -> None:
    found = _page(filled, condition)
    assert {int(order["account_id"][-12:]) for order in found} <= accounts
    assert len(found) == min(PAGE, len(accounts) * ORDERS // ACCOUNTS)
    (plan,) = plans
    assert "Seq Scan" not in plan and "ix_copy_keys_key" in plan and "ix_orders_account_id" in plan, plan
    assert _walked(plan) <= 3 * len(accounts) * ORDERS // ACCOUNTS, plan


def test_who_may_read_some_of_the_copied_records_looks_through_those(filled: Any, plans: list[str]) -> None:
    grants = {"sales.order": {"read": "all"}, "customer.account": {"read": "own"}}
    reader = filled.context(user_id=OWNER, grants=grants)
    found = _page(filled, ("account.city", "eq", "Town 8"), context=reader)
    assert {order["account_id"] for order in found} == {_account(8)}
    assert re.search("ix_copy_keys_key", plans[0])


def test_what_has_no_key_is_looked_at_within_the_row_budget(filled: Any) -> None:
    for condition in (("account.city", "empty", "true"), ("account.payment_days", "gte", "30")):
        with refused(422, "row_budget"):
            _page(filled, condition)
