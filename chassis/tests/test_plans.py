"""Pages walk an index, as the service's own role under row-level security, whatever lies in the table."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine

from chassis.database import Work
from chassis.ids import new_id
from chassis.records.sorting import cursor
from chassis.tests.given import ids, refused

ROWS = 100_000
PAGE = 50
ACCOUNT, CONTACT = "customer.account", "customer.contact"
OWNER, TEAM = new_id(), new_id()
EXPLAIN = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF)"
LOADED = ("accounts", "contacts")


# Ids in the order of time, as those of version 7 are.
MADE = (
    "(lpad(to_hex(1767225600000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3)"
    " || 'a' || substr(md5(n::text), 4, 15))::uuid"
)


@pytest.fixture(scope="module")
def filled(databases: Any) -> Any:
    """A suite whose tenant has many accounts, with those of another tenant among them.

    An owner has one in a hundred, and so has a team; one in fifty is a partner, and half have a next action. Every
    second has a contact.
    """
    from chassis.testing import Suite

    suite = Suite(databases, ("customer",))
    with as_owner(databases) as owner:
        indexes = list(
            owner.exec_driver_sql(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('accounts', 'contacts')"
                " AND indexname NOT LIKE 'pk_%%'"
            )
        )
        # Indexes are made faster than they are kept.
        owner.exec_driver_sql(f"DROP INDEX {', '.join(name for name, _ in indexes)}")
        for tenant, many in ((suite.tenant, ROWS), (new_id(), ROWS // 10)):
            _load(suite, tenant, many)
        for _, definition in indexes:
            owner.exec_driver_sql(definition)
        owner.exec_driver_sql(f"ANALYZE {', '.join(LOADED)}")
    return suite


@contextmanager
def as_owner(databases: Any) -> Iterator[Any]:
    engine = create_engine(databases.url("customer", "owner"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _load(suite: Any, tenant: str, many: int) -> None:
    with suite.work("customer", suite.context(tenant=tenant)) as work:
        work.sql(
            "INSERT INTO accounts (tenant_id, id, name, name_key, kind, lifecycle, city, city_key, phone,"
            " credit_limit, credit_limit_currency, version, created_at, created_by, updated_at, updated_by,"
            " owner_id, team_id, external_ids, custom, next_action_on)"
            f" SELECT %s::uuid, {MADE}, 'Name ' || n, 'name ' || lpad((n * 7919 %% %s)::text, 6, '0'),"
            " CASE n %% 50 WHEN 0 THEN 'partner' ELSE 'customer' END, 'get', 'Town ' || n %% 1000,"
            " 'town ' || n %% 1000, '+49 ' || n, n, 'EUR', 1, timestamptz '2026-01-01Z' + n * interval '1 minute',"
            " 'user:x', timestamptz '2026-06-01Z' - n * interval '1 minute', 'user:x',"
            " CASE n %% 100 WHEN 0 THEN %s::uuid END, CASE n %% 100 WHEN 1 THEN %s::uuid END, '{}', '{}',"
            " CASE WHEN n %% 2 = 0 THEN date '2026-01-01' + n %% 4000 END"
            " FROM generate_series(1, %s) AS n",
            (tenant, ROWS, OWNER, TEAM, many),
        )
        work.sql(
            "INSERT INTO contacts (tenant_id, id, name, name_key, account_id, version, created_at, created_by,"
            " updated_at, updated_by, external_ids, custom)"
            " SELECT tenant_id, gen_random_uuid(), 'Ann', 'ann ' || name_key, id, 1, created_at, '', updated_at,"
            " '', '{}', '{}' FROM accounts WHERE tenant_id = %s AND next_action_on IS NOT NULL",
            (tenant,),
        )


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The plans of every statement on the loaded tables that a test causes, as they ran."""
    seen: list[str] = []

    def explaining(inner: Any) -> Any:
        def explained(self: Work, statement: str, parameters: Any = ()) -> Any:
            if any(f'"{table}"' in statement for table in LOADED) and "EXPLAIN" not in statement:
                before, _, last = statement.rpartition("; ")
                explaining = (
                    f"{before}{'; ' if before else ''}EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {last}"
                )
                rows = inner(self, explaining, parameters)
                seen.append("\n".join(row[0] for row in rows))
            return inner(self, statement, parameters)

        return explained

    monkeypatch.setattr(Work, "sql", explaining(Work.sql))
    monkeypatch.setattr(Work, "rows", explaining(Work.rows))
    yield seen
    assert seen, "nothing was explained"


