"""Endpoints as Nameko services: the containers, workers and shutdown, for every transport."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol

import eventlet
from eventlet.event import Event
from eventlet.queue import Empty, LightQueue
from eventlet.semaphore import Semaphore
from nameko.containers import ServiceContainer
from nameko.exceptions import ContainerBeingKilled
from nameko.extensions import Entrypoint, SharedExtension

from chassis import bus
from chassis.bus.handling import Delivery, handle, handle_batch
from chassis.bus.ports import Endpoint

log = logging.getLogger(__name__)

KINDS = ("rpc", "events")


class Feed(Protocol):
    """Where a container's messages come from: a consuming connection, or this process itself.

    A batch begins at the earliest `pace` seconds after the one before it, so that under load events share transactions;
    after a quiet moment the next event is taken at once.
    """

    pace: float

    def open(self, put: Callable[[Delivery], None]) -> None: ...

    def ready(self) -> bool: ...

    def cancel(self) -> None:
        """Bring nothing new; what is running may still be finished."""
        ...

    def finish(self, deliveries: Sequence[Delivery]) -> None:
        """`done` for a whole batch."""
        ...

    def close(self) -> None: ...


class Intake(SharedExtension):  # type: ignore[misc]
    """Takes deliveries from the feed and hands them to workers, as many at once as the endpoint allows.

    The feed may prefetch more than that, so that the next message is here when a worker is free. A batch endpoint
    gets everything that has arrived since its last call.
    """

    def __init__(self, feed: Feed, endpoint: Endpoint, workers: int) -> None:
        self._feed, self._endpoint = feed, endpoint
        self._single: Any = LightQueue()
        self._batched: Any = LightQueue()
        self._free = Semaphore(workers)
        self._cancelled = False
        self._dispatchers: list[Any] = []
        self.entrypoint: Any = None

    def start(self) -> None:
        self._dispatchers = [self.container.spawn_managed_thread(self._dispatch)]
        if self._endpoint.event_batch:
            self._dispatchers.append(self.container.spawn_managed_thread(self._dispatch_batches))
        self._feed.open(self._put)

    def cancel(self) -> None:
        self._cancelled = True
        self._feed.cancel()
        for dispatcher in self._dispatchers:
            dispatcher.kill()
        for queue in (self._single, self._batched):
            for delivery in _drain(queue):
                delivery.release()

    def stop(self) -> None:
        self._feed.close()

    def kill(self) -> None:
        self._cancelled = True
        self._feed.close()

    def _put(self, delivery: Delivery) -> None:
        if self._cancelled:
            delivery.release()
        elif delivery.kind == "event" and self._endpoint.event_batch:
            self._batched.put(delivery)
        else:
            self._single.put(delivery)

    def _dispatch(self) -> None:
        # A free worker is awaited first, so that this thread never holds a message when it is stopped.
        while True:
            self._free.acquire()
            delivery = self._single.get()
            self._spawn(partial(handle, self._endpoint, delivery), self._free.release, [delivery])

    def _dispatch_batches(self) -> None:
        while True:
            batch = [self._batched.get(), *_drain(self._batched, self._endpoint.batch_size - 1)]
            began = time.monotonic()
            finished = Event()
            work = partial(handle_batch, self._endpoint, batch, self._feed.finish)
            self._spawn(work, finished.send, batch)
            finished.wait()
            if len(batch) < self._endpoint.batch_size:
                # Slept with empty hands: a message that this thread held would be lost to its stopping.
                eventlet.sleep(max(0.0, began + self._feed.pace - time.monotonic()))

    def _spawn(self, work: Callable[[], None], finished: Callable[[], Any], held: Iterable[Delivery]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                finished()

        try:
            self.container.spawn_worker(self.entrypoint, (run,), {})
        except ContainerBeingKilled:
            for delivery in held:
                delivery.release()
            finished()


class Work(Entrypoint):  # type: ignore[misc]
    """The Nameko entrypoint: its method gets a piece of work and runs it in a worker of the container."""

    def __init__(self, feed: Feed, endpoint: Endpoint, workers: int) -> None:
        super().__init__()
        self.intake = Intake(feed, endpoint, workers)

    def setup(self) -> None:
        self.intake.entrypoint = self

    def stop(self) -> None:
        self.intake.cancel()


def container(endpoint: Endpoint, kind: str, feed: Feed) -> Any:
    """A Nameko container, not yet started, that serves one kind of an endpoint's work."""
    # A batch has a worker of its own within the declared number, so the database pool need not be larger.
    workers = endpoint.rpc_workers if kind == "rpc" else endpoint.event_workers
    singles = max(1, workers - 1) if kind == "events" and endpoint.event_batch else workers

    def work(self: Any, run: Callable[[], None]) -> None:
        run()

    work = Work.decorator(feed, endpoint, singles)(work)
    service = type(endpoint.service, (), {"name": f"{endpoint.service}-{kind}", "work": work})
    return ServiceContainer(service, {"max_workers": singles + 1})


class Running:
    """Started containers of this process."""

    def __init__(self, hosted: dict[str, tuple[Any, Feed]], ended: Callable[[], None]) -> None:
        self._hosted, self._ended = hosted, ended
        for each, _ in hosted.values():
            each.start()

    def ready(self) -> dict[str, bool]:
        """`{"sales.rpc": True, …}`: whether the consumers of each endpoint and kind are registered right now."""
        return {name: feed.ready() for name, (_, feed) in self._hosted.items()}

    def stop(self, grace: float = 20) -> None:
        """Take nothing new, let running work finish for `grace` seconds, then end it. Returns when all is ended.

        What was not finished is delivered again by the broker, or published again by its sender.
        """
        stopping = [(each, eventlet.spawn(each.stop)) for each, _ in self._hosted.values()]
        with eventlet.Timeout(grace, False):
            for _, thread in stopping:
                thread.wait()
        for each, thread in stopping:
            if not thread.dead:
                log.warning("%s did not finish within %g s and is ended", each.service_name, grace)
                thread.kill()
                each.kill()
        self._ended()


def serve(
    endpoints: Sequence[Endpoint],
    kinds: set[str],
    feed: Callable[[Endpoint, str], Feed],
    ended: Callable[[], None] = lambda: None,
) -> Running:
    """Start the containers for these kinds of work; `ended` is called when they have stopped.

    Raises RuntimeError in a process where `bus.start` did not run."""
    if not bus.started():
        raise RuntimeError("call chassis.bus.start() first: services run on green threads")
    if unknown := kinds - set(KINDS):
        raise ValueError(f"unknown kinds of work: {sorted(unknown)}")
    hosted = {}
    for endpoint in endpoints:
        for kind in KINDS:
            offered = endpoint.rpc if kind == "rpc" else endpoint.event or endpoint.event_batch or endpoint.message
            if kind in kinds and offered:
                source = feed(endpoint, kind)
                hosted[f"{endpoint.service}.{kind}"] = (container(endpoint, kind, source), source)
    return Running(hosted, ended)


def _drain(queue: Any, at_most: int | None = None) -> list[Delivery]:
    found: list[Delivery] = []
    while at_most is None or len(found) < at_most:
        try:
            found.append(queue.get_nowait())
        except Empty:
            break
    return found
