"""Merging twins and taking it back: what happens in the transaction of the caller, in the service that owns them.

The survivor takes over fields, the losers are deleted softly and marked, and a saga (`chassis.repointing`) leads every
reference over. `merges` keeps what un-merging needs: `undo` is `{"fields": {name: {"was", "became"}}, "custom":
{name: {…}}, "external_ids": {system: {"key", "id"}}}`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from chassis.errors import Problem, conflict, forbidden, invalid
from chassis.ids import new_id
from chassis.permissions import covers, read_only, scope
from chassis.records import external, patching, survivors
from contracts import fields as f
from contracts.fields import instant
from contracts.records import STANDARD
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store
    from chassis.records.stored import Stored

JSON = dict[str, Any]
MOST_LOSERS = 20
MOST_SHOWN = 200
MOST_TAGS = 50
"""As many as a record may have (`contracts.records.Record`)."""
UNDER_WAY = ("merging", "unmerging")


def merge(work: Work, store: Store[Any], winner_id: str, body: JSON, if_match: str | None = None) -> tuple[Any, str]:
    """Merge `losers` into the record: `{"losers": [ids], "choices": {field: id of whose value counts}}`.

    A field that is not chosen keeps the survivor's value, and where that is empty takes the first loser's that is not;
    tags of all of them stay.
    Returns the survivor and the id of the merge, whose references are still to be led over.
    """
    loser_ids = _losers(body, winner_id)
    # Before any row is locked: who adds references holds the fence first and may then wait for these rows.
    survivors.fence_alone(work)
    everyone = _lock(work, store, winner_id, loser_ids, if_match)
    winner, losers = everyone[winner_id], [everyone[loser_id] for loser_id in loser_ids]
    _none_under_way(work, store, [winner_id, *loser_ids])
    for entity in (winner, *losers):
        for guard in store.guarding:
            guard(entity, work)
    merge_id = new_id()
    undo = _take_over(work, store, winner, losers, _choices(work, store, body, everyone))
    _note(work, store, merge_id, winner_id, losers, undo)
    for rule in store.merging:
        rule(winner, losers, merge_id, work)
    for loser in losers:
        loser.deleted_at, loser.merged_into_id = work.now, winner_id
        store.save(work, loser, event=f"{store.name}.merged")
    store.save(work, winner)
    return winner, merge_id


def _losers(body: Any, winner_id: str) -> list[str]:
    found = body.get("losers") if isinstance(body, dict) else None
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_LOSERS:
        raise invalid({"losers": f"Must be a list of 1 to {MOST_LOSERS} ids."})
    errors = {}
    for index, loser in enumerate(found):
        if not is_uuid(loser):
            errors[f"losers.{index}"] = "Must be an id (UUID)."
        elif loser.lower() == winner_id.lower():
            errors[f"losers.{index}"] = "A record is not merged into itself."
        elif loser.lower() in [str(other).lower() for other in found[:index]]:
            errors[f"losers.{index}"] = "Must not repeat."
    unknown = set(body) - {"losers", "choices"}
    errors |= dict.fromkeys(sorted(unknown), "Unknown field.")
    if errors:
        raise invalid(errors)
    return [loser.lower() for loser in found]


def _lock(work: Work, store: Store[Any], winner_id: str, loser_ids: list[str], if_match: str | None) -> dict[str, Any]:
    """All records of the merge, locked in the order of their ids, if the principal may do this to each."""
    everyone: dict[str, Any] = {}
    refused: list[Problem] = []
    for record_id in sorted([winner_id, *loser_ids]):
        try:
            entity = store.allowed(work, record_id, "update")
            if record_id != winner_id:
                _may_delete(work, store, entity)
            everyone[record_id] = entity
        except Problem as problem:
            if record_id == winner_id:
                raise
            where = f"losers.{loser_ids.index(record_id)}"
            unknown = invalid({where: "There is no such record."}, code="unknown_reference")
            refused.append(unknown if problem.status == 404 else problem)
    patching.check_version(work, everyone[winner_id], if_match, None)
    if refused:
        raise refused[0]
    return everyone


def _may_delete(work: Work, store: Store[Any], entity: Stored) -> None:
    if not covers(work.context, scope(work.context, store.name, "delete"), entity.owner_id, entity.team_id):
        raise forbidden("delete", f"this {store.record.singular}")


def refuse_under_way(work: Work, store: Store[Any], *record_ids: str) -> None:
    """A record whose merge is still leading references over stays where it is."""
    if "merge" in store.record.operations:
        _none_under_way(work, store, record_ids)


def _none_under_way(work: Work, store: Store[Any], ids: Sequence[str]) -> None:
    row = work.sql(
        "SELECT id, winner_id FROM merges WHERE tenant_id = %s AND winner_id = ANY(%s::uuid[]) AND state = ANY(%s)"
        " LIMIT 1",
        (work.tenant, list(ids), list(UNDER_WAY)),
    ).first()
    if row is not None:
        raise conflict(
            "merge_running",
            f"References of this {store.record.singular} are still on their way; repeat it in a moment.",
            id=row.winner_id,
            merge_id=row.id,
        )


def mergeable_fields(store: Store[Any]) -> list[str]:
    """What a survivor may take from a loser: everything people write, except what has a meaning of its own."""
    return [
        name
        for name, field in store.record.declared().items()
        if not field.computed
        and not isinstance(field, f.State)
        and (name not in STANDARD or name in ("owner_id", "team_id"))
    ]


def _choices(work: Work, store: Store[Any], body: JSON, everyone: dict[str, Any]) -> dict[str, Any]:
    """For each chosen field whose value counts."""
    choices = body.get("choices") or {}
    if not isinstance(choices, dict):
        raise invalid({"choices": "Must be an object of fields and ids."})
    possible, masked = set(mergeable_fields(store)), read_only(work.context, store.name)
    errors, chosen = {}, {}
    for name, record_id in choices.items():
        if name not in possible:
            errors[f"choices.{name}"] = "Is no field that can be chosen."
        elif name in masked:
            raise invalid({f"choices.{name}": "You may not write this field."}, code="field_read_only")
        elif not isinstance(record_id, str) or record_id.lower() not in everyone:
            errors[f"choices.{name}"] = "Must be the id of one of the merged records."
        else:
            chosen[name] = everyone[record_id.lower()]
    if errors:
        raise invalid(errors)
    return chosen


def _take_over(work: Work, store: Store[Any], winner: Any, losers: Sequence[Any], chosen: dict[str, Any]) -> JSON:
    undo: JSON = {"fields": {}, "custom": {}, "external_ids": {}}
    before = winner.wire()
    for name in mergeable_fields(store):
        source = chosen.get(name)
        if source is None and _empty(getattr(winner, name)):
            source = next((loser for loser in losers if not _empty(getattr(loser, name))), None)
        if source is not None and source is not winner:
            setattr(winner, name, getattr(source, name))
    tags = [*(winner.tags or ()), *(tag for loser in losers for tag in loser.tags or ())]
    winner.tags = list(dict.fromkeys(tags))[:MOST_TAGS]
    after = winner.wire()
    undo["fields"] = {
        name: {"was": before[name], "became": after[name]} for name in after if after[name] != before[name]
    }
    custom, keys = dict(winner.custom or {}), dict(winner.external_ids or {})
    for loser in losers:
        for name, value in (loser.custom or {}).items():
            if _empty(custom.get(name)) and not _empty(value):
                undo["custom"][name] = {"was": custom.get(name), "became": value}
                custom[name] = value
        for system, key in (loser.external_ids or {}).items():
            if system not in keys:
                keys[system] = key
                undo["external_ids"][system] = {"key": key, "id": loser.id}
    winner.custom, winner.external_ids = custom, keys
    for system, taken in undo["external_ids"].items():
        external.hand_over(work, store.name, system, taken["key"], winner.id)
    return undo


def _empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _note(work: Work, store: Store[Any], merge_id: str, winner_id: str, losers: Sequence[Any], undo: JSON) -> None:
    work.later(
        "INSERT INTO merges (tenant_id, id, record, winner_id, losers, undo, state, actor, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'merging', %s, %s)",
        (
            work.tenant,
            merge_id,
            store.name,
            winner_id,
            orjson.dumps([loser.id for loser in losers]).decode(),
            orjson.dumps(undo).decode(),
            work.context.actor,
            work.now,
        ),
    )
    for loser in losers:
        mark(work, store.name, loser.id, winner_id, merge_id)


def mark(work: Work, record: str, loser_id: str, winner_id: str, merge_id: str) -> None:
    work.later(
        "INSERT INTO merged_records (tenant_id, record, id, into_id, merge_id) VALUES (%s, %s, %s, %s, %s)",
        (work.tenant, record, loser_id, winner_id, merge_id),
    )


def unmark(work: Work, record: str, merge_id: str) -> None:
    work.later(
        "DELETE FROM merged_records WHERE tenant_id = %s AND record = %s AND merge_id = %s",
        (work.tenant, record, merge_id),
    )


def unmerge(work: Work, store: Store[Any], winner_id: str, body: JSON, if_match: str | None = None) -> tuple[Any, str]:
    """Take back the latest merge of a record (`{"merge_id"}` may name it): the losers live again, and the survivor's
    fields go back where nobody has changed them since. Returns the survivor and the merge's id.
    """
    unknown = set(body) - {"merge_id"}
    if unknown:
        raise invalid(dict.fromkeys(sorted(unknown), "Unknown field."))
    wanted = body.get("merge_id")
    if wanted is not None and not is_uuid(wanted):
        raise invalid({"merge_id": "Must be an id (UUID)."})
    survivors.fence_alone(work)
    row = _latest(work, winner_id)
    ids = sorted([winner_id, *(row.losers if row else ())])
    everyone = {}
    for record_id in ids:
        action = "update" if record_id == winner_id else "delete"
        everyone[record_id] = store.allowed(
            work, record_id, action, deleted=record_id != winner_id, unmerge=record_id != winner_id
        )
    winner = everyone[winner_id]
    patching.check_version(work, winner, if_match, None)
    _none_under_way(work, store, [winner_id])
    if wanted is not None and (row is None or wanted.lower() != row.id):
        _refuse_other(work, winner_id, wanted.lower(), row)
    if row is None:
        raise conflict("nothing_merged", f"Nothing is merged into this {store.record.singular}.")
    losers = [everyone[loser_id] for loser_id in row.losers]
    keys = _give_back(work, store, winner, row.undo)
    store.save(work, winner)
    for loser in losers:
        loser.deleted_at = loser.merged_into_id = None
        lost = {system for system, taken in row.undo["external_ids"].items() if taken["id"] == loser.id} - keys
        loser.external_ids = {system: key for system, key in loser.external_ids.items() if system not in lost}
        store.save(work, loser, event=f"{store.name}.restored")
    for system in keys:
        taken = row.undo["external_ids"][system]
        external.hand_over(work, store.name, system, taken["key"], taken["id"])
    work.later(
        "UPDATE merges SET state = 'unmerging', undone_by = %s, undone_at = %s WHERE tenant_id = %s AND id = %s",
        (work.context.actor, work.now, work.tenant, row.id),
    )
    unmark(work, store.name, row.id)
    for rule in store.unmerging:
        rule(winner, losers, row.id, work)
    return winner, row.id


def _latest(work: Work, winner_id: str) -> Any:
    return work.sql(
        "SELECT id, losers, undo, state FROM merges WHERE tenant_id = %s AND winner_id = %s AND state <> 'unmerged'"
        " ORDER BY id DESC LIMIT 1",
        (work.tenant, winner_id),
    ).first()


def _refuse_other(work: Work, winner_id: str, wanted: str, latest: Any) -> None:
    row = work.sql(
        "SELECT state FROM merges WHERE tenant_id = %s AND winner_id = %s AND id = %s", (work.tenant, winner_id, wanted)
    ).first()
    if row is None:
        raise invalid({"merge_id": "There is no such merge of this record."}, code="unknown_reference")
    if row.state == "unmerged":
        raise conflict("already_unmerged", "This merge was taken back already.", merge_id=wanted)
    raise conflict("not_latest", "A later merge has to be taken back first.", merge_id=latest.id)


def _give_back(work: Work, store: Store[Any], winner: Any, undo: JSON) -> set[str]:
    """Bring the survivor's fields back where they are still what the merge made of them.

    Returns the systems whose external key goes back to its loser.
    """
    now = winner.wire()
    back = {name: change["was"] for name, change in undo["fields"].items() if now[name] == change["became"]}
    for name, value in store.schema.load(back, partial=True).items():
        setattr(winner, name, value)
    custom = dict(winner.custom)
    for name, change in undo["custom"].items():
        if custom.get(name) == change["became"]:
            custom.pop(name)
            if change["was"] is not None:
                custom[name] = change["was"]
    keys = {system for system, taken in undo["external_ids"].items() if winner.external_ids.get(system) == taken["key"]}
    winner.custom = custom
    winner.external_ids = {system: key for system, key in winner.external_ids.items() if system not in keys}
    return keys


def listing(work: Work, store: Store[Any], record_id: str) -> JSON:
    """The merges of a record that the principal may read, the latest first."""
    store.get(work, record_id)
    rows = work.sql(
        "SELECT id, losers, state, moved, actor, at, undone_by, undone_at FROM merges"
        f" WHERE tenant_id = %s AND winner_id = %s ORDER BY id DESC LIMIT {MOST_SHOWN}",
        (work.tenant, record_id),
    )
    items = [
        {
            "merge_id": row.id,
            "state": row.state,
            "losers": row.losers,
            "moved": row.moved,
            "merged_by": row.actor,
            "merged_at": instant(row.at),
            "unmerged_by": row.undone_by,
            "unmerged_at": instant(row.undone_at) if row.undone_at else None,
        }
        for row in rows
    ]
    return {"items": items, "next": None}
