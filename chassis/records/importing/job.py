"""The import job: from a stored file to records, batch by batch, each with the cursor behind it in its transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from chassis import blobs, jobs
from chassis.ahead import ahead
from chassis.database import Work
from chassis.errors import invalid
from chassis.records.importing import mapping, outcomes, reading, saved
from chassis.records.importing.documents import Document, Reader
from chassis.records.importing.lookup import References
from chassis.records.importing.mapping import Plan
from chassis.records.importing.outcomes import restored
from chassis.records.importing.tables import Row
from chassis.records.importing.writing import VERDICTS, Verdict, Writer

if TYPE_CHECKING:
    from chassis.jobs.running import Running
    from chassis.records.store import Store

JSON = dict[str, Any]
MODES = ("create", "update", "upsert")
DOCUMENTS, ROWS = 500, 5_000
"""A batch, which is one transaction, has at most so many documents and about so many rows."""


def start(work: Work, store: Store[Any], params: JSON) -> JSON:
    """Queue an import: `{blob, format, mode, match?, dry_run?, mapping?, saved?, encoding?, name?}`.

    What is wrong without looking at the file is refused here, 422. The file's key is held for the job.
    """
    mode = params.get("mode") or "create"
    if mode not in MODES:
        raise invalid({"mode": f"Must be one of {', '.join(MODES)}."})
    if mode == "update" and "update" not in store.record.operations:
        raise invalid({"mode": f"{store.record.collection} are never changed."})
    saved.may_import(work, store, mode)
    given = saved.get(work, store, params["saved"])["mapping"] if params.get("saved") else params.get("mapping")
    match = params.get("match") or ("id" if mode != "create" else None)
    mapping.check_fields(store.record, mapping.check_shape(given), match)
    kept = {name: params.get(name) for name in ("blob", "format", "encoding", "name")}
    kept |= {"mode": mode, "match": match, "dry_run": bool(params.get("dry_run")), "mapping": given or {}}
    queued = jobs.start(work, "import", store.name, kept)
    blobs.hold(work, params["blob"], f"job:{queued['id'].partition('-')[2]}")
    return queued


class _Undone(Exception):
    """Ends a dry run's transaction without a trace."""


