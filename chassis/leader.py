"""The relay process of a service: one leader at a time publishes, retries, ends overdue sagas and rings alarms.

The leader is who holds an advisory lock on a direct connection, which also listens for new rows. A leader that dies
loses its connection and with it the lock, so another takes over within a second.
"""

from __future__ import annotations

import logging
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from chassis import relay, scanning
from chassis.bus.ports import BusUnavailable, Publisher
from chassis.errors import Problem
from chassis.runtime import Runtime

log = logging.getLogger("guanxi")
LOCK = "SELECT pg_try_advisory_lock(hashtext('guanxi relay'))"
IDLE = 0.25
# A window begins at the earliest this long after the one before it, so that under load rows share a window.
PACE_SECONDS = 0.005
TIDY_EVERY = 3600.0
RETIRE_EVERY = 30.0
LONGEST_WAIT = 5.0


class Leader:
    """Runs in threads of its own: publishing, housekeeping (retries, sagas, alarms, timers), and, where there is a
    scanner of files, scanning, which may take long and keeps nothing else waiting.

    `retire` empties the queues that a version before has left, when nobody consumes from them any more.
    """

    def __init__(
        self, runtime: Runtime, publisher: Publisher, direct_url: str, retire: Callable[[], object] = lambda: None
    ) -> None:
        self._runtime, self._publisher, self._url = runtime, publisher, direct_url
        self._retire = retire
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.leading = False
        self.published_at = 0.0

    @property
    def name(self) -> str:
        return self._runtime.name

    def start(self) -> None:
        for work in (self._publish, self._keep_house, *((self._scan,) if self._runtime.scanner else ())):
            thread = threading.Thread(
                target=self._forever, args=(work,), daemon=True, name=f"{self._runtime.name}-relay"
            )
            thread.start()
            self._threads.append(thread)

    def ask_to_stop(self) -> None:
        """Say so without waiting, so that many leaders end side by side."""
        self._stopping.set()

    def stop(self, grace: float = 5) -> None:
        """End after the window under way; what is unsent is published by the next leader."""
        self._stopping.set()
        end = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._publisher.close()

    def _forever(self, work: Any) -> None:
        wait = 0.5
        while not self._stopping.is_set():
            try:
                work()
                wait = 0.5
            except (Problem, psycopg2.Error) as error:
                log.warning("relay of %s waits %.1f s: %s", self._runtime.name, wait, str(error).strip())
            except Exception:
                log.exception("relay of %s failed", self._runtime.name)
            self.leading = False
            self._stopping.wait(wait)
            wait = min(wait * 2, LONGEST_WAIT)

    def _scan(self) -> None:
        scanner = self._runtime.scanner
        assert scanner is not None
        while not self._stopping.is_set():
            if not (self.leading and scanning.look_once(self._runtime, scanner)):
                self._stopping.wait(1.0)

    def _publish(self) -> None:
        """Lead while the connection lives: publish what is there, then wait to be told of more."""
        # The whole address, so that its options (sslmode and the like) count here as well.
        address = make_url(self._url).set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg2.connect(address, connect_timeout=5)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                while not self._stopping.is_set():
                    cursor.execute(LOCK)
                    if cursor.fetchone()[0]:
                        break
                    self._stopping.wait(1.0)
                cursor.execute("LISTEN unsent")
            self.leading = True
            failures = 0
            while not self._stopping.is_set():
                # Whoever has told of a row until now had committed it: the look that follows finds it.
                connection.poll()
                connection.notifies.clear()
                began = time.monotonic()
                done, left = relay.publish_once(self._runtime.database, self._runtime.name, self._publisher)
                if done:
                    self.published_at = time.time()
                failures = failures + 1 if left else 0
                if left:
                    self._stopping.wait(min(0.2 * 2**failures, LONGEST_WAIT))
                elif done < relay.WINDOW:
                    # Nothing was left, so the next look waits to be told of more; the poll is the net under that.
                    select.select([connection], [], [], 1.0)
                    self._stopping.wait(max(0.0, began + PACE_SECONDS - time.monotonic()))
        finally:
            connection.close()

    def _keep_house(self) -> None:
        runtime = self._runtime
        tidy_at = retire_at = time.monotonic()
        due = {timer.name: time.monotonic() for timer in runtime.definition.timers}
        while not self._stopping.is_set():
            if not self.leading:
                self._stopping.wait(IDLE)
                continue
            busy = 0
            if time.monotonic() >= tidy_at:
                tidy_at = time.monotonic() + TIDY_EVERY
                runtime.tidy()
            if time.monotonic() >= retire_at:
                retire_at = time.monotonic() + RETIRE_EVERY
                try:
                    self._retire()
                except BusUnavailable as error:
                    log.info("%s: %s", runtime.name, error)
            if runtime.anything_due():
                busy = runtime.retry_due() + runtime.sweep_sagas() + runtime.ring_alarms()
            for timer in runtime.definition.timers:
                if due[timer.name] <= time.monotonic():
                    due[timer.name] = time.monotonic() + timer.every.total_seconds()
                    timer.run(runtime)
            if not busy:
                self._stopping.wait(IDLE)
