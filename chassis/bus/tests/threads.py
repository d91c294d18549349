"""A client as the gateway is one: real threads, nothing patched, connections made after the fork.

Run as a program of its own: `python -m chassis.bus.tests.threads <url> <service> <scene>`; prints one line of JSON.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from chassis.bus import offload
from chassis.bus.ports import BusUnavailable, OutcomeUnknown, Outgoing
from chassis.bus.transport import connect


def many(transport, service):
    """Eight threads, each of which must get its own answers."""

    def ask(thread):
        caller = transport.caller()
        return all(
            caller.call(service, {"n": n, "t": thread}, timeout=10)["echo"] == {"n": n, "t": thread} for n in range(50)
        )

    with ThreadPoolExecutor(8) as pool:
        return {"own_answers": list(pool.map(ask, range(8)))}


def forked(transport, service):
    """The transport is older than the fork, and the parent has called already."""
    transport.caller().call(service, {}, timeout=10)
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            os.write(writing, json.dumps(transport.caller().call(service, {"child": True}, timeout=10)).encode())
        finally:
            os._exit(0)
    child = json.loads(os.read(reading, 1000))
    return {"child": child, "parent": transport.caller().call(service, {"parent": True}, timeout=10)}


def refused(transport, service):
    begin = time.monotonic()
    try:
        transport.caller().call("nobody", {}, timeout=10)
    except BusUnavailable:
        return {"unavailable_in_time": time.monotonic() - begin < 2}


def late(transport, service):
    begin = time.monotonic()
    try:
        transport.caller().call(service, {"slow": True}, timeout=0.5)
    except OutcomeUnknown:
        return {"unknown_in_time": time.monotonic() - begin < 1}


def published(transport, service):
    batch = [Outgoing("guanxi.commands", name, f"to {name}", b"{}") for name in (service, "nobody")]
    return {"outcomes": [outcome.value for outcome in transport.publisher().publish(batch)]}


def healthy(transport, service):
    """A gateway asks for its health before it ever calls."""
    end = time.monotonic() + 10
    while not transport.connected() and time.monotonic() < end:
        time.sleep(0.01)
    return {"connected": transport.connected(), "blocked": transport.blocked(), "offloaded": offload(max, 1, 2)}


if __name__ == "__main__":
    url, service, scene = sys.argv[1:]
    result = globals()[scene](connect(url), service)
    print(json.dumps({"patched": "eventlet" in sys.modules, "result": result}))
