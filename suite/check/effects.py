"""I2: nothing takes effect twice, however often its event came."""

from __future__ import annotations

from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Look, Side

# What the points of an order must sum to, and what they do: orders that were imported as history earn none.
# What credit notes took off a receivable earns in proportion less.
WORTH = "CASE WHEN r.credited > 0 THEN div(r.net * (r.amount - r.credited), r.amount) ELSE trunc(r.net) END"
EARNED = Side(
    "sales",
    f"SELECT r.tenant_id, r.order_id || ' ' || {WORTH} AS key FROM receivables AS r"
    " JOIN orders AS o ON o.tenant_id = r.tenant_id AND o.id = r.order_id"
    f" WHERE r.status = 'paid' AND o.history IS NULL AND {WORTH} <> 0",
)
ENTERED = Side(
    "marketing",
    "SELECT tenant_id, order_id || ' ' || sum(points) AS key FROM point_entries"
    " WHERE order_id IS NOT NULL GROUP BY tenant_id, order_id HAVING sum(points) <> 0",
)
REJECTED = Side("sales", "SELECT tenant_id, id::text AS key FROM orders WHERE status = 'rejected'")
# The first version of a follow-up says which order it was made for; people may change that later.
FOLLOWED_UP = Side(
    "service",
    "SELECT tenant_id, snapshot->>'order_id' AS key FROM changes WHERE record = 'service.request' AND version = 1"
    " AND actor = 'service:service' AND snapshot->>'kind' = 'follow_up'",
)


def _repeats(table: str, *columns: str) -> str:
    named = ", ".join(columns)
    subject = " || ' '  || ".join(f"coalesce({column}::text, '')" for column in columns)
    return (
        f"SELECT tenant_id, {subject} AS subject, CASE WHEN count(*) > 1 THEN 'is there ' || count(*) || ' times' END"
        f" AS fault FROM {table} GROUP BY tenant_id, {named}"
    )


@rule("I2", "one cause moves the stock of a product in a warehouse once")
def stock_moves(look: Look) -> Seen:
    return look.audit("inventory", _repeats("stock_moves", "cause", "product_id", "warehouse_id"))


@rule("I2", "one cause is one entry of what is owed")
def receivable_entries(look: Look) -> Seen:
    return look.audit("sales", _repeats("receivable_entries", "cause"))


@rule("I2", "the event log holds each event once, and each version of a record once")
def events(look: Look) -> Seen:
    return look.audit("eventlog", _repeats("events", "id")) + look.audit(
        "eventlog", _repeats("events", "record", "record_id", "version")
    )


@rule("I2", "a paid order has earned its points once, any other none", moving=True)
def points(look: Look) -> Seen:
    rows, missing, extra = look.compare([EARNED], [ENTERED])
    due = {(tenant, key.split(" ")[0]): key.split(" ")[1] for tenant, key in missing}
    entered = {(tenant, key.split(" ")[0]): key.split(" ")[1] for tenant, key in extra}
    faults = [
        Fault(
            tenant,
            "marketing",
            f"order {order}",
            f"is worth {due.get((tenant, order), 0)} points, entered are {entered.get((tenant, order), 0)}",
        )
        for tenant, order in sorted(due.keys() | entered.keys())
    ]
    return seen(rows, faults)


@rule("I2", "each rejected order has one follow-up, and no other order has one", moving=True)
def follow_ups(look: Look) -> Seen:
    rows, missing, extra = look.compare([REJECTED], [FOLLOWED_UP])
    faults = [
        Fault(tenant, "service", f"order {order}", "is rejected and has no follow-up request")
        for tenant, order in sorted(missing)
    ]
    faults += [
        Fault(tenant, "service", f"order {order}", f"has {count} follow-up requests too many")
        for (tenant, order), count in sorted(extra.items())
    ]
    return seen(rows, faults)


rules = (stock_moves, receivable_entries, events, points, follow_ups)
