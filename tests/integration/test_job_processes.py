"""Jobs in processes of their own, killed at random: what they do happens once, and they come to their end."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chassis import blobs, migrations, provisioning
from chassis.clock import SystemClock
from chassis.context import Context, Signer, service_context
from chassis.database import Database, make_engine
from chassis.ids import new_id
from chassis.jobs import leases
from chassis.jobs.launcher import Launcher
from chassis.runtime import Runtime
from chassis.settings import Settings
from chassis.testing import SECRET, Suite
from suite.host import definition_of, job_command

JSON = dict[str, Any]
PREFIX = "jobtest"
RECORDS = 3_000
PATIENCE = 60.0


class Shop:
    """A customer service whose jobs run as they do in production, and the identity service that it asks."""

    def __init__(self, suite: Suite, settings: Settings) -> None:
        self.settings, self._suite = settings, suite
        database = Database(
            make_engine(settings.database_url("customer", "app")),
            make_engine(settings.database_url("customer", "ops")),
            SystemClock(),
            None,
        )
        self.runtime = Runtime(definition_of("customer"), database, Signer(SECRET), self, SystemClock())
        self.runtime.blobs = blobs.connect(settings.blobs)
        operator = service_context("operator", "", cause="request")
        wanted = {"slug": f"s{new_id()[-8:]}", "name": "Shop", "email": "a@shop.example", "password": "a long password"}
        made = self._ask("identity", "identity.provision", wanted, operator)
        grants = {"*": {"*": "all"}}
        user = made["user_id"]
        self.context = Context(made["tenant_id"], f"user:{user}", user, grants=grants, correlation_id=new_id())

    def call(self, service: str, request: JSON, *, timeout: float) -> JSON:
        return (self.runtime if service == "customer" else self._suite.runtime(service)).rpc(request)

    def close(self) -> None:
        self.runtime.database.close()

    def _ask(self, service: str, method: str, params: JSON, context: Context) -> JSON:
        request = {"method": method, "context": Signer(SECRET).sign(context), "params": params}
        answer = self.call(service, request, timeout=10)
        assert "ok" in answer, answer
        body: JSON = answer["ok"]["body"]
        return body

    def ask(self, method: str, **params: Any) -> JSON:
        return self._ask("customer", method, params, self.context)

    def job(self, job: JSON) -> JSON:
        return self.ask("job.get", id=job["id"].removeprefix("customer-"))

    def launcher(self) -> Launcher:
        return Launcher([self.runtime], job_command, self.settings.environment(), places=1)

    def finish(self, job: JSON, between: Callable[[Launcher], None] = lambda launcher: None) -> JSON:
        """Run a launcher until the job has ended."""
        launcher, end = self.launcher(), time.monotonic() + PATIENCE
        launcher.start()
        try:
            while (found := self.job(job))["state"] in ("queued", "running"):
                assert time.monotonic() < end, found
                between(launcher)
                time.sleep(0.05)
        finally:
            launcher.stop()
        return found


@pytest.fixture(scope="module")
def shop(server: str, databases: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    provisioning.provision(server, ["customer"], SECRET, PREFIX)
    place = tmp_path_factory.mktemp("blobs").as_uri()
    settings = Settings(server, SECRET, SECRET, "inprocess://jobs", database_prefix=PREFIX, blobs=place)
    migrations.upgrade(settings.database_url("customer", "owner"), "customer")
    made = Shop(Suite(databases, ["identity"]), settings)
    yield made
    made.close()


@pytest.fixture(scope="module")
def accounts(shop: Shop) -> int:
    for start in range(0, RECORDS, 500):
        items = [{"op": "create", "data": {"name": f"Account {start + n}"}} for n in range(500)]
        assert not shop.ask("record.bulk", record="customer.account", items=items, atomic=True)["failed"]
    return RECORDS


def test_a_bulk_job_killed_at_random_moments_changes_every_record_once(shop: Shop, accounts: int) -> None:
    wanted = {"record": "customer.account", "action": "update", "all": True, "patch": {"industry": "Tea"}}
    seen = shop.finish(shop.ask("record.bulk_job", **wanted))
    assert (seen["state"], seen["result"]["count"]) == ("succeeded", accounts)
    chance, killed = random.Random(20261123), set()
    started: dict[int, float] = {}

    def kill(launcher: Launcher) -> None:
        for child in launcher.children:
            moment = started.setdefault(child.process.pid, time.monotonic() + chance.uniform(0.4, 1.6))
            if len(killed) < 3 and time.monotonic() >= moment and child.process.pid not in killed:
                killed.add(child.process.pid)
                os.kill(child.process.pid, signal.SIGKILL)

    run = shop.finish(shop.ask("job.run", id=seen["id"].removeprefix("customer-")), kill)
    assert killed
    assert (run["state"], run["done"], run["result"]["done"]) == ("succeeded", accounts, accounts), run
    with shop.runtime.database.work(shop.context) as work:
        versions = work.sql("SELECT version, industry, count(*) FROM accounts GROUP BY 1, 2").all()
        changes = work.sql("SELECT version, count(*) FROM changes GROUP BY 1 ORDER BY 1").all()
        causes = {row[0] for row in work.sql("SELECT DISTINCT cause FROM changes WHERE version = 2")}
    assert [tuple(row) for row in versions] == [(2, "Tea", accounts)]
    assert [tuple(row) for row in changes] == [(1, accounts), (2, accounts)]
    assert causes == {f"job:{run['id']}:bulk-run"}


def test_an_export_runs_in_a_process_of_its_own_and_leaves_its_file_in_the_blobs(shop: Shop, accounts: int) -> None:
    wanted = {"record": "customer.account", "format": "xlsx", "style": "human"}
    job = shop.finish(shop.ask("record.export", **wanted))
    assert (job["state"], job["result"]["rows"]) == ("succeeded", accounts), job
    entry = shop.ask("job.file", id=job["id"].removeprefix("customer-"), which="result")
    assert shop.runtime.blobs is not None
    assert shop.runtime.blobs.of("customer", shop.context.tenant).size(entry["key"]) == entry["size"] > 10_000


def test_a_jobs_process_ends_when_its_starter_does_and_the_job_goes_on_elsewhere(shop: Shop, accounts: int) -> None:
    job = shop.ask("record.export", record="customer.account", format="csv", style="machine")
    claimed = leases.claim(shop.runtime.database, "customer")
    assert claimed is not None
    ours, theirs = socket.socketpair()
    command = job_command(claimed[0], claimed[1], theirs.fileno())
    environment = {**os.environ, **shop.settings.environment()}
    process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()])
    theirs.close()
    # Nobody answers its first call, as when the starter is killed with the call under way.
    assert ours.recv(4)
    ours.close()
    assert process.wait(10) == 75
    with shop.runtime.database.operations() as connection:
        connection.exec_driver_sql("UPDATE jobs SET heartbeat_at = now() - interval '1 minute' WHERE state = 'running'")
    assert shop.finish(job)["state"] == "succeeded"


def test_the_memory_of_a_job_is_bounded() -> None:
    code = "import suite.job as j; j.limit(256)\ntry: bytearray(300 * 1024**2)\nexcept MemoryError: print('refused')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == "refused", done.stderr
