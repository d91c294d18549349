"""Notes and attachments: records that have no permissions of their own but those of the record they are about.

`Children.of` is the only way to them for a principal: it asks the record first, as its store would, and what it returns
is narrowed to that one record in every statement. So whoever may not read the record is told 404 for its notes too, and
a deleted record hides them until it is restored.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData

from chassis import blobs
from chassis.errors import forbidden, not_found
from chassis.permissions import covers, scope
from chassis.records import custom, external, survivors
from chassis.records.children import attachments
from chassis.records.store import Store
from chassis.records.stored import Stored
from contracts.children import DECLARED
from contracts.records import Record
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work

JSON = dict[str, Any]


def stored(record: type[Record]) -> type[Stored]:
    """The class of the rows of one kind of child."""

    class Row(Stored, record=record):
        common = True

    return Row


TEMPLATES = {kind: stored(record) for kind, record in DECLARED.items()}


def define(metadata: MetaData) -> None:
    """The same two tables in every service's database."""
    for template in TEMPLATES.values():
        template.table.to_metadata(metadata)


class Children(Store[Any]):
    """The notes, or the attachments, of one kind of record."""

    def __init__(self, kind: str, parent: Store[Any]) -> None:
        super().__init__(stored(registry.children[f"{parent.record.service}.{kind}"]))
        self.parent = parent
        self.about: str | None = None
        """The id of the one record that the principal was found to have a right to."""
        self._record: Any = None
        operations = parent.record.operations
        self._writing = "create" if "update" not in operations and "create" in operations else "update"
        self._by_id += f" AND about_type = '{parent.record.singular}'"
        self.computes(_follow_the_record)
        if kind == "attachment":
            self.computes(attachments.name_is_clean)
            self.purges(_let_go_of_the_file)
        self.repointed(self._belong_to_the_survivor)

    # --- for a principal

    def of(self, work: Work, record_id: str, action: str = "read") -> Children:
        """Those of one record for a principal who may read it; to `write` about it, or only to `ask` whether he might.

        Raises Problem 404 where he may not read the record, 308 or 409 `merged` where another stands for it, 403 where
        he may read it and not write. Writing about a record asks for the grant of its `update`, in whatever state it
        is; of one that cannot be updated, for that of `create`.
        """
        found = copy.copy(self)
        # What is only ever inserted cannot be locked, and nothing happens to it meanwhile.
        if action == "write" and not self.parent.stored.insert_only:
            # A merge that comes meanwhile waits, and then finds what is written here.
            survivors.fence(work)
            found._record = self.parent.allowed(work, record_id, self._writing)
        else:
            self.parent.get(work, record_id)
            found._record = None if action == "read" else self.parent.find(work, record_id)
            if found._record is not None and not self._may(work, self._writing, found._record):
                raise forbidden(self._writing, f"this {self.parent.record.singular}")
        found.about = record_id
        found.within = ("t.about_id = %s AND t.about_type = %s", [record_id, self.parent.record.singular])
        found._by_id = f"{self._by_id} AND about_id = '{record_id}'"
        return found

    def granted(self, work: Work) -> str:
        return "none" if self.about is None else "all"

    def readable(self, work: Work, document: JSON) -> bool:
        return self.about is not None and document["about_id"] == self.about

    def allowed(self, work: Work, record_id: str, action: str, *, deleted: bool = False, unmerge: bool = False) -> Any:
        """The locked child. Others' may be changed by who may delete the record."""
        assert self._record is not None
        entity = self.find(work, record_id, lock=True, deleted=True)
        if entity is None or (entity.deleted_at is not None and not deleted):
            raise not_found(self.record.singular)
        if not self._may_change(work, entity.author_id):
            raise forbidden(action, f"this {self.record.singular} of somebody else")
        entity.about = self._record
        return entity

    def _may_change(self, work: Work, author: str | None) -> bool:
        return (author is not None and author == work.context.user_id) or self._may(work, "delete", self._record)

    def _may(self, work: Work, action: str, record: Any) -> bool:
        return covers(work.context, scope(work.context, self.parent.name, action), record.owner_id, record.team_id)

    def prepare(self, work: Work, values: JSON) -> Any:
        entity = self.stored(**values)
        entity.about_type, entity.about_id = self.parent.record.singular, self.about
        entity.author_id = work.context.user_id
        entity.about = self._record
        custom.begin(work, self, entity, asked=True)
        return entity

    def refuse_to_give_away(self, work: Work, entity: Any) -> None:
        """It stays with its record."""

    # --- for rules

    def _belong_to_the_survivor(self, entity: Any, work: Work) -> None:
        record = self.parent.find(work, entity.about_id, deleted=True)
        if record is not None:
            entity.owner_id, entity.team_id = record.owner_id, record.team_id


def _follow_the_record(entity: Any, work: Work) -> None:
    """Who may see an event of it later is decided by whose the record is now."""
    record = entity.__dict__.get("about")
    if record is None or (entity.was is not None and entity.wire() == entity.was):
        return
    entity.owner_id, entity.team_id = record.owner_id, record.team_id
    if entity.was is not None and "text" in entity.was and entity.text != entity.was["text"]:
        entity.edited_at = work.now


def _let_go_of_the_file(entity: Any, work: Work) -> None:
    blobs.release(work, f"attachment:{entity.id}")


def holding(work: Work, name: str, child_id: str) -> Children | None:
    """The store of a note or attachment, by the record that it is about; None where it is gone."""
    kind = name.split(".", 1)[1]
    row = work.sql(
        f'SELECT about_type FROM "{kind}s" WHERE tenant_id = %s AND id = %s', (work.tenant, child_id)
    ).first()
    for parent in work.service.stores.values() if row is not None else ():
        if parent.record.singular == row.about_type:
            found: Children | None = work.service.children(parent.name, kind)
            return found
    return None


def purge(work: Work, record: str, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Remove for ever the notes and attachments of records that are removed for ever, and let go of their files.

    Returns the name and the id of each, for whoever clears their history as well. The files go with the next sweep, if
    nothing else has the same content.
    """
    service, singular = record.split(".", 1)
    gone: list[tuple[str, str]] = []
    for kind in DECLARED:
        rows = work.sql(
            f'DELETE FROM "{kind}s" WHERE tenant_id = %s AND about_type = %s AND about_id = ANY(%s::uuid[])'
            " RETURNING id",
            (work.tenant, singular, list(ids)),
        )
        gone += [(f"{service}.{kind}", row.id) for row in rows]
    for name, child_id in gone:
        blobs.release(work, f"{name.split('.')[1]}:{child_id}")
        external.forget(work, name, child_id)
    return gone
