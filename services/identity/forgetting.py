"""Identity's part in erasing a person: views and saved searches may look for him by name, whoever made them."""

from __future__ import annotations

from typing import Any

from chassis import forgetting
from chassis.database import Work
from chassis.records import redacting
from services.identity.views import views

JSON = dict[str, Any]


def let_go(request: Any, work: Work) -> JSON:
    """What every service does; with the first batch, in every view."""
    answer = forgetting.let_go(request, work)
    if not request.after:
        named = _named_in_views(request, work)
        if named:
            answer["counts"]["views"] = answer["counts"].get("views", 0) + len(named)
            answer["also"] += named
    return answer


def _named_in_views(request: Any, work: Work) -> list[JSON]:
    words = redacting.Words(request.words)
    rows = work.sql(f"{views.select} WHERE tenant_id = %s ORDER BY id FOR UPDATE", (work.tenant,)).all()
    entities = [views.stored.from_row(row) for row in rows]
    named = {view.id for view in entities if redacting.record(work, views, view, words)}
    work.flush()
    named |= redacting.history(work, [view.id for view in entities], words)
    return [{"record": views.name, "id": view.id, "version": view.version} for view in entities if view.id in named]
