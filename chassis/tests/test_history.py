"""History says who, by name, and why: in a word that programs decide by, and in words for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chassis.ids import new_id
from chassis.testing import Suite
from chassis.tests.test_imports import _start
from chassis.tests.test_jobs import start

JSON = dict[str, Any]
ACCOUNT, ACTIVITY = "customer.account", "customer.activity"


@pytest.fixture
def suite(suite_of: Callable[..., Suite]) -> Suite:
    return suite_of("customer")


def history(suite: Suite, record: str, record_id: str, **options: Any) -> list[JSON]:
    params = {"record": record, "id": record_id}
    found: list[JSON] = suite.call("customer", "record.history", params, **options)["items"]
    return found


def called(suite: Suite, name: str) -> None:
    """The acting user, as this service has heard of him."""
    with suite.work("customer") as work:
        work.sql(
            "INSERT INTO copies (tenant_id, record, id, version, deleted, data) VALUES (%s, 'identity.user', %s, 1,"
            " false, %s)",
            (suite.tenant, suite.user_id, orjson.dumps({"name": name}).decode()),
        )


def as_service(suite: Suite, cause: str, record: str, data: JSON) -> str:
    context = suite.runtime("customer").principal(suite.tenant, cause)
    with suite.work("customer", context) as work:
        store = work.service.stores[record]
        return str(store.add(work, store.make(**store.load(data))).id)


def test_a_request_and_a_command_are_told_apart_and_users_have_names(suite: Suite) -> None:
    called(suite, "Ida")
    activity = suite.create(ACTIVITY, {"subject": "Call"})["id"]
    suite.run(ACTIVITY, activity, "complete", {})
    command, request = history(suite, ACTIVITY, activity)
    assert request["who"] == command["who"] == {"kind": "user", "id": suite.user_id, "name": "Ida"}
    assert (request["why"]["kind"], request["why"]["text"]) == ("request", {"en": "Request", "zh": "请求"})
    assert (command["cause"], command["why"]["kind"], command["why"]["name"]) == (
        "command:complete",
        "command",
        "complete",
    )
    assert command["why"]["text"] == {"en": "Complete", "zh": "完成"}


def test_a_name_that_one_may_not_read_is_not_told(suite: Suite) -> None:
    called(suite, "Ida")
    account = suite.create(ACCOUNT, {"name": "Alfreds"})["id"]
    reader = suite.context(user_id=new_id(), grants={ACCOUNT: {"read": "all"}})
    [version] = history(suite, ACCOUNT, account, context=reader)
    assert version["who"] == {"kind": "user", "id": suite.user_id, "name": None}


def test_an_import_is_named_with_its_job(suite: Suite) -> None:
    job = "customer-" + _start(suite, "name\nImported\n")
    suite.run_jobs("customer")
    [account] = suite.list(ACCOUNT)
    [version] = history(suite, ACCOUNT, account["id"])
    assert version["why"] == {"kind": "job", "id": job, "name": "import", "text": {"en": "Import", "zh": "导入"}}


def test_a_job_of_another_kind_is_a_job(suite: Suite) -> None:
    job = start(suite, total=1)
    suite.run_jobs("customer")
    [account] = suite.list(ACCOUNT)
    why = history(suite, ACCOUNT, account["id"])[0]["why"]
    assert (why["kind"], why["id"], why["text"]["en"]) == ("job", job["id"], "Job")


@pytest.mark.parametrize(
    ("cause", "kind", "name", "english", "chinese"),
    [
        ("event:0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0001:on_order_paid", "rule", "on_order_paid", "Rule", "规则"),
        ("event:0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0001", "rule", None, "Reaction", "触发"),
        ("timer:overdue", "timer", "overdue", "Timer overdue", "定时任务"),
        ("saga:0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0001", "saga", None, "Process", "流程"),
        ("merge:0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0001", "merge", None, "Merge", "合并"),
        ("erase:0199a1b2-c3d4-7e5f-8a6b-9c0d1e2f0001", "erase", None, "Erasure", "清除"),
        ("bulk", "bulk", None, "Bulk request", "批量"),
        ("something new", "other", None, "Other", "其他"),
    ],
)
def test_every_cause_has_a_kind_and_words_in_both_languages(
    suite: Suite, cause: str, kind: str, name: str | None, english: str, chinese: str
) -> None:
    account = as_service(suite, cause, ACCOUNT, {"name": "Alfreds"})
    [version] = history(suite, ACCOUNT, account)
    assert version["who"] == {"kind": "service", "id": "customer", "name": "customer"}
    assert (version["cause"], version["why"]["kind"], version["why"]["name"]) == (cause, kind, name)
    assert english in version["why"]["text"]["en"] and chinese in version["why"]["text"]["zh"]


def test_writes_in_bulk_say_so(suite: Suite) -> None:
    items = [{"op": "create", "data": {"name": "Alfreds"}}]
    suite.call("customer", "record.bulk", {"record": ACCOUNT, "items": items})
    [account] = suite.list(ACCOUNT)
    assert history(suite, ACCOUNT, account["id"])[0]["why"]["kind"] == "bulk"


def test_an_undone_merge_is_a_merge(suite: Suite) -> None:
    one, other = (suite.create(ACCOUNT, {"name": name})["id"] for name in ("Alfreds", "Alfred's"))
    suite.call("customer", "record.merge", {"record": ACCOUNT, "id": one, "data": {"losers": [other]}})
    kinds = {
        version["why"]["kind"] for record_id in (one, other) for version in history(suite, ACCOUNT, record_id)[:-1]
    }
    assert kinds == {"merge"}
