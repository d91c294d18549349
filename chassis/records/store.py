"""The store owns every write of a record: load and lock, permission, rule, one version, one change row.

Here stands what a principal may ask for; `chassis.records.keeping` loads and writes, `chassis.records.rules` are what a
service hangs on its store.
"""

from __future__ import annotations

from typing import Any, TypeVar

from marshmallow import ValidationError

from chassis.database import Work
from chassis.errors import conflict, forbidden, from_validation, invalid, not_found
from chassis.permissions import covers, mask, read_only, scope
from chassis.records import custom, deleting, external, merging, patching, purging, references, survivors
from chassis.records.keeping import Keeping
from chassis.records.stored import Stored
from contracts.records import Command, Event

S = TypeVar("S", bound=Stored)
JSON = dict[str, Any]


class Store(Keeping[S]):
    """The records of one declaration. Methods named in the imperative check permission when they act for a principal
    (`get`, `create`, `update`, `delete`, `restore`, `run`); `add`, `change` and `find` are for rules and check none."""

    # --- reading

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

    def granted(self, work: Work) -> str:
        """How far the principal's right to read these records goes."""
        return scope(work.context, self.name, "read")

    def readable(self, work: Work, document: JSON) -> bool:
        return covers(work.context, self.granted(work), document["owner_id"], document["team_id"])

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
        # Rules may write the id beside the record, such as in a ledger.
        entity.id = record_id or entity.id
        event = self.begin(work, entity)
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
        self.refuse_to_give_away(work, entity)
        return self.save(work, entity)

    def refuse_to_give_away(self, work: Work, entity: S) -> None:
        """An edit may not put a record where its editor could not have edited it."""
        if not covers(work.context, scope(work.context, self.name, "update"), entity.owner_id, entity.team_id):
            raise forbidden("update", f"the owner of this {self.record.singular}")

    def delete(self, work: Work, record_id: str, if_match: str | None = None) -> S:
        """Soft delete, with what the policies of references say of others (`chassis.records.deleting`)."""
        entity = self.allowed(work, record_id, "delete")
        for rule in self.guarding:
            rule(entity, work)
        patching.check_version(work, entity, if_match, None)
        merging.refuse_under_way(work, self, record_id)
        deleting.delete(work, self, entity)
        return entity

    def remove(self, work: Work, entity: S, *, alone: bool = True) -> None:
        """Soft delete for rules. Its external ids are free for others. What does not go `alone` is purged with what it
        went with."""
        entity.deleted_at = work.now  # type: ignore[attr-defined]
        if entity.__dict__["external_ids"]:
            external.remove(work, self.name, entity)
        self.save(work, entity, event=f"{self.name}.deleted")
        if alone:
            purging.schedule(work, self, entity)

    def revive(self, work: Work, entity: S) -> None:
        """Take a soft delete back, for rules."""
        entity.deleted_at = None  # type: ignore[attr-defined]
        external.add(work, self.name, [entity])
        self.save(work, entity, event=f"{self.name}.restored")
        purging.unschedule(work, self, entity)

    def check_version(self, work: Work, entity: S, if_match: str | None) -> None:
        """Raise 412 where the principal has seen another version of a locked record."""
        patching.check_version(work, entity, if_match, None)

    def restore(self, work: Work, record_id: str, if_match: str | None = None) -> S:
        entity = self.allowed(work, record_id, "delete", deleted=True)
        patching.check_version(work, entity, if_match, None)
        if entity.deleted_at is None:
            raise conflict("not_deleted", f"This {self.record.singular} is not deleted.", field="deleted_at")
        deleting.restore(work, self, entity)
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
        if work.context.cause == "request":
            work.context = work.context.caused_by(f"command:{verb}")
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
