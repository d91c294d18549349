"""Putting one record back to what it was before a bulk job changed it, as far as nobody has changed it since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.records.store import Store

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]


def undo_one(work: Work, store: Store[Any], action: str, item: Any) -> tuple[str, int | None, JSON | None]:
    """`item` names the record, its version after the job (`after`) and now. Answers outcome, version, what stayed."""
    if action == "delete":
        if item.now != item.after:
            return ("changed" if item.now is not None else "gone"), item.now, None
        return "done", store.restore(work, item.record_id).version, None
    if item.now is None or item.deleted:
        return "gone", None, None
    entity = store.find(work, item.record_id)
    assert entity is not None and entity.was is not None
    change = work.sql(
        "SELECT changed, previous, snapshot, private FROM changes"
        " WHERE tenant_id = %s AND record_id = %s AND version = %s",
        (work.tenant, item.record_id, item.after),
    ).one()
    before = {**change.previous, **change.private.get("previous", {})}
    then = {**change.snapshot, **change.private.get("snapshot", {})}
    declared = store.record.declared()
    patch, stays = {}, []
    for name in change.changed:
        if name not in declared or declared[name].computed or declared[name].once:
            continue
        if entity.was[name] == then.get(name):
            patch[name] = toward(before.get(name), entity.was[name])
        else:
            stays.append(name)
    problem = (
        {"code": "changed_since", "detail": f"Changed since, and left alone: {', '.join(stays)}."} if stays else None
    )
    if not patch:
        return "changed", item.now, problem
    return "done", store.update(work, item.record_id, patch).version, problem


def toward(wanted: Any, present: Any) -> Any:
    """The merge patch (RFC 7396) that makes `wanted` of `present`: members that were not there before are removed."""
    if not isinstance(wanted, dict) or not isinstance(present, dict):
        return wanted
    gone: JSON = {name: None for name in present if name not in wanted}
    return gone | {name: toward(value, present.get(name)) for name, value in wanted.items()}
