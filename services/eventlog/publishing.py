"""Publishing the feed to outsiders: each subscription's exchange gets what its integration user may see."""

from __future__ import annotations

import logging
import time
from typing import Any

from chassis.bus.ports import BusUnavailable, Outcome, OutcomeUnknown, Outgoing
from chassis.bus.wire import encode
from chassis.context import Context
from chassis.errors import Problem, unavailable
from services.eventlog import broker, feed
from services.eventlog.subscriptions import subscriptions

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
PAGE = 256
PAGES = 8
"""How many pages a subscription gets in one round, so that one that is replayed does not make the others wait."""
KEPT = 5.0


class Outside:
    """What the publishing timer remembers: the grants of integration users, for at most five seconds."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], tuple[float, Context]] = {}

    def publish(self, runtime: Any) -> int:
        """Bring every active subscription nearer to the end of the feed. Returns how many events were published."""
        if runtime.publisher is None:
            return 0
        with runtime.database.operations() as connection:
            behind = list(
                connection.exec_driver_sql(
                    "SELECT tenant_id, subscription_id, s.position FROM subscription_positions AS s"
                    " JOIN feed_positions AS f USING (tenant_id) WHERE s.active AND s.position < f.position"
                )
            )
        published = 0
        for row in behind:
            try:
                published += self._one(runtime, str(row.tenant_id), str(row.subscription_id), row.position)
            except (Problem, BusUnavailable, OutcomeUnknown) as error:
                # Its user is inactive, or somebody is out of reach: it stays where it is, and the others go on.
                log.info("subscription %s is not published now: %s", row.subscription_id, error)
        return published

    def _one(self, runtime: Any, tenant: str, subscription_id: str, position: int) -> int:
        with runtime.database.reading(runtime.principal(tenant, "timer:publish")) as work:
            subscription = subscriptions.find(work, subscription_id)
        if subscription is None:
            return 0
        context = self._context(runtime, tenant, subscription.user_id)
        published = 0
        for _ in range(PAGES):
            with runtime.database.reading(context) as work:
                items, following = feed.page(work, position, subscription.types or [], PAGE)
            sent = self._send(runtime, tenant, subscription_id, items)
            published += sent
            reached = following if sent == len(items) else items[sent - 1]["position"] if sent else position
            if reached == position or not _advance(runtime, tenant, subscription_id, position, reached):
                break
            position = reached
            if sent < len(items):
                break
        return published

    def _send(self, runtime: Any, tenant: str, subscription_id: str, items: list[JSON]) -> int:
        """How many of these, from the first on, the broker has taken over."""
        exchange = broker.exchange_name(tenant, subscription_id)
        outcomes = runtime.publisher.publish(
            [Outgoing(exchange, item["type"], item["id"], encode(item)) for item in items]
        )
        # Unroutable is well: the outsider has bound no queue for it, which is his affair.
        sent: int = next((at for at, outcome in enumerate(outcomes) if outcome is Outcome.FAILED), len(items))
        if sent < len(items) and (known := broker.from_environment()) is not None:
            known.declare(tenant, subscription_id)
        return sent

    def _context(self, runtime: Any, tenant: str, user_id: str) -> Context:
        """What the integration user may see now, asked of identity. Raises 404 for one who is not active."""
        until, context = self._contexts.get((tenant, user_id), (0.0, None))
        if context is not None and time.monotonic() < until:
            return context
        if runtime.caller is None:
            raise unavailable("Identity cannot be asked from here.")
        token = runtime.signer.sign(runtime.principal(tenant, "timer:publish"))
        request = {"method": "identity.context_of", "context": token, "params": {"user_id": user_id}}
        answer = runtime.caller.call("identity", request, timeout=3.0)
        if "error" in answer:
            raise Problem.read(answer["error"])
        body = answer["ok"]["body"]
        context = Context(
            tenant=tenant,
            actor=body["actor"],
            user_id=body["user_id"],
            teams=tuple(body["teams"]),
            grants=body["grants"],
            masks=body["masks"],
        )
        now = time.monotonic()
        self._contexts = {key: kept for key, kept in self._contexts.items() if kept[0] > now}
        self._contexts[tenant, user_id] = now + KEPT, context
        return context


def _advance(runtime: Any, tenant: str, subscription_id: str, position: int, reached: int) -> bool:
    """Note what was published, unless a replay has set the position back meanwhile."""
    with runtime.database.work(runtime.principal(tenant, "timer:publish")) as work:
        moved: int = work.sql(
            "UPDATE subscription_positions SET position = %s"
            " WHERE tenant_id = %s AND subscription_id = %s AND position = %s",
            (reached, tenant, subscription_id, position),
        ).rowcount
    return moved == 1
