"""The calls for notes and attachments of a record: `{record, id, kind, child?, …}`, with the answers of any record."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis import jobs
from chassis.errors import not_found
from chassis.records import exporting, history, lists, past, reading
from chassis.records.children import Children, attachments
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]


def _of(work: Work, runtime: Any, params: JSON, action: str = "read") -> Children:
    store = runtime.children(params["record"], params["kind"])
    if store is None:
        raise not_found("collection")
    if "child" in params and not is_uuid(params["child"]):
        raise not_found(store.record.singular)
    found: Children = store.of(work, params["id"], action)
    return found


def _answer(work: Work, store: Children, entity: Any, status: int = 200, **more: Any) -> JSON:
    return {"status": status, "body": store.shown(work, entity.wire()), "etag": str(entity.version), **more}


def _list(work: Work, runtime: Any, params: JSON) -> JSON:
    store, query = _of(work, runtime, params), params.get("query") or {}
    body = past.page(work, store, query) if query.get("as_of") else lists.page(work, store, query)
    body["items"] = reading.shape(work, store, body["items"], query)
    return {"status": 200, "body": body}


def _get(work: Work, runtime: Any, params: JSON) -> JSON:
    store = _of(work, runtime, params)
    document = (
        reading.as_of(work, store, params["child"], params["as_of"])
        if params.get("as_of")
        else store.get(work, params["child"])
    )
    etag = str(document["version"])
    return {"status": 200, "body": reading.shape(work, store, [document], params)[0], "etag": etag}


def _history(work: Work, runtime: Any, params: JSON) -> JSON:
    store = _of(work, runtime, params)
    return {"status": 200, "body": history.history(work, store, {**params, "id": params["child"]})}


def _create(work: Work, runtime: Any, params: JSON) -> JSON:
    store = _of(work, runtime, params, "write")
    return _made(work, store, store.create(work, params["data"]))


def _made(work: Work, store: Children, entity: Any) -> JSON:
    root = f"/v1/{store.parent.record.collection}/{entity.about_id}"
    return _answer(work, store, entity, 201, location=f"{root}/{store.record.collection}/{entity.id}")


def _update(work: Work, runtime: Any, params: JSON) -> JSON:
    store = _of(work, runtime, params, "write")
    return _answer(work, store, store.update(work, params["child"], params["patch"], params.get("if_match")))


def _delete(work: Work, runtime: Any, params: JSON) -> JSON:
    _of(work, runtime, params, "write").delete(work, params["child"], params.get("if_match"))
    return {"status": 204, "body": None}


def _restore(work: Work, runtime: Any, params: JSON) -> JSON:
    store = _of(work, runtime, params, "write")
    return _answer(work, store, store.restore(work, params["child"], params.get("if_match")))


def _export(work: Work, runtime: Any, params: JSON) -> JSON:
    return jobs.accepted(exporting.start_of(work, _of(work, runtime, params), params["kind"], params))


def _admit(work: Work, runtime: Any, params: JSON) -> JSON:
    """Whether a file would be taken, before it is sent: refused as its creation would be."""
    store = _of(work, runtime, {**params, "kind": "attachment"}, "ask")
    attachments.refuse_above_quota(work, params.get("size") or 0)
    return {"status": 200, "body": {"record": store.parent.name}}


def _attach(work: Work, runtime: Any, params: JSON) -> JSON:
    kind = attachments.judged(work, params["data"]["name"], params["blob"])
    store = _of(work, runtime, {**params, "kind": "attachment"}, "write")
    return _made(work, store, attachments.attach(work, store, params["data"], params["blob"], kind))


def _content(work: Work, runtime: Any, params: JSON) -> JSON:
    """What the gateway needs to send the file: `{sha256, size, name, content_type}`."""
    params = {**params, "kind": "attachment"}
    store = _of(work, runtime, params)
    document = store.get(work, params["child"])
    # What is served does not depend on which fields a role is shown.
    entity = store.find(work, params["child"])
    attachments.refuse_unclean(work, entity and entity.scan)
    names = ("sha256", "size", "name", "content_type")
    return {"status": 200, "body": {name: document.get(name) for name in names}}


READS: dict[str, Callable[[Any, Any, JSON], JSON]] = {
    "child.list": _list,
    "child.get": _get,
    "child.history": _history,
    "child.admit": _admit,
    "child.content": _content,
}
WRITES: dict[str, Callable[[Any, Any, JSON], JSON]] = {
    "child.create": _create,
    "child.attach": _attach,
    "child.update": _update,
    "child.delete": _delete,
    "child.restore": _restore,
    "child.export": _export,
}
