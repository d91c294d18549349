"""What a service answers about imports: starting one, saved mappings, and who is meant by a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chassis import jobs
from chassis.errors import invalid, not_found
from chassis.records.importing import job, lookup, saved

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store
    from chassis.runtime import Runtime

JSON = dict[str, Any]


def _store(runtime: Runtime, params: JSON, operation: str) -> Store[Any]:
    store = runtime.stores.get(params["record"])
    if store is None or operation not in store.record.operations:
        raise not_found("collection")
    return store


def _import(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return jobs.accepted(job.start(work, _store(runtime, params, "import"), params))


def _resolve(work: Work, runtime: Runtime, params: JSON) -> JSON:
    values = params["values"]
    if not isinstance(values, list) or len(values) > lookup.MOST or not all(isinstance(one, str) for one in values):
        raise invalid({"values": f"Must be at most {lookup.MOST} texts."})
    return {"status": 200, "body": {"found": lookup.find(work, _store(runtime, params, "get"), params["by"], values)}}


def _mappings(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {"status": 200, "body": saved.listing(work, _store(runtime, params, "import"))}


def _mapping(work: Work, runtime: Runtime, params: JSON) -> JSON:
    store = _store(runtime, params, "import")
    saved.may_import(work, store)
    return {"status": 200, "body": saved.get(work, store, params["name"])}


def _save(work: Work, runtime: Runtime, params: JSON) -> JSON:
    return {
        "status": 200,
        "body": saved.put(work, _store(runtime, params, "import"), params["name"], params["mapping"]),
    }


def _delete(work: Work, runtime: Runtime, params: JSON) -> JSON:
    saved.delete(work, _store(runtime, params, "import"), params["name"])
    return {"status": 204, "body": None}


Answer = Callable[[Any, Any, JSON], JSON]
READS: dict[str, Answer] = {
    "record.resolve": _resolve,
    "import.mappings": _mappings,
    "import.mapping": _mapping,
}
WRITES: dict[str, Answer] = {
    "record.import": _import,
    "import.save_mapping": _save,
    "import.delete_mapping": _delete,
}
