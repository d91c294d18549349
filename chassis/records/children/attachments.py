"""What an attachment has beyond a note: a file among the blobs, whose hold is written in the attachment's transaction.

A file is stored before the row that needs it. If the process dies between the two, nothing holds the file, and the
sweep takes it two days later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chassis import blobs, files, scanning
from chassis.errors import conflict, invalid, unavailable

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.store import Store

JSON = dict[str, Any]
QUOTA = 10 * 1024**3
"""Bytes of all attachments of a tenant in one service, if the installation says nothing else."""


def name_is_clean(entity: Any, work: Work) -> None:
    """A new name is cleaned like the first one, and says the same about what is in the file."""
    entity.name = files.clean_name(entity.name)
    if entity.was is not None and files.ending_of(entity.name) != files.ending_of(entity.was["name"]):
        raise invalid({"name": "The ending of the name stays as it is."})


def judged(work: Work, name: str, blob: JSON) -> str:
    """The type of a stored file by its own first bytes. Raises Problem 415 `file_type_refused`."""
    with _space(work).open(blob["key"], 0, files.HEAD) as file:
        return files.type_of(files.clean_name(name), file.read(files.HEAD))


def attach(work: Work, store: Store[Any], data: JSON, blob: JSON, content_type: str) -> Any:
    """A new attachment of a stored file: `data` is what its author says, `blob` its `{key, size}`."""
    store.refuse_masked(work, data)
    entity = store.prepare(work, store.load(data))
    entity.content_type, entity.size, entity.sha256 = content_type, blob["size"], blob["key"]
    entity.scan = scanning.PENDING if work.service.scanner else None
    # Two at once must not each find room for itself alone.
    work.sql("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"quota:{work.tenant}",))
    refuse_above_quota(work, entity.size)
    store.add(work, entity)
    blobs.hold(work, entity.sha256, f"attachment:{entity.id}")
    return entity


def refuse_above_quota(work: Work, size: int) -> None:
    """Deleted attachments count until they are purged, since they can be restored."""
    settings = work.service.settings
    quota = QUOTA if settings is None else settings.attachment_quota
    used: int = work.sql(
        "SELECT coalesce(sum(size), 0)::bigint FROM attachments WHERE tenant_id = %s", (work.tenant,)
    ).scalar_one()
    if used + size > quota:
        raise conflict("quota_exceeded", f"All attachments together may have at most {quota} bytes here.", used=used)


def refuse_unclean(work: Work, scan: str | None) -> None:
    """Raises 409 for a content that may not be served: `file_rejected` by the scanner, or `file_not_scanned` yet."""
    if scan == scanning.REJECTED:
        raise conflict("file_rejected", "The virus scanner has rejected this file.")
    if scan != scanning.CLEAN and (scan is not None or work.service.scanner):
        raise conflict("file_not_scanned", "The virus scanner has not looked at this file yet.")


def _space(work: Work) -> blobs.Blobs:
    store: blobs.Store | None = work.service.blobs
    if store is None:
        raise unavailable("This process has no place for files.")
    return store.of(work.service.name, work.tenant)
