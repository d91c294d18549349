"""Reads beside lists: expanding references, a record of the past, external ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import ValidationError

from chassis.errors import bad_request, not_found
from chassis.permissions import covers, hidden, mask, scope
from chassis.records import external
from chassis.records.filters import refuse_unknown
from contracts import fields as f
from contracts.custom import PREFIX
from contracts.records import Record
from contracts.registry import registry

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]


def shape(work: Work, store: Store[Any], documents: list[JSON], params: JSON) -> list[JSON]:
    """Apply `fields` and `expand` of a request to records that were already permitted and masked."""
    if params.get("expand"):
        documents = expand(work, store, documents, params["expand"])
    wanted = params.get("fields")
    if wanted:
        refuse_unknown(set(wanted), set(store.record.declared()) - hidden(work.context, store.name), "field")
        keep = {"id", "version", *wanted, *(params.get("expand") or ())}
        documents = [{name: value for name, value in document.items() if name in keep} for document in documents]
    return documents


def expand(work: Work, store: Store[Any], documents: list[JSON], names: list[str]) -> list[JSON]:
    """Add `<name>` beside `<name>_id`, and `custom.<name>` for a custom reference: the record itself within the
    service, its copied fields across services. What the principal may not read is null; of what is deleted there is the
    title, and `deleted`.
    """
    for name in names:
        target = _target(work, store, name)
        if target is None:
            raise bad_request("unknown_parameter", f"{name} cannot be expanded.", "expand")
        referring = [_referred(document, name) for document in documents]
        found = by_id(work, target, {one for one in referring if one})
        documents = [{**document, name: found.get(one)} for document, one in zip(documents, referring, strict=True)]
    return documents


def _target(work: Work, store: Store[Any], name: str) -> str | None:
    """The record that a reference leads to; None where there is no such reference for this principal."""
    concealed = hidden(work.context, store.name)
    if name.startswith(PREFIX):
        inner = name.removeprefix(PREFIX)
        field: Any = work.service.definitions.fields_with(work, store.record.collection, {inner}).active.get(inner)
        concealed = concealed & {"custom", name}
    else:
        field = store.record.declared().get(f"{name}_id")
        concealed = concealed & {f"{name}_id"}
    return field.target if isinstance(field, f.Ref) and not concealed else None


def _referred(document: JSON, name: str) -> Any:
    if name.startswith(PREFIX):
        return (document.get("custom") or {}).get(name.removeprefix(PREFIX))
    return document.get(f"{name}_id")


def by_id(work: Work, target: str, ids: set[str]) -> dict[Any, JSON]:
    """What the principal may see of these records: whole within the service, their copied fields across services."""
    if not ids:
        return {}
    other = work.service.stores.get(target)
    if other is not None:
        rows = work.sql(
            f"{other.select} WHERE tenant_id = %s AND id = ANY(%s::uuid[])",
            (work.tenant, list(ids)),
        )
        documents = [other.stored.wire_of_row(row) for row in rows]
        return {
            document["id"]: _or_tombstone(other.record, other.shown(work, document), document["deleted_at"] is not None)
            for document in documents
            if other.readable(work, document)
        }
    copies = work.sql(
        "SELECT id, deleted, data FROM copies WHERE tenant_id = %s AND record = %s AND id = ANY(%s::uuid[])",
        (work.tenant, target, list(ids)),
    )
    granted = scope(work.context, target, "read")
    return {
        row.id: _or_tombstone(
            registry.records[target], mask(work.context, target, {"id": row.id, **row.data}), row.deleted
        )
        for row in copies
        if covers(work.context, granted, row.data.get("owner_id"), row.data.get("team_id"))
    }


def _or_tombstone(record: type[Record], document: JSON, deleted: bool) -> JSON:
    """Of a deleted record only what it was called: a reference that was kept still says to whom it led."""
    if not deleted:
        return document
    named = {record.title_field: document[record.title_field]} if record.title_field in document else {}
    return {"id": document["id"], **named, "deleted": True}


def readable_today(work: Work, store: Store[Any], record_id: str) -> None:
    """Raises 404 for who may not read the record as it is, or was last: also a deleted and a purged one."""
    row = work.sql(f"{store.select} WHERE tenant_id = %s AND id = %s", (work.tenant, record_id)).first()
    if row is not None:
        document = store.stored.wire_of_row(row)
    else:
        # Of a purged record its last version still says whose it was.
        document = work.sql(
            "SELECT snapshot FROM changes WHERE tenant_id = %s AND record_id = %s AND record = %s"
            " ORDER BY version DESC LIMIT 1",
            (work.tenant, record_id, store.name),
        ).scalar()
    if document is None or not store.readable(work, document):
        raise not_found(store.record.singular)


def as_of(work: Work, store: Store[Any], record_id: str, moment: str) -> JSON:
    """The record as it was at an instant, for who may read it today; 404 before it was made and while deleted."""
    readable_today(work, store, record_id)
    try:
        at = f.parse_instant(moment)
    except ValidationError as error:
        raise bad_request("bad_parameter", error.messages[0], "as_of") from None
    row = work.sql(
        "SELECT snapshot, private FROM changes WHERE tenant_id = %s AND record_id = %s AND record = %s AND at <= %s"
        " ORDER BY version DESC LIMIT 1",
        (work.tenant, record_id, store.name, at),
    ).first()
    if row is None:
        raise not_found(store.record.singular)
    document = {name: {**row.snapshot, **row.private.get("snapshot", {})}.get(name) for name in store.record.declared()}
    if document["deleted_at"] is not None:
        raise not_found(store.record.singular)
    return store.shown(work, document)


def by_external(work: Work, store: Store[Any], system: str, key: str) -> JSON:
    """The record that has this key in another system."""
    record_id = external.find(work, store.name, system, key)
    if record_id is None:
        raise not_found(store.record.singular)
    return store.get(work, record_id)
