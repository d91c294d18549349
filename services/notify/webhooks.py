"""Webhooks: who may have events sent where, their secrets, and their place in the feed."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
from typing import Any

from chassis import egress
from chassis.database import Work
from chassis.errors import conflict, forbidden, invalid
from chassis.ids import new_id
from chassis.permissions import scope
from chassis.records import Store
from contracts import notify as contracts
from contracts.registry import registry
from services.notify.models import Webhook, WebhookDelivery

JSON = dict[str, Any]
webhooks, webhook_deliveries = Store(Webhook), Store(WebhookDelivery)
TESTED = "notify.webhook.tested"
# Both secrets sign for so long after one was rotated, as Standard Webhooks asks.
OVERLAP = dt.timedelta(days=1)
REPLAYABLE = dt.timedelta(days=30)


@webhooks.computes
def the_address_is_public(webhook: Webhook, work: Work) -> None:
    if webhook.was is None or webhook.was["url"] != webhook.url:
        try:
            egress.understood(webhook.url)
        except egress.Refused as refused:
            raise invalid({"url": str(refused)}) from None


@webhooks.computes
def types_are_known(webhook: Webhook, work: Work) -> None:
    """A misspelt type would silently bring nothing."""
    for index, kind in enumerate(webhook.types or ()):
        if not _understood(kind):
            raise invalid({f"types.{index}": "Must be like sales.order.placed, sales.order.* or sales.*."})


def _understood(kind: str) -> bool:
    service, _, rest = kind.partition(".")
    record, _, verb = rest.partition(".")
    if record == "*" and not verb:
        return any(one.service == service for one in registry.records.values())
    known = registry.named(f"{service}.{record}") is not None
    return bool(verb) and known and (verb == "*" or kind in registry.events)


@webhooks.computes
def acting_for_others_needs_the_right(webhook: Webhook, work: Work) -> None:
    """What it sends is what its user may see, so whoever changes where it goes must be him, or be over him."""
    context = work.context
    webhook.user_id = webhook.user_id or context.user_id
    if webhook.user_id is None:
        raise invalid({"user_id": "Missing data for required field."})
    before = webhook.was or {}
    moved = any(before.get(name) != getattr(webhook, name) for name in ("url", "types", "user_id", "status"))
    if (
        moved
        and webhook.user_id != context.user_id
        and context.user_id is not None
        and scope(context, "identity.user", "update") != "all"
    ):
        raise forbidden("direct", "webhooks that act for others")


@webhooks.computes
def its_place_follows_the_record(webhook: Webhook, work: Work) -> None:
    """A webhook begins at the end of the feed; one that is not active stands still and goes on from there."""
    before = webhook.was
    active = webhook.status == "active" and webhook.deleted_at is None
    if before is None:
        _issue_secret(work, webhook.id, rotate=False)
        work.later(
            "INSERT INTO webhook_positions (tenant_id, webhook_id, position, active) VALUES (%s, %s, %s, %s)",
            (work.tenant, webhook.id, _head(work), active),
        )
    elif active != (before["status"] == "active" and before["deleted_at"] is None):
        work.later(
            "UPDATE webhook_positions SET active = %s, failures = 0, failing_since = NULL, rest_until = NULL"
            " WHERE tenant_id = %s AND webhook_id = %s",
            (active, work.tenant, webhook.id),
        )
    if before is not None and (before["owner_id"], before["team_id"]) != (webhook.owner_id, webhook.team_id):
        work.later(
            "UPDATE webhook_deliveries SET owner_id = %s, team_id = %s WHERE tenant_id = %s AND webhook_id = %s",
            (webhook.owner_id, webhook.team_id, work.tenant, webhook.id),
        )


def _head(work: Work) -> int:
    """The newest position of the feed, by one call."""
    return heads(work.service, work.context.tenant, [work.tenant]).get(work.tenant, 0)


def heads(runtime: Any, tenant: str, tenants: list[str]) -> dict[str, int]:
    """The newest position of each tenant's feed. Raises 503 where eventlog does not answer."""
    principal = runtime.principal(tenant, "timer:webhooks")
    found: dict[str, int] = runtime.ask("eventlog", "eventlog.heads", {"tenants": tenants}, principal)
    return found


def _issue_secret(work: Work, webhook_id: str, *, rotate: bool) -> None:
    salt = secrets.token_hex(16)
    if rotate:
        work.sql(
            "UPDATE webhook_secrets SET previous = salt, previous_until = %s, salt = %s"
            " WHERE tenant_id = %s AND webhook_id = %s",
            (work.now + OVERLAP, salt, work.tenant, webhook_id),
        )
    else:
        work.later(
            "INSERT INTO webhook_secrets (tenant_id, webhook_id, salt) VALUES (%s, %s, %s)",
            (work.tenant, webhook_id, salt),
        )
    work.reveal["secret"] = _secret(work, webhook_id, salt)


