"""I3 as the broker sees it: every queue of a subscriber is there, and what lies in it is read.

The rest of the topology, the bindings, AMQP does not show to anybody; an event that a missing binding kept from its
subscriber is found in the databases (`suite.check.delivery`). What nobody can read is in no queue of its own, but in
the table `dead_letters`, and found there as well.
"""

from __future__ import annotations

from chassis.bus.ports import QueueState
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


def _fault(state: QueueState) -> str:
    if not state.there:
        return "" if state.old else "is missing: what is sent to it cannot be delivered"
    if state.messages and not state.consumers:
        whose = "is of an earlier generation and " if state.old else ""
        return f"{whose}holds {state.messages} messages that nobody reads"
    return f"holds {state.messages} messages" if state.messages > MANY else ""


rules = (queues,)
