"""The faults by their number in the plan: what is broken, for how long, and what must go on meanwhile."""

from __future__ import annotations

import http.client
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from contracts.registry import SERVICES
from tests.faults.history import Attempt, History
from tests.faults.load import Load, Tenant
from tests.faults.stack import Stack
from tests.integration.support import until

JSON = dict[str, Any]
WARM, COOL = 4.0, 3.0
"""Seconds of undisturbed load before and after a fault."""
RECOVERY = 5.0
GRACE = 30.0
"""Within which a process ends that is asked to, as Kubernetes allows."""
REFUSAL = 2.0
"""Within which a request is refused while what it needs is away."""

OWNER = {
    "account": "customer",
    "accounts": "customer",
    "group": "customer",
    "stock": "inventory",
    "products": "inventory",
    "order": "sales",
    "orders": "sales",
    "receivable": "sales",
    "receivables": "sales",
    "pay": "sales",
}


def owner(kind: str) -> str:
    """The service that answers this kind of request."""
    return next(OWNER[word] for word in kind.split() if word in OWNER)


@dataclass
class Run:
    """One fault under load, and what its schedule found out."""

    stack: Stack
    load: Load
    tenants: list[Tenant]
    long: bool
    recovery: list[float] = field(default_factory=list)
    figures: JSON = field(default_factory=dict)

    @property
    def history(self) -> History:
        return self.load.history

    def fault(self, message: str) -> None:
        self.history.surprise(message)

    def wait(self, seconds: float) -> None:
        self.load.run(seconds)

    def await_recovery(self, *services: str) -> None:
        """Measure how long from now until each of these services takes a write again."""
        began = time.monotonic()
        waiting = set(services or ("customer", "sales", "inventory"))
        while waiting and time.monotonic() - began < 60:
            waiting -= {service for service in waiting if self.answers(service)}
            time.sleep(0.05)
        seconds = time.monotonic() - began
        self.recovery.append(seconds)
        if waiting or seconds > RECOVERY:
            self.fault(f"recovery: {', '.join(sorted(services)) or 'the suite'} took {seconds:.1f} s")

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until its successor says that it lives; how long that takes is the interpreter's affair."""
        began = time.monotonic()
        self.stack.kill(name)
        self.await_alive(name, began)

    def await_alive(self, name: str, began: float) -> None:
        port = self.stack.probes.get(name, self.stack.port)
        until(lambda: self.stack.ready_at(port, "/livez"), 60, what=f"{name} lives again")
        seconds = time.monotonic() - began
        self.figures["slowest restart"] = round(max(seconds, self.figures.get("slowest restart", 0.0)), 1)

    def answers(self, service: str) -> bool:
        paths = {"customer": "accounts", "sales": "orders", "inventory": "products", "identity": "users"}
        with suppress(OSError):
            return self.stack.api(timeout=5).send("GET", f"/v1/{paths.get(service, 'accounts')}", limit=1).status == 200
        return False

    def attempts(self, begin: float, end: float) -> list[tuple[str, Attempt]]:
        """Kind and attempt of whatever began within these seconds of the run."""
        found = [(one.kind, attempt) for one in list(self.history.operations) for attempt in list(one.attempts)]
        found += list(self.history.reads)
        return [(kind, attempt) for kind, attempt in found if begin <= attempt.began < end and not attempt.late]

    def must_live(self, begin: float, end: float, kinds: Callable[[str], bool]) -> None:
        """Whatever needs only living parts was answered as if nothing had happened."""
        chosen = [(kind, attempt) for kind, attempt in self.attempts(begin, end) if kinds(kind)]
        self.figures["unaffected"] = self.figures.get("unaffected", 0) + len(chosen)
        for kind, attempt in chosen:
            if not attempt.definite and attempt.code != "in_flight":
                got = f"{attempt.status} {attempt.code} at {attempt.began:.1f}"
                self.fault(f"{kind} needs only living parts: got {got}")

    def must_refuse(self, begin: float, end: float) -> None:
        """Whatever came while its part was away was told so, within two seconds."""
        chosen = self.attempts(begin, end)
        slowest = max((attempt.seconds for _, attempt in chosen), default=0.0)
        self.figures["refused"] = self.figures.get("refused", 0) + len(chosen)
        self.figures["slowest refusal"] = round(max(slowest, self.figures.get("slowest refusal", 0.0)), 2)
        for kind, attempt in chosen:
            if attempt.status != 503 or attempt.seconds > REFUSAL:
                self.fault(f"{kind}: {attempt.status} after {attempt.seconds:.1f} s, not refused in time")

    def gateway_alive(self) -> None:
        for path in ("/livez", "/openapi.json"):
            began = time.monotonic()
            status: object = None
            with suppress(OSError, http.client.HTTPException):
                status = self.stack.api(timeout=10).send("GET", path).status
            if status != 200 or time.monotonic() - began > REFUSAL:
                self.fault(f"{path} needs only the gateway: {status} after {time.monotonic() - began:.1f} s")


