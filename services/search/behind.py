"""What Elasticsearch still lacks: documents that PostgreSQL holds and that could not be written there, by tenant."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from chassis.database import Work
from chassis.operators import ZERO
from services.search.index import Key
from services.search.mapping import Document

NOTE = (
    "INSERT INTO behind (tenant_id, record, id, version, refused, forced)"
    " SELECT %(tenant)s, new.*, %(forced)s FROM unnest(%(record)s::text[], %(id)s::uuid[], %(version)s::bigint[],"
    "  %(refused)s::text[]) AS new (record, id, version, refused)"
    " ON CONFLICT (tenant_id, record, id) DO UPDATE SET version = greatest(behind.version, excluded.version),"
    "  refused = excluded.refused, forced = behind.forced OR excluded.forced, noted_at = now()"
)
# In portions: one statement over a million documents would take longer than any may.
NOTE_ALL = (
    "WITH next AS (SELECT record, id, version FROM documents WHERE tenant_id = %(tenant)s"
    "  AND (record, id) > (%(record)s, %(id)s::uuid) AND split_part(record, '.', 1) = ANY(%(families)s::text[])"
    "  ORDER BY record, id LIMIT %(limit)s), noted AS (INSERT INTO behind (tenant_id, record, id, version)"
    "  SELECT %(tenant)s, * FROM next ON CONFLICT (tenant_id, record, id) DO UPDATE"
    "  SET version = greatest(behind.version, excluded.version), refused = NULL)"
    " SELECT record, id FROM next ORDER BY record DESC, id DESC LIMIT 1"
)
# Refused ones are tried again too, but only behind all others, and each at most once a minute: while there are others
# they are not even looked for.
_NEXT = (
    "(SELECT record, id, version FROM behind WHERE tenant_id = %(tenant)s AND NOT forced AND {}"
    " ORDER BY 1, 2 LIMIT %(limit)s)"
)
_TIRED = "refused IS NOT NULL AND noted_at < now() - interval '1 minute'"
NEXT = f"{_NEXT.format('refused IS NULL')} UNION ALL {_NEXT.format(_TIRED)} LIMIT %(limit)s"
# From one tenant to the next, since one may have a million rows.
TENANTS = (
    "WITH RECURSIVE found AS ((SELECT tenant_id FROM behind ORDER BY 1 LIMIT 1) UNION ALL"
    " SELECT (SELECT tenant_id FROM behind WHERE tenant_id > found.tenant_id ORDER BY 1 LIMIT 1)"
    "  FROM found WHERE found.tenant_id IS NOT NULL) SELECT tenant_id FROM found WHERE tenant_id IS NOT NULL"
)
FORCED = (
    "SELECT record, id, version, noted_at < now() - interval '5 seconds' AS settled FROM behind"
    " WHERE tenant_id = %s AND forced ORDER BY noted_at LIMIT %s"
)
CAUGHT_UP = (
    "DELETE FROM behind USING unnest(%(record)s::text[], %(id)s::uuid[], %(version)s::bigint[])"
    " AS done (record, id, version) WHERE behind.tenant_id = %(tenant)s AND behind.record = done.record"
    " AND behind.id = done.id AND behind.version <= done.version"
)
LOOK_SECONDS = 1.0
Versions = dict[Key, int]


class Lack(NamedTuple):
    """What is lacking of a document that nobody has at hand."""

    record: str
    id: str
    version: int


def note(
    work: Work, documents: Collection[Document | Lack], refused: dict[Key, str] | None = None, *, forced: bool = False
) -> None:
    """These documents are not in Elasticsearch in their versions.

    `refused` says of some why it will not have them. `forced`: it may hold a newer version that never was.
    """
    reasons = refused or {}
    if documents:
        ordered = sorted(documents, key=lambda one: (one.record, one.id))
        parameters = _arrays((one.record, one.id, one.version) for one in ordered)
        parameters["refused"] = [reasons.get((one.record, one.id)) for one in ordered]
        work.sql(NOTE, {"tenant": work.tenant, "forced": forced, **parameters})


def note_all(work: Work, families: Sequence[str], after: Key = ("", ZERO), limit: int = 20_000) -> Key | None:
    """The next documents of the tenant in these families must be written again. Returns the last of them."""
    more = {"families": list(families), "record": after[0], "id": after[1], "limit": limit}
    row = work.sql(NOTE_ALL, {"tenant": work.tenant, **more}).first()
    return (row.record, row.id) if row else None


def following(work: Work, limit: int) -> Versions:
    """The next ones to be written, by (record, id)."""
    return {(row.record, row.id): row.version for row in work.sql(NEXT, {"tenant": work.tenant, "limit": limit})}


def forced(work: Work, limit: int) -> dict[Key, tuple[int, bool]]:
    """Those of which Elasticsearch may hold a newer version that never was, and whether that was seen to long ago."""
    return {(row.record, row.id): (row.version, row.settled) for row in work.sql(FORCED, (work.tenant, limit))}


def caught_up(work: Work, versions: Versions) -> None:
    """These versions are there now; what has become newer since stays noted."""
    if versions:
        parameters = _arrays((record, id, version) for (record, id), version in sorted(versions.items()))
        work.sql(CAUGHT_UP, {"tenant": work.tenant, **parameters})


def among(work: Work, ids: Sequence[Key]) -> set[Key]:
    """Which of these are noted."""
    rows = work.sql(
        "SELECT record, id FROM behind JOIN unnest(%s::text[], %s::uuid[]) AS wanted (record, id) USING (record, id)"
        " WHERE tenant_id = %s",
        ([record for record, _ in ids], [id for _, id in ids], work.tenant),
    )
    return {(row.record, row.id) for row in rows}


def tenants(connection: Connection) -> list[str]:
    """Tenants of which something is noted; asked as the operations role."""
    return [row.tenant_id for row in connection.exec_driver_sql(TENANTS)]


class Glance:
    """Whether something is noted of a tenant, looked up at most once a second by each process."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, bool]] = {}

    def behind(self, tenant: str, look: Any) -> bool:
        at, found = self._seen.get(tenant, (0.0, False))
        if time.monotonic() - at < LOOK_SECONDS:
            return found
        with look() as work:
            sql = "SELECT EXISTS (SELECT FROM behind WHERE tenant_id = %s AND refused IS NULL)"
            found = bool(work.sql(sql, (tenant,)).scalar())
        if len(self._seen) > 10_000:
            self._seen.clear()
        self._seen[tenant] = (time.monotonic(), found)
        return found

    def tell(self, tenant: str) -> None:
        """Something was noted by this process itself."""
        self._seen[tenant] = (time.monotonic(), True)


def _arrays(rows: Any) -> dict[str, list[Any]]:
    columns = list(zip(*rows, strict=True))
    return {name: list(column) for name, column in zip(("record", "id", "version"), columns, strict=True)}