def _secret(work: Work, webhook_id: str, salt: str) -> str:
    """The database has the salt alone: who reads it, or a backup of it, can sign nothing."""
    derived = work.service.signer.derived("webhook", work.tenant, webhook_id, salt)
    return "whsec_" + base64.b64encode(derived).decode()


def secrets_of(work: Work, webhook_id: str) -> list[str]:
    """What to sign with now: the secret, and for a day the one before it."""
    row = work.sql(
        "SELECT salt, previous, previous_until FROM webhook_secrets WHERE tenant_id = %s AND webhook_id = %s",
        (work.tenant, webhook_id),
    ).one()
    both = row.previous is not None and row.previous_until > work.now
    return [_secret(work, webhook_id, salt) for salt in ([row.salt, row.previous] if both else [row.salt])]


@webhooks.command(contracts.pause_webhook)
def pause(webhook: Webhook, work: Work) -> None:
    webhook.move("paused")


@webhooks.command(contracts.activate_webhook)
def activate(webhook: Webhook, work: Work) -> None:
    """It goes on from where it stopped."""
    webhook.move("active")
    webhook.disabled_reason = None


@webhooks.command(contracts.rotate_secret)
def rotate(webhook: Webhook, work: Work) -> None:
    _issue_secret(work, webhook.id, rotate=True)


@webhooks.command(contracts.test_webhook)
def test(webhook: Webhook, work: Work) -> None:
    """An event of no consequence, sent like any other; its delivery tells how it went."""
    if webhook.status != "active":
        raise conflict("wrong_state", f"This webhook is {webhook.status}.", field="status", state=webhook.status)
    add_deliveries(work, webhook, [{"id": new_id(), "type": TESTED, "subject": f"webhook/{webhook.id}"}])


@webhooks.command(contracts.replay_webhook)
def replay(webhook: Webhook, work: Work, body: Any) -> None:
    """Deliver again what is in the log, under the same ids, with ten attempts as at first."""
    if (body.event_id is None) == (body.since is None):
        raise invalid({"event_id": "Name one event, or since when.", "since": "Name one event, or since when."})
    if body.event_id is not None:
        condition, values = "event_id = %s", [body.event_id]
    else:
        condition, values = "occurred_at >= %s AND occurred_at <= %s", [body.since, body.until or work.now]
    found = work.sql(
        "UPDATE webhook_deliveries SET status = 'pending', attempts = 0, due_at = %s, updated_at = %s"
        f" WHERE tenant_id = %s AND webhook_id = %s AND event_type <> %s AND {condition}",
        (work.now, work.now, work.tenant, webhook.id, TESTED, *values),
    ).rowcount
    if not found:
        raise conflict("nothing_to_replay", "Nothing of this was delivered to this webhook in the last 30 days.")


def add_deliveries(work: Work, webhook: Webhook, events: list[JSON]) -> None:
    """What is to be delivered, due at once; an event that is there already stays as it is."""
    if not events:
        return
    now, actor = work.now, work.context.actor
    work.sql(
        "INSERT INTO webhook_deliveries (tenant_id, id, webhook_id, event_id, event_type, subject, occurred_at,"
        " position, attempts, due_at, log, status, version, created_at, created_by, updated_at, updated_by, owner_id,"
        " team_id, external_ids, custom)"
        " SELECT %s, new.id, %s, new.event_id, new.event_type, new.subject, new.at, new.position, 0, %s, '[]',"
        "  'pending', 1, %s, %s, %s, %s, %s, %s, '{}', '{}'"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::bigint[])"
        "  AS new (id, event_id, event_type, subject, at, position) ON CONFLICT DO NOTHING",
        (
            *(work.tenant, webhook.id, now, now, actor, now, actor, webhook.owner_id, webhook.team_id),
            [new_id() for _ in events],
            [event["id"] for event in events],
            [event["type"] for event in events],
            [event["subject"] for event in events],
            [event.get("time") or now for event in events],
            [event.get("position") for event in events],
        ),
    )


def disable(work: Work, webhook_id: str, reason: str) -> None:
    """Stop calling an address; its owner is told by the event."""

    def stop(webhook: Webhook) -> None:
        if webhook.status == "active":
            webhook.move("disabled")
            webhook.disabled_reason = reason

    webhooks.change(work, webhook_id, stop, event=contracts.WebhookDisabled)
