"""What the tests of the chassis share: refusals, threads, and how much a property is tried."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from chassis.bus.wire import encode
from chassis.errors import Problem
from chassis.ids import new_id

JSON = dict[str, Any]

# One suite serves all examples of a property: each example makes records of its own tenant or clears what it made.
PROPERTY = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@contextmanager
def refused(status: int, code: str | None = None, field: str | None = None) -> Iterator[Any]:
    """The block is refused with this status and code, and the refusal names the field."""
    with pytest.raises(Problem) as caught:
        yield caught
    problem = caught.value
    assert problem.status == status, problem
    assert code is None or problem.code == code, problem
    assert field is None or field in [error["field"] for error in problem.errors], problem.errors


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Run the tasks in threads that start together; their results, or the errors they raised."""
    barrier = threading.Barrier(len(tasks))
    results: list[Any] = [None] * len(tasks)

    def run(index: int, task: Callable[[], Any]) -> None:
        barrier.wait(10)
        try:
            results[index] = task()
        except Exception as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index, task)) for index, task in enumerate(tasks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def ids(items: Sequence[JSON]) -> list[str]:
    return [item["id"] for item in items]


def names(items: Sequence[JSON]) -> list[str]:
    return [item["name"] for item in items]


def pages(suite: Any, record: str, limit: int, **query: Any) -> list[JSON]:
    """Every record of a list, walked page by page."""
    found: list[JSON] = []
    after, service = None, record.split(".", 1)[0]
    context = query.pop("context", None)
    while True:
        params = {"record": record, "query": {**query, "limit": limit, "after": after}}
        body = suite.call(service, "record.list", params, context=context)
        found += body["items"]
        after = body["next"]
        if after is None:
            return found
        assert len(body["items"]) == limit


def changes_of(suite: Any, service: str, record_id: str) -> list[Any]:
    """The change rows of a record, oldest first."""
    with suite.work(service) as work:
        return list(
            work.sql(
                "SELECT * FROM changes WHERE tenant_id = %s AND record_id = %s ORDER BY version",
                (work.tenant, record_id),
            )
        )


def rows(suite: Any, service: str, statement: str, *parameters: Any) -> list[Any]:
    """Rows of a table of the service, for the test's tenant (the first parameter)."""
    with suite.work(service) as work:
        return list(work.sql(statement, (work.tenant, *parameters)))


def event_of(suite: Any, subject: str, kind: str = "test.thing.happened", version: int = 1) -> bytes:
    """An event as the bus brings it, of the test's tenant."""
    return encode(
        {
            "id": new_id(),
            "type": kind,
            "subject": subject,
            "tenant": suite.tenant,
            "version": version,
            "correlationid": "c",
            "data": {},
        }
    )


def define(suite: Any, name: str, kind: str, settle: bool = True, **more: Any) -> Any:
    """A custom field, of accounts if nothing else is said."""
    field = {"applies_to": "accounts", "name": name, "type": kind, "label": {"en": name, "zh": "字段"}, **more}
    made = suite.create("identity.custom-field", field)
    if settle:
        suite.settle()
    return made