def kill_services(run: Run) -> None:
    """F1: SIGKILL of one service after the other"""
    for service in SERVICES if run.long else ("inventory", "sales", "customer", "identity"):
        name = "sales-rpc" if service == "sales" else service
        run.wait(2.0)
        begin = run.history.now()
        run.kill(name)
        run.await_recovery(service)
        end = run.history.now()
        run.wait(2.0)
        if service != "identity":
            run.must_live(begin, end - 0.5, lambda kind, dead=service: owner(kind) != dead)


def kill_parts(run: Run) -> None:
    """F2: SIGKILL of relay, reactions and gateway, each alone; SIGTERM of a service at work"""
    for name in ("sales-relay", "sales-events", "gateway"):
        run.wait(2.0)
        begin = run.history.now()
        run.kill(name)
        run.await_recovery()
        if name != "gateway":
            run.must_live(begin, run.history.now(), lambda kind: True)
        run.wait(2.0)
    for name in ("inventory", "sales-events"):
        began = time.monotonic()
        seconds = run.stack.terminate(name)
        run.figures[f"{name} ended in"] = round(seconds, 1)
        if seconds > GRACE:
            run.fault(f"{name} took {seconds:.1f} s to end")
        run.await_alive(name, began)
        run.await_recovery()


def restart_broker(run: Run) -> None:
    """F3: the broker stops and starts"""
    for seconds in (4, 30, 300) if run.long else (4, 15):
        run.wait(2.0)
        run.stack.broker.ctl("stop_app")
        begin = run.history.now()
        run.wait(seconds / 2)
        run.gateway_alive()
        run.wait(seconds / 2)
        run.must_refuse(begin + 1.0, run.history.now() - REFUSAL)
        run.stack.broker.ctl("start_app")
        run.await_recovery()


def kill_broker(run: Run) -> None:
    """F4: SIGKILL of the broker, disk intact"""
    run.wait(3.0)
    run.stack.broker.kill()
    begin = run.history.now()
    run.wait(5.0)
    run.must_refuse(begin + 1.0, run.history.now() - REFUSAL)
    run.stack.broker.start()
    run.await_recovery()


def raise_alarms(run: Run) -> None:
    """F6: the broker's memory and disk alarms"""
    seconds = 60 if run.long else 12
    for on, off in (
        (("set_vm_memory_high_watermark", "0"), ("set_vm_memory_high_watermark", "absolute", "1GB")),
        (("set_disk_free_limit", "99999GB"), ("set_disk_free_limit", "500MB")),
    ):
        run.stack.broker.ctl(*on)
        begin = run.history.now()
        run.wait(seconds / 2)
        run.gateway_alive()
        run.wait(seconds / 2)
        # The broker tells a connection of its alarm when that next publishes, so the first requests hear of it late.
        run.must_refuse(begin + 9.0, run.history.now() - REFUSAL)
        run.stack.broker.ctl(*off)
        run.await_recovery()
        run.wait(2.0)


