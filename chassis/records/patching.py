"""Merging edits: JSON merge patch (RFC 7396), and two writers who started from the same version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chassis.errors import Problem
from chassis.permissions import hidden, mask
from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.stored import Stored

JSON = dict[str, Any]
_VERSION = re.compile(r"[0-9]{1,9}", re.ASCII)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396: objects merge member by member, null removes a member, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def prepare(stored: type[Stored], current: JSON, patch: JSON) -> JSON:
    """The values to load for a patch: nested objects merged with what is there, and lines with the line of their id;
    everything else as sent."""
    declared = stored.record.declared()
    prepared: JSON = {}
    for name, value in patch.items():
        field = declared.get(name)
        if isinstance(value, dict) and isinstance(field, (f.Embedded, f.StringMap, f.Document)):
            value = merge_patch(current.get(name), value)
        elif isinstance(value, list) and isinstance(field, f.Parts):
            value = _completed(field, current.get(name) or [], value)
        prepared[name] = value
    return prepared


def writable_fields(field: f.Parts) -> list[str]:
    return [name for name, declared in field.part.declared().items() if not declared.computed and name != "id"]


def _completed(field: f.Parts, current: list[JSON], sent: list[Any]) -> list[Any]:
    """Lines as sent, with what a known line does not name as it is: as `merge_parts` reads it, so that an edit means
    the same whether or not somebody else has changed another line meanwhile."""
    names = writable_fields(field)
    known = {
        part["id"]: {name: part[name] for name in names if part.get(name) is not None}
        for part in current
        if part.get("id")
    }
    return [
        {**known[part["id"]], **part}
        if isinstance(part, dict) and isinstance(part.get("id"), str) and part["id"] in known
        else part
        for part in sent
    ]


def check_version(work: Work, entity: Stored, if_match: str | None, patch: JSON | None) -> JSON | None:
    """Let a writer pass who saw the present version, or whose edit touches other fields than the edits since.

    Returns the patch, in which lists of parts are merged by part and field. Otherwise raises 412 `version_conflict`
    with the clashing fields as they were (`base`), as this writer wants them (`mine`) and as they are (`theirs`).
    """
    if if_match is None or if_match == "*" or if_match == str(entity.version):
        return patch
    rows = _since(work, entity, int(if_match)) if _VERSION.fullmatch(if_match) else []
    if not rows:
        raise _clash(work, entity, {}, patch or {}, list(patch or {}))
    base = {**rows[0].snapshot, **rows[0].private.get("snapshot", {})}
    theirs = {name: None for row in rows[1:] for name in row.changed}
    current = entity.wire()
    if patch is None:
        # Who deletes, restores or commands wants the record as he saw it.
        raise _clash(work, entity, base, base, [name for name in theirs if base.get(name) != current.get(name)])
    merged, clashing = dict(patch), []
    for name in patch:
        if name not in theirs:
            continue
        field = entity.record.declared().get(name)
        if isinstance(field, f.Parts):
            lines = merge_parts(base.get(name) or [], patch[name], current.get(name) or [], field)
            if lines is not None:
                merged[name] = lines
                continue
            clashing.append(name)
        elif isinstance(field, (f.Embedded, f.StringMap, f.Document)):
            clashing += clashes(base.get(name), patch[name], current.get(name), name)
        else:
            clashing += [name] if current.get(name) not in (patch[name], base.get(name)) else []
    if clashing:
        raise _clash(work, entity, base, patch, clashing)
    return merged


def _since(work: Work, entity: Stored, version: int) -> list[Any]:
    """The change rows from a version on; none when there never was such a version."""
    # What this transaction has changed so far (in bulk) is not in the table yet.
    pending = [change for change in work.changes if change.record_id == entity.id and change.version >= version]
    written = work.sql(
        "SELECT version, changed, snapshot, private FROM changes"
        " WHERE tenant_id = %s AND record_id = %s AND version >= %s ORDER BY version",
        (work.tenant, entity.id, version),
    ).all()
    rows: list[Any] = [*written, *pending]
    return rows if rows and rows[0].version == version else []


def clashes(base: Any, mine: Any, theirs: Any, path: str) -> list[str]:
    """The members of a structure, by their paths, that a merge patch and the others have changed differently."""
    if isinstance(mine, dict) and isinstance(theirs, dict) and isinstance(base, dict | None):
        before = base or {}
        return [
            found
            for name, value in mine.items()
            for found in clashes(before.get(name), value, theirs.get(name), f"{path}.{name}")
        ]
    return [path] if theirs not in (base, mine) else []


def _clash(work: Work, entity: Stored, base: JSON, mine: JSON, paths: list[str]) -> Problem:
    name = entity.record.record_name
    gone = hidden(work.context, name)
    shown = [path for path in paths if not {path, path.split(".", 1)[0]} & gone]
    base, mine, now = (mask(work.context, name, one) for one in (base, mine, entity.wire()))
    return Problem(
        412,
        "version_conflict",
        f"The {entity.record.singular} was changed meanwhile: it is at version {entity.version}.",
        errors=[{"field": path, "message": "Changed by both."} for path in shown],
        extra={
            "version": entity.version,
            "base": {path: _at(base, path) for path in shown},
            "mine": {path: _at(mine, path) for path in shown},
            "theirs": {path: _at(now, path) for path in shown},
        },
    )


def _at(document: Any, path: str) -> Any:
    for name in path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def merge_parts(base: list[JSON], mine: Any, theirs: list[JSON], field: f.Parts) -> list[JSON] | None:
    """Three lists of parts merged by id and field; None where both changed the same field of a part.

    A part missing from one side was removed there; removing what the other side changed is a clash. A field missing
    from one of `mine` was not changed.
    """
    if not isinstance(mine, list) or not all(isinstance(part, dict) for part in mine):
        return None
    ids = [part["id"] for part in mine if part.get("id") is not None]
    if not all(isinstance(one, str) for one in ids) or len(set(ids)) != len(ids):
        return None
    writable = writable_fields(field)
    before, ours, other = ({part["id"]: part for part in parts if part.get("id")} for parts in (base, mine, theirs))
    merged: list[JSON] = []
    for part in theirs:
        key = part.get("id")
        if key not in before:
            if key in ours:
                return None
            merged.append({"id": key, **{name: part.get(name) for name in writable}})
            continue
        started = {name: before[key].get(name) for name in writable}
        there = {name: part.get(name) for name in writable}
        if key not in ours:
            if there != started:
                return None
            continue
        here = {name: ours[key].get(name, started[name]) for name in writable}
        one: JSON = {"id": key}
        for name in writable:
            if here[name] != started[name] and there[name] != started[name] and here[name] != there[name]:
                return None
            one[name] = here[name] if here[name] != started[name] else there[name]
        merged.append(one)
    for key, part in ours.items():
        if key in before and key not in other:
            if any(part.get(name, before[key].get(name)) != before[key].get(name) for name in writable):
                return None
        elif key not in before:
            merged.append(part)
    merged += [part for part in mine if not part.get("id")]
    # A value that was taken away stays as null, since a field that is not named is one that was not changed.
    declared = field.part.declared()
    return [
        {name: value for name, value in part.items() if value is not None or declared[name].allow_none}
        for part in merged
    ]
