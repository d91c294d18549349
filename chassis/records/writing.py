"""Writes beside the single one: upsert by an external key, and bulk."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from chassis.errors import Problem, invalid, not_found
from chassis.permissions import scope
from chassis.records import deleting, external, holding, references, survivors
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
MOST = 500
OPERATIONS = ("create", "update", "delete", "upsert")


def upsert(
    work: Work, store: Store[Any], system: str, key: str, data: JSON, if_match: str | None = None
) -> tuple[Any, bool]:
    """Create the record that has this external key, or bring it to `data` as a merge patch. True: it is new.

    Two writers who create the same key at once meet at its unique entry: the later one is refused, and finds it next.
    """
    others = data.get("external_ids") or {}
    if not isinstance(others, dict):
        raise invalid({"external_ids": "Must be an object."})
    keys = {**others, system: key}
    record_id = external.find(work, store.name, system, key)
    if record_id is None:
        if scope(work.context, store.name, "create") == "none":
            # As for a key whose record may not be seen: who can do neither must not learn which keys are taken.
            raise not_found(store.record.singular)
        if if_match is not None:
            raise Problem(412, "version_conflict", f"No {store.record.singular} has this key, in any version.")
        return store.create(work, {**data, "external_ids": keys}), True
    # The key of a merged record leads to the survivor, as other systems go on to use it.
    if "merge" in store.record.operations:
        record_id = survivors.into(work, store.name, [record_id]).get(record_id, (record_id,))[0]
    patch = {name: value for name, value in data.items() if name != "external_ids"}
    if others:
        patch["external_ids"] = keys
    return store.update(work, record_id, patch, if_match), False


def create_all(work: Work, store: Store[Any], items: Sequence[tuple[str, JSON]]) -> list[Any]:
    """Many new records of a principal, each of its id and its loaded values, with one statement for each event."""
    entities = [store.prepare(work, values) for _, values in items]
    references.look_ahead(work, entities)
    by_event: dict[Any, list[Any]] = {}
    for (record_id, _), entity in zip(items, entities, strict=True):
        # Rules may write the id beside the record, such as in a ledger.
        entity.id = record_id
        event = store.begin(work, entity)
        by_event.setdefault(event, []).append(entity)
    for event, alike in by_event.items():
        store.add_all(work, alike, event=event)
    for entity in entities:
        store.complete(work, entity)
    return entities


def bulk(work: Work, store: Store[Any], items: Any, *, atomic: bool) -> JSON:
    """Up to 500 writes with a status for each: `atomic` is all or none, otherwise each stands behind a savepoint."""
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        raise invalid({"items": f"Must be a list of 1 to {MOST} writes."})
    results: list[JSON] = []
    failed = False
    going = [str(item.get("id")) for item in items if isinstance(item, dict) and item.get("op") == "delete"]
    deleting.prepare(work, store, [one for one in going if is_uuid(one)])
    try:
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise invalid({f"items.{index}": "Must be an object."})
            result: JSON = {"ref": item.get("ref")}
            try:
                with nullcontext() if atomic else work.savepoint():
                    result |= _one(work, store, item)
            except Problem as problem:
                if atomic:
                    errors = [{**error, "field": f"items.{index}.{error['field']}"} for error in problem.errors]
                    raise Problem(
                        problem.status,
                        problem.code,
                        f"items.{index}: {problem.detail}",
                        errors=errors,
                        extra=problem.extra,
                    ) from None
                failed = True
                result |= {"status": problem.status, "error": problem.document()}
            results.append(result)
    finally:
        holding.release(work)
    return {"items": results, "failed": failed}


def _one(work: Work, store: Store[Any], item: JSON) -> JSON:
    operation = item.get("op", "create")
    if operation not in OPERATIONS or operation not in store.record.operations:
        raise invalid({"op": f"{store.record.collection} has no {operation} in bulk."})
    if operation in ("update", "delete") and not is_uuid(item.get("id")):
        raise invalid({"id": "Must be an id (UUID)."})
    if not isinstance(item.get("if_match", ""), str | None):
        raise invalid({"if_match": "Must be text."})
    data = item.get("data")
    if operation != "delete" and not isinstance(data, dict):
        raise invalid({"data": "Must be an object."})
    if operation == "create":
        return _result(store.create(work, data or {}), 201)
    if operation == "update":
        return _result(store.update(work, item["id"], data or {}, item.get("if_match")), 200)
    if operation == "delete":
        return _result(store.delete(work, item["id"], item.get("if_match")), 200)
    if not isinstance(item.get("system"), str) or not isinstance(item.get("key"), str):
        raise invalid({"system": "An upsert names system and key."})
    entity, created = upsert(work, store, item["system"], item["key"], data or {}, item.get("if_match"))
    return _result(entity, 201 if created else 200)


def _result(entity: Any, status: int) -> JSON:
    return {"status": status, "id": entity.id, "version": entity.version}
