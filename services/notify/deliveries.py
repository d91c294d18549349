"""E-mails on their way: queued with their notification, sent at least once, tried at most eight times.

SMTP cannot say whether a message that broke off was taken, so it may arrive twice, under the same Message-ID.
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from typing import Any

from chassis.database import Work
from chassis.ids import derived_id
from chassis.records import Store, references
from contracts import notify as contracts
from services.notify import mail, settings
from services.notify.models import Delivery, Notification
from services.notify.settings import Smtp

log = logging.getLogger("guanxi")
deliveries = Store(Delivery)
MAX_ATTEMPTS = 8
# How long a claimed delivery is left to its sender before another may try: longer than a sender's longest try.
CLAIM = dt.timedelta(minutes=2)
FIRST_WAIT = dt.timedelta(minutes=1)
AT_ONCE = 50


def queue(work: Work, notifications: list[Notification]) -> None:
    """A delivery for each notification whose user can get e-mail, in the transaction of the notification."""
    if settings.smtp() is None:
        return
    made = []
    for notification in notifications:
        user = references.copy_of(work, "identity.user", notification.user_id)
        if user is None or user["status"] != "active" or not user["email"]:
            continue
        made.append(
            deliveries.make(
                id=derived_id("email", notification.id),
                channel="email",
                to=user["email"],
                subject=mail.clean(notification.title),
                notification_id=notification.id,
                attempts=0,
                owner_id=notification.user_id,
            )
        )
    deliveries.add_all(work, made)
    for delivery in made:
        work.sql(
            "INSERT INTO delivery_queue (tenant_id, delivery_id, due_at) VALUES (%s, %s, %s)",
            (work.tenant, delivery.id, work.now),
        )


def send_due(runtime: Any) -> int:
    """The timer: send what is due, until nothing is or the mail server is out of reach. Returns how many were tried."""
    smtp = settings.smtp()
    tried = 0
    while smtp is not None and tried < AT_ONCE and (claimed := _claim(runtime)) is not None:
        tried += 1
        try:
            _deliver(runtime, smtp, *claimed)
        except mail.Unreachable:
            break
    return tried


def _claim(runtime: Any) -> tuple[str, str] | None:
    now = runtime.clock.now()
    with runtime.database.operations() as connection:
        row = connection.exec_driver_sql(
            "UPDATE delivery_queue SET due_at = %s WHERE (tenant_id, delivery_id) = ("
            " SELECT tenant_id, delivery_id FROM delivery_queue WHERE due_at <= %s ORDER BY due_at LIMIT 1"
            " FOR UPDATE SKIP LOCKED) RETURNING tenant_id, delivery_id",
            (now + CLAIM, now),
        ).first()
    return None if row is None else (str(row.tenant_id), str(row.delivery_id))


def _deliver(runtime: Any, smtp: Smtp, tenant: str, delivery_id: str) -> None:
    """One try, between two transactions: no lock is held while the mail server thinks."""
    principal = runtime.principal(tenant, "timer:send-mail")
    with runtime.database.reading(principal) as work:
        delivery = deliveries.find(work, delivery_id)
        assert delivery is not None, "a queued delivery is never deleted"
        body = work.sql(
            "SELECT coalesce(body, title) FROM notifications WHERE tenant_id = %s AND id = %s",
            (tenant, delivery.notification_id),
        ).scalar_one()
    failure: Exception | None = None
    try:
        mail.send(
            smtp, mail.compose(smtp, delivery_id, delivery.to, delivery.subject, body, delivery.__dict__["created_at"])
        )
    except (mail.Refused, mail.Unreachable, smtplib.SMTPException, OSError) as error:
        log.info("delivery %s was not sent: %s", delivery_id, error)
        failure = error
    with runtime.database.work(principal) as work:
        _note(work, delivery_id, failure)
    if isinstance(failure, mail.Unreachable):
        raise failure


def _note(work: Work, delivery_id: str, failure: Exception | None) -> None:
    delivery = deliveries.find(work, delivery_id, lock=True)
    if delivery is None or delivery.status != "queued":
        return
    delivery.attempts += 1
    delivery.error = None if failure is None else f"{type(failure).__name__}: {failure}"[:2000]
    if failure is None:
        delivery.move("sent")
        delivery.sent_at, event = work.now, contracts.DeliverySent
    elif isinstance(failure, mail.Refused) or delivery.attempts >= MAX_ATTEMPTS:
        delivery.move("failed")
        event = contracts.DeliveryFailed
    else:
        event = contracts.DeliveryDelayed
    deliveries.save(work, delivery, event=event)
    key = (work.tenant, delivery_id)
    if event is contracts.DeliveryDelayed:
        due = work.now + FIRST_WAIT * 2 ** (delivery.attempts - 1)
        work.sql("UPDATE delivery_queue SET due_at = %s WHERE tenant_id = %s AND delivery_id = %s", (due, *key))
    else:
        work.sql("DELETE FROM delivery_queue WHERE tenant_id = %s AND delivery_id = %s", key)
