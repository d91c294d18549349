"""Eventlog owns every event, for ever, and the subscriptions of outsiders.

It listens to every exchange of events, in batches, and gives each event a position that is dense within its tenant.
It answers the feed and the synchronisation of records (`record.changes` of any collection), and publishes to each
subscription's own exchange what its integration user may see. It publishes `eventlog.event-subscription.*`.
"""
