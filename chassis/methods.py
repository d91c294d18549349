"""The calls that every service answers: reading, writing, commands. One table from method to what it does.

A request is `{"method", "context", "params", "key"?, "route"?}`; an answer `{"status", "body", "etag"?, "location"?}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from chassis import forgetting, idempotency, jobs, operators, repointing, saga_log
from chassis.context import Context
from chassis.database import constraint_of
from chassis.errors import not_found
from chassis.ids import GENERATED_KEY
from chassis.prepared import PlansChanged
from chassis.records import (
    bulkjobs,
    comparing,
    duplicates,
    erasing,
    exporting,
    history,
    holding,
    lists,
    merging,
    past,
    purging,
    reading,
    writing,
)
from chassis.records.children import calls as children
from chassis.records.importing import requests as imports
from chassis.records.store import Store
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.runtime import Runtime

JSON = dict[str, Any]


def run(runtime: Runtime, context: Context, request: JSON) -> JSON:
    """Dispatch one request. Writes run in one transaction, in which their answer is kept under the idempotency key."""
    try:
        return _run(runtime, context, request)
    except PlansChanged:
        # Its transaction has left nothing, and nothing that was prepared is used again: the second time it works.
        return _run(runtime, context, request)


def _run(runtime: Runtime, context: Context, request: JSON) -> JSON:
    method, params = request["method"], request.get("params") or {}
    if method == "service.ready":
        # The gateway asks so; whoever cannot reach its database raises here.
        with runtime.database.operations() as connection:
            connection.exec_driver_sql("SELECT 1")
        return {"status": 200, "body": None}
    own = runtime.definition.methods.get(method)
    if own is not None:
        return own(runtime, context, params)
    if "id" in params and not is_uuid(params["id"]):
        raise not_found()
    if method in READS:
        with runtime.database.reading(context) as work:
            return READS[method](work, runtime, params)
    if method not in WRITES:
        raise not_found("method")
    key: str | None = request.get("key")
    route: str = request.get("route") or method
    own_key = key is not None and key.startswith(GENERATED_KEY)
    try:
        with runtime.database.work(context) as work:
            kept = idempotency.recall(work, route, key, params) if key and not own_key else None
            if kept is not None:
                return kept
            answer = WRITES[method](work, runtime, params)
            if key:
                idempotency.keep(work, route, key, params, answer, later=own_key)
            if work.reveal:
                answer = {**answer, "body": {**answer["body"], **work.reveal}}
            return answer
    except DBAPIError as error:
        if not own_key or constraint_of(error) != idempotency.TWICE:
            raise
    # The request came twice. A client's key is looked up first; this one almost never repeats, so its row rides on the
    # commit, and the second transaction fails there, with everything it did.
    with runtime.database.work(context) as work:
        return idempotency.recall(work, route, key or "", params) or {}


def store_of(runtime: Runtime, params: JSON, operation: str = "") -> Store[Any]:
    store = runtime.stores.get(params["record"])
    if store is None or (operation and operation not in store.record.operations):
        raise not_found("collection")
    return store


def answer(work: Work, store: Store[Any], entity: Any, status: int = 200, **more: Any) -> JSON:
    """The record as it is after a write, without what the principal may not see."""
    return {
        "status": status,
        "body": store.shown(work, entity.wire()),
        "etag": str(entity.version),
        **more,
    }


def _get(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "get")
    document = (
        reading.as_of(work, store, params["id"], params["as_of"])
        if params.get("as_of")
        else store.get(work, params["id"])
    )
    etag = str(document["version"])
    document = reading.shape(work, store, [document], params)[0]
    return {"status": 200, "body": document, "etag": etag}


def _list(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "list")
    query = params.get("query") or {}
    body = past.page(work, store, query) if query.get("as_of") else lists.page(work, store, query)
    body["items"] = reading.shape(work, store, body["items"], query)
    return {"status": 200, "body": body}


def _history(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": history.history(work, store_of(runtime, params, "history"), params)}


def _by_external(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "get")
    document = reading.by_external(work, store, params["system"], params["key"])
    return {"status": 200, "body": document, "etag": str(document["version"])}


def _aggregate(work: Work, runtime: Runtime, params: JSON) -> JSON:
    from chassis.records import aggregates

    return {"status": 200, "body": aggregates.run(work, store_of(runtime, params, "aggregate"), params)}


def _query(work: Work, runtime: Runtime, params: JSON) -> JSON:
    handle = runtime.queries.get(f"{params['record']}.{params['name']}")
    if handle is None:
        raise not_found("query")
    return {"status": 200, "body": handle(work, params["id"])}


def _saga(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store_of(runtime, params, "get").get(work, params["id"])
    return {"status": 200, "body": saga_log.describe(work, params["id"])}


def _merges(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": merging.listing(work, store_of(runtime, params, "merge"), params["id"])}


def _duplicates(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "merge")
    return {"status": 200, "body": duplicates.find(work, store, params["id"], params.get("limit"))}


def _administered(what: str, look: Callable[[Any, str, JSON], JSON]) -> Callable[[Any, Any, JSON], JSON]:
    """A page or one entry of what only administrators see, of their own tenant."""

    def read(work: Work, runtime: Runtime, params: JSON) -> JSON:
        operators.permit(work, what)
        return {"status": 200, "body": look(work.sql, runtime.name, {**params, "tenant": work.tenant})}

    return read


def _move_one(verb: str) -> Callable[[Any, Any, JSON], JSON]:
    def move(work: Work, runtime: Runtime, params: JSON) -> JSON:
        operators.permit(work, "admin.inbox", verb)
        return {"status": 200, "body": operators.move_one(work, verb, params["entry"], params.get("reason") or "")}

    return move


def _replay_chosen(work: Work, runtime: Runtime, params: JSON) -> JSON:
    operators.permit(work, "admin.inbox", "replay")
    moved = operators.replay(work, params.get("filter") or {}, params.get("reason") or "")
    return {"status": 200, "body": {"replayed": moved}}


def _move_saga(verb: str) -> Callable[[Any, Any, JSON], JSON]:
    def move(work: Work, runtime: Runtime, params: JSON) -> JSON:
        operators.permit(work, "admin.sagas", verb)
        return {"status": 200, "body": operators.move_saga(work, verb, params["id"], params.get("reason") or "")}

    return move


def _job(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": jobs.get(work, params["id"])}


def _jobs(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store_of(runtime, params)
    return {"status": 200, "body": jobs.listing(work, params)}


def _all_jobs(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": jobs.listing(work, params, everybody=True)}


def _job_file(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": jobs.file(work, params["id"], params["which"])}


def _cancel_job(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": jobs.cancel(work, params["id"])}


def _create(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "create")
    entity = store.create(work, params["data"])
    return answer(work, store, entity, 201, location=f"/v1/{store.record.collection}/{entity.id}")


def _update(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "update")
    return answer(work, store, store.update(work, params["id"], params["patch"], params.get("if_match")))


def _delete(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store_of(runtime, params, "delete").delete(work, params["id"], params.get("if_match"))
    return {"status": 204, "body": None}


def _restore(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "restore")
    return answer(work, store, store.restore(work, params["id"], params.get("if_match")))


def _erase(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "erase")
    receipt = forgetting.erase(work, store, params["id"], params["data"], params.get("if_match"))
    location = f"/v1/{store.record.collection}/{params['id']}/erasure"
    return {"status": 202, "body": receipt, "location": location}


def _erasure(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": erasing.receipt(work, store_of(runtime, params, "erase"), params["id"])}


def _purge(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store_of(runtime, params, "purge")
    return purging.at_once(work, runtime, params)


def _command(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params)
    entity, contract = store.run(work, params["id"], params["verb"], params.get("data"), params.get("if_match"))
    more = {"location": f"/v1/{store.record.collection}/{entity.id}/saga"} if contract.answers == 202 else {}
    return answer(work, store, entity, contract.answers, **more)


def _merge(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "merge")
    return _accepted(store, *repointing.merge(work, store, params["id"], params["data"], params.get("if_match")))


def _unmerge(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "merge")
    return _accepted(store, *repointing.unmerge(work, store, params["id"], params["data"], params.get("if_match")))


def _accepted(store: Store[Any], survivor: Any, merge_id: str) -> JSON:
    location = f"/v1/{store.record.collection}/{survivor.id}/merges"
    return {"status": 202, "body": {"merge_id": merge_id}, "etag": str(survivor.version), "location": location}


def _upsert(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "upsert")
    entity, created = writing.upsert(
        work, store, params["system"], params["key"], params["data"], params.get("if_match")
    )
    return answer(work, store, entity, 201 if created else 200)


def _export(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return jobs.accepted(exporting.start(work, store_of(runtime, params, "export"), params))


def _bulk_job(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return jobs.accepted(bulkjobs.preview(work, store_of(runtime, params, "bulk"), params))


def _run_job(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return jobs.accepted(bulkjobs.run(work, params["id"]))


def _undo_job(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return jobs.accepted(bulkjobs.undo(work, params["id"]))


def _bulk(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = store_of(runtime, params, "bulk")
    work.context = work.context.caused_by("bulk")
    return {"status": 200, "body": writing.bulk(work, store, params["items"], atomic=bool(params.get("atomic")))}


READS: dict[str, Callable[[Any, Any, JSON], JSON]] = {
    "record.get": _get,
    "record.list": _list,
    "record.history": _history,
    "record.by_external": _by_external,
    "record.aggregate": _aggregate,
    "record.query": _query,
    "record.saga": _saga,
    "admin.inbox": _administered("admin.inbox", operators.inbox),
    "admin.inbox_entry": _administered("admin.inbox", operators.inbox_entry),
    "admin.sagas": _administered("admin.sagas", operators.sagas),
    "admin.saga": _administered("admin.sagas", operators.saga_entry),
    "admin.operations": _administered("admin.operations", operators.operations),
    "admin.jobs": _all_jobs,
    **imports.READS,
    **children.READS,
    "job.get": _job,
    "job.list": _jobs,
    "job.file": _job_file,
    "record.merges": _merges,
    "record.erasure": _erasure,
    "record.duplicates": _duplicates,
    "record.digest": comparing.digest,
    "record.versions": comparing.versions,
}
WRITES: dict[str, Callable[[Any, Any, JSON], JSON]] = {
    "record.create": _create,
    "record.update": _update,
    "record.delete": _delete,
    "record.restore": _restore,
    "record.purge": _purge,
    "record.erase": _erase,
    "record.command": _command,
    "record.upsert": _upsert,
    "record.bulk": _bulk,
    "record.export": _export,
    **imports.WRITES,
    **children.WRITES,
    "record.bulk_job": _bulk_job,
    "job.cancel": _cancel_job,
    "job.run": _run_job,
    "job.undo": _undo_job,
    "admin.replay": _move_one("replay"),
    "admin.discard": _move_one("discard"),
    "admin.replay_chosen": _replay_chosen,
    "admin.push": _move_saga("push"),
    "admin.compensate": _move_saga("compensate"),
    "record.merge": _merge,
    "record.unmerge": _unmerge,
    # Among services, for deleting what others refer to.
    "record.hold": holding.hold,
    "record.let_go": holding.let_go,
    "record.settled": holding.settled,
}
