"""Outsiders' subscriptions: who may make them, what the broker knows of them, how far each was published."""

from __future__ import annotations

from typing import Any

from chassis.context import Context
from chassis.database import Work
from chassis.errors import forbidden, invalid
from chassis.methods import READS
from chassis.permissions import scope
from chassis.records import Store, references
from chassis.timers import set_alarm
from contracts import eventlog as contracts
from services.eventlog import broker
from services.eventlog.feed import understood
from services.eventlog.models import EventSubscription

JSON = dict[str, Any]
SHUT_OUT = "shut_out"
subscriptions = Store(EventSubscription)


@subscriptions.computes
def types_are_understood(subscription: EventSubscription, work: Work) -> None:
    """A misspelt type would silently bring nothing."""
    for index, kind in enumerate(subscription.types or ()):
        if not understood(kind):
            raise invalid({f"types.{index}": "Must be like sales.order.placed, sales.order.* or sales.*."})


@subscriptions.computes
def access_follows_the_record(subscription: EventSubscription, work: Work) -> None:
    """An active subscription has a user at the broker; a paused or deleted one loses him by an alarm.

    Taking away is left to the alarm, because it must happen even where the broker is out of reach now. Giving is done
    here, since the password is in this one answer and nowhere else.
    """
    before = subscription.was
    was_active = before is not None and before["status"] == "active" and before["deleted_at"] is None
    active = subscription.status == "active" and subscription.deleted_at is None
    if before is not None and active == was_active:
        return
    work.sql(
        # A new one begins with the next event; who wants the past asks for it by `replay`.
        "INSERT INTO subscription_positions (tenant_id, subscription_id, position, active)"
        " VALUES (%s, %s, coalesce((SELECT position FROM feed_positions WHERE tenant_id = %s), 0), %s)"
        " ON CONFLICT (tenant_id, subscription_id) DO UPDATE SET active = excluded.active",
        (work.tenant, subscription.id, work.tenant, active),
    )
    if active:
        _admit(subscription, work)
    else:
        set_alarm(work, SHUT_OUT, subscription.id, work.now)


def _admit(subscription: EventSubscription, work: Work) -> None:
    context = work.context
    if subscription.user_id != context.user_id and scope(context, "identity.user", "update") != "all":
        raise forbidden("open", "subscriptions that act for others")
    # Looked up before the broker is told of him: an unknown user must leave nothing behind there.
    if references.copy_of(work, "identity.user", subscription.user_id) is None:
        raise invalid({"user_id": "There is no such record."}, code="unknown_reference")
    set_alarm(work, SHUT_OUT, subscription.id, None)
    subscription.exchange = broker.exchange_name(work.tenant, subscription.id)
    subscription.amqp_user = broker.user_name(subscription.id)
    known = broker.from_environment()
    if known is not None:
        work.reveal["amqp_url"] = known.open(work.tenant, subscription.id)


@subscriptions.command(contracts.pause)
def pause(subscription: EventSubscription, work: Work) -> None:
    subscription.move("paused")


@subscriptions.command(contracts.activate)
def activate(subscription: EventSubscription, work: Work) -> None:
    """It goes on from where it was paused, with a new password."""
    subscription.move("active")


@subscriptions.command(contracts.replay)
def replay(subscription: EventSubscription, work: Work) -> None:
    """Everything is published again, from the first event."""
    subscription.replayed_at = work.now
    work.sql(
        "UPDATE subscription_positions SET position = 0 WHERE tenant_id = %s AND subscription_id = %s",
        (work.tenant, subscription.id),
    )


def shut_out(subscription_id: str, work: Work) -> None:
    """The alarm that takes a subscription's user from the broker; it rings until the broker has answered."""
    known = broker.from_environment()
    subscription = subscriptions.find(work, subscription_id, deleted=True)
    if known is None or subscription is None:
        return
    if subscription.deleted_at is None:
        known.shut_out(subscription_id)
    else:
        known.remove(work.tenant, subscription_id)


def get(runtime: Any, context: Context, params: JSON) -> JSON:
    """`record.get`, with the position of this moment."""
    with runtime.database.reading(context) as work:
        answer = READS["record.get"](work, runtime, params)
        _fill_in(work, [answer["body"]])
    return answer


def listing(runtime: Any, context: Context, params: JSON) -> JSON:
    """`record.list`, with the positions of this moment."""
    with runtime.database.reading(context) as work:
        answer = READS["record.list"](work, runtime, params)
        _fill_in(work, answer["body"]["items"])
    return answer


def _fill_in(work: Work, documents: list[JSON]) -> None:
    shown = [document for document in documents if "position" in document]
    if shown:
        rows = work.sql(
            "SELECT subscription_id, position FROM subscription_positions"
            " WHERE tenant_id = %s AND subscription_id = ANY(%s::uuid[])",
            (work.tenant, [document["id"] for document in shown]),
        )
        positions = {row.subscription_id: row.position for row in rows}
        for document in shown:
            document["position"] = positions.get(document["id"])
