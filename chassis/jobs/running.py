"""A job under way: what its kind works with, and how its end is written down."""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from chassis import blobs, jobs
from chassis.context import Context
from chassis.errors import Problem
from chassis.jobs import Job, as_json, leases
from chassis.jobs.leases import LeaseLost

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.runtime import Runtime

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
# The kinds that every service has.
MODULES: tuple[str, ...] = (
    "chassis.records.exporting",
    "chassis.records.importing.job",
    "chassis.records.bulkjobs.kinds",
)
GRANTS_SECONDS = 60.0


def load_kinds() -> None:
    for module in MODULES:
        importlib.import_module(module)


class Running:
    """What a kind gets. Its effects belong into `work()`, each batch with a `checkpoint` as its last statement."""

    def __init__(self, runtime: Runtime, job: Job, lease: str, blob_store: blobs.Store) -> None:
        self.runtime, self.job, self._lease = runtime, job, lease
        self.blobs = blob_store.of(runtime.name, job.tenant)
        self.locale = "en"
        self._context: Context | None = None
        self._context_until = 0.0
        self._asked_to_stop = self._told = False

    @property
    def store(self) -> Any:
        """The record store of the job's record."""
        return self.runtime.stores[self.job.record]

    def context(self) -> Context:
        """The asker as he is now: who lost a grant, or was deactivated, loses it here within a minute."""
        if self._context is None or time.monotonic() >= self._context_until:
            known = self.runtime.acting_for(self.job.tenant, self.job.asker)
            self.locale = known.get("locale") or "en"
            self._context = Context(
                tenant=self.job.tenant,
                actor=self.job.asker["actor"],
                user_id=known["user_id"],
                teams=tuple(known["teams"]),
                grants=known["grants"],
                masks=known["masks"],
                correlation_id=self.job.asker["correlation_id"],
                cause=f"job:{self.job.name}:{self.job.kind}",
                zone=known.get("zone") or "UTC",
            )
            self._context_until = time.monotonic() + GRANTS_SECONDS
        return self._context

    @contextmanager
    def work(self) -> Iterator[Work]:
        """A transaction as the asker. It commits only while this process holds the job's lease. At most 15 s long."""
        with self.runtime.database.work(self.context()) as work:
            leases.fence(work, self.job.id, self._lease)
            yield work

    @contextmanager
    def reading(self) -> Iterator[Work]:
        """Reads as the asker, each statement seeing what is committed."""
        with self.runtime.database.reading(self.context()) as work:
            yield work

    def checkpoint(self, work: Work, cursor: Any, done: int, total: int | None = None) -> None:
        """Store how far the job is in the transaction of its effects: `cursor` (JSON) is what `job.cursor` is after a
        kill. Call it last in a batch, since it locks the job's row until the commit."""
        if leases.progress(work, self.job.id, self._lease, cursor, done, total):
            self._asked_to_stop = True

    def tell(self, done: int, total: int | None = None) -> None:
        """Show how far the job is, for a kind that has no cursor: after a kill it begins anew."""
        if leases.tell(self.runtime.database, self.job, self._lease, done, total):
            self._asked_to_stop = True

    def cancelled(self) -> bool:
        """Whether to stop: ask between batches, and return what was done so far."""
        self._told = self._told or self._asked_to_stop
        return self._told

    def publish(self, which: str, stream: IO[bytes], name: str, media_type: str) -> None:
        """Keep a file of the job, `result` or `errors`, for whoever asked: `GET /v1/jobs/{id}/{which}`."""
        blob = self.blobs.put(stream)
        entry = {"key": blob.key, "name": name, "type": media_type, "size": blob.size}
        with self.work() as work:
            blobs.hold(work, blob.key, f"job:{self.job.id}")
            work.sql(
                "UPDATE jobs SET files = files || %s::jsonb WHERE tenant_id = %s AND id = %s",
                (as_json({which: entry}), work.tenant, self.job.id),
            )

    def finish(self) -> None:
        """Run the kind and write down how it ended. Any error but a refusal is raised and leaves the job unfinished."""
        database = self.runtime.database
        try:
            self.context()
            result = jobs.run_of(self.job.kind)(self)
        except Problem as problem:
            if problem.status in (503, 504):
                raise
            leases.end(database, self.job, self._lease, "failed", error=problem.document())
            return
        leases.end(database, self.job, self._lease, "cancelled" if self._told else "succeeded", result=result)

    def keep_alive(self, ended: threading.Event, lost: threading.Event) -> None:
        """The heartbeat, in a thread of its own until `ended`. Sets `lost` when another process has the job."""
        while not ended.wait(leases.HEARTBEAT_SECONDS):
            try:
                if leases.beat(self.runtime.database, self.job, self._lease):
                    self._asked_to_stop = True
            except LeaseLost:
                lost.set()
                return
            except Problem as problem:
                log.warning("job %s: no heartbeat, %s", self.job.name, problem)


def run_waiting(runtime: Runtime, blob_store: blobs.Store) -> int:
    """Run every job that waits, here and now; for tests and tools. Returns how many ran."""
    load_kinds()
    count = 0
    while (claimed := leases.claim(runtime.database, runtime.name)) is not None:
        count += 1
        job, lease = claimed
        try:
            Running(runtime, job, lease, blob_store).finish()
        except Exception:
            leases.give_back(runtime.database, job, lease)
            raise
    return count
