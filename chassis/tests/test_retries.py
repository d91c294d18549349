"""A write that was cut off and is sent again with its key has one effect, and the same answer to the byte."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import create_engine

from chassis.database import Work
from chassis.errors import Problem
from chassis.tests.given import rows

ACCOUNT = "customer.account"


@pytest.fixture
def suite(suite_of: Any) -> Any:
    suite = suite_of("customer")
    suite.one = suite.create(ACCOUNT, {"name": "Alpha", "external_ids": {"erp": "1"}})
    suite.gone = suite.create(ACCOUNT, {"name": "Gone"})
    suite.call("customer", "record.delete", {"record": ACCOUNT, "id": suite.gone["id"]})
    return suite


# What is written, and how many versions of records that makes.
WRITES: dict[str, Any] = {
    "create": lambda suite: ({"data": {"name": "Zeta", "address": {"street": "1 Road", "city": "Bonn"}}}, 1),
    "update": lambda suite: ({"id": suite.one["id"], "patch": {"phone": "1"}, "if_match": "1"}, 1),
    "delete": lambda suite: ({"id": suite.one["id"], "if_match": "1"}, 1),
    "restore": lambda suite: ({"id": suite.gone["id"], "if_match": "2"}, 1),
    "command": lambda suite: ({"id": suite.one["id"], "verb": "release", "data": None, "if_match": "1"}, 1),
    "upsert": lambda suite: ({"system": "erp", "key": "1", "data": {"name": "Beta"}, "if_match": "1"}, 1),
    "bulk": lambda suite: (
        {
            "items": [
                {"op": "update", "id": suite.one["id"], "data": {"name": "Gamma"}, "if_match": "1"},
                {"op": "delete", "id": suite.gone["id"]},
                {"op": "create", "data": {"name": "Delta"}},
            ]
        },
        2,
    ),
}


def _send(suite: Any, method: str, params: Any) -> Any:
    return suite.request("customer", f"record.{method}", {"record": ACCOUNT, **params}, key="one key")


def _versions(suite: Any) -> int:
    return len(rows(suite, "customer", "SELECT 1 FROM changes WHERE tenant_id = %s"))


def _bytes(answer: Any) -> bytes:
    """An answer as the gateway writes it, members in their order."""
    return orjson.dumps({name: value for name, value in answer.items() if name != "replayed"})


@pytest.mark.parametrize("method", WRITES)
def test_a_replayed_answer_is_the_first_one_to_the_byte(suite: Any, method: str) -> None:
    params, _ = WRITES[method](suite)
    first = _send(suite, method, params)
    again = _send(suite, method, params)
    assert again["replayed"]
    assert _bytes(again) == _bytes(first)


@pytest.mark.parametrize("cut", ["before the commit", "after the commit"])
@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_was_cut_off_is_done_once_by_its_repeat(
    suite: Any, databases: Any, monkeypatch: pytest.MonkeyPatch, method: str, cut: str
) -> None:
    params, versions = WRITES[method](suite)
    before = _versions(suite)
    commit = Work.commit

    def killed(work: Work) -> None:
        """The server ends the connection of this transaction, or the answer to its commit is lost on the way."""
        if cut == "after the commit":
            commit(work)
            raise Problem(504, "outcome_unknown", "The answer was lost.")
        dbapi: Any = work.connection.connection.dbapi_connection
        engine = create_engine(databases.server)
        with engine.connect() as superuser:
            superuser.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (dbapi.info.backend_pid,))
        engine.dispose()
        commit(work)

    monkeypatch.setattr(Work, "commit", killed)
    with pytest.raises(Problem) as caught:
        _send(suite, method, params)
    assert caught.value.status in (503, 504)
    monkeypatch.setattr(Work, "commit", commit)
    assert _versions(suite) - before == (versions if cut == "after the commit" else 0)
    repeated = _send(suite, method, params)
    assert repeated.get("replayed", False) == (cut == "after the commit")
    assert _versions(suite) - before == versions
    assert _bytes(_send(suite, method, params)) == _bytes(repeated)
    assert _versions(suite) - before == versions
