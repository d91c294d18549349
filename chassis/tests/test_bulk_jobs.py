"""Bulk jobs: exactly the previewed set, each record once, a row for each, and back again within seven days."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from chassis.ids import new_id
from chassis.records.bulkjobs.undoing import toward
from chassis.testing import Suite
from chassis.tests.given import refused

JSON = dict[str, Any]
RECORD = "customer.account"


@pytest.fixture
def suite(suite_of: Callable[..., Suite]) -> Suite:
    return suite_of("customer")


def accounts(suite: Suite, *names: str, **data: Any) -> list[str]:
    return [suite.create(RECORD, {"name": name, **data})["id"] for name in names]


def job_of(suite: Suite, started: JSON, context: Any = None) -> JSON:
    suite.run_jobs("customer")
    found: JSON = suite.call("customer", "job.get", {"id": uuid_of(started)}, context=context)
    return found


def uuid_of(job: JSON) -> str:
    return str(job["id"]).removeprefix("customer-")


def preview(suite: Suite, action: str, filter: Any = None, context: Any = None, **params: Any) -> JSON:
    params = {"record": RECORD, "action": action, "filter": filter, **params}
    return job_of(suite, suite.call("customer", "record.bulk_job", params, context=context), context)


def follow(suite: Suite, job: JSON, what: str = "run", context: Any = None) -> JSON:
    started = suite.call("customer", f"job.{what}", {"id": uuid_of(job)}, context=context)
    return job_of(suite, started, context)


def rows(suite: Suite, job: JSON, which: str = "result") -> dict[str, JSON]:
    entry = suite.call("customer", "job.file", {"id": uuid_of(job), "which": which})
    with suite.blobs.of("customer", suite.tenant).open(entry["key"]) as file:
        return {row["id"]: row for row in csv.DictReader(io.TextIOWrapper(file, "utf-8", newline=""))}


def named(value: str) -> JSON:
    return {"field": "source", "op": "eq", "value": value}


def counts(**given: int) -> JSON:
    return {"done": 0, "unchanged": 0, "changed": 0, "gone": 0, "refused": 0, "not_run": 0, **given}


def test_bulk_delete_never_ignores_the_filter(suite: Suite) -> None:
    chosen, others = accounts(suite, "A", "B", source="old"), accounts(suite, "C", "D", source="new")
    seen = preview(suite, "delete", named("old"))
    assert seen["result"]["count"] == 2
    assert {one["id"] for one in seen["result"]["sample"]} == set(chosen)
    assert len(suite.list(RECORD)) == 4, "a preview changes nothing"
    ended = follow(suite, seen)
    assert (ended["state"], ended["result"]) == ("succeeded", counts(done=2))
    assert {one["id"] for one in suite.list(RECORD)} == set(others)


@pytest.mark.parametrize("given", [{}, {"filter": {}}, {"filter": None}, {"filter": named("x"), "all": True}])
def test_every_record_must_be_asked_for_in_so_many_words(suite: Suite, given: JSON) -> None:
    accounts(suite, "A")
    with refused(422, "filter_required", "filter"):
        preview(suite, "delete", **given)
    with refused(400):
        preview(suite, "delete", {"and": []})
    assert follow(suite, preview(suite, "delete", all=True))["result"] == counts(done=1)


def test_the_set_never_grows_and_what_changed_or_went_since_is_left_alone(suite: Suite) -> None:
    same, changed, gone = accounts(suite, "Same", "Changed", "Gone", source="x")
    seen = preview(suite, "update", named("x"), patch={"industry": "Tea"})
    suite.update(RECORD, changed, {"notes": "meanwhile"})
    suite.call("customer", "record.delete", {"record": RECORD, "id": gone})
    (late,) = accounts(suite, "Late", source="x")
    ended = follow(suite, seen)
    assert ended["result"] == counts(done=1, changed=1, gone=1) | {"errors_url": ended["errors_url"]}
    assert [suite.get(RECORD, one)["industry"] for one in (same, changed, late)] == ["Tea", None, None]
    assert {one: row["outcome"] for one, row in rows(suite, ended).items()} == {
        same: "done",
        changed: "changed",
        gone: "gone",
    }
    assert set(rows(suite, ended, "errors")) == {changed, gone}
    assert rows(suite, ended)[changed]["version"] == "2"


def test_a_refused_record_has_its_reason_and_does_not_hold_up_the_others(suite: Suite) -> None:
    mine = new_id()
    context = suite.context(user_id=mine, grants={RECORD: {"read": "all", "update": "own"}})
    own = suite.create(RECORD, {"name": "Own", "source": "x"}, context=suite.context(user_id=mine))["id"]
    (other,) = accounts(suite, "Other", source="x")
    context = suite.context(user_id=mine, grants={RECORD: {"read": "all", "update": "own"}})
    seen = preview(suite, "update", named("x"), patch={"industry": "Tea"}, context=context)
    ended = follow(suite, seen, context=context)
    assert {name: ended["result"][name] for name in ("done", "refused")} == {"done": 1, "refused": 1}
    assert (rows(suite, ended)[other]["outcome"], rows(suite, ended)[other]["code"]) == ("refused", "forbidden")
    assert (suite.get(RECORD, own)["version"], suite.get(RECORD, other)["version"]) == (2, 1)


def test_a_bulk_job_needs_the_grant_of_its_action_and_sees_only_what_its_asker_may_read(suite: Suite) -> None:
    accounts(suite, "Theirs", source="x")
    with refused(403, "forbidden"):
        preview(suite, "delete", named("x"), context=suite.context(user_id=new_id(), grants={RECORD: {"read": "all"}}))
    owner = suite.context(user_id=new_id(), grants={RECORD: {"*": "own"}})
    assert preview(suite, "delete", named("x"), context=owner)["result"]["count"] == 0
    seen = preview(suite, "delete", named("x"))
    with refused(404, "not_found"):
        follow(suite, seen, context=owner)
    masked = suite.context(user_id=new_id(), masks={RECORD: {"read_only": ["industry"]}})
    ended = follow(
        suite, preview(suite, "update", named("x"), patch={"industry": "Tea"}, context=masked), context=masked
    )
    assert ended["result"]["refused"] == 1


def test_a_preview_runs_once_and_only_after_it_has_succeeded(suite: Suite) -> None:
    accounts(suite, "A")
    started = suite.call("customer", "record.bulk_job", {"record": RECORD, "action": "delete", "all": True})
    with refused(409, "not_previewed"):
        follow(suite, started)
    seen = job_of(suite, started)
    ended = follow(suite, seen)
    with refused(409, "already_run"):
        follow(suite, seen)
    with refused(404):
        follow(suite, ended)
    with refused(422, field="action"):
        preview(suite, "explode", all=True)


def test_a_command_runs_on_each_record_of_the_set_and_cannot_be_undone(suite: Suite) -> None:
    made = [suite.create("customer.activity", {"subject": f"Call {n}", "kind": "call"}) for n in range(3)]
    suite.run("customer.activity", made[0]["id"], "complete")
    params = {"record": "customer.activity", "action": "complete", "all": True, "data": None}
    seen = job_of(suite, suite.call("customer", "record.bulk_job", params))
    ended = follow(suite, seen)
    assert (ended["result"]["done"], ended["result"]["refused"]) == (2, 1)
    assert {one["status"] for one in suite.list("customer.activity")} == {"completed"}
    with refused(409, "not_undoable"):
        follow(suite, ended, "undo")


def test_undoing_an_update_restores_what_nobody_has_changed_since(suite: Suite) -> None:
    address = {"street": "A 1", "city": "Berlin"}
    whole, partly, gone = accounts(suite, "Whole", "Partly", "Gone", source="x", industry="Old", address=address)
    before = suite.get(RECORD, whole)
    patch = {"industry": "Tea", "address": {"city": "Bonn", "country": "DE"}, "phone": "1"}
    ended = follow(suite, preview(suite, "update", named("x"), patch=patch))
    assert ended["result"]["done"] == 3
    suite.update(RECORD, partly, {"industry": "Coffee"})
    suite.call("customer", "record.delete", {"record": RECORD, "id": gone})
    undone = follow(suite, ended, "undo")
    assert (undone["result"]["done"], undone["result"]["gone"]) == (2, 1)
    after = suite.get(RECORD, whole)
    bookkeeping = ("version", "updated_at", "updated_by")
    assert {name: after[name] for name in after if name not in bookkeeping} == {
        name: before[name] for name in before if name not in bookkeeping
    }
    kept = suite.get(RECORD, partly)
    assert (kept["industry"], kept["address"]["city"], kept["phone"]) == ("Coffee", "Berlin", None)
    assert "industry" in rows(suite, undone)[partly]["message"]
    with refused(409, "already_undo"):
        follow(suite, ended, "undo")


@pytest.mark.parametrize(
    ("wanted", "present"),
    [({"a": 1}, {"b": 2}), ({}, {"a": {"b": 1}}), ({"a": {"b": 1}}, {"a": {"c": 2}}), (None, {"a": 1}), ([1], [2])],
)
def test_the_patch_toward_an_earlier_value_makes_exactly_that_value(wanted: Any, present: Any) -> None:
    assert merged(present, toward(wanted, present)) == wanted


def merged(target: Any, patch: Any) -> Any:
    """MergePatch of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def test_undoing_a_delete_restores_the_records_within_seven_days(suite: Suite) -> None:
    first, second = accounts(suite, "A", "B", source="x")
    ended = follow(suite, preview(suite, "delete", named("x")))
    suite.call("customer", "record.restore", {"record": RECORD, "id": second})
    undone = follow(suite, ended, "undo")
    assert (undone["result"]["done"], undone["result"]["changed"]) == (1, 1)
    assert {one["id"] for one in suite.list(RECORD)} == {first, second}
    again = follow(suite, preview(suite, "delete", named("x")))
    suite.clock.forward(days=8)
    with refused(409, "undo_expired"):
        follow(suite, again, "undo")


def test_a_bulk_job_repeated_under_its_idempotency_key_is_one_job(suite: Suite) -> None:
    accounts(suite, "A")
    params = {"record": RECORD, "action": "delete", "all": True}
    first, second = (suite.call("customer", "record.bulk_job", params, key="k") for _ in range(2))
    assert first["id"] == second["id"]
    assert suite.run_jobs("customer") == 1
