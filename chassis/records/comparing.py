"""What a follower compares its copies with: the living rows of a record, as count and hash and one by one.

Only services ask. Ids are UUIDv7, so the beginning of an id is a stretch of time: rows that differ lie together.
"""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.errors import forbidden, not_found

JSON = dict[str, Any]
BUCKET = 7
"""Hexadecimal digits of an id that name a bucket: about 17 minutes of UUIDv7."""
SUMS = "count(*) AS rows, sum(hashtextextended(id || ' ' || version, 0)::numeric)::text AS hash"
MOST_BUCKETS, MOST_ROWS = 5_000, 2_000


def digest(work: Work, runtime: Any, params: JSON) -> JSON:
    """`record.digest {record, after}` → `{buckets: [[bucket, rows, hash]], next}`, in the order of the buckets.

    The hash is the sum of PostgreSQL's `hashtextextended` over `id version`, as text, since it has up to 29 digits.
    """
    table = _table(work, runtime, params)
    rows = work.sql(
        f"SELECT left(id::text, {BUCKET}) AS bucket, {SUMS} FROM {table} WHERE tenant_id = %(tenant)s"
        " AND deleted_at IS NULL AND id >= %(low)s::uuid GROUP BY 1 ORDER BY 1 LIMIT %(most)s",
        {"tenant": work.tenant, "low": after_bucket(params.get("after")), "most": MOST_BUCKETS},
    ).all()
    found = [[row.bucket, row.rows, row.hash] for row in rows]
    return {
        "status": 200,
        "body": {"buckets": found, "next": found[-1][0] if len(found) == MOST_BUCKETS else None},
    }


def versions(work: Work, runtime: Any, params: JSON) -> JSON:
    """`record.versions {record, bucket, after}` → `{rows: [[id, version]], next}`, in the order of the ids; or
    `record.versions {record, ids}` → those of these that live."""
    table = _table(work, runtime, params)
    where = "id = ANY(%(ids)s::uuid[])" if "ids" in params else "id > %(after)s::uuid AND id <= %(high)s::uuid"
    low, high = bounds(str(params.get("bucket", "")))
    rows = work.sql(
        f"SELECT id, version FROM {table} WHERE tenant_id = %(tenant)s AND deleted_at IS NULL AND {where}"
        " ORDER BY id LIMIT %(most)s",
        {
            "tenant": work.tenant,
            "ids": params.get("ids"),
            "after": params.get("after") or low,
            "high": high,
            "most": MOST_ROWS,
        },
    ).all()
    found = [[row.id, row.version] for row in rows]
    return {"status": 200, "body": {"rows": found, "next": found[-1][0] if len(found) == MOST_ROWS else None}}


def bounds(bucket: str) -> tuple[str, str]:
    """The least and the greatest id of a bucket. No UUIDv7 equals the least: its version digit is not 0."""
    return _id(bucket.ljust(32, "0")), _id(bucket.ljust(32, "f"))


def after_bucket(bucket: str | None) -> str:
    """The least id behind a bucket; without one, the least of all."""
    return _id("0" * 32) if bucket is None else _id(f"{int(bucket, 16) + 1:0{BUCKET}x}".ljust(32, "0"))


def _id(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _table(work: Work, runtime: Any, params: JSON) -> str:
    if not work.context.actor.startswith("service:"):
        raise forbidden("read", "the versions of records")
    store = runtime.stores.get(params["record"])
    if store is None:
        raise not_found("collection")
    return f'"{store.table}"'
