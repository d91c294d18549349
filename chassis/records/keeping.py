"""Loading and writing records as rules do: without asking permission, with one version and one change row a write."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from chassis.ahead import meanwhile
from chassis.changes import Change
from chassis.database import Work
from chassis.errors import not_found
from chassis.ids import new_id
from chassis.records import custom, duplicates, external, references, survivors
from chassis.records.constraints import constraints_of
from chassis.records.rules import Rules
from chassis.records.stored import Stored, table_name
from contracts import fields as f
from contracts.records import Event

S = TypeVar("S", bound=Stored)
JSON = dict[str, Any]
BOOKKEEPING = ("version", "updated_at", "updated_by")
MANY = 100
"""Of so many new records the events are made while the database takes them in; of fewer a thread is not worth it."""


class Keeping(Rules[S]):
    """The rows of one declaration, for rules; `chassis.records.store.Store` asks permission around it."""

    def __init__(self, stored: type[S]) -> None:
        super().__init__()
        self.stored, self.record = stored, stored.record
        self.name, self.table = stored.record.record_name, table_name(stored.record)
        self.schema = stored.record()
        self.within: tuple[str, list[Any]] | None = None
        """What lists are narrowed to, in terms of the row `t`: the record that notes and attachments are about."""
        columns = ", ".join(f'"{name}"' for name in stored.column_names())
        self.select = f'SELECT {columns} FROM "{self.table}"'
        self._by_id = f"{self.select} WHERE tenant_id = %s AND id = %s"
        self._insert = stored.insert_sql()
        self._states = {
            name: field.first for name, field in self.record.declared().items() if isinstance(field, f.State)
        }
        self._parts = [
            name
            for name, field in self.record.declared().items()
            if isinstance(field, f.Parts) and "id" in field.part.declared()
        ]
        self._pii = frozenset(name for name, field in self.record.declared().items() if field.pii)

    def find(self, work: Work, record_id: str, *, lock: bool = False, deleted: bool = False) -> S | None:
        """The record, without asking permission. `lock` holds it until the transaction ends."""
        row = work.sql(self._by_id + (" FOR UPDATE" if lock else ""), (work.tenant, record_id)).first()
        if row is None:
            return None
        entity: S = self.stored.from_row(row)  # type: ignore[assignment]
        return None if entity.deleted_at is not None and not deleted else entity

    def where(self, work: Work, condition: str, parameters: Sequence[Any] = (), *, lock: bool = False) -> list[S]:
        """Records by a condition of the service's own SQL (`%s` placeholders), deleted ones left out, in id order."""
        rows = work.sql(
            f"{self.select} WHERE tenant_id = %s AND deleted_at IS NULL AND {condition} ORDER BY id"
            + (" FOR UPDATE" if lock else ""),
            (work.tenant, *parameters),
        )
        return [self.stored.from_row(row) for row in rows]  # type: ignore[misc]

    def add(self, work: Work, entity: S, *, event: Event | str | None = None) -> S:
        self.add_all(work, [entity], event=event)
        return entity

    def make(self, **values: Any) -> S:
        """A new object with the declared defaults, not yet written."""
        for name, field in self.record.declared().items():
            if name not in values and field.default is not f.missing:
                values[name] = field.default() if callable(field.default) else field.default
        return self.stored(**values)

    def add_all(self, work: Work, entities: list[S], *, event: Event | str | None = None) -> None:
        """Insert records, each with its first version and its event, as one statement."""
        if not entities:
            return
        kind = _event_name(event) or f"{self.name}.created"
        now = work.now
        for entity in entities:
            self._begin(work, entity, now)
        survivors.settle(work, self.record, entities)
        references.check(work, self.record, [(entity, None) for entity in entities])
        insert = partial(self._write, work, self._insert, [work.tenant, self.stored.rows_json(entities)])
        with meanwhile(insert) if len(entities) >= MANY else _before(insert):
            documents = [entity.wire() for entity in entities]
            changes = [
                self._change(
                    entity,
                    kind,
                    document,
                    changed=[name for name, value in document.items() if value is not None],
                    previous={},
                )
                for entity, document in zip(entities, documents, strict=True)
            ]
            alike = duplicates.rows_of(self.record, documents) if self.record.likeness else []
        external.add(work, self.name, entities)
        custom.index(work, self, [(entity, {}) for entity in entities])
        for entity, document in zip(entities, documents, strict=True):
            entity.was = document
        work.changes += changes
        duplicates.add(work, self.record, alike)

    def _begin(self, work: Work, entity: S, now: dt.datetime) -> None:
        actor = work.context.actor
        entity.id = entity.id or new_id()
        for name, first in self._states.items():
            if getattr(entity, name) is None:
                setattr(entity, name, first)
        values: JSON = {
            "version": 1,
            "created_at": now,
            "created_by": actor,
            "updated_at": now,
            "updated_by": actor,
            "tags": entity.__dict__["tags"] or [],
            "external_ids": entity.__dict__["external_ids"] or {},
        }
        entity.__dict__.update(values)
        custom.begin(work, self, entity, asked=False)
        self._name_parts(entity)
        for rule in self._computes:
            rule(entity, work)

    def _name_parts(self, entity: S) -> None:
        for name in self._parts:
            for part in getattr(entity, name) or ():
                part.id = part.id or new_id()

    def change(self, work: Work, record_id: str, rule: Callable[[S], Any], *, event: Event | str | None = None) -> S:
        """Load and lock a record, let `rule` change it, and write the one version that comes of it."""
        entity = self.find(work, record_id, lock=True)
        if entity is None:
            raise not_found(self.record.singular)
        rule(entity)
        self.save(work, entity, event=event)
        return entity

    def save(self, work: Work, entity: S, *, event: Event | str | None = None) -> bool:
        """Write what differs from when the record was loaded. Nothing different: no version, no event, False."""
        self._name_parts(entity)
        for rule in self._computes:
            rule(entity, work)
        survivors.settle(work, self.record, [entity])
        return self._save(work, entity, _event_name(event) or f"{self.name}.updated", check=True)

    def repoint(self, work: Work, entity: S) -> bool:
        """Write references that a merge has changed: a version and an event, without computing anything anew."""
        for rule in self._repointed:
            rule(entity, work)
        return self._save(work, entity, f"{self.name}.updated", check=False)

    def write_as_is(self, work: Work, entity: S, kind: str) -> bool:
        """Write what differs under an event of this type, without computing or checking anything: for what was decided
        elsewhere."""
        return self._save(work, entity, kind, check=False)

    def _save(self, work: Work, entity: S, kind: str, *, check: bool) -> bool:
        assert entity.was is not None
        before, after = entity.was, entity.wire()
        changed = [name for name in after if after[name] != before[name] and name not in BOOKKEEPING]
        if not changed:
            return False
        if check:
            references.check(work, self.record, [(entity, before)])
        # The clock may stand behind another machine's: a record's times never run backwards.
        at = max(work.now, entity.__dict__["updated_at"])
        entity.__dict__.update(version=entity.version + 1, updated_at=at, updated_by=work.context.actor)
        assignments, parameters = [], []
        for mapping in self.stored.mappings:
            if mapping.name in changed or mapping.name in BOOKKEEPING:
                for column, value in zip(mapping.columns, mapping.into(getattr(entity, mapping.name)), strict=True):
                    assignments.append(f'"{column.name}" = %s')
                    parameters.append(value)
        self._write(
            work,
            f'UPDATE "{self.table}" SET {", ".join(assignments)} WHERE tenant_id = %s AND id = %s',
            [*parameters, work.tenant, entity.id],
        )
        if "external_ids" in changed:
            external.replace(work, self.name, entity)
        if "custom" in changed:
            custom.index(work, self, [(entity, before["custom"])])
        document = entity.wire()
        entity.was = document
        if duplicates.concerned(self.record, changed):
            duplicates.change(work, self.record, before, document)
        previous = {name: before[name] for name in changed}
        work.changes.append(self._change(entity, kind, document, changed=changed, previous=previous))
        return True

    def _write(self, work: Work, statement: str, parameters: list[Any]) -> None:
        """Nobody waits for the field at fault where a saga or an event writes: that need not be asked for alone."""
        if work.pipelined or work.context.cause.startswith(survivors.FOLLOWING):
            work.later(statement, parameters)
            return
        with constraints_of(self.record):
            work.sql(statement, parameters)

    def _change(self, entity: S, kind: str, document: JSON, *, changed: list[str], previous: JSON) -> Change:
        private: JSON = {}
        if self._pii:
            private = {
                "snapshot": {name: value for name, value in document.items() if name in self._pii},
                "previous": {name: value for name, value in previous.items() if name in self._pii},
            }
            document = {name: value for name, value in document.items() if name not in self._pii}
            previous = {name: value for name, value in previous.items() if name not in self._pii}
        return Change(
            record=self.name,
            record_id=entity.id,
            version=entity.version,
            type=kind,
            changed=changed,
            previous=previous,
            snapshot=document,
            private=private,
            at=entity.__dict__["updated_at"],
        )


@contextmanager
def _before(effect: Callable[[], Any]) -> Iterator[None]:
    effect()
    yield


def _event_name(event: Event | str | None) -> str | None:
    return event.name if isinstance(event, Event) else event
