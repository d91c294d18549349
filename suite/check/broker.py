"""I3 as the broker sees it: every queue of a subscriber is there as it was declared, and what lies in it is read.

The arguments and bindings AMQP does not show to anybody, the management API does, where there is one. An event that a
missing binding kept from its subscriber is found in the databases as well (`suite.check.delivery`). What nobody can
read is in no queue of its own, but in the table `dead_letters`, and found there.
"""

from __future__ import annotations

from collections.abc import Iterator

from chassis.bus.ports import QueueShape, QueueState
from suite.check.delivery import runtimes
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Look

MANY = 10_000
"""More than this is no peak any more: hundreds of events a second lie there for minutes."""


@rule("I3", f"every queue is there, is read, and holds at most {MANY:,} messages", moving=True)
def queues(look: Look) -> Seen:
    """Queues belong to no tenant, and a suite in one process has none: then there is nothing to look at."""
    if look.tenant is not None:
        return Seen()
    found = look.queues([runtime.endpoint() for runtime in runtimes()])
    return seen(len(found), [Fault(None, "broker", state.name, says) for state in found if (says := _fault(state))])


@rule("I3", "every queue has the arguments and bindings that this version declares", moving=True)
def shapes(look: Look) -> Seen:
    """Not checked without the management API. A binding too many only brings events that are ignored."""
    if look.tenant is not None:
        return Seen()
    rows, faults = 0, []
    for wanted, found in look.shapes([runtime.endpoint() for runtime in runtimes()]):
        rows += 1 + len(wanted.bindings)
        # What is missing altogether is the other rule's affair.
        for says in _differs(wanted, found) if found else ():
            faults.append(Fault(None, "broker", wanted.name, says))
    return seen(rows, faults)


def _differs(wanted: QueueShape, found: QueueShape) -> Iterator[str]:
    for name in sorted(wanted.arguments.keys() | found.arguments.keys()):
        here, there = wanted.arguments.get(name), found.arguments.get(name)
        if here != there:
            yield f"has {name} {there} instead of {here}"
    for exchange, key in sorted(set(wanted.bindings) - set(found.bindings)):
        yield f"is not bound to {exchange} by {key}: such events do not reach it"


def _fault(state: QueueState) -> str:
    if not state.there:
        return "" if state.old else "is missing: what is sent to it cannot be delivered"
    if state.messages and not state.consumers:
        whose = "is of an earlier generation and " if state.old else ""
        return f"{whose}holds {state.messages} messages that nobody reads"
    return f"holds {state.messages} messages" if state.messages > MANY else ""


rules = (queues, shapes)