def _walked(plan: str) -> int:
    """The most rows that any node of a plan produced or threw away."""
    produced = [float(rows) * float(loops) for rows, loops in re.findall(r"actual rows=([\d.]+) loops=(\d+)", plan)]
    removed = [int(found) for found in re.findall(r"Rows Removed by \w+(?: \w+)*: (\d+)", plan)]
    return int(max([*produced, *removed, 0]))


def _pages(suite: Any, record: str, query: dict[str, Any], many: int, context: Any = None) -> list[Any]:
    """The first pages of a list, one after the other."""
    found, query = [], dict(query)
    for _ in range(many):
        body = suite.call("customer", "record.list", {"record": record, "query": query}, context=context)
        found.append(body["items"])
        if body["next"] is None:
            break
        query["after"] = body["next"]
    return found


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({}, id="newest first"),
        pytest.param({"sort": "created_at"}, id="oldest first"),
        pytest.param({"sort": "-updated_at"}, id="last changed first"),
        pytest.param({"sort": "name"}, id="by name"),
        pytest.param({"sort": "-name"}, id="by name downwards"),
        pytest.param({"sort": "next_action_on"}, id="by a date that may be empty"),
        pytest.param({"sort": "-next_action_on"}, id="by a date that may be empty, downwards"),
        pytest.param({"sort": "next_action_on,-name"}, id="by two fields"),
        pytest.param({"sort": "-updated_at,city,-name"}, id="by three fields"),
        pytest.param({"sort": "name", "where": [["name", "starts", "name 0199"]]}, id="name prefix"),
        pytest.param({"where": [["kind", "eq", "partner"]]}, id="one kind"),
        pytest.param({"where": [["name", "eq", "name 000777"]]}, id="one name"),
        pytest.param({"where": [["credit_limit", "gte", "99990"]]}, id="large amounts"),
        pytest.param({"where": [["owner_id", "eq", OWNER]]}, id="one owner"),
        pytest.param({"where": [["created_at", "within", "2026-01-10..2026-01-10"]]}, id="made on a day long ago"),
        pytest.param(
            {"sort": "-updated_at", "where": [["updated_at", "within", "2026-05-01..2026-05-31"]]},
            id="changed in a month",
        ),
        pytest.param(
            {"sort": "next_action_on", "where": [["next_action_on", "within", "2027-01-01..2027-12-31"]]},
            id="to do in a year",
        ),
    ],
)
def test_a_page_reads_about_as_many_rows_as_it_shows(filled: Any, plans: list[str], query: Any) -> None:
    found = _pages(filled, ACCOUNT, {**query, "limit": PAGE}, 3)
    assert found[0]
    assert len({one for items in found for one in ids(items)}) == sum(len(items) for items in found)
    assert len(plans) == len(found)
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert _walked(plan) <= 8 * (PAGE + 1), plan


@pytest.mark.parametrize("sort", ["-created_at", "name", "-name", "city", "next_action_on", "-next_action_on"])
@pytest.mark.parametrize("granted", ["own", "team"])
def test_a_page_of_own_or_team_records_walks_their_index_in_order(
    filled: Any, plans: list[str], granted: str, sort: str
) -> None:
    somebody = filled.context(user_id=OWNER, teams=[new_id(), TEAM], grants={ACCOUNT: {"read": granted}})
    found = _pages(filled, ACCOUNT, {"sort": sort, "limit": PAGE}, 3, somebody)
    assert [len(items) for items in found] == [PAGE] * 3
    assert len(plans) == 3
    for plan in plans:
        assert "Seq Scan" not in plan, plan
        assert re.search(r"ix_accounts_owner_(id|\w+)", plan), plan
        assert _walked(plan) <= 4 * (PAGE + 1), plan


