"""Writes beside the single one: upsert by an external key, and bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis.errors import Problem, invalid
from chassis.records import external

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
MOST = 500


def upsert(
    work: Work, store: Store[Any], system: str, key: str, data: JSON, if_match: str | None = None
) -> tuple[Any, bool]:
    """Create the record that has this external key, or bring it to `data` as a merge patch. Returns it and whether it is new.

    Two writers who create the same key at once meet at its unique entry: the later one is refused and finds it next time.
    """
    keys = {**(data.get("external_ids") or {}), system: key}
    record_id = external.find(work, store.name, system, key)
    if record_id is None:
        return store.create(work, {**data, "external_ids": keys}), True
    patch = {name: value for name, value in data.items() if name != "external_ids"}
    if data.get("external_ids"):
        patch["external_ids"] = keys
    return store.update(work, record_id, patch, if_match), False


def bulk(work: Work, store: Store[Any], items: Any, *, atomic: bool) -> JSON:
    """Up to 500 writes with a status for each. `atomic`: all or none; otherwise each stands alone behind a savepoint."""
    if not isinstance(items, list) or not 1 <= len(items) <= MOST:
        raise invalid({"items": f"Must be a list of 1 to {MOST} writes."})
    results: list[JSON] = []
    failed = False
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise invalid({f"items.{index}": "Must be an object."})
        savepoint = None if atomic else work.connection.begin_nested()
        seen = len(work.changes)
        result: JSON = {"ref": item.get("ref")}
        try:
            result |= _one(work, store, item)
            if savepoint is not None:
                savepoint.commit()
        except Problem as problem:
            if atomic:
                errors = [{**error, "field": f"items.{index}.{error['field']}"} for error in problem.errors]
                raise Problem(
                    problem.status, problem.code, f"items.{index}: {problem.detail}", errors=errors, extra=problem.extra
                ) from None
            assert savepoint is not None
            savepoint.rollback()
            del work.changes[seen:]
            failed = True
            result |= {"status": problem.status, "error": problem.document()}
        results.append(result)
    return {"items": results, "failed": failed}


def _one(work: Work, store: Store[Any], item: JSON) -> JSON:
    operation = item.get("op", "create")
    if operation not in store.record.operations:
        raise invalid({"op": f"{store.record.collection} has no {operation} in bulk."})
    if operation in ("update", "delete") and not isinstance(item.get("id"), str):
        raise invalid({"id": "Missing."})
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
