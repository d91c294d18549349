"""Finding records by what people and other systems call them: many at once, of this service or of another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chassis.bus.ports import BusUnavailable, OutcomeUnknown
from chassis.errors import Problem, not_found, unavailable
from chassis.permissions import covers, hidden, scope
from chassis.records.importing.documents import Document
from chassis.records.importing.mapping import matchable
from chassis.text import fold
from contracts import fields as f
from contracts.records import Record
from contracts.values import is_uuid

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.jobs.running import Running
    from chassis.records.store import Store

JSON = dict[str, Any]
MOST = 500
KEPT = 200_000
ENOUGH = 2
"""Two records of one name are as ambiguous as twenty."""


def find(work: Work, store: Store[Any], by: str | None, values: Sequence[str]) -> dict[str, list[str]]:
    """The ids of the living records that the principal may read and that each value names; two mean it is ambiguous.

    `by` is `id`, `external:<system>` or a field that lists filter by (compared folded, as there). Without it a value is
    an id, else a number, else a name, else an e-mail address: the first that finds any.
    """
    found: dict[str, list[str]] = {}
    for one in [by] if by else _usual(store.record):
        left = [value for value in values if value not in found]
        if left:
            found |= _find(work, store, one, left)
    return found


def _usual(record: type[Record]) -> list[str]:
    ways = ["id", "number", record.title_field, "email"]
    return [way for way in dict.fromkeys(ways) if matchable(record, way) is not None]


def _find(work: Work, store: Store[Any], by: str, values: Sequence[str]) -> dict[str, list[str]]:
    target = matchable(store.record, by)
    if target is None or target.top in hidden(work.context, store.name):
        raise not_found("field")
    names: dict[Any, list[str]] = {}
    rows: Sequence[Any]
    if target.role == "external":
        names = {value: [value] for value in values}
        rows = work.sql(
            f'SELECT x.key, r.id, r.owner_id, r.team_id FROM external_ids AS x JOIN "{store.table}" AS r'
            " ON r.tenant_id = x.tenant_id AND r.id = x.record_id"
            " WHERE x.tenant_id = %s AND x.record = %s AND x.system = %s AND x.key = ANY(%s) AND r.deleted_at IS NULL",
            (work.tenant, store.name, target.inner, list(values)),
        ).all()
    else:
        mapping = next(one for one in store.stored.mappings if one.name == target.path)
        for value in values:
            if (name := _comparable(mapping.field, mapping.key, value)) is not None:
                names.setdefault(name, []).append(value)
        kind = "uuid" if by == "id" else "bigint" if isinstance(mapping.field, f.Integer) else "text"
        rows = work.sql(
            f'SELECT "{mapping.key}", id, owner_id, team_id FROM "{store.table}"'
            f' WHERE tenant_id = %s AND "{mapping.key}" = ANY(%s::{kind}[]) AND deleted_at IS NULL ORDER BY id',
            (work.tenant, list(names)),
        ).all()
    granted = scope(work.context, store.name, "read")
    found: dict[str, list[str]] = {}
    for row in rows:
        if covers(work.context, granted, row.owner_id, row.team_id):
            for value in names[row[0]]:
                ids = found.setdefault(value, [])
                if len(ids) < ENOUGH:
                    ids.append(row.id)
    return found


def _comparable(field: f.Field, column: str, value: str) -> Any:
    if column.endswith("_key"):
        return fold(value)
    if isinstance(field, f.Id):
        return value.lower() if is_uuid(value) else None
    if isinstance(field, f.Integer):
        return int(value) if value.isdecimal() and len(value) < 19 else None
    return value


class References:
    """Fills in the references of documents, remembering what it has found. Misses are asked for again."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._known: dict[tuple[str, str | None, str], str] = {}

    def resolve(self, documents: Iterable[Document]) -> None:
        """Put ids in place of names. What names nothing, or several records, is an error of its document."""
        documents = list(documents)
        if len(self._known) > KEPT:
            self._known.clear()
        asked: dict[tuple[str, str | None], dict[str, None]] = {}
        for document in documents:
            for one in document.wanted:
                if one.by in (None, "id") and is_uuid(one.text):
                    self._known[one.target, one.by, one.text] = one.text
                elif (one.target, one.by, one.text) not in self._known:
                    asked.setdefault((one.target, one.by), {})[one.text] = None
        ambiguous = set()
        for (target, by), texts in asked.items():
            values = list(texts)
            for start in range(0, len(values), MOST):
                for text, ids in self._ask(target, by, values[start : start + MOST]).items():
                    if len(ids) == 1:
                        self._known[target, by, text] = ids[0]
                    else:
                        ambiguous.add((target, by, text))
        for document in documents:
            for one in document.wanted:
                key = (one.target, one.by, one.text)
                if key in self._known:
                    one.into[one.name] = self._known[key]
                elif key in ambiguous:
                    document.refuse(one.where, f"Several records are called {one.text}.", one.line)
                else:
                    document.refuse(one.where, f"There is no record {one.text}.", one.line)

    def _ask(self, target: str, by: str | None, values: list[str]) -> dict[str, list[str]]:
        runtime = self._running.runtime
        if target in runtime.stores:
            with self._running.reading() as work:
                return find(work, runtime.stores[target], by, values)
        context = self._running.context()
        request = {
            "method": "record.resolve",
            "context": runtime.signer.sign(context),
            "params": {"record": target, "by": by, "values": values},
        }
        assert runtime.caller is not None
        try:
            answer = runtime.caller.call(target.split(".", 1)[0], request, timeout=8)
        except (BusUnavailable, OutcomeUnknown) as error:
            raise unavailable("Another service did not answer.") from error
        if "error" in answer:
            raise Problem.read(answer["error"])
        found: dict[str, list[str]] = answer["ok"]["body"]["found"]
        return found
