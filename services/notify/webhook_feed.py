"""Following the feed for each webhook: what its user may see of it becomes deliveries that are due."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import Any

from chassis.context import Context
from chassis.errors import Problem
from services.notify import webhooks as rules

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
PAGE = 200
PAGES = 5
# An address that does not keep up has so many deliveries before it; the rest waits in the feed, where it costs nothing.
MOST_PENDING = 10_000
GRANTS_KEPT = 5.0


class Follower:
    """The timer that brings every active webhook nearer to the end of the feed."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], tuple[float, Context]] = {}

    def follow(self, runtime: Any) -> int:
        """Returns how many events became deliveries."""
        with runtime.database.operations() as connection:
            rows = list(
                connection.exec_driver_sql(
                    "SELECT tenant_id, webhook_id, position FROM webhook_positions WHERE active ORDER BY random()"
                )
            )
        if not rows:
            return 0
        found = 0
        try:
            heads = rules.heads(runtime, str(rows[0].tenant_id), sorted({str(row.tenant_id) for row in rows}))
        except Problem as problem:
            log.info("webhooks wait: %s", problem)
            return 0
        for row in rows:
            if row.position < heads.get(str(row.tenant_id), 0):
                try:
                    found += self._one(runtime, str(row.tenant_id), str(row.webhook_id), row.position)
                except Problem as problem:
                    log.info("webhook %s waits: %s", row.webhook_id, problem)
        return found

    def _one(self, runtime: Any, tenant: str, webhook_id: str, position: int) -> int:
        principal = runtime.principal(tenant, "timer:webhooks")
        found = 0
        for _ in range(PAGES):
            with runtime.database.reading(principal) as work:
                webhook = rules.webhooks.find(work, webhook_id)
                pending = work.sql(
                    "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE tenant_id = %s AND webhook_id = %s"
                    " AND status = 'pending' LIMIT %s) AS waiting",
                    (tenant, webhook_id, MOST_PENDING),
                ).scalar_one()
            if webhook is None or pending >= MOST_PENDING:
                break
            context = self.context(runtime, tenant, webhook)
            if context is None:
                break
            page = read(runtime, context, position, webhook.types or [], PAGE)
            with runtime.database.work(principal) as work:
                moved = work.sql(
                    "UPDATE webhook_positions SET position = %s WHERE tenant_id = %s AND webhook_id = %s"
                    " AND position = %s AND active",
                    (page["next"], tenant, webhook_id, position),
                ).rowcount
                if moved:
                    rules.add_deliveries(work, webhook, page["items"])
            if not moved or page["next"] == position:
                break
            found, position = found + len(page["items"]), page["next"]
            if len(page["items"]) < PAGE:
                break
        return found

    def context(self, runtime: Any, tenant: str, webhook: Any) -> Context | None:
        """What the webhook's user may see now; without such a user it is disabled."""
        until, context = self._contexts.get((tenant, webhook.user_id), (0.0, None))
        if context is not None and time.monotonic() < until:
            return context
        try:
            asker = {"actor": f"user:{webhook.user_id}", "user_id": webhook.user_id, "correlation_id": ""}
            body = runtime.acting_for(tenant, asker)
        except Problem as problem:
            if problem.code != "asker_gone":
                raise
            with runtime.database.work(runtime.principal(tenant, "timer:webhooks")) as work:
                rules.disable(work, webhook.id, "The user for whom it acts is not active any more.")
            return None
        context = Context(
            tenant=tenant,
            actor=f"user:{webhook.user_id}",
            user_id=webhook.user_id,
            teams=tuple(body["teams"]),
            grants=body["grants"],
            masks=body["masks"],
        )
        now = time.monotonic()
        self._contexts = {key: kept for key, kept in self._contexts.items() if kept[0] > now}
        self._contexts[tenant, webhook.user_id] = now + GRANTS_KEPT, context
        return context


def read(runtime: Any, context: Context, after: int, types: list[str], limit: int) -> JSON:
    """`{items, next}` of the feed as this principal sees it. Raises Problem."""
    context = replace(context, deadline=time.time() + 5)
    body: JSON = runtime.ask(
        "eventlog", "eventlog.feed", {"after": after, "types": types, "limit": limit}, context, timeout=5.0
    )
    return body