@pytest.mark.parametrize(
    ("sort", "where"),
    [
        ("name", []),
        ("-next_action_on", [["next_action_on", "empty", "false"]]),
        ("next_action_on", []),
        ("-next_action_on", []),
    ],
)
def test_a_page_in_the_middle_costs_no_more_than_the_first(
    filled: Any, plans: list[str], sort: str, where: Any
) -> None:
    found = _pages(filled, ACCOUNT, {"sort": sort, "limit": 200, "where": where}, 20)
    assert [len(items) for items in found] == [200] * 20
    assert max(_walked(plan) for plan in plans) <= 2 * 201, plans[-1]


def test_the_empty_ones_of_a_sort_follow_and_are_walked_too(filled: Any, plans: list[str]) -> None:
    where = [["next_action_on", "gte", "2036-12-10"]]
    last = _pages(filled, ACCOUNT, {"sort": "next_action_on", "limit": 200, "where": where}, 1)[0][-1]
    query = {"sort": "next_action_on", "limit": 200, "where": [["created_at", "gte", "2020-01-01T00:00:00Z"]]}
    plans.clear()

    query["after"] = cursor([dt.date.fromisoformat(last["next_action_on"]), last["id"]])
    found = _pages(filled, ACCOUNT, query, 3)
    assert found[-1][-1]["next_action_on"] is None
    for plan in plans:
        assert _walked(plan) <= 2 * 201, plan


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(["account.city", "eq", "town 8"], id="a town"),
        pytest.param(["account.name", "starts", "name 00007"], id="a prefix"),
        pytest.param(["account.name", "eq", "name 000777"], id="a name"),
    ],
)
def test_a_filter_through_a_reference_costs_what_it_finds(filled: Any, plans: list[str], where: Any) -> None:
    found = _pages(filled, CONTACT, {"where": [where], "limit": PAGE}, 1)
    assert found
    [plan] = plans
    assert _walked(plan) <= 1_100, plan


def test_without_an_index_a_page_stops_when_it_is_full_and_else_at_the_budget(filled: Any, plans: list[str]) -> None:
    found = _pages(filled, ACCOUNT, {"where": [["phone", "contains", "7"]], "sort": "name", "limit": PAGE}, 2)
    assert [len(items) for items in found] == [PAGE, PAGE]
    assert max(_walked(plan) for plan in plans) <= 8 * (PAGE + 1), plans
    with refused(422, "row_budget"):
        _pages(filled, ACCOUNT, {"where": [["phone", "eq", "nobody"]], "sort": "name"}, 1)
    with refused(422, "row_budget"):
        _pages(filled, ACCOUNT, {"sort": "phone"}, 1)
    assert max(_walked(plan) for plan in plans) <= 10_001 + _of_others(filled), plans


def test_a_count_is_exact_or_the_estimate_of_the_planner(filled: Any, plans: list[str]) -> None:
    def counted(**query: Any) -> int:
        body = filled.call("customer", "record.list", {"record": ACCOUNT, "query": {"limit": 1, **query}})
        return int(body["count"])

    partners = [["kind", "eq", "partner"]]
    assert counted(count="exact") == ROWS
    assert counted(count="exact", where=partners) == ROWS // 50
    plans.clear()
    assert 0.5 * ROWS < counted(count="estimate") < 2 * ROWS
    assert 0.5 * ROWS // 50 < counted(count="estimate", where=partners) < 2 * ROWS // 50
    assert max(_walked(plan) for plan in plans) <= 1_100 + _of_others(filled), plans


def _of_others(filled: Any) -> int:
    """Rows of other tenants, which a scan of the whole table passes by where one tenant has most of it."""
    with as_owner(filled.databases) as owner:
        estimate = owner.exec_driver_sql("SELECT reltuples FROM pg_class WHERE relname = 'accounts'").scalar_one()
    return int(estimate) - ROWS + 1_000


def test_one_record_is_read_by_its_key(filled: Any, plans: list[str]) -> None:
    [some] = filled.list(ACCOUNT, ("name", "eq", "name 000500"))
    plans.clear()
    filled.get(ACCOUNT, some["id"])
    assert "pk_accounts" in plans[0]
    assert _walked(plans[0]) == 1
