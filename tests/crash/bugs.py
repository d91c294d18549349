"""Bugs that the enumeration has to find: each is a mistake that real systems make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chassis import idempotency, inbox, relay
from chassis.bus.ports import Outcome, Outgoing
from chassis.bus.wire import encode
from tests.proof import steps
from tests.proof.house import House


def unsent_is_deleted_before_the_confirm(house: House) -> None:
    """The relay forgets what it is about to publish. Who dies in between has lost it."""

    class Hasty:
        def __init__(self, database: Any, publisher: Any) -> None:
            self._database, self._publisher = database, publisher

        def publish(self, batch: Sequence[Outgoing]) -> list[Outcome]:
            with self._database.operations() as connection:
                connection.exec_driver_sql("DELETE FROM unsent")
            outcomes: list[Outcome] = self._publisher.publish(batch)
            return outcomes

    original: Any = relay.publish_once
    relay.publish_once = lambda database, service, publisher: original(database, service, Hasty(database, publisher))


def the_inbox_row_has_a_transaction_of_its_own(house: House) -> None:
    """The event counts as taken before it had its effect. Who dies in between never does it."""

    def accept(database: Any, delivery: inbox.Delivery) -> None:
        with database.work(delivery.context) as work:
            fresh = work.sql(
                "INSERT INTO inbox (tenant_id, consumer, event_id, subject, type, state, attempts, received_at)"
                " VALUES (%s, %s, %s, %s, %s, 'done', 0, %s) ON CONFLICT DO NOTHING",
                (work.tenant, delivery.consumer, delivery.event_id, delivery.subject, delivery.kind, work.now),
            ).rowcount
        if fresh:
            with database.work(delivery.context) as work:
                delivery.handle(work)

    def accept_all(database: Any, deliveries: Sequence[inbox.Delivery]) -> None:
        for delivery in deliveries:
            accept(database, delivery)

    inbox.accept, inbox.accept_all = accept, accept_all


def the_reply_is_sent_before_the_commit(house: House) -> None:
    """The client is told of what is not yet so. Who dies in between has told a lie."""
    original: Any = idempotency.keep

    def keep(work: Any, route: str, key: str, params: Any, answer: Any, **how: Any) -> None:
        original(work, route, key, params, answer, **how)
        steps.reach("answer", "too early")
        house.outside.answer(encode({"ok": answer}))

    idempotency.keep = keep


BUGS = (
    unsent_is_deleted_before_the_confirm,
    the_inbox_row_has_a_transaction_of_its_own,
    the_reply_is_sent_before_the_commit,
)
