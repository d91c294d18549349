"""Jobs: progress, cancel, leases, fairness between tenants, and effects that happen once whatever breaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from chassis import jobs
from chassis.bus.ports import BusUnavailable
from chassis.errors import Problem
from chassis.ids import new_id
from chassis.jobs import leases, line
from chassis.jobs.running import Running
from chassis.testing import Suite
from chassis.tests.given import refused

JSON = dict[str, Any]
BATCH = 3


class Killed(BaseException):
    """The process ended: no handler of ours runs."""


@jobs.kind("test-making")
def make_accounts(running: Running) -> JSON:
    """Make `total` accounts in batches. `crash_at` ends the process within that batch, before its commit."""
    made = running.job.cursor or 0
    total, crash_at = running.job.params["total"], running.job.params.get("crash_at")
    while made < total and not running.cancelled():
        with running.work() as work:
            for number in range(made, min(made + BATCH, total)):
                running.store.create(work, {"name": f"Made {number}"})
            made = min(made + BATCH, total)
            running.checkpoint(work, made, made, total)
            if crash_at is not None and made >= crash_at and crashes.pop(running.job.id, None):
                raise Killed
        for hook in after_batch:
            hook(running)
    return {"made": made}


@jobs.kind("test-refusing")
def refuse(running: Running) -> JSON:
    raise Problem(422, "no_rows", "There is nothing to do.")


@jobs.kind("test-failing")
def fail(running: Running) -> JSON:
    raise RuntimeError("a programming error")


crashes: dict[str, bool] = {}
after_batch: list[Callable[[Running], None]] = []


@pytest.fixture
def suite(suite_of: Callable[..., Suite]) -> Suite:
    """Jobs are claimed for all tenants, so that none may be left over from an earlier test."""
    made = suite_of("customer")
    with made.runtime("customer").database.operations() as connection:
        connection.exec_driver_sql("UPDATE jobs SET state = 'cancelled', lease = NULL, ended_at = now()")
    return made


def start(suite: Suite, kind: str = "test-making", context: Any = None, **params: Any) -> JSON:
    with suite.work("customer", context) as work:
        job: JSON = jobs.start(work, kind, "customer.account", params)
    return job


def uuid_of(job: JSON) -> str:
    return str(job["id"]).removeprefix("customer-")


def get(suite: Suite, job: JSON, **options: Any) -> JSON:
    found: JSON = suite.call("customer", "job.get", {"id": uuid_of(job)}, **options)
    return found


def claim(suite: Suite) -> tuple[Running, str]:
    runtime = suite.runtime("customer")
    claimed = leases.claim(runtime.database, "customer")
    assert claimed is not None
    return Running(runtime, *claimed, suite.blobs), claimed[1]


def test_a_job_waits_runs_and_tells_how_far_it_is(suite: Suite) -> None:
    job = start(suite, total=7)
    assert (job["state"], job["done"], job["collection"]) == ("queued", 0, "accounts")
    assert suite.run_jobs("customer") == 1
    ended = get(suite, job)
    assert (ended["state"], ended["done"], ended["total"]) == ("succeeded", 7, 7)
    assert ended["result"] == {"made": 7}
    assert len(suite.list("customer.account")) == 7


def test_what_a_job_does_names_its_asker_and_the_job_as_the_cause(suite: Suite) -> None:
    job = start(suite, total=1)
    suite.run_jobs("customer")
    [account] = suite.list("customer.account")
    [version] = suite.call("customer", "record.history", {"record": "customer.account", "id": account["id"]})["items"]
    assert (version["actor"], version["cause"]) == (f"user:{suite.user_id}", f"job:{job['id']}:test-making")


def test_a_killed_job_goes_on_behind_its_last_commit_and_makes_no_twins(suite: Suite) -> None:
    job = start(suite, total=10, crash_at=5)
    crashes[uuid_of(job)] = True
    running, lease = claim(suite)
    with pytest.raises(Killed):
        running.finish()
    assert get(suite, job)["done"] == BATCH
    leases.give_back(suite.runtime("customer").database, running.job, lease, blame=False)
    suite.run_jobs("customer")
    assert get(suite, job)["state"] == "succeeded"
    assert sorted(item["name"] for item in suite.list("customer.account")) == sorted(f"Made {n}" for n in range(10))


def test_a_process_whose_lease_another_holds_commits_nothing(suite: Suite) -> None:
    job = start(suite, total=4)
    stale, lease = claim(suite)
    leases.give_back(suite.runtime("customer").database, stale.job, lease, blame=False)
    suite.run_jobs("customer")
    with pytest.raises(leases.LeaseLost), stale.work() as work:
        stale.store.create(work, {"name": "Twin"})
    assert get(suite, job)["state"] == "succeeded"
    assert len(suite.list("customer.account")) == 4


def test_a_job_whose_process_is_silent_for_twenty_seconds_is_taken_over(suite: Suite) -> None:
    job = start(suite, total=1)
    claim(suite)
    assert suite.run_jobs("customer") == 0
    with suite.work("customer") as work:
        work.sql("UPDATE jobs SET heartbeat_at = now() - interval '21 seconds' WHERE id = %s", (uuid_of(job),))
    assert suite.run_jobs("customer") == 1
    assert get(suite, job)["state"] == "succeeded"


def test_a_cancelled_job_stops_after_its_batch_and_keeps_what_it_did(suite: Suite) -> None:
    job = start(suite, total=100)

    def cancel(running: Running) -> None:
        suite.call("customer", "job.cancel", {"id": running.job.id})

    after_batch.append(cancel)
    try:
        suite.run_jobs("customer")
    finally:
        after_batch.clear()
    ended = get(suite, job)
    # The first batch asked to stop; the second one's commit heard of it.
    assert (ended["state"], ended["done"], ended["result"]) == ("cancelled", 2 * BATCH, {"made": 2 * BATCH})
    assert len(suite.list("customer.account")) == 2 * BATCH


def test_a_job_that_still_waits_is_cancelled_at_once_and_an_ended_one_stays(suite: Suite) -> None:
    waiting = start(suite, total=1)
    assert suite.call("customer", "job.cancel", {"id": uuid_of(waiting)})["state"] == "cancelled"
    assert suite.run_jobs("customer") == 0
    done = start(suite, total=1)
    suite.run_jobs("customer")
    assert suite.call("customer", "job.cancel", {"id": uuid_of(done)})["state"] == "succeeded"


def test_a_refusal_fails_a_job_with_its_problem(suite: Suite) -> None:
    job = start(suite, "test-refusing")
    suite.run_jobs("customer")
    ended = get(suite, job)
    assert ended["state"] == "failed"
    assert ended["error"] == {"status": 422, "code": "no_rows", "detail": "There is nothing to do."}


def test_a_job_that_fails_without_progress_five_times_is_over(suite: Suite) -> None:
    job = start(suite, "test-failing")
    for attempt in range(leases.MOST_ATTEMPTS):
        assert get(suite, job)["state"] == "queued", attempt
        with suite.work("customer") as work:
            work.sql("UPDATE jobs SET due_at = now() WHERE id = %s", (uuid_of(job),))
        with pytest.raises(RuntimeError):
            suite.run_jobs("customer")
    ended = get(suite, job)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "internal")
    assert "programming" not in str(ended)


def test_a_job_acts_with_the_grants_that_its_asker_has_when_it_runs(suite: Suite) -> None:
    user = new_id()
    job = start(suite, context=suite.context(user_id=user), total=1)
    suite.context(user_id=user, grants={"customer.account": {"read": "own"}})
    suite.run_jobs("customer")
    ended = get(suite, job)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "forbidden")
    assert suite.list("customer.account") == []


def test_only_the_asker_and_administrators_see_a_job(suite: Suite) -> None:
    asker = suite.context(user_id=new_id(), grants={"customer.account": {"*": "own"}})
    other = suite.context(user_id=new_id(), grants={"customer.account": {"*": "all"}})
    job = start(suite, context=asker, total=0)
    assert get(suite, job, context=asker)["id"] == get(suite, job)["id"] == job["id"]
    for method in ("job.get", "job.cancel"):
        with refused(404, "not_found"):
            suite.call("customer", method, {"id": uuid_of(job)}, context=other)
        with refused(404, "not_found"):
            suite.call("customer", method, {"id": uuid_of(job)}, context=suite.context(tenant=new_id()))
    with refused(403, "forbidden"):
        suite.call("customer", "admin.jobs", {}, context=other)
    assert [one["id"] for one in suite.call("customer", "admin.jobs", {})["items"]] == [job["id"]]
    listed = {"record": "customer.account"}
    assert suite.call("customer", "job.list", listed, context=other)["items"] == []
    assert [one["id"] for one in suite.call("customer", "job.list", listed, context=asker)["items"]] == [job["id"]]


def test_a_tenant_with_many_jobs_does_not_hold_up_another_ones_first(suite: Suite) -> None:
    crowd, newcomer = suite.context(tenant=new_id()), suite.context(tenant=new_id())
    for _ in range(4):
        start(suite, context=crowd, total=0)
    start(suite, context=newcomer, total=0)
    order = [claim(suite)[0].job.tenant for _ in range(5)]
    assert order.index(newcomer.tenant) == 1


def test_two_processes_never_claim_the_same_job(suite: Suite) -> None:
    ids = {uuid_of(start(suite, total=0)) for _ in range(6)}
    database = suite.runtime("customer").database
    claimed: list[str] = []

    def work() -> None:
        while (found := leases.claim(database, "customer")) is not None:
            claimed.append(found[0].id)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(claimed) == len(set(claimed))
    assert set(claimed) <= ids


def test_jobs_go_thirty_days_after_their_end(suite: Suite) -> None:
    job = start(suite, total=0)
    suite.run_jobs("customer")
    suite.clock.forward(days=29)
    suite.runtime("customer").tidy()
    assert get(suite, job)["state"] == "succeeded"
    suite.clock.forward(days=2)
    suite.runtime("customer").tidy()
    with refused(404):
        get(suite, job)


def test_calls_of_a_jobs_process_go_through_the_line_and_a_dead_bus_is_503() -> None:
    class Echo:
        def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
            if service == "gone":
                raise BusUnavailable("no broker")
            return {"ok": [service, request]}

        def close(self) -> None:
            """Nothing is open."""

    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=line.serve, args=(ours, Echo()), daemon=True)
    thread.start()
    with theirs:
        caller = line.LineCaller(theirs)
        assert caller.call("sales", {"method": "x"}, timeout=2) == {"ok": ["sales", {"method": "x"}]}
        assert caller.call("gone", {}, timeout=2)["error"]["status"] == 503
        caller.close()
    thread.join(5)
    assert not thread.is_alive()
    ours.close()
