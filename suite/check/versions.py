"""I9: the versions of a record run from 1 without gap or repeat, and its row is the last of them."""

from __future__ import annotations

from contracts.registry import SERVICES, registry
from suite.check.rules import Seen, rule
from suite.check.sources import Look


def table_of(record: str) -> str:
    declared = registry.named(record)
    assert declared is not None
    return declared.collection.replace("-", "_")


def published_by(service: str) -> list[str]:
    """The records of a service whose changes are events; balances such as stock levels emit nothing."""
    return sorted({event.of.record_name for event in registry.events.values() if event.of.service == service})


@rule("I9", "the versions of each record run 1, 2, 3 … without gap or repeat")
def versions_are_dense(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT tenant_id, record || ' ' || record_id AS subject,"
            " CASE WHEN min(version) <> 1 OR max(version) <> count(*) OR count(DISTINCT version) <> count(*)"
            " THEN 'has ' || count(*) || ' changes with versions from ' || min(version) || ' to ' || max(version)"
            " END AS fault FROM changes GROUP BY tenant_id, record, record_id",
        )
    return found


@rule("I9", "each record's row is in the version and of the time of its latest change")
def rows_are_the_latest(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        records = published_by(service)
        if not records:
            continue
        stored = " UNION ALL ".join(
            f"SELECT tenant_id, '{record}' AS record, id AS record_id, version, updated_at FROM {table_of(record)}"
            for record in records
        )
        found += look.audit(
            service,
            "SELECT tenant_id, record || ' ' || record_id AS subject, CASE"
            "  WHEN latest.version IS NULL THEN 'has a row and no changes'"
            "  WHEN stored.version IS NULL AND latest.type = record || '.purged' THEN NULL"
            "  WHEN stored.version IS NULL THEN 'has changes and no row'"
            "  WHEN stored.version <> latest.version OR latest.version::text <> latest.says"
            "  THEN 'is stored in version ' || stored.version || ', changed to ' || latest.version"
            "   || ', which its snapshot calls ' || coalesce(latest.says, 'nothing')"
            "  WHEN stored.updated_at <> latest.at OR stored.updated_at <> latest.says_at"
            "  THEN 'was updated at ' || stored.updated_at || ', its latest change is of ' || latest.at END AS fault"
            f" FROM ({stored}) AS stored"
            " FULL JOIN (SELECT DISTINCT ON (tenant_id, record, record_id) tenant_id, record, record_id, version, at,"
            "  type, snapshot->>'version' AS says, (snapshot->>'updated_at')::timestamptz AS says_at"
            "  FROM changes ORDER BY tenant_id, record, record_id, version DESC) AS latest"
            " USING (tenant_id, record, record_id)",
        )
    return found


rules = (versions_are_dense, rows_are_the_latest)
