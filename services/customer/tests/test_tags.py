"""Tags: on every record, found by lists."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from chassis.errors import Problem


@pytest.fixture
def suite(suite_of):
    return suite_of("customer")


def test_records_are_found_by_all_of_the_tags_that_are_asked_for(suite):
    for name, tags in (("A", ["vip", "北京"]), ("B", ["vip"]), ("C", []), ("D", ["VIP"])):
        suite.create("customer.account", {"name": name, "tags": tags})

    def names(*where):
        return sorted(one["name"] for one in suite.list("customer.account", *where))

    assert names(["tags", "has", "vip"]) == ["A", "B"]
    assert names(["tags", "has", "vip,北京"]) == ["A"]
    assert names(["tags", "has", "nothing"]) == []
    with pytest.raises(Problem) as refused:
        names(["tags", "has", ""])
    assert refused.value.code == "bad_parameter"


def test_tags_are_searched_by_their_index(suite):
    """As the service's own role, under row-level security, where few of many records have the tag."""
    with suite.work("customer") as work:
        work.sql(
            "INSERT INTO accounts (tenant_id, id, name, name_key, tags, version, created_at, created_by, updated_at,"
            " updated_by, external_ids, custom) SELECT %s, gen_random_uuid(), 'A', 'a',"
            " CASE WHEN n %% 500 = 0 THEN '[\"vip\"]' ELSE '[]' END::jsonb, 1, now(), 't', now(), 't', '{}', '{}'"
            " FROM generate_series(1, 20000) AS n",
            (suite.tenant,),
        )
    url = make_url(suite.databases.server).set(database=f"{suite.databases.name}_customer")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE accounts")
    engine.dispose()
    with suite.work("customer") as work:
        plan = work.sql(
            "EXPLAIN SELECT id FROM accounts WHERE tenant_id = %s AND tags @> %s::jsonb AND tags <> '[]'::jsonb",
            (work.tenant, '["vip"]'),
        )
        assert "ix_accounts_tags" in "\n".join(row[0] for row in plan)
