"""Exports: a list, as its asker may see it, streamed into a file of his.

`machine` loses nothing and goes back in by an import; `human` is for reading: labels, names for ids, no formulas. The
pages follow the list's own sort. Each is as of the moment when it was read: no snapshot is promised. With the default
order, by creation, no record comes twice and none that was there all along is missed.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chassis import jobs
from chassis.errors import Problem, forbidden
from chassis.permissions import hidden
from chassis.records import lists
from chassis.records.exporting import human, machine
from chassis.records.exporting.writers import FORMATS, Jsonl, most_rows
from chassis.records.filters import refuse_unknown
from chassis.records.store import Store

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.jobs.running import Running
    from chassis.records.children import Children

JSON = dict[str, Any]
STYLES = ("human", "machine")
DEFAULT_SORT = "created_at"


def start(work: Work, store: Store[Any], params: JSON) -> JSON:
    """Queue an export of `{filter, sort, fields, format, style}`. What the list would refuse is refused here."""
    if store.granted(work) == "none":
        raise forbidden("export", store.record.collection)
    return jobs.start(work, "export", store.name, _wanted(work, store, params))


def start_of(work: Work, children: Children, kind: str, params: JSON) -> JSON:
    """Queue an export of the notes or attachments of the one record to which `Children.of` has led."""
    wanted = {**_wanted(work, children, params), "about": {"kind": kind, "id": children.about}}
    return jobs.start(work, "export", children.parent.name, wanted)


def _wanted(work: Work, store: Store[Any], params: JSON) -> JSON:
    query = {name: params.get(name) for name in ("filter", "sort", "deleted")}
    lists.check(work, store, query)
    fields = params.get("fields")
    if fields:
        refuse_unknown(set(fields), set(store.record.declared()) - hidden(work.context, store.name), "field")
    return {"query": query, "fields": fields, "format": params["format"], "style": params["style"]}


def _store(running: Running) -> Store[Any]:
    """Where what is exported lies: in the job's record, or among what is written about one."""
    about = running.job.params.get("about")
    found: Any = running.runtime.children(running.job.record, about["kind"]) if about else running.store
    return found  # type: ignore[no-any-return]


def _narrowed(running: Running, store: Any, work: Work) -> Store[Any]:
    """As the asker may see it now; what is about a record only as long as he may read that."""
    about = running.job.params.get("about")
    found: Store[Any] = store.of(work, about["id"]) if about else store
    return found


@jobs.kind("export")
def run(running: Running) -> JSON:
    """Write the file and keep it. A killed export begins anew: it has no effects that could happen twice."""
    store, params = _store(running), running.job.params
    total = _count(running, store, params["query"])
    if total is not None and total > most_rows(params["format"]):
        raise _too_many(params["format"])
    kind = FORMATS[params["format"]]
    with tempfile.TemporaryDirectory(prefix="guanxi-export-") as folder:
        path = Path(folder) / f"export.{kind.suffix}"
        rows = _write(running, store, kind, path, total)
        if rows is None:
            return {"rows": 0, "format": params["format"], "style": params["style"]}
        name = f"{store.record.collection}-{running.runtime.clock.now():%Y-%m-%d}.{kind.suffix}"
        with path.open("rb") as file:
            running.publish("result", file, name, kind.media_type)
    return {"rows": rows, "format": params["format"], "style": params["style"]}


def _write(running: Running, store: Store[Any], kind: Any, path: Path, total: int | None) -> int | None:
    """How many rows were written; None when somebody cancelled."""
    params = running.job.params
    context = running.context()
    concealed = hidden(context, store.name)
    if params["style"] == "machine":
        shape: Any = machine.Shape(store, params["fields"], concealed)
    else:
        shape = human.Shape(store, params["fields"], concealed, running.locale, context.zone)
    rows, after = 0, None
    with kind(path, shape) as writer:
        while True:
            with running.reading() as work:
                query = {**params["query"], "sort": params["query"]["sort"] or DEFAULT_SORT}
                query |= {"limit": lists.LARGEST, "after": after}
                page = lists.page(work, _narrowed(running, store, work), query, budget=lists.UNBOUNDED)
                documents = page["items"]
                found = shape.documents(work, documents) if kind is Jsonl else shape.rows(work, documents)
                for row in found:
                    writer.write(row)
            rows += len(documents)
            if rows > most_rows(params["format"]):
                raise _too_many(params["format"])
            running.tell(rows, total)
            after = page["next"]
            if after is None:
                return rows
            if running.cancelled():
                return None


def _count(running: Running, store: Store[Any], query: JSON) -> int | None:
    """How many there are, for the progress only: where counting takes too long, nobody is told."""
    try:
        with running.reading() as work:
            counted = {**query, "limit": 1, "count": "exact"}
            return int(lists.page(work, _narrowed(running, store, work), counted)["count"])
    except Problem:
        return None


def _too_many(kind: str) -> Problem:
    most = most_rows(kind)
    return Problem(422, "too_many_rows", f"A sheet has at most {most} rows: filter, or export as csv or jsonl.")
