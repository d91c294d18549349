"""Calling webhooks: each address has lanes of its own, so that a slow or dead one keeps nobody else waiting.

Headers and signatures are those of Standard Webhooks (https://www.standardwebhooks.com), the body is the CloudEvent.
Delivery is at least once: the id stays the same over attempts and replays, and receivers drop what they have.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from typing import Any

import orjson
from standardwebhooks import Webhook as Signature

from chassis import egress
from chassis.bus.wire import encode
from chassis.database import Work
from chassis.errors import Problem
from contracts.fields import instant
from services.notify import webhooks as rules
from services.notify.webhook_feed import Follower, read

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
# Waits between attempts, by Standard Webhooks' recommendation: ten attempts over 75 h 35 min.
SCHEDULE = tuple(
    dt.timedelta(seconds=seconds)
    for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
MAX_ATTEMPTS = len(SCHEDULE) + 1
LANES = 4
"""Calls under way to one address; one, while it fails."""
MOST_LANES = 128
# How long a claimed delivery is left to its lane before another may try: longer than a lane's longest try.
CLAIM = dt.timedelta(minutes=1)
DEAD_AFTER = dt.timedelta(days=3)
LONGEST_REST = dt.timedelta(minutes=5)
LONGEST_RETRY_AFTER = 86_400.0
KEPT_ATTEMPTS = 20
_DUE = (
    "SELECT p.tenant_id, p.webhook_id, p.failures FROM webhook_positions AS p WHERE p.active"
    " AND (p.rest_until IS NULL OR p.rest_until <= %s) AND EXISTS (SELECT 1 FROM webhook_deliveries AS d"
    " WHERE d.webhook_id = p.webhook_id AND d.status = 'pending' AND d.due_at <= %s) ORDER BY random()"
)


class Sender:
    """What one process has under way, by webhook."""

    def __init__(self, following: Follower) -> None:
        self._following = following
        self._lanes: dict[str, int] = {}
        self._lock = threading.Lock()

    def call(self, runtime: Any) -> int:
        """The timer: start lanes to the addresses for which something is due. Returns how many were started."""
        now = runtime.clock.now()
        with runtime.database.operations() as connection:
            rows = list(connection.exec_driver_sql(_DUE, (now, now)))
        started = 0
        for row in rows:
            for _ in range(1 if row.failures else LANES):
                if self._begin(str(row.webhook_id), 1 if row.failures else LANES):
                    lane = threading.Thread(
                        target=self._lane, args=(runtime, str(row.tenant_id), str(row.webhook_id)), daemon=True
                    )
                    lane.start()
                    started += 1
        return started

    def _begin(self, webhook_id: str, most: int) -> bool:
        with self._lock:
            lanes = self._lanes.get(webhook_id, 0)
            if lanes >= most or sum(self._lanes.values()) >= MOST_LANES:
                return False
            self._lanes[webhook_id] = lanes + 1
            return True

    def _lane(self, runtime: Any, tenant: str, webhook_id: str) -> None:
        """One delivery after the other, until nothing is due or the address fails."""
        try:
            while self.deliver_next(runtime, tenant, webhook_id):
                pass
        except Problem as problem:
            log.info("webhook %s waits: %s", webhook_id, problem)
        except Exception:
            log.exception("webhook %s failed", webhook_id)
        finally:
            with self._lock:
                self._lanes[webhook_id] -= 1
                if not self._lanes[webhook_id]:
                    del self._lanes[webhook_id]

    def idle(self) -> bool:
        return not self._lanes

    def deliver_next(self, runtime: Any, tenant: str, webhook_id: str) -> bool:
        """Claim and try one delivery, between two transactions. Returns whether the address is worth another one."""
        claimed = _claim(runtime, webhook_id)
        if claimed is None:
            return False
        principal = runtime.principal(tenant, "timer:webhooks")
        with runtime.database.reading(principal) as work:
            webhook = rules.webhooks.find(work, webhook_id)
            if webhook is None or webhook.status != "active":
                return False
            keys = rules.secrets_of(work, webhook_id)
        event = self._event(runtime, tenant, webhook, claimed)
        began = runtime.clock.now()
        attempt: JSON = {"at": instant(began), "status": None, "error": None, "milliseconds": None}
        retry_after = None
        if event is not None:
            try:
                answer = egress.post(webhook.url, *sign(keys, claimed.event_id, began, event))
                attempt |= {"status": answer.status, "milliseconds": answer.milliseconds}
                retry_after = answer.retry_after
            except (egress.Refused, egress.Failed) as failure:
                attempt["error"] = str(failure)[:300]
        with runtime.database.work(principal) as work:
            return _note(work, webhook_id, claimed, None if event is None else attempt, retry_after)

    def _event(self, runtime: Any, tenant: str, webhook: Any, claimed: Any) -> JSON | None:
        """The event as its user may see it now; None when he may not any more."""
        if claimed.position is None:
            return {
                "specversion": "1.0",
                "id": claimed.event_id,
                "source": "/notify",
                "type": claimed.event_type,
                "subject": claimed.subject,
                "time": instant(claimed.occurred_at),
                "tenant": tenant,
                "data": {"id": webhook.id, "name": webhook.name},
            }
        context = self._following.context(runtime, tenant, webhook)
        if context is None:
            return None
        items = read(runtime, context, claimed.position - 1, [claimed.event_type], 1)["items"]
        return items[0] if items and items[0]["id"] == claimed.event_id else None

    @staticmethod
    def tidy(runtime: Any) -> None:
        """Let go of deliveries after thirty days; what is still pending stays."""
        with runtime.database.operations() as connection:
            connection.exec_driver_sql(
                "DELETE FROM webhook_deliveries WHERE status <> 'pending' AND occurred_at < %s",
                (runtime.clock.now() - rules.REPLAYABLE,),
            )


def sign(keys: list[str], message_id: str, at: dt.datetime, event: JSON) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a call, signed with each key."""
    body = encode(event)
    signatures = [Signature(key).sign(message_id, at, body.decode()) for key in keys]
    return body, {
        "Content-Type": "application/cloudevents+json",
        "User-Agent": "Guanxi-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _claim(runtime: Any, webhook_id: str) -> Any:
    now = runtime.clock.now()
    with runtime.database.operations() as connection:
        return connection.exec_driver_sql(
            "UPDATE webhook_deliveries SET due_at = %s WHERE webhook_id = %s AND id = ("
            " SELECT id FROM webhook_deliveries WHERE webhook_id = %s AND status = 'pending' AND due_at <= %s"
            " ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)"
            " RETURNING id, event_id, event_type, subject, occurred_at, position",
            (now + CLAIM, webhook_id, webhook_id, now),
        ).first()


def _note(work: Work, webhook_id: str, claimed: Any, attempt: JSON | None, retry_after: float | None) -> bool:
    """Write down how it went. A delivery that was replayed meanwhile counts as tried all the same."""
    row = work.sql(
        "SELECT attempts FROM webhook_deliveries WHERE tenant_id = %s AND id = %s AND status = 'pending' FOR UPDATE",
        (work.tenant, claimed.id),
    ).first()
    if row is None:
        return True
    attempts, due, status = row.attempts + 1, None, "withheld"
    if attempt is not None:
        taken = attempt["status"] is not None and 200 <= attempt["status"] < 300
        status = "delivered" if taken else "failed" if attempts >= MAX_ATTEMPTS else "pending"
        if status == "pending":
            asked = dt.timedelta(seconds=min(retry_after or 0.0, LONGEST_RETRY_AFTER))
            due = work.now + max(SCHEDULE[attempts - 1], asked)
    work.sql(
        "UPDATE webhook_deliveries SET attempts = %s, status = %s, due_at = %s, updated_at = %s, version = version + 1,"
        " log = (SELECT coalesce(jsonb_agg(one ORDER BY at), '[]') FROM"
        "  (SELECT one, at FROM jsonb_array_elements(log || %s::jsonb) WITH ORDINALITY AS every (one, at)"
        "   ORDER BY at DESC LIMIT %s) AS newest)"
        " WHERE tenant_id = %s AND id = %s",
        (
            *(attempts, status, due, work.now),
            *(orjson.dumps([] if attempt is None else [attempt]).decode(), KEPT_ATTEMPTS, work.tenant, claimed.id),
        ),
    )
    return True if attempt is None else _judge(work, webhook_id, attempt, status == "delivered")


def _judge(work: Work, webhook_id: str, attempt: JSON, taken: bool) -> bool:
    """What one attempt says of the address. Returns whether the next delivery may be tried at once."""
    key = (work.tenant, webhook_id)
    if taken:
        work.sql(
            "UPDATE webhook_positions SET failures = 0, failing_since = NULL, rest_until = NULL"
            " WHERE tenant_id = %s AND webhook_id = %s AND failures > 0",
            key,
        )
        return True
    row = work.sql(
        "UPDATE webhook_positions SET failures = failures + 1, failing_since = coalesce(failing_since, %s),"
        " rest_until = %s + least(interval '1 second' * power(2, least(failures, 20)), %s)"
        " WHERE tenant_id = %s AND webhook_id = %s RETURNING failing_since",
        (work.now, work.now, LONGEST_REST, *key),
    ).one()
    if attempt["status"] == 410:
        rules.disable(work, webhook_id, "The address answered 410: it is gone.")
    elif work.now - row.failing_since >= DEAD_AFTER:
        rules.disable(work, webhook_id, "The address has not taken anything for three days.")
    return False
