"""The index's part in erasing a person: it follows by events as it does any change, and says when it has."""

from __future__ import annotations

from typing import Any

from chassis.database import Work
from chassis.forgetting import answer_of_follower, let_go_at_once
from chassis.inbox import NotYet
from chassis.records import redacting
from services.search import recents
from services.search.index import index_of
from services.search.mapping import searchables
from services.search.visibility import visible

JSON = dict[str, Any]


def let_go(request: Any, work: Work) -> JSON:
    """Wait until the index has the version of each record that names the person no more."""
    wanted = {(request.record, request.id): request.version}
    wanted |= {(one.record, one.id): one.version for one in request.also}
    wanted = {key: version for key, version in wanted.items() if key[0] in searchables()}
    everything = visible(work.service, work.context, searchables())
    there = index_of(work.service).versions(work.tenant, list(wanted), everything)
    if any(there.get(key, 0) < version for key, version in wanted.items()):
        raise NotYet("The index has yet to hear of what was erased.")
    counts = {"documents": len(wanted)}
    if request.after in (None, "0"):
        counts["remembered searches"] = _remembered(request, work)
    return answer_of_follower(request, let_go_at_once(request, work), counts)


def _remembered(request: Any, work: Work) -> int:
    """What anybody looked for, where it names the person; of a user also all that he looked for and opened."""
    own = recents.forget(work, request.id) if request.record == recents.USER else 0
    words = redacting.Words(request.words)
    gone = [
        (row.user_id, row.key)
        for row in work.sql(
            "SELECT user_id, key, question FROM recent_searches WHERE tenant_id = %s", (work.tenant,)
        ).all()
        if words.out_of(row.question) != row.question
    ]
    for user_id, key in gone:
        work.later(
            "DELETE FROM recent_searches WHERE tenant_id = %s AND user_id = %s AND key = %s",
            (work.tenant, user_id, key),
        )
    return own + len(gone)
