"""At 20,000 documents every question is answered by an index, for the role that the service runs as."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from services.search import nearby
from services.search.index import Asked
from services.search.kept import FORGET
from services.search.mapping import searchables
from services.search.phrases import END, phrases
from services.search.postgres import Question
from services.search.tests.support import ACCOUNT, CONTACT
from services.search.visibility import visible

DOCUMENTS = 20_000
FILL = (
    "INSERT INTO documents (tenant_id, record, id, version, deleted, owner_id, title_key, data, changed_at)"
    " SELECT %(tenant)s, %(record)s, gen_random_uuid(), 1, false, gen_random_uuid(), 'name ' || md5(n::text), '{}',"
    "  now()"
    " FROM generate_series(1, %(count)s) AS n",
    "INSERT INTO words (tenant_id, record, id, word, field, weight, owner_id)"
    " SELECT tenant_id, record, id, word, 'name', 10, owner_id FROM documents,"
    "  unnest(ARRAY['name', '=' || title_key, substr(title_key, 6, 8), substr(title_key, 14, 8),"
    "   '~' || substr(title_key, 22, 8)]) AS word WHERE tenant_id = %(tenant)s",
)


@pytest.fixture
def full(index):
    with index.suite.work("search") as work:
        for statement in FILL:
            work.sql(statement, {"tenant": work.tenant, "record": ACCOUNT, "count": DOCUMENTS})
    # Only the owner of a table may gather its statistics; on a running installation autovacuum does.
    owner = create_engine(index.suite.databases.url("search", "owner"), isolation_level="AUTOCOMMIT")
    with owner.connect() as connection:
        connection.exec_driver_sql("VACUUM ANALYZE documents, words")
    owner.dispose()
    return index


def _plan(index, statement, parameters):
    with index.suite.work("search") as work:
        assert work.sql("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user").scalar() is False
        return "\n".join(row[0] for row in work.sql(f"EXPLAIN {statement}", parameters))


def test_questions_use_the_index_of_words_whatever_the_scope(full):
    alike = [f"{first}{second}" for first in "ab3" for second in ("f", "7c", "name")]
    for scope in ("all", "own", "team"):
        context = full.suite.context(
            grants={"*": {"read": scope}}, teams=[full.suite.tenant], masks={CONTACT: {"hidden": ["email"]}}
        )
        seen = visible(full.runtime, context, searchables())
        for typed in [*alike, "name", "name ab", "ab cd name", "中国银行", "030-0074321", "4711", "zgyh"]:
            for phrase in phrases(typed):
                question = Question(full.suite.tenant, Asked(phrase, seen, 20))
                plan = _plan(full, question.ranked(phrase.ways), question.parameters)
                assert "Index Only Scan using ix_words_word" in plan, (scope, typed, plan)
                assert "Seq Scan" not in plan, (scope, typed, plan)
                assert plan.count("pk_words") == len(phrase.terms) - 1, (scope, typed, plan)


def test_what_may_have_been_meant_is_looked_up_among_the_words_alone(full):
    asked = {"tenant": full.suite.tenant, "asked": ["abcde", "abc"], "end": END, "most": 100}
    for statement in (nearby.FIRST, nearby.LISTED):
        plan = _plan(full, statement, asked)
        assert "Index Only Scan using ix_words_word" in plan and "Seq Scan" not in plan, plan


def test_replacing_the_words_of_a_document_uses_the_key(full):
    tenant = full.suite.tenant
    plan = _plan(full, FORGET, {"tenant": tenant, "record": [ACCOUNT], "id": [tenant]})
    assert "pk_words" in plan
    assert "Seq Scan" not in plan
