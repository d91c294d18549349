"""Eventlog: a table of the log, its answers and its timer."""

from __future__ import annotations

import datetime as dt

from chassis.service import Service, Timer
from contracts.erasing import ASKS
from services.eventlog import broker, forgetting, log, subscriptions
from services.eventlog.changes import changes
from services.eventlog.feed import feed
from services.eventlog.following import heads, latest, tail
from services.eventlog.publishing import Outside


class EventLog(Service):
    """Every event, for ever: the feed, synchronisation and outsiders' subscriptions."""

    name = "eventlog"
    stores = (subscriptions.subscriptions,)
    batch = log.append
    held = "SELECT tenant_id, split_part(type, '.', 1) AS source, id AS event_id FROM events"
    methods = {
        "eventlog.feed": feed,
        "eventlog.heads": heads,
        "eventlog.latest": latest,
        "eventlog.tail": tail,
        "record.changes": changes,
        "record.get": subscriptions.get,
        "record.list": subscriptions.listing,
    }
    timers = (Timer("publish", dt.timedelta(seconds=0.2), Outside().publish),)
    environment = (broker.from_environment,)
    asks = ((ASKS["eventlog"], forgetting.take_out),)
    alarms = {subscriptions.SHUT_OUT: subscriptions.shut_out}


service = EventLog