def hang_broker(run: Run) -> None:
    """F7: SIGSTOP of the broker, its connections open"""
    pid = run.stack.broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        run.wait(10)
        run.gateway_alive()
        run.wait(20 if run.long else 5)
    finally:
        os.kill(pid, signal.SIGCONT)
    run.await_recovery()


def break_links(run: Run) -> None:
    """F8: the links to the broker swallow, delay and end"""
    stack = run.stack
    stack.bus_link.set("black-hole")
    run.wait(120 if run.long else 60)
    stack.bus_link.set("pass")
    run.await_recovery()
    run.wait(2)
    stack.bus_link.set("slow", delay=0.2)
    stack.gateway_link.set("slow", delay=0.05)
    run.wait(10)
    for link in (stack.bus_link, stack.gateway_link):
        link.set("pass")
    run.await_recovery()
    for mode in ("half-close", "reset"):
        for link in (stack.bus_link, stack.gateway_link, stack.database_link):
            link.set(mode)
            run.wait(2)
            link.set("pass")
            run.await_recovery()


def restart_database(run: Run) -> None:
    """F9: PostgreSQL restarts, fast and immediate"""
    for immediate in (False, True):
        run.wait(3.0)
        begin = run.history.now()
        if immediate:
            run.stack.crash_database()
        else:
            run.stack.database.stop()
        run.gateway_alive()
        run.wait(5.0)
        run.must_refuse(begin + 1.0, run.history.now() - REFUSAL)
        run.stack.database.start()
        run.await_recovery()


def storm_locks(run: Run) -> None:
    """F12: locks on orders and products for which every connection of two pools waits, beside a sleeping transaction"""
    stack = run.stack
    holders = [stack.connect("sales"), stack.connect("inventory")]
    sleeper = stack.connect("customer")
    try:
        sleeper.cursor().execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM changes")
        begin = run.history.now()
        for holder, table in zip(holders, ("orders", "products"), strict=True):
            holder.cursor().execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        run.wait(12)
        for holder in holders:
            holder.cursor().execute("ROLLBACK")
        run.must_live(begin, run.history.now() - 4, lambda kind: owner(kind) == "customer")
        run.await_recovery()
        began = time.monotonic()
        until(lambda: not _unsent_before(run, began), 60, every=0.1, what="what was held up is published")
        if (seconds := time.monotonic() - began) > RECOVERY:
            run.fault(f"what the locks held up was published after {seconds:.1f} s")
        run.figures["published in"] = round(seconds, 1)
        run.wait(60 if run.long else 10)
    finally:
        for connection in (*holders, sleeper):
            connection.close()


def _unsent_before(run: Run, moment: float) -> bool:
    """Whether anything still waits for a relay that was there at this moment of the monotonic clock."""
    age = f"{time.monotonic() - moment:.3f} s"
    statement = "SELECT 1 FROM unsent WHERE queued_at < clock_timestamp() - %s::interval LIMIT 1"
    return any(run.stack.rows(service, statement, (age,)) for service in SERVICES)


def stall_consumers(run: Run) -> None:
    """F13: subscribers hang while the others go on"""
    begin = run.history.now()
    for name in ("notify", "eventlog"):
        run.stack.signal(name, signal.SIGSTOP)
    try:
        run.wait(60 if run.long else 15)
        run.must_live(begin, run.history.now() - 4, lambda kind: True)
        run.figures["backlog"] = sum(run.stack.queued().values())
    finally:
        for name in ("notify", "eventlog"):
            run.stack.signal(name, signal.SIGCONT)
    began = time.monotonic()
    until(lambda: sum(run.stack.queued().values()) < 50, 120, every=0.2, what="the backlog is read")
    run.figures["drained in"] = round(time.monotonic() - began, 1)
