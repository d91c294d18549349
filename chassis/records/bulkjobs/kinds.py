"""What the three jobs do, in batches of 500 records, each batch with its cursor in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from chassis import jobs
from chassis.errors import Problem
from chassis.records import deleting, holding, lists
from chassis.records.bulkjobs import BATCH, report
from chassis.records.bulkjobs.undoing import undo_one
from chassis.records.store import Store
from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.jobs.running import Running

JSON = dict[str, Any]
SAMPLE = 20
# What became of a record: its outcome, its version afterwards, the refusal.
Outcome = tuple[str, int | None, JSON | None]
One = Callable[["Work", Any], Outcome]


@jobs.kind("bulk-preview")
def preview(running: Running) -> JSON:
    """Store the ids and versions of what the filter finds now, in the order of creation."""
    store, params = running.store, running.job.params
    cursor = running.job.cursor or {"after": None, "count": 0, "sample": []}
    while not cursor.get("complete") and not running.cancelled():
        with running.work() as work:
            query = {"filter": params["filter"], "sort": "created_at", "limit": lists.LARGEST, "after": cursor["after"]}
            page = lists.page(work, store, query, budget=lists.UNBOUNDED)
            found = page["items"]
            work.sql(
                "INSERT INTO job_items (tenant_id, job_id, seq, record_id, version)"
                " SELECT %s, %s, %s + place, id, version FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY"
                " AS found (id, version, place)",
                (
                    work.tenant,
                    running.job.id,
                    cursor["count"],
                    [document["id"] for document in found],
                    [document["version"] for document in found],
                ),
            )
            cursor = {
                "after": page["next"],
                "count": cursor["count"] + len(found),
                "sample": cursor["sample"] + [_short(store, one) for one in found[: SAMPLE - len(cursor["sample"])]],
                "complete": page["next"] is None,
            }
            running.checkpoint(work, cursor, cursor["count"])
    return {"action": params["action"], "count": cursor["count"], "sample": cursor["sample"]}


def _short(store: Store[Any], document: JSON) -> JSON:
    """A record of the sample without its lines, of which there may be thousands."""
    declared = store.record.declared()
    return {name: value for name, value in document.items() if not isinstance(declared[name], f.Parts)}


@jobs.kind("bulk-run")
def run(running: Running) -> JSON:
    store, params = running.store, running.job.params
    act = _action(store, params)

    def one(work: Work, item: Any) -> Outcome:
        if item.now is None or item.deleted:
            return "gone", None, None
        if item.now != item.version:
            return "changed", item.now, None
        version = act(work, item.record_id)
        return ("unchanged" if version == item.version else "done"), version, None

    def batch(work: Work, after: int) -> list[Any]:
        items = _items(work, store, params["preview"], after)
        if params["action"] == "delete":
            deleting.prepare(work, store, [item.record_id for item in items if item.now == item.version])
        return items

    def keep(work: Work, outcomes: list[tuple[Any, Outcome]]) -> None:
        holding.release(work)
        work.sql(
            "UPDATE job_items AS i SET outcome = o.outcome, after = o.after, problem = o.problem"
            " FROM unnest(%s::int[], %s::text[], %s::int[], %s::jsonb[]) AS o (seq, outcome, after, problem)"
            " WHERE i.tenant_id = %s AND i.job_id = %s AND i.seq = o.seq",
            (*_columns(outcomes), work.tenant, params["preview"]),
        )

    _through(running, batch, one, keep)
    return report.publish(running, params["preview"])


@jobs.kind("bulk-undo")
def undo(running: Running) -> JSON:
    store, params = running.store, running.job.params

    def batch(work: Work, after: int) -> list[Any]:
        return _items(work, store, params["preview"], after, done=True)

    def one(work: Work, item: Any) -> Outcome:
        return undo_one(work, store, params["action"], item)

    def keep(work: Work, outcomes: list[tuple[Any, Outcome]]) -> None:
        work.sql(
            "INSERT INTO job_items (tenant_id, job_id, seq, record_id, version, outcome, after, problem)"
            " SELECT %s, %s, o.seq, i.record_id, i.after, o.outcome, o.after, o.problem"
            " FROM unnest(%s::int[], %s::text[], %s::int[], %s::jsonb[]) AS o (seq, outcome, after, problem)"
            " JOIN job_items AS i ON i.tenant_id = %s AND i.job_id = %s AND i.seq = o.seq",
            (work.tenant, running.job.id, *_columns(outcomes), work.tenant, params["preview"]),
        )

    _through(running, batch, one, keep)
    return report.publish(running, running.job.id)


def _columns(outcomes: list[tuple[Any, Outcome]]) -> tuple[list[Any], ...]:
    return (
        [item.seq for item, _ in outcomes],
        [outcome for _, (outcome, _, _) in outcomes],
        [after for _, (_, after, _) in outcomes],
        [jobs.as_json(problem) for _, (_, _, problem) in outcomes],
    )


def _action(store: Store[Any], params: JSON) -> Callable[[Work, str], int]:
    """What is done to one record: the version that it has afterwards."""
    action = params["action"]
    if action == "update":
        return lambda work, record_id: int(store.update(work, record_id, dict(params["patch"])).version)
    if action == "delete":
        return lambda work, record_id: int(store.delete(work, record_id).version)
    return lambda work, record_id: int(store.run(work, record_id, action, params["data"])[0].version)


def _items(work: Work, store: Store[Any], job_id: str, after: int, *, done: bool = False) -> list[Any]:
    """The next items with the present version of their records, which are locked, in the order of their ids so that
    two jobs never wait for each other."""
    condition = " AND i.outcome = 'done'" if done else ""
    items = work.sql(
        f"SELECT i.seq, i.record_id, i.version, i.after FROM job_items AS i"
        f" WHERE i.tenant_id = %s AND i.job_id = %s AND i.seq > %s{condition} ORDER BY i.seq LIMIT {BATCH}",
        (work.tenant, job_id, after),
    ).all()
    rows = work.sql(
        f'SELECT id, version, deleted_at IS NOT NULL AS deleted FROM "{store.table}"'
        " WHERE tenant_id = %s AND id = ANY(%s::uuid[]) ORDER BY id FOR UPDATE",
        (work.tenant, [item.record_id for item in items]),
    )
    present = {row.id: row for row in rows}
    return [Item(item, present.get(item.record_id)) for item in items]


class Item:
    """A record of the set: as it was previewed, as the run left it (`after`), and its version now (None: purged)."""

    __slots__ = ("after", "deleted", "now", "record_id", "seq", "version")

    def __init__(self, item: Any, row: Any) -> None:
        self.seq, self.record_id, self.version, self.after = item
        self.now: int | None = row.version if row is not None else None
        self.deleted = row is not None and row.deleted


def _through(
    running: Running,
    batch: Callable[[Work, int], list[Any]],
    one: One,
    keep: Callable[[Work, list[tuple[Any, Outcome]]], None],
) -> None:
    """Every item once. A batch in which nothing is refused goes without a savepoint and without waiting for each write;
    one that fails is done again row by row, so that the refusal finds its record."""
    cursor, done = running.job.cursor or 0, running.job.done
    while not running.cancelled():
        for careful in (False, True):
            try:
                with running.work() as work:
                    items = batch(work, cursor)
                    if not items:
                        return
                    work.pipelined = not careful
                    outcomes = [(item, _one(work, one, item, careful)) for item in items]
                    keep(work, outcomes)
                    running.checkpoint(work, items[-1].seq, done + len(items))
                cursor, done = items[-1].seq, done + len(items)
                break
            except (Problem, DBAPIError):
                if careful:
                    raise


def _one(work: Work, one: One, item: Any, careful: bool) -> Outcome:
    if not careful:
        return one(work, item)
    try:
        with work.savepoint():
            return one(work, item)
    except Problem as problem:
        if problem.status >= 500:
            raise
        return "refused", None, problem.document()
