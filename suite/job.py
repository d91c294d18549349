"""The process of one job: `python -m suite.job SERVICE TENANT ID LEASE DESCRIPTOR`. Started by `chassis.jobs.launcher`.

It is not patched for green threads, so that a kind may compute, read files and wait as it likes.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import sys
import threading

from chassis import blobs
from chassis.clock import SystemClock
from chassis.context import Signer
from chassis.database import Database, make_engine
from chassis.errors import Problem
from chassis.jobs import leases
from chassis.jobs.leases import LeaseLost
from chassis.jobs.line import LineCaller
from chassis.jobs.running import Running, load_kinds
from chassis.runtime import Runtime
from chassis.settings import Settings, from_environment
from contracts.registry import registry
from suite.host import definition_of

log = logging.getLogger("guanxi")
LARGEST_FILE = 4 * 1024**3
# In sysexits.h "try again later": the launcher queues the job anew.
AGAIN = 75


def limit(memory: int) -> None:
    """What no job may exceed: `memory` MiB of address space, 4 GiB in a file; and it yields to what people wait for."""
    resource.setrlimit(resource.RLIMIT_AS, (memory * 1024**2, memory * 1024**2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(10)


def build(settings: Settings, service: str, caller: LineCaller) -> Runtime:
    registry.load()
    clock = SystemClock()
    name = f"guanxi {service} job"
    database = Database(
        make_engine(settings.database_url(service, "app"), pool_size=2, name=name, prepared=settings.prepared),
        make_engine(settings.database_url(service, "ops"), pool_size=1, name=name, prepared=settings.prepared),
        clock,
        None,
    )
    runtime = Runtime(definition_of(service), database, Signer(settings.context_key), caller, clock)
    runtime.settings, runtime.blobs = settings, blobs.connect(settings.blobs)
    return runtime


def main(service: str, tenant: str, job_id: str, lease: str, descriptor: str) -> int:
    logging.basicConfig(
        level=os.environ.get("GUANXI_LOG", "WARNING"), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # What is not committed has not happened, so there is nothing to put in order before ending, here and where the
    # launcher is gone: another one starts the job again.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(AGAIN))
    settings = from_environment()
    limit(settings.job_memory)
    line = socket.socket(fileno=int(descriptor))
    line.setblocking(True)
    runtime = build(settings, service, LineCaller(line, lambda: os._exit(AGAIN)))
    load_kinds()
    try:
        job = leases.read(runtime.database, service, tenant, job_id, lease)
    except LeaseLost:
        return 0
    assert runtime.blobs is not None
    running = Running(runtime, job, lease, runtime.blobs)
    ended, lost = threading.Event(), threading.Event()
    threading.Thread(target=running.keep_alive, args=(ended, lost), daemon=True).start()
    threading.Thread(target=_end_when, args=(lost,), daemon=True).start()
    try:
        running.finish()
    except LeaseLost:
        return 0
    except Problem as problem:
        log.warning("job %s waits: %s", job.name, problem)
        return AGAIN
    except Exception:
        log.exception("job %s failed", job.name)
        return 1
    finally:
        ended.set()
    return 0


def _end_when(lost: threading.Event) -> None:
    lost.wait()
    # Another process has the job by now; this one can commit nothing any more.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
