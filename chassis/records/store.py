"""The store owns every write of a record: load and lock, permission, rule, one version, one change row.

Rules are plain functions that a service hangs on its store: `computes` (fields that follow from others), `guards`
(when people may edit or delete), `command` (a verb). They take the record and the unit of work and do no other I/O.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from marshmallow import ValidationError

from chassis.changes import Change
from chassis.database import Work
from chassis.errors import conflict, forbidden, from_validation, invalid, not_found
from chassis.ids import new_id
from chassis.permissions import covers, mask, read_only, scope
from chassis.records import custom, duplicates, external, merging, patching, references, survivors
from chassis.records.constraints import constraints_of
from chassis.records.stored import Stored, table_name
from contracts import fields as f
from contracts.records import Command, Event

S = TypeVar("S", bound=Stored)
JSON = dict[str, Any]
BOOKKEEPING = ("version", "updated_at", "updated_by")


class Store(Generic[S]):
    """The records of one declaration. Methods named in the imperative check permission when they act for a principal
    (`get`, `create`, `update`, `delete`, `restore`, `run`); `add`, `change` and `find` are for rules and check none."""

    def __init__(self, stored: type[S]) -> None:
        self.stored, self.record = stored, stored.record
        self.name, self.table = stored.record.record_name, table_name(stored.record)
        self.schema = stored.record()
        self._computes: list[Callable[[S, Work], None]] = []
        self.guarding: list[Callable[[S, Work], None]] = []
        self._created: list[Callable[[S, Work], Event | None]] = []
        self._after: list[Callable[[S, Work], None]] = []
        self._repointed: list[Callable[[S, Work], None]] = []
        self.merging: list[Callable[[S, Sequence[S], str, Work], None]] = []
        self.unmerging: list[Callable[[S, Sequence[S], str, Work], None]] = []
        self.commands: dict[str, tuple[Command, Callable[..., Any]]] = {}
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

    # --- what a service hangs on its store

    def computes(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before every write of a record; sets computed fields, or refuses."""
        self._computes.append(rule)
        return rule

    def guards(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run before a principal edits or deletes a record, with the record as it was; refuses by raising."""
        self.guarding.append(rule)
        return rule

    def creates(self, rule: Callable[[S, Work], Event | None]) -> Callable[[S, Work], Event | None]:
        """Run when a principal creates a record, before it is written: what else must happen in this transaction.

        An event that the rule returns takes the place of `<record>.created`.
        """
        self._created.append(rule)
        return rule

    def created(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run when a principal has created a record, for what refers to it."""
        self._after.append(rule)
        return rule

    def repointed(self, rule: Callable[[S, Work], None]) -> Callable[[S, Work], None]:
        """Run when a merge leads a record's references elsewhere, before it is written: what must follow in other
        tables. `was` holds it as it was; the rules of `computes` do not run."""
        self._repointed.append(rule)
        return rule

    def merges(self, rule: Callable[[S, Sequence[S], str, Work], None]) -> Callable[..., None]:
        """Run in the transaction of a merge: `rule(winner, losers, merge_id, work)`; refuses by raising."""
        self.merging.append(rule)
        return rule

    def unmerges(self, rule: Callable[[S, Sequence[S], str, Work], None]) -> Callable[..., None]:
        """The opposite of `merges`."""
        self.unmerging.append(rule)
        return rule

    def command(self, contract: Command) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """The rule of a declared verb: `rule(record, work)` or `rule(record, work, body)` where it has a request."""

        def hang(rule: Callable[..., Any]) -> Callable[..., Any]:
            self.commands[contract.verb] = (contract, rule)
            return rule

        return hang

    # --- reading

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

    def get(self, work: Work, record_id: str) -> JSON:
        """The wire form of a record that the principal may read; 404 otherwise, whether it exists or not."""
        rows = work.rows(self._by_id, (work.tenant, record_id))
        if not rows:
            raise not_found(self.record.singular)
        document = self.stored.wire_of_row(rows[0])
        if document["deleted_at"] is not None or not self.readable(work, document):
            if document.get("merged_into_id"):
                survivors.refuse(work, self, record_id, 308)
            raise not_found(self.record.singular)
        return self.shown(work, document)

    def shown(self, work: Work, document: JSON) -> JSON:
        """A record's wire form as the principal may see it."""
        return mask(work.context, self.name, custom.shown(work, self, document))

    def readable(self, work: Work, document: JSON) -> bool:
        return covers(work.context, scope(work.context, self.name, "read"), document["owner_id"], document["team_id"])

    def allowed(self, work: Work, record_id: str, action: str, *, deleted: bool = False, unmerge: bool = False) -> S:
        """The locked record, if the principal may read it (else 404) and do this to it (else 403).

        One that was merged into another is 409 `merged`, except for un-merging.
        """
        entity = self.find(work, record_id, lock=True, deleted=True)
        context = work.context
        if entity is not None and entity.deleted_at is not None:
            if getattr(entity, "merged_into_id", None) and not unmerge:
                survivors.refuse(work, self, record_id, 409)
            if not deleted:
                entity = None
        if entity is None or not covers(context, scope(context, self.name, "read"), entity.owner_id, entity.team_id):
            raise not_found(self.record.singular)
        if not covers(context, scope(context, self.name, action), entity.owner_id, entity.team_id):
            raise forbidden(action, f"this {self.record.singular}")
        return entity

    # --- writing for a principal

    def create(self, work: Work, data: JSON, *, record_id: str | None = None) -> S:
        """A new record from its request body; its owner is the acting user unless the body names another."""
        self.refuse_masked(work, data)
        entity = self.prepare(work, self.load(data))
        references.look_ahead(work, [entity])
        event = self.begin(work, entity)
        if record_id:
            entity.id = record_id
        self.add(work, entity, event=event)
        self.complete(work, entity)
        return entity

    def load(self, data: JSON, *, partial: bool = False) -> JSON:
        """The values of a request body; 422 with every field at fault."""
        try:
            values: JSON = self.schema.load(data, partial=partial)
        except ValidationError as error:
            raise from_validation(error) from None
        return values

    def prepare(self, work: Work, values: JSON) -> S:
        """A new object of loaded values for a principal who may create it; not yet written."""
        context = work.context
        granted = scope(context, self.name, "create")
        if granted == "none":
            raise forbidden("create", self.record.collection)
        entity = self.stored(**values)
        if entity.owner_id is None:
            entity.owner_id = context.user_id
        if entity.team_id is None and context.teams:
            entity.team_id = context.teams[0]
        if not covers(context, granted, entity.owner_id, entity.team_id):
            raise forbidden("create", f"{self.record.collection} of others")
        custom.begin(work, self, entity, asked=True)
        return entity

    def begin(self, work: Work, entity: S) -> Event | None:
        """Run what belongs to a creation before it is written; the event that it becomes instead of `created`."""
        event = None
        for rule in self._created:
            event = rule(entity, work) or event
        return event

    def complete(self, work: Work, entity: S) -> None:
        """Run what belongs to a creation once it is written."""
        for rule in self._after:
            rule(entity, work)

    def update(self, work: Work, record_id: str, patch: JSON, if_match: str | None = None) -> S:
        """Apply a merge patch. Who saw an older version passes where his fields are disjoint from the others'."""
        entity = self.allowed(work, record_id, "update")
        self.edit(work, entity, patch, if_match)
        return entity

    def edit(self, work: Work, entity: S, patch: JSON, if_match: str | None = None) -> bool:
        """Apply a merge patch to a locked record that the principal may update. False: nothing was different."""
        for rule in self.guarding:
            rule(entity, work)
        self.refuse_masked(work, patch)
        patch = patching.check_version(work, entity, if_match, patch) or {}
        assert entity.was is not None
        values = self.load(patching.prepare(self.stored, entity.was, patch), partial=True)
        declared = self.record.declared()
        for name, value in values.items():
            if declared[name].once and value != getattr(entity, name):
                raise invalid({name: "Cannot be changed once it is set."})
            setattr(entity, name, value)
        if "custom" in values:
            custom.amend(work, self, entity)
        if not covers(work.context, scope(work.context, self.name, "update"), entity.owner_id, entity.team_id):
            raise forbidden("update", f"the owner of this {self.record.singular}")
        return self.save(work, entity)

    def delete(self, work: Work, record_id: str, if_match: str | None = None) -> S:
        """Soft delete. Records that others of this service refer to stay, where the reference says `restrict`."""
        entity = self.allowed(work, record_id, "delete")
        for rule in self.guarding:
            rule(entity, work)
        patching.check_version(work, entity, if_match, None)
        merging.refuse_under_way(work, self, record_id)
        references.refuse_if_referenced(work, self.record, record_id)
        self.remove(work, entity)
        return entity

    def remove(self, work: Work, entity: S) -> None:
        """Soft delete for rules. Its external ids are free for others."""
        entity.deleted_at = work.now  # type: ignore[attr-defined]
        external.remove(work, self.name, entity)
        self.save(work, entity, event=f"{self.name}.deleted")

    def restore(self, work: Work, record_id: str, if_match: str | None = None) -> S:
        entity = self.allowed(work, record_id, "delete", deleted=True)
        patching.check_version(work, entity, if_match, None)
        if entity.deleted_at is None:
            raise conflict("not_deleted", f"This {self.record.singular} is not deleted.")
        entity.deleted_at = None  # type: ignore[attr-defined]
        external.add(work, self.name, [entity])
        self.save(work, entity, event=f"{self.name}.restored")
        return entity

    def run(
        self, work: Work, record_id: str, verb: str, data: JSON | None, if_match: str | None = None
    ) -> tuple[S, Command]:
        """A verb on one record. An `If-Match` of another version than the present one is always a clash here."""
        if verb not in self.commands:
            raise not_found("command")
        contract, rule = self.commands[verb]
        entity = self.allowed(work, record_id, verb)
        patching.check_version(work, entity, if_match, None)
        arguments: tuple[Any, ...] = ()
        if contract.request is not None:
            try:
                arguments = (contract.request.make(contract.request().load(data or {})),)
            except ValidationError as error:
                raise from_validation(error) from None
        elif data:
            raise invalid(dict.fromkeys(data, "Unknown field."))
        rule(entity, work, *arguments)
        self.save(work, entity, event=contract.emits.name if contract.emits else None)
        return entity, contract

    def refuse_masked(self, work: Work, data: JSON) -> None:
        if work.context.masks:
            given = data.get("custom")
            named = {*data, *(f"custom.{name}" for name in (given if isinstance(given, dict) else ()))}
            refused = sorted(named & read_only(work.context, self.name))
            if refused:
                raise invalid(dict.fromkeys(refused, "You may not write this field."), code="field_read_only")

    # --- writing for rules

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
        self._write(work, self._insert, [work.tenant, self.stored.rows_json(entities)])
        external.add(work, self.name, entities)
        custom.index(work, self, [(entity, {}) for entity in entities])
        for entity in entities:
            document = entity.wire()
            entity.was = document
            self._append(
                work,
                entity,
                kind,
                document,
                changed=[name for name, value in document.items() if value is not None],
                previous={},
            )
        if self.record.likeness:
            duplicates.add(work, self.record, [entity.was or {} for entity in entities])

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
        self._append(
            work,
            entity,
            kind,
            document,
            changed=changed,
            previous={name: before[name] for name in changed},
        )
        return True

    def _write(self, work: Work, statement: str, parameters: list[Any]) -> None:
        """Nobody waits for the field at fault where a saga or an event writes: that need not be asked for alone."""
        if work.pipelined or work.context.cause.startswith(survivors.FOLLOWING):
            work.later(statement, parameters)
            return
        with constraints_of(self.record):
            work.sql(statement, parameters)

    def _append(self, work: Work, entity: S, kind: str, document: JSON, *, changed: list[str], previous: JSON) -> None:
        private: JSON = {}
        if self._pii:
            private = {
                "snapshot": {name: value for name, value in document.items() if name in self._pii},
                "previous": {name: value for name, value in previous.items() if name in self._pii},
            }
            document = {name: value for name, value in document.items() if name not in self._pii}
            previous = {name: value for name, value in previous.items() if name not in self._pii}
        work.changes.append(
            Change(
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
        )


def _event_name(event: Event | str | None) -> str | None:
    return event.name if isinstance(event, Event) else event
