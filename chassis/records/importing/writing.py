"""Documents become records, many in one transaction. A document that cannot be written is refused alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from chassis.errors import Problem, conflict
from chassis.ids import derived_id
from chassis.permissions import covers, scope
from chassis.records import patching
from chassis.records.importing import lookup
from chassis.records.importing.documents import Document
from chassis.records.importing.mapping import Plan
from chassis.records.importing.values import Bad, convert_of
from chassis.records.writing import create_all
from contracts import fields as f

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
VERDICTS = ("created", "updated", "unchanged", "rejected")
PASSING = (503, 504)


@dataclass(slots=True)
class Verdict:
    """What became of a document: one of VERDICTS, with (field, message, line) of each error of a rejected one."""

    outcome: str
    errors: list[tuple[str, str, int]]


class Writer:
    """Writes one job's documents. Ids of new records follow from job and line, so no repetition makes twins."""

    def __init__(self, store: Store[Any], plan: Plan, mode: str, job_id: str) -> None:
        self._store, self._plan, self._mode, self._job = store, plan, mode, job_id

    def read(self, documents: list[Document]) -> list[Document]:
        """Read the data of new records as far as nothing else has to be known for it: no database, no other record."""
        if self._plan.match is None:
            for document in documents:
                if not document.errors and not document.wanted and not document.data.get("custom"):
                    self._load(document)
        return documents

    def _load(self, document: Document) -> None:
        try:
            document.values = self._store.load(document.data)
        except Problem as problem:
            _refuse(document, problem)

    def write(self, work: Work, documents: Sequence[Document]) -> list[Verdict]:
        """The verdict of each document, in their order; what is not rejected is written. No key occurs twice."""
        verdicts: dict[int, Verdict] = {}
        for document in documents:
            self._read_custom(work, document)
        found = self._matches(work, documents)
        creates: list[tuple[Document, Any]] = []
        updates: list[tuple[Document, Any]] = []
        for document in documents:
            if not document.errors:
                self._sort(document, found, creates, updates)
            if document.errors:
                verdicts[document.line] = Verdict("rejected", document.errors)
        self._attempt(work, creates, verdicts, self._create)
        self._attempt(work, updates, verdicts, self._update)
        return [verdicts[document.line] for document in documents]

    def _read_custom(self, work: Work, document: Document) -> None:
        """Cells of custom fields are read by the tenant's definitions, which only this transaction knows."""
        cells = document.data.get("custom")
        if not isinstance(cells, dict) or not cells:
            return
        known = work.service.definitions.fields_with(work, self._store.record.collection, set(cells)).active
        for name, cell in cells.items():
            if name in known and isinstance(cell, str):
                try:
                    cells[name] = convert_of(known[name], None, work.context.zone)(cell)
                except Bad as error:
                    document.refuse(f"custom.{name}", str(error))

    def _matches(self, work: Work, documents: Sequence[Document]) -> dict[str, list[str]]:
        if self._plan.match is None:
            return {}
        keys = [document.key for document in documents if document.key and not document.errors]
        path = self._plan.match.path
        return lookup.find(work, self._store, path, keys) if keys else {}

    def _sort(self, document: Document, found: dict[str, list[str]], creates: list[Any], updates: list[Any]) -> None:
        if self._plan.match is not None:
            where = self._plan.match.path
            if not document.key:
                document.refuse(where, "Empty, and records are matched by it.")
                return
            ids = found.get(document.key, [])
            if len(ids) > 1:
                document.refuse(where, f"Several records have {document.key}.")
            elif ids and self._mode == "create":
                document.refuse(where, f"There is a record with {document.key} already.")
            elif not ids and self._mode == "update":
                document.refuse(where, f"There is no record with {document.key}.")
            elif ids:
                updates.append((document, ids[0]))
                return
            if document.errors:
                return
        if document.values is None:
            self._load(document)
        if document.values is not None:
            creates.append((document, document.values))

    def _attempt(
        self,
        work: Work,
        items: list[tuple[Document, Any]],
        verdicts: dict[int, Verdict],
        effect: Callable[[Work, list[tuple[Document, Any]]], list[Verdict]],
    ) -> None:
        """All at once; where that is refused each half for itself, down to the one that is at fault."""
        if not items:
            return
        try:
            with work.savepoint():
                outcome = effect(work, items)
        except Problem as problem:
            if problem.status in PASSING:
                raise
            if len(items) == 1:
                document = items[0][0]
                _refuse(document, problem)
                verdicts[document.line] = Verdict("rejected", document.errors)
                return
        except DBAPIError as error:
            if len(items) == 1 and not _is_of_the_data(error):
                raise
            if len(items) == 1:
                document = items[0][0]
                document.refuse("", "The database refuses this value.")
                verdicts[document.line] = Verdict("rejected", document.errors)
                return
        else:
            verdicts.update(zip((document.line for document, _ in items), outcome, strict=True))
            return
        work.copies.clear()
        half = len(items) // 2
        self._attempt(work, items[:half], verdicts, effect)
        self._attempt(work, items[half:], verdicts, effect)

    def _create(self, work: Work, items: list[tuple[Document, Any]]) -> list[Verdict]:
        for document, _ in items:
            self._store.refuse_masked(work, document.data)
        rows = [(derived_id("import", self._job, str(document.line)), values) for document, values in items]
        create_all(work, self._store, rows)
        return [Verdict("created", [])] * len(items)

    def _update(self, work: Work, items: list[tuple[Document, Any]]) -> list[Verdict]:
        store, context = self._store, work.context
        # Locked in the order of their ids, as everybody does who locks many. What is insert-only cannot be locked.
        lock = "update" in store.record.operations
        rows = store.where(work, "id = ANY(%s::uuid[])", ([record_id for _, record_id in items],), lock=lock)
        known = {entity.id: entity for entity in rows}
        allowed = scope(context, store.name, "update")
        outcome = []
        for document, record_id in items:
            entity = known.get(record_id)
            if entity is None:
                raise Problem(404, "not_found", "The record was deleted meanwhile.")
            if not covers(context, allowed, entity.owner_id, entity.team_id):
                raise Problem(403, "forbidden", "You may not change this record.")
            outcome.append(Verdict("updated" if self._edit(work, entity, document.data) else "unchanged", []))
        return outcome

    def _edit(self, work: Work, entity: Any, data: JSON) -> bool:
        """What a file repeats of a record is no edit, so that no rule about edits speaks against it."""
        patch = {name: self._aligned(name, value, entity.was[name]) for name, value in data.items()}
        values = self._store.load(patching.prepare(self._store.stored, entity.was, patch), partial=True)
        declared = self._store.record.declared()
        if all(_same(declared[name], value, entity.was[name]) for name, value in values.items()):
            return False
        if "update" not in self._store.record.operations:
            raise conflict("not_editable", f"A {self._store.record.singular} is never changed.")
        return self._store.edit(work, entity, patch)

    def _aligned(self, name: str, value: Any, now: Any) -> Any:
        """Lines of a file have no ids: they are those of the record in their order, and keep what the file is silent
        about."""
        one = self._store.record.declared().get(name)
        if not isinstance(one, f.Parts) or not isinstance(value, list):
            return value
        writable = [inner for inner, below in one.part.declared().items() if not below.computed]
        by_id = {part.get("id"): part for part in now or ()}
        aligned = []
        for index, part in enumerate(value):
            known = None
            if isinstance(part, dict):
                known = by_id.get(part["id"]) if part.get("id") else (now[index] if index < len(now or ()) else None)
            kept = {inner: known[inner] for inner in writable if known and known.get(inner) is not None}
            aligned.append({**kept, **part} if isinstance(part, dict) else part)
        return aligned


def _same(one: f.Field, value: Any, now: Any) -> bool:
    if value is None or now is None:
        return value is None and now is None
    wire = one.to_wire(value)
    if not isinstance(one, f.Parts):
        return bool(wire == now)
    writable = [inner for inner, below in one.part.declared().items() if not below.computed]
    return len(wire) == len(now) and all(
        part.get(inner) == other.get(inner) for part, other in zip(wire, now, strict=True) for inner in writable
    )


def _refuse(document: Document, problem: Problem) -> None:
    """A refusal's fields, each with the line of the file that it stands in."""
    for error in problem.errors or [{"field": problem.extra.get("field") or "", "message": problem.detail}]:
        words = error["field"].split(".")
        at = int(words[1]) if len(words) > 1 and words[1].isdigit() and len(document.rows) > 1 else 0
        line = document.rows[at].line if at < len(document.rows) else document.line
        document.refuse(error["field"], error["message"], line)


def _is_of_the_data(error: DBAPIError) -> bool:
    """22xxx data exceptions and 23xxx violated constraints are about what is written, everything else is not."""
    return (getattr(error.orig, "pgcode", None) or "")[:2] in ("22", "23")
