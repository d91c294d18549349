"""Notify: a table of stores, reactions, the mail timer and the alarm of reminders."""

from __future__ import annotations

import datetime as dt

from chassis.service import USER, Service, Timer
from services.notify import deliveries, reactions, reminders
from services.notify.notifications import notifications


class Notify(Service):
    """Telling people what happened, in the suite and by e-mail."""

    name = "notify"
    stores = (notifications, deliveries.deliveries)
    reactions = (*reactions.reactions, reminders.on_activity)
    timers = (Timer("send-mail", dt.timedelta(seconds=1), deliveries.send_due),)
    alarms = {reminders.REMIND: reminders.remind}
    copies = {"identity.user": (*USER, "member_of", "gets_copies")}


service = Notify
