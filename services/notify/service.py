"""Notify: a table of stores, reactions, the timers of mail and webhooks, and the alarm of reminders."""

from __future__ import annotations

import datetime as dt

from chassis import egress
from chassis.service import USER, Service, Timer
from services.notify import deliveries, reactions, reminders, settings
from services.notify.followings import follow_records, followings, on_merged
from services.notify.notifications import notifications
from services.notify.webhook_feed import Follower
from services.notify.webhook_sending import Sender
from services.notify.webhooks import webhook_deliveries, webhooks


class Notify(Service):
    """Telling people what happened, in the suite and by e-mail."""

    name = "notify"
    stores = (notifications, deliveries.deliveries, followings, webhooks, webhook_deliveries)
    reactions = (*reactions.reactions, reminders.on_activity, on_merged)
    following = Follower()
    timers = (
        Timer("send-mail", dt.timedelta(seconds=1), deliveries.send_due),
        Timer("follow-feed", dt.timedelta(seconds=0.5), following.follow),
        Timer("tell-followers", dt.timedelta(seconds=1), follow_records),
        Timer("call-webhooks", dt.timedelta(seconds=0.25), Sender(following).call),
        Timer("tidy-webhooks", dt.timedelta(hours=1), Sender.tidy),
    )
    environment = (settings.smtp, egress.opened)
    alarms = {reminders.REMIND: reminders.remind}
    copies = {"identity.user": (*USER, "member_of", "gets_copies")}


service = Notify
