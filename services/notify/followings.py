"""Followers of a record are told of its changes, as the feed shows them to each of them."""

from __future__ import annotations

import logging
from typing import Any

from chassis.context import Context
from chassis.database import Work
from chassis.errors import Problem, forbidden, invalid
from chassis.records import Store
from chassis.service import on
from contracts.registry import registry
from services.notify import webhook_feed
from services.notify import webhooks as rules
from services.notify.models import Following
from services.notify.notifications import tell

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
followings = Store(Following)
PAGE = 500
PAGES = 4
MOST_NAMED = 5
MOST_SHOWN = 80


@followings.computes
def whoever_makes_it_follows(following: Following, work: Work) -> None:
    if following.was is not None:
        return
    context = work.context
    if context.user_id is None or following.owner_id not in (None, context.user_id):
        raise forbidden("make", "others follow")
    if not any(record.singular == following.about.split("/")[0] for record in registry.records.values()):
        raise invalid({"about": "There is no such kind of record."})
    following.user_id = following.owner_id = context.user_id
    # What somebody follows is his own affair.
    following.team_id = None
    work.later(
        "INSERT INTO following_positions (tenant_id, position) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (work.tenant, rules.heads(work.service, work.tenant, [work.tenant]).get(work.tenant, 0)),
    )


def follow_records(runtime: Any) -> int:
    """The timer: read on in the feed of every tenant in which somebody follows. Returns how many were told."""
    with runtime.database.operations() as connection:
        rows = list(connection.exec_driver_sql("SELECT tenant_id, position FROM following_positions"))
    if not rows:
        return 0
    told = 0
    try:
        heads = rules.heads(runtime, str(rows[0].tenant_id), [str(row.tenant_id) for row in rows])
        for row in rows:
            if row.position < heads.get(str(row.tenant_id), 0):
                told += _read_on(runtime, str(row.tenant_id), row.position)
    except Problem as problem:
        log.info("followers wait: %s", problem)
    return told


def _read_on(runtime: Any, tenant: str, position: int) -> int:
    principal = runtime.principal(tenant, "timer:followers")
    told = 0
    for _ in range(PAGES):
        page = webhook_feed.read(runtime, principal, position, [], PAGE)
        wanted = _followers(runtime, principal, page["items"])
        visible = [(user, shown) for user, item in wanted if (shown := _as_seen(runtime, tenant, user, item))]
        with runtime.database.work(principal) as work:
            moved = work.sql(
                "UPDATE following_positions SET position = %s WHERE tenant_id = %s AND position = %s",
                (page["next"], tenant, position),
            ).rowcount
            if not moved:
                break
            for user, item in visible:
                tell(work, item["id"], [user], _title(item), _about(item))
        told += len(visible)
        if page["next"] == position or len(page["items"]) < PAGE:
            break
        position = page["next"]
    return told


def _followers(runtime: Any, principal: Context, items: list[JSON]) -> list[tuple[str, JSON]]:
    """Who follows what changed, or what was merged into it; he himself having changed it left out."""
    with runtime.database.reading(principal) as work:
        rows = work.sql(
            'WITH RECURSIVE of AS (SELECT subject, subject COLLATE "C" AS about'
            " FROM unnest(%s::text[]) AS asked (subject)"
            " UNION SELECT of.subject, m.subject FROM of JOIN merged_subjects AS m"
            "  ON m.tenant_id = %s AND m.into_subject = of.about)"
            " SELECT DISTINCT of.subject, f.user_id FROM of JOIN followings AS f"
            "  ON f.tenant_id = %s AND f.about_key = of.about AND f.deleted_at IS NULL",
            (sorted({_about(item) for item in items}), principal.tenant, principal.tenant),
        ).all()
    return [
        (str(row.user_id), item)
        for item in items
        for row in rows
        if row.subject == _about(item) and item["actor"] != f"user:{row.user_id}"
    ]


@on(
    *(
        f"{name}.{verb}"
        for name, record in registry.load().records.items()
        if "merge" in record.operations
        for verb in ("merged", "restored")
    )
)
def on_merged(event: JSON, work: Work) -> None:
    """Who follows a record that was merged follows its survivor, until the merge is taken back."""
    into = event["data"].get("merged_into_id")
    work.sql(
        "INSERT INTO merged_subjects (tenant_id, subject, into_subject, version) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (tenant_id, subject) DO UPDATE"
        " SET into_subject = excluded.into_subject, version = excluded.version"
        " WHERE merged_subjects.version < excluded.version",
        (work.tenant, event["subject"], into and f"{event['subject'].split('/')[0]}/{into}", event["version"]),
    )


def _about(item: JSON) -> str:
    """Whose followers are told: the record's own, and for a note or attachment those of the record it is about."""
    data = item["data"]
    if item["type"].rsplit(".", 1)[0] in registry.children:
        return f"{data.get('about_type')}/{data.get('about_id')}"
    subject: str = item["subject"]
    return subject


def _as_seen(runtime: Any, tenant: str, user_id: str, item: JSON) -> JSON | None:
    """The event as this follower may see it now, by the same reading as the feed's; None when he may not."""
    try:
        may = runtime.acting_for(tenant, {"actor": f"user:{user_id}", "user_id": user_id, "correlation_id": ""})
    except Problem as problem:
        if problem.code == "asker_gone":
            return None
        raise
    context = Context(
        tenant=tenant,
        actor=f"user:{user_id}",
        user_id=user_id,
        teams=tuple(may["teams"]),
        grants=may["grants"],
        masks=may["masks"],
    )
    items = webhook_feed.read(runtime, context, item["position"] - 1, [item["type"]], 1)["items"]
    return items[0] if items and items[0]["id"] == item["id"] else None


def _title(item: JSON) -> tuple[str, str]:
    """`Account Alfreds: changed City, Phone`, in English and Chinese."""
    record = registry.named(item["type"].rsplit(".", 1)[0])
    assert record is not None
    declared, data = record.declared(), item["data"]
    name = _short(data.get(record.title_field) or data.get("number") or "")
    verb = item["type"].rsplit(".", 1)[1]
    changed = [field for field in data.get("changed", ()) if field in declared and not declared[field].computed]
    labels = [declared[field].label for field in changed[:MOST_NAMED]] if verb == "updated" else []
    english = ", ".join(label[0] for label in labels) or verb.replace("-", " ")
    chinese = "、".join(label[1] for label in labels) or verb
    return (
        f"{record.record_label[0]} {name}: {'changed ' if labels else ''}{english}",
        f"{record.record_label[1]} {name}：{'修改了 ' if labels else ''}{chinese}",
    )


def _short(text: str) -> str:
    """The beginning of a note, where that is what a record is called by."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_SHOWN else f"{line[:MOST_SHOWN]}…"
