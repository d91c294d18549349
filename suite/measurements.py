"""What the services of a process measure, in the Prometheus text format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from chassis import relay
from suite.host import Host
from suite.watch import Watch


def measure(host: Host, watch: Watch | None = None) -> bytes:
    """Backlogs, stuck events and sagas, jobs and the broker; where this process checks the data, what that found."""
    registry = CollectorRegistry()

    def gauge(name: str, says: str, *labels: str) -> Gauge:
        return Gauge(name, says, labels, registry=registry)

    waiting = gauge("guanxi_unsent", "Changes and messages that the relay has not published", "service")
    age = gauge("guanxi_unsent_age_seconds", "Age of the oldest of them", "service")
    parked = gauge("guanxi_inbox", "Events that are parked or dead", "service", "state")
    letters = gauge("guanxi_dead_letters", "Messages that nobody could read and nobody looked into", "service")
    sagas = gauge("guanxi_sagas", "Sagas under way", "service", "state")
    oldest = gauge("guanxi_sagas_age_seconds", "Age of the oldest saga under way", "service")
    late = gauge("guanxi_sagas_overdue", "Sagas past their deadline", "service")
    due = gauge("guanxi_timers_overdue", "Alarms whose time has come and that have not rung", "service")
    since = gauge("guanxi_timers_overdue_seconds", "How long ago the time of the oldest of them was", "service")
    jobs = gauge("guanxi_jobs", "Jobs by state, kept for thirty days", "service", "state")
    for name, runtime in host.runtimes.items():
        count, seconds = relay.backlog(runtime.database)
        waiting.labels(name).set(count)
        age.labels(name).set(seconds)
        with runtime.database.operations() as connection:
            # The condition is that of a small index: what is done may be millions of rows.
            for row in connection.exec_driver_sql(
                "SELECT state, count(*) FROM inbox WHERE state <> 'done' AND state <> 'discarded' GROUP BY state"
            ):
                parked.labels(name, row[0]).set(row[1])
            for row in connection.exec_driver_sql("SELECT state, count(*) FROM jobs GROUP BY state"):
                jobs.labels(name, row[0]).set(row[1])
            unread = connection.exec_driver_sql("SELECT count(*) FROM dead_letters WHERE discarded_at IS NULL")
            letters.labels(name).set(unread.scalar_one())
            alarms = connection.exec_driver_sql(
                "SELECT count(*) AS count, coalesce(extract(epoch FROM now() - min(due_at)), 0) AS age FROM timers"
                " WHERE due_at < now()"
            ).one()
            due.labels(name).set(alarms.count)
            since.labels(name).set(float(alarms.age))
            age_of_sagas = 0.0
            overdue = 0
            for state in ("running", "compensating"):
                sagas.labels(name, state).set(0)
            for row in connection.exec_driver_sql(
                "SELECT state, count(*) AS count, count(*) FILTER (WHERE deadline_at < now()) AS late,"
                " extract(epoch FROM now() - min(started_at)) AS age FROM sagas WHERE ended_at IS NULL GROUP BY state"
            ):
                sagas.labels(name, row.state).set(row.count)
                age_of_sagas, overdue = max(age_of_sagas, float(row.age)), overdue + row.late
            oldest.labels(name).set(age_of_sagas)
            late.labels(name).set(overdue)
    if "search" in host.runtimes:
        _search(host.runtimes["search"], gauge)
    gauge("guanxi_broker_blocked", "1 while the broker refuses messages (an alarm)").set(host.transport.blocked())
    connected = gauge("guanxi_broker_connected", "1 while every connection to the broker is up")
    connected.set(host.transport.connected())
    leads = gauge("guanxi_relay_leads", "1 where this process publishes", "service")
    for name, leading in host.leading().items():
        leads.labels(name).set(leading)
    if watch is not None and watch.checked_at:
        gauge("guanxi_check_timestamp_seconds", "When the data was last checked").set(watch.checked_at)
        violations = gauge("guanxi_check_violations", "What guanxi check found", "invariant")
        for invariant, count in watch.violations.items():
            violations.labels(invariant).set(count)
    own = [runtime.definition.measured(runtime) for runtime in host.runtimes.values() if runtime.definition.measured]
    return b"".join([generate_latest(registry), *own])


def _search(runtime: Any, gauge: Callable[..., Gauge]) -> None:
    """How far the index is behind, and whether it agrees with the databases."""
    with runtime.database.operations() as connection:
        row = connection.exec_driver_sql(
            "SELECT (SELECT coalesce(extract(epoch FROM now() - min(waiting_since)), 0) FROM positions) AS lag,"
            " coalesce(sum(drifted), 0) AS drifted, coalesce(sum(repaired), 0) AS repaired,"
            " coalesce(sum(unknown), 0) AS unknown, coalesce(sum(differing), 0) AS differing,"
            " coalesce(extract(epoch FROM now() - min(swept_at)), 0) AS swept,"
            " (SELECT count(*) FROM behind) AS behind, (SELECT count(refused) FROM behind) AS refused FROM sweeps"
        ).one()
    gauge("guanxi_search_lag_seconds", "Age of the oldest event that is not in the index").set(float(row.lag))
    gauge("guanxi_search_differences", "What the last comparisons found different").set(float(row.differing))
    gauge("guanxi_search_drifted", "Documents that had drifted").set(float(row.drifted))
    gauge("guanxi_search_repaired", "Those of them that were put right").set(float(row.repaired))
    gauge("guanxi_search_unknown", "Differences that the event log does not explain").set(float(row.unknown))
    gauge("guanxi_search_behind", "Documents that Elasticsearch lacks").set(row.behind)
    gauge("guanxi_search_refused", "Those of them that it refuses").set(row.refused)
    gauge("guanxi_search_swept_seconds", "Since the oldest of the last comparisons").set(float(row.swept))