class Import:
    """One run of an import job; a repeated run after a kill goes on behind the last committed batch."""

    def __init__(self, running: Running) -> None:
        self.running, self.store, self.params = running, running.store, running.job.params
        self.dry_run: bool = self.params["dry_run"]
        # A dry run leaves nothing that it could go on from.
        cursor = None if self.dry_run else running.job.cursor
        self.counts: JSON = cursor["counts"] if cursor else dict.fromkeys(VERDICTS, 0)
        self.rows_done: int = cursor["rows"] if cursor else 0
        self.columns: list[str] | None = None
        self._seen: set[tuple[str, str]] = set()

    def run(self) -> JSON:
        if self.dry_run or self.rows_done == 0:
            with self.running.work() as work:
                outcomes.forget(work, self.running.job.id)
        total = self._count()
        with self._source() as source:
            plan = self._plan(source)
            rows = islice(self._rows(source), self.rows_done, None)
            references = References(self.running)
            writer = Writer(self.store, plan, self.params["mode"], self.running.job.id)
            batches = map(writer.read, _batches(Reader(plan).documents(rows)))
            with closing(ahead(batches)) as coming:
                for batch in coming:
                    if self.running.cancelled():
                        break
                    references.resolve(batch)
                    self._write(writer, plan, batch, total)
            notes = {**source.notes, **plan.report()}
        outcomes.publish(self.running, self.columns, dry_run=self.dry_run)
        return {**self.counts, "errors_url": None, "dry_run": self.dry_run, **notes}

    def _source(self) -> Any:
        key = self.params["blob"]
        return reading.open_source(
            lambda: self.running.blobs.open(key),  # type: ignore[arg-type,return-value]
            self.params["format"],
            self.params.get("encoding"),
        )

    def _count(self) -> int:
        """How many rows there are; a file that cannot be read to its end is refused before anything is written."""
        with self._source() as source:
            self._plan(source)
            return sum(1 for _ in source.rows())

    def _plan(self, source: reading.Source) -> Plan:
        self.columns = source.columns
        with self.running.reading() as work:
            known = self.running.runtime.definitions.fields(work, self.store.record.collection)
        return mapping.plan(
            self.store.record,
            source.columns,
            self.params["mapping"],
            match=self.params["match"],
            mode=self.params["mode"],
            zone=self.running.context().zone,
            custom=known.active,
        )

    def _rows(self, source: reading.Source) -> Iterator[Row]:
        """The rows; in a file of rejected rows that was sent again, without what was done to its cells."""
        again = source.columns is not None and outcomes.LINE in source.columns
        for row in source.rows():
            yield row._replace(cells=[restored(cell) for cell in row.cells]) if again and row.cells else row

    def _write(self, writer: Writer, plan: Plan, batch: list[Document], total: int) -> None:
        rows = self.rows_done + sum(len(document.rows) for document in batch)
        if self.dry_run:
            verdicts = self._try(writer, plan, batch)
            with self.running.work() as work:
                self._keep(work, batch, verdicts, rows, total)
        else:
            with self.running.work() as work:
                self._keep(work, batch, writer.write(work, batch), rows, total)
        self.rows_done = rows

    def _try(self, writer: Writer, plan: Plan, batch: list[Document]) -> list[Verdict]:
        """What the verdicts would be. Batches before this one have left nothing, so their keys are remembered here."""
        repeated = []
        for document in batch:
            keys = _keys(document)
            repeated.append(not document.errors and bool(keys & self._seen))
            self._seen |= keys
        fresh = [document for document, known in zip(batch, repeated, strict=True) if not known]
        verdicts: list[Verdict] = []
        with suppress(_Undone), self.running.work() as work:
            verdicts = writer.write(work, fresh)
            raise _Undone
        written = iter(verdicts)
        return [
            self._again(document, plan) if known else next(written)
            for document, known in zip(batch, repeated, strict=True)
        ]

    def _again(self, document: Document, plan: Plan) -> Verdict:
        """A row whose key stood in an earlier row of the file."""
        if plan.match is not None and self.params["mode"] != "create":
            return Verdict("updated", [])
        document.refuse("", "The file has this key in an earlier row already.")
        return Verdict("rejected", document.errors)

    def _keep(self, work: Work, batch: list[Document], verdicts: list[Verdict], rows: int, total: int) -> None:
        counts = dict(self.counts)
        for verdict in verdicts:
            counts[verdict.outcome] += 1
        outcomes.keep(work, self.running.job.id, batch, verdicts, all_rows=self.dry_run)
        self.running.checkpoint(work, {"rows": rows, "counts": counts}, rows, total)
        self.counts = counts


def _keys(document: Document) -> set[tuple[str, str]]:
    external = document.data.get("external_ids")
    keys = set(external.items()) if isinstance(external, dict) else set()
    return {key for key in keys if isinstance(key[1], str)} | ({("", document.key)} if document.key else set())


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Documents in batches in which no key occurs twice: what writes the same record stands in batches of its own."""
    batch: list[Document] = []
    rows, seen = 0, set[tuple[str, str]]()
    for document in documents:
        keys = _keys(document)
        if batch and (len(batch) >= DOCUMENTS or rows >= ROWS or keys & seen):
            yield batch
            batch, rows, seen = [], 0, set()
        batch.append(document)
        rows += len(document.rows)
        seen |= keys
    if batch:
        yield batch


@jobs.kind("import")
def run(running: Running) -> JSON:
    """`{created, updated, unchanged, rejected}` and what was found about the file; the job adds `errors_url`."""
    return Import(running).run()
