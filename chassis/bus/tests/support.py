"""Services made of what a test wants to see, on either transport."""

import itertools
import queue
import threading
import time

from chassis.bus import wire
from chassis.bus.ports import COMMANDS, Endpoint, Outcome, Outgoing

PATIENCE = 15.0

_ids = itertools.count(1)


def until(condition, seconds=PATIENCE):
    """Wait until the condition holds, for states that nothing announces."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.01)


class Service:
    """An endpoint that notes what reaches it. `name` is unique in the test run, so its queues are too."""

    def __init__(self, site, name, *, keys=(), rpc=None, event=None, batch=None, message=None, **numbers):
        self.name = f"{name}{site.number}"
        self.events, self.batches, self.messages, self.dead = (queue.Queue() for _ in range(4))
        self.endpoint = Endpoint(
            service=self.name,
            rpc=rpc,
            event=event or (self.events.put if keys and not batch else None),
            event_batch=batch,
            event_keys=tuple(keys),
            message=message or self.messages.put,
            undecodable=lambda *letter: self.dead.put(letter),
            **numbers,
        )
        self._transport = site.transport
        self.running = None

    def start(self, *kinds):
        self.running = self._transport.serve([self.endpoint], set(kinds) or {"rpc", "events"})
        until(self.ready)
        return self

    def ready(self):
        return all(self.running.ready().values())

    def stop(self, grace=5):
        if self.running:
            self.running.stop(grace)
            self.running = None


class Site:
    """One test's services, client and publisher."""

    def __init__(self, transport, number):
        self.transport, self.number = transport, number
        self.services = []
        self._publisher = None

    def service(self, name="sales", **options):
        """A declared service; `start` it to serve."""
        service = Service(self, name, **options)
        self.transport.declare([service.endpoint])
        self.services.append(service)
        return service

    def call(self, service, request, timeout=PATIENCE):
        return self.transport.caller().call(getattr(service, "name", service), request, timeout=timeout)

    @property
    def publisher(self):
        if self._publisher is None:
            self._publisher = self.transport.publisher()
        return self._publisher

    def key(self, text):
        """An event type of this test alone: "sales.order.placed" becomes "sales7.order.placed"."""
        source, _, rest = text.partition(".")
        return f"{source}{self.number}.{rest}"

    def event(self, text, **data):
        key = self.key(text)
        return self.raw(key, wire.encode({"type": key, **data}))

    def raw(self, key, body):
        return Outgoing(f"{key.partition('.')[0]}.events", key, f"event-{next(_ids)}", body)

    def message(self, service, **data):
        return Outgoing(COMMANDS, service.name, f"message-{next(_ids)}", wire.encode(data))

    def relay(self, *items):
        """Publish until all is confirmed, as the relay does."""
        left = list(items)
        end = time.monotonic() + PATIENCE
        while left:
            assert time.monotonic() < end, f"not confirmed in time: {left}"
            outcomes = self.publisher.publish(left)
            left = [item for item, outcome in zip(left, outcomes, strict=True) if outcome is not Outcome.CONFIRMED]

    def close(self):
        for service in self.services:
            service.stop()
        if self._publisher is not None:
            self._publisher.close()
        self.transport.caller().close()
