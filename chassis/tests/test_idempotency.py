"""The same key: one effect and one answer, however often and however simultaneously it is sent."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from chassis import methods
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
    assert [(orjson.loads(row.answer)["body"], row.principal, row.route) for row in kept] == [
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


def _writes(suite: Any) -> dict[str, tuple[str, Any, str]]:
    """For each kind of write: its method, its params, and the event that one effect of it is."""
    account = suite.create(ACCOUNT, {"name": "Alpha"})["id"]
    group, gone = (suite.create("customer.group", {"name": name})["id"] for name in ("A", "B"))
    suite.request("customer", "record.delete", {"record": "customer.group", "id": gone})
    activity = suite.create("customer.activity", {"subject": "Call", "kind": "call", "account_id": account})["id"]
    one = {"record": ACCOUNT, "id": account}
    return {
        "create": ("record.create", {"record": ACCOUNT, "data": {"name": "Beta"}}, "account.created"),
        "update": ("record.update", {**one, "patch": {"notes": "x"}}, "account.updated"),
        "delete": ("record.delete", {"record": "customer.group", "id": group}, "group.deleted"),
        "restore": ("record.restore", {"record": "customer.group", "id": gone}, "group.restored"),
        "command": (
            "record.command",
            {"record": "customer.activity", "id": activity, "verb": "complete", "data": {"outcome": "fine"}},
            "activity.completed",
        ),
        "upsert": (
            "record.upsert",
            {"record": ACCOUNT, "system": "erp", "key": "1", "data": {"name": "Beta"}},
            "account.created",
        ),
        "bulk": (
            "record.bulk",
            {"record": ACCOUNT, "items": [{"op": "create", "data": {"name": "Beta"}}], "atomic": True},
            "account.created",
        ),
    }


@pytest.mark.parametrize("kind", ["create", "update", "delete", "restore", "command", "upsert", "bulk"])
def test_every_kind_of_write_has_one_effect_under_one_key(suite: Any, kind: str) -> None:
    method, params, event = _writes(suite)[kind]

    def effects() -> int:
        found = rows(suite, "customer", "SELECT type FROM changes WHERE tenant_id = %s")
        return [row.type for row in found].count(f"customer.{event}")

    before = effects()
    first = suite.request("customer", method, params, key="k")
    again = suite.request("customer", method, params, key="k")
    assert again == {**first, "replayed": True}
    assert effects() == before + 1
    with refused(422, "idempotency_mismatch"):
        suite.request("customer", method, {**params, "if_match": "*"}, key="k")


def _further(suite: Any) -> dict[str, tuple[Any, str]]:
    """The other writes, each with its params and the table in which one effect of it is one row more."""
    one, twin = (suite.create(ACCOUNT, {"name": name})["id"] for name in ("Alpha", "Alfa"))
    winner, loser = (suite.create(ACCOUNT, {"name": name})["id"] for name in ("Gamma", "Gama"))
    suite.call("customer", "record.merge", {"record": ACCOUNT, "id": winner, "data": {"losers": [loser]}})
    suite.settle()
    person = suite.create("customer.contact", {"name": "Ann"})["id"]
    blob = suite.blobs.of("customer", suite.tenant).put(io.BytesIO(b"name\nBeta\n"))
    record = {"record": ACCOUNT}
    preview = suite.call("customer", "record.bulk_job", {**record, "action": "update", "patch": {"notes": "x"}, "all": True})  # fmt: skip  # noqa: E501
    suite.run_jobs("customer")
    change = {**record, "action": "update", "patch": {"source": "x"}, "all": True}
    ran = suite.call("customer", "record.bulk_job", change)["id"]
    suite.run_jobs("customer")
    done = suite.call("customer", "job.run", {"id": ran.partition("-")[2]})["id"].partition("-")[2]
    suite.run_jobs("customer")
    return {
        "record.export": ({**record, "format": "csv", "style": "machine"}, "jobs"),
        "record.import": ({**record, "blob": blob.key, "format": "csv", "mode": "create"}, "jobs"),
        "record.bulk_job": ({**record, "action": "delete", "all": True}, "jobs"),
        "job.run": ({"id": preview["id"].partition("-")[2]}, "jobs"),
        "job.undo": ({"id": done}, "jobs"),
        "record.merge": ({**record, "id": one, "data": {"losers": [twin]}}, "merges"),
        "record.unmerge": ({**record, "id": winner, "data": {}}, "sagas"),
        "record.erase": ({"record": "customer.contact", "id": person, "data": {"reason": "asked"}}, "erasures"),
        "import.save_mapping": ({**record, "name": "old", "mapping": {"columns": {}}}, "import_mappings"),
        **_beside(suite, one),
    }


def _beside(suite: Any, account: str) -> dict[str, tuple[Any, str]]:
    """Writes of notes and attachments; an effect of one is one change more."""
    about = {"record": ACCOUNT, "id": account, "kind": "note"}
    note, gone = (suite.call("customer", "child.create", {**about, "data": {"text": text}})["id"] for text in "ab")
    suite.request("customer", "child.delete", {**about, "child": gone})
    file = suite.blobs.of("customer", suite.tenant).put(io.BytesIO(b"%PDF-1.4"))
    attached = {"data": {"name": "offer.pdf"}, "blob": {"key": file.key, "size": file.size}}
    return {
        "child.create": ({**about, "data": {"text": "c"}}, "changes"),
        "child.update": ({**about, "child": note, "patch": {"text": "d"}}, "changes"),
        "child.delete": ({**about, "child": note}, "changes"),
        "child.restore": ({**about, "child": gone}, "changes"),
        "child.attach": ({**about, "kind": "attachment", **attached}, "changes"),
        "child.export": ({**about, "format": "csv", "style": "machine"}, "jobs"),
    }


# Whatever is asked twice of these finds nothing more to do: they say what a thing shall be.
SAYING = {"record.purge", "record.hold", "record.let_go", "record.settled", "import.delete_mapping", "job.cancel", "admin.replay", "admin.discard", "admin.replay_chosen", "admin.push", "admin.compensate"}  # fmt: skip  # noqa: E501
FIRST = ("create", "update", "delete", "restore", "command", "upsert", "bulk")
FURTHER = ("record.export", "record.import", "record.bulk_job", "job.run", "job.undo", "record.merge", "record.unmerge", "record.erase", "import.save_mapping", "child.create", "child.update", "child.delete", "child.restore", "child.attach", "child.export")  # fmt: skip  # noqa: E501


@pytest.mark.parametrize("method", FURTHER)
def test_jobs_merges_and_mappings_have_one_effect_under_one_key(suite_of: Any, method: str) -> None:
    suite = suite_of("customer", "sales", "marketing", "service", "inventory")
    params, table = _further(suite)[method]

    def effects() -> int:
        return len(rows(suite, "customer", f"SELECT 1 FROM {table} WHERE tenant_id = %s"))

    before = effects()
    first = suite.request("customer", method, params, key="k")
    again = suite.request("customer", method, params, key="k")
    assert again == {**first, "replayed": True}
    assert effects() == before + 1


def test_every_write_is_among_those_whose_repetition_is_shown() -> None:
    assert {*(f"record.{kind}" for kind in FIRST), *FURTHER, *SAYING} == methods.WRITES.keys()


def test_a_request_that_the_broker_delivers_twice_at_once_has_one_effect(suite: Any) -> None:
    """The gateway's own key is not looked up first: the second transaction fails at its commit, and answers as the
    first did."""
    from chassis.ids import GENERATED_KEY

    key = f"{GENERATED_KEY}{new_id()}"
    answers = at_once(*[lambda: _create(suite, "Twin", key=key)] * 4)
    assert len({answer["body"]["id"] for answer in answers}) == 1
    assert len(suite.list("customer.account", ["name", "eq", "Twin"])) == 1


def test_keys_of_clients_are_kept_for_days_and_those_of_the_gateway_for_an_hour(suite: Any) -> None:
    from chassis.ids import GENERATED_KEY

    def kept() -> set[str]:
        return {row.key for row in rows(suite, "customer", "SELECT key FROM idempotency WHERE tenant_id = %s")}

    runtime = suite.runtime("customer")
    _create(suite, "Alpha", key="client's")
    _create(suite, "Beta", key=f"{GENERATED_KEY}1")
    suite.clock.forward(minutes=50)
    runtime.tidy()
    assert kept() == {"client's", f"{GENERATED_KEY}1"}
    suite.clock.forward(minutes=20)
    runtime.tidy()
    assert kept() == {"client's"}
    suite.clock.forward(days=7)
    runtime.tidy()
    assert kept() == set()
