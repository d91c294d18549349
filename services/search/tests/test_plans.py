"""At 100,000 documents no statement of a search, nor of indexing, walks all documents of a tenant.

Every statement that is sent is explained with what it really read, for the role that the service runs as.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from chassis.bus.wire import encode
from chassis.database import Work
from chassis.ids import new_id
from services.search.elastic import PRESENT
from services.search.mapping import searchables
from services.search.tests.support import ACCOUNT, CONTACT, event
from services.search.tokens import OWNER, mark

DOCUMENTS, OWN, PORTION = 100_000, 200, 20_000
MOST_READ = 6_000
"""Rows of a table, or of an index that is walked: far fewer than there are, whatever is asked."""
# Every name begins with one of sixteen letters or digits and has two words that all have, and nobody can see all keys.
FILL = (
    "INSERT INTO documents (tenant_id, record, id, version, deleted, owner_id, team_id, title_key, data, changed_at,"
    "  words, tokens)"
    " SELECT %(tenant)s, %(record)s, gen_random_uuid(), 1, false, owner, owner, md5 || ' name', '{\"name\": \"x\"}',"
    "  now(), E'\\n10\\t\\tname\\tname\\n10\\t\\t' || md5 || E'\\tname\\n10\\t\\t=' || md5 || E' name\\tname',"
    "  array_to_tsvector(ARRAY(SELECT %(mark)s || token FROM unnest(ARRAY["
    "   'hname', 'bn', 'bna', 'bnam', 'h' || md5, 'b' || left(md5, 1), 'b' || left(md5, 2), 'b' || left(md5, 3),"
    "   'r' || %(record)s, 'o' || owner, 't' || owner]) AS token))"
    " FROM (SELECT md5(n::text) AS md5, CASE WHEN n %% %(each)s = 0 THEN %(me)s::uuid ELSE gen_random_uuid() END AS"
    "  owner FROM generate_series(%(from)s, %(from)s + %(portion)s - 1) AS n) AS hashed",
    "INSERT INTO keys (tenant_id, key, record, id, field, owner_id, team_id)"
    " SELECT tenant_id, '=' || title_key, record, id, 'name', owner_id, team_id FROM documents"
    " WHERE tenant_id = %(tenant)s",
    "INSERT INTO words (tenant_id, word) SELECT tenant_id, substr(title_key, 1, 32) FROM documents"
    " WHERE tenant_id = %(tenant)s UNION SELECT tenant_id, '<' || reverse(substr(title_key, 1, 32)) FROM documents"
    " WHERE tenant_id = %(tenant)s UNION SELECT %(tenant)s, 'name'",
)
TYPED = ["n", "na", "name", "a", "3f", "name a", "ab cd name", "nmae", "name nmae", "中国银行", "030-0074321", "zgyh"]


@pytest.fixture
def backend():
    """Plans are of the kind of index that lies in PostgreSQL."""
    return "postgres"


@pytest.fixture
def full(index):
    values = {"record": ACCOUNT, "me": index.suite.user_id, "each": DOCUMENTS // OWN, "portion": PORTION}
    for first in range(1, DOCUMENTS, PORTION):
        with index.suite.work("search") as work:
            values |= {"tenant": work.tenant, "mark": mark(work.tenant), "from": first}
            work.sql(FILL[0], values)
    for statement in FILL[1:]:
        with index.suite.work("search") as work:
            work.sql(statement, values)
    # Only the owner of a table may gather its statistics; on a running installation autovacuum does.
    owner = create_engine(index.suite.databases.url("search", "owner"), isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE documents, keys, words")
    owner.dispose()
    return index


@pytest.fixture
def sent(index, monkeypatch):
    """The statements that were sent, with their parameters."""
    statements = []
    for name in ("sql", "rows"):

        def noted(work, statement, parameters=(), *, real=getattr(Work, name), **options):
            if parameters:
                statements.append((statement, parameters))
            return real(work, statement, parameters, **options)

        monkeypatch.setattr(Work, name, noted)
    return statements


def explained(index, sent) -> Iterator[tuple[str, dict]]:
    """Every scan of what was sent, done once more and undone."""
    statements = list(dict.fromkeys((statement, repr(parameters)) for statement, parameters in sent))
    by_text = {(statement, repr(parameters)): parameters for statement, parameters in sent}
    with index.suite.work("search") as work:
        assert work.sql("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").scalar() is False
        for one in statements:
            (plan,) = work.sql(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {one[0]}", by_text[one]).one()
            yield from ((one[0], scan) for scan in scans(plan[0]["Plan"]))
        work.sql("ROLLBACK")


def scans(node) -> Iterator[dict]:
    if "Relation Name" in node or "Index Name" in node:
        yield node
    for child in node.get("Plans", ()):
        yield from scans(child)


ONE_A_TENANT = {"progress", "positions", "rebuilds"}
"""Tables so small here, whatever a tenant has, that no index of theirs may pay."""


def check(index, sent):
    seen = set()
    for statement, scan in explained(index, sent):
        if scan.get("Relation Name") in ONE_A_TENANT:
            continue
        removed = scan.get("Rows Removed by Filter", 0) + scan.get("Rows Removed by Index Recheck", 0)
        read = (scan["Actual Rows"] + removed) * scan["Actual Loops"]
        seen.add(scan.get("Index Name"))
        # The lists of what has some words are short against the documents themselves.
        if scan.get("Index Name") != "ix_documents_tokens":
            assert scan["Node Type"] != "Seq Scan" and read <= MOST_READ, (read, statement, scan)
    return seen


def test_no_statement_of_a_search_walks_all_documents_of_a_tenant(full, sent):
    me = full.suite.user_id
    for scope in ("all", "own", "team"):
        grants, masks = {"*": {"read": scope}}, {CONTACT: {"hidden": ["email"]}}
        context = full.suite.context(user_id=me, grants=grants, teams=[me], masks=masks)
        for typed in TYPED:
            full.ask(typed, context=context, suggest=True)
            full.ask(typed, context=context, types=["account"], facets=["country"], filters={"country": "Chile"})
        first = full.ask("na", context=context, limit=5)
        full.ask("na", context=context, limit=5, after=first["next"])
    assert {"ix_documents_tokens", "pk_keys", "pk_documents", "pk_words"} <= check(full, sent)


def test_no_statement_of_indexing_walks_all_documents_of_a_tenant(full, sent):
    tenant, one = full.suite.tenant, new_id()
    full.runtime.events([encode(event(tenant, ACCOUNT, {"id": one, "name": "Once Upon"}))])
    full.runtime.events([encode(event(tenant, ACCOUNT, {"id": one, "name": "Name Deadbeef"}, version=2))])
    assert {"ix_documents_tokens", "pk_keys", "ix_keys_record", "pk_documents", "pk_words"} <= check(full, sent)


def test_the_kinds_of_records_that_a_tenant_has_are_found_without_walking_its_documents(full, sent):
    with full.suite.work("search") as work:
        found = work.rows(PRESENT, (list(searchables()), work.tenant))
    assert found == [(ACCOUNT,)]
    assert "pk_documents" in check(full, sent)


def test_the_list_of_what_is_ones_own_is_not_read_where_it_holds_nearly_all(index, sent):
    me, other = index.suite.user_id, new_id()
    rows = [{"id": new_id(), "name": f"Grove {at:03}", "owner_id": other if at == 7 else me} for at in range(150)]
    index.take(*(event(index.suite.tenant, ACCOUNT, one) for one in rows))
    for user, read in ((me, False), (other, True)):
        sent.clear()
        first = index.ask("grove", limit=1, context=index.suite.context(user_id=user))["items"][0]["id"]
        assert first == (rows[7] if user == other else rows[-1])["id"]
        assert any(OWNER + user in repr(parameters) for _, parameters in sent) is read
