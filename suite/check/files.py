"""I13: every file that is needed lies in the store of files.

A file that nobody needs is no fault: it may be on its way, and is swept when it is two days old.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import unquote, urlsplit

from chassis import blobs
from chassis.errors import Problem
from contracts.registry import SERVICES
from suite.check.rules import Fault, Seen, rule, seen
from suite.check.sources import Look, Unreachable

EVER = dt.datetime.max.replace(tzinfo=dt.UTC)


@rule("I13", "every attachment holds its file")
def attachments_hold(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT a.tenant_id, a.id AS subject,"
            " CASE WHEN h.key IS NULL THEN 'does not hold ' || a.sha256 END AS fault"
            " FROM attachments AS a LEFT JOIN blob_holds AS h"
            " ON h.tenant_id = a.tenant_id AND h.key = a.sha256 AND h.holder = 'attachment:' || a.id",
        )
    return found


@rule("I13", "every file that is needed lies in the store", moving=True)
def files_are_there(look: Look) -> Seen:
    if not look.files or _elsewhere(look.files):
        return Seen()
    store, rows, faults = blobs.connect(look.files), 0, []
    for service in SERVICES:
        held = {
            (str(row.tenant_id), row.key): row.holder
            for row in look.rows(service, "SELECT tenant_id, key, min(holder) AS holder FROM blob_holds GROUP BY 1, 2")
        }
        rows += len(held)
        if held:
            try:
                for place in store.older_than(service, EVER):
                    held.pop(place, None)
            except Problem as problem:
                raise Unreachable(f"files: {problem.detail}") from problem
        faults += [
            Fault(tenant, service, key, f"is needed by {holder} and not there")
            for (tenant, key), holder in held.items()
        ]
    return seen(rows, faults)


def _elsewhere(location: str) -> bool:
    """Whether the folder of the services is not one of this machine, which then cannot say anything of it."""
    parts = urlsplit(location)
    return parts.scheme == "file" and not Path(unquote(parts.path)).is_dir()


rules = (attachments_hold, files_are_there)
