"""Notifications: a message to one user, who owns it, and its e-mail beside it."""

from __future__ import annotations

from chassis.database import Work
from chassis.errors import forbidden
from chassis.ids import derived_id
from chassis.permissions import scope
from chassis.records import Store, references
from contracts import notify as contracts
from contracts.records import Event
from services.notify import deliveries
from services.notify.models import Notification


class Notifications(Store[Notification]):
    """However a notification comes about, its e-mail is queued in the same transaction."""

    def add_all(self, work: Work, entities: list[Notification], *, event: Event | str | None = None) -> None:
        super().add_all(work, entities, event=event)
        deliveries.queue(work, entities)


notifications = Notifications(Notification)


@notifications.computes
def it_belongs_to_whom_it_tells(notification: Notification, work: Work) -> None:
    """Not to his team: what somebody is told is his own affair."""
    notification.owner_id, notification.team_id = notification.user_id, None


@notifications.creates
def telling_others_needs_the_right(notification: Notification, work: Work) -> None:
    context = work.context
    if notification.user_id != context.user_id and scope(context, "notify.notification", "create") != "all":
        raise forbidden("create", "notifications for others")


@notifications.command(contracts.read)
def read(notification: Notification, work: Work) -> None:
    notification.move("read")
    notification.read_at = work.now


def tell(
    work: Work, cause: str, user_ids: list[str], title: tuple[str, str], about: str, body: str | None = None
) -> None:
    """Tell each of these users once for this cause (an event's id), in his language: `title` is (English, Chinese).

    Raises NotYet while a user is not known here. Whoever was deleted is told nothing.
    """
    made = []
    for user_id in sorted(set(user_ids)):
        notification_id = derived_id("notification", cause, user_id)
        user = references.copy_of(work, "identity.user", user_id)
        if user is None or notifications.find(work, notification_id) is not None:
            continue
        text = title[1] if (user["locale"] or "").startswith("zh") else title[0]
        made.append(notifications.make(id=notification_id, user_id=user_id, title=text[:300], body=body, about=about))
    notifications.add_all(work, made)
