"""Uploads are looked at by a virus scanner, where there is one: clamd, or whatever speaks its protocol.

An attachment is `pending` until the scanner has said of its content that it is `clean` or `rejected`; only what is
clean is served. Whoever fails on the way (scanner, store, this process) leaves it pending, and it is looked at again.
What is still to be looked at stands beside the holds of the blobs, so that files from before there was a scanner are
found too.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import socket
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from chassis import blobs
from chassis.errors import Problem

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.runtime import Runtime

log = logging.getLogger("guanxi")
PENDING, CLEAN, REJECTED = "pending", "clean", "rejected"
CONNECT_SECONDS, SEND_SECONDS, VERDICT_SECONDS = 3.0, 20.0, 120.0
AGAIN = dt.timedelta(seconds=30)
"""When a content is looked at again after the scanner, or the store, did not answer."""
LATER = dt.timedelta(hours=1)
"""And after the scanner answered that it cannot, because this content is too big for it, for instance."""
AT_ONCE = 50
_LONGEST_WORD = 4096
_FOUND = re.compile(rb"stream: (.+) FOUND")


class Away(OSError):
    """The scanner does not answer."""


class Unable(Exception):
    """The scanner answered, and not with a verdict."""


class Scanner:
    """clamd at a TCP address, asked by INSTREAM (clamd(8)): the content in chunks, each behind its length."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    def verdict(self, content: blobs.Source) -> str:
        """`clean` or `rejected`. Raises Away, Unable, and what reading the content raises."""
        try:
            wire = socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS)
        except OSError as error:
            raise Away(str(error)) from None
        with wire:
            wire.settimeout(SEND_SECONDS)
            self._send(wire, b"zINSTREAM\0")
            while part := content.read(blobs.CHUNK):
                if not self._send(wire, struct.pack("!L", len(part)) + part):
                    break
            self._send(wire, struct.pack("!L", 0))
            return _understood(self._answer(wire))

    def _send(self, wire: socket.socket, data: bytes) -> bool:
        """False: it hears no more, because of what it has said meanwhile."""
        try:
            wire.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        except OSError as error:
            raise Away(str(error)) from None
        return True

    def _answer(self, wire: socket.socket) -> bytes:
        wire.settimeout(VERDICT_SECONDS)
        said = b""
        try:
            while len(said) < _LONGEST_WORD and b"\0" not in said and (part := wire.recv(_LONGEST_WORD)):
                said += part
        except OSError as error:
            raise Away(str(error)) from None
        if b"\0" not in said:
            raise Away("it broke off")
        return said.partition(b"\0")[0]


def _understood(said: bytes) -> str:
    if said == b"stream: OK":
        return CLEAN
    if _FOUND.fullmatch(said):
        return REJECTED
    raise Unable(said.decode(errors="replace"))


def connect(address: str) -> Scanner | None:
    """The scanner at `tcp://host:port`; None for an empty address. Raises ValueError for one of another kind."""
    if not address:
        return None
    parts = urlsplit(address)
    if parts.scheme != "tcp" or not parts.hostname or parts.path or parts.query:
        raise ValueError("Must be tcp://host:port.")
    return Scanner(parts.hostname, parts.port or 3310)


def look_once(runtime: Runtime, scanner: Scanner) -> int:
    """Have the scanner look at some of what is due. Returns how many verdicts there were.

    No transaction is open meanwhile. Where the scanner is away nothing else of this round is tried."""
    with runtime.database.operations() as connection:
        rows = list(
            connection.exec_driver_sql(
                "SELECT tenant_id, key, holder FROM blob_holds"
                " WHERE scan_due <= %s AND starts_with(holder, 'attachment:')"
                f" ORDER BY scan_due LIMIT {AT_ONCE}",
                (runtime.clock.now(),),
            )
        )
    given = 0
    for row in rows:
        tenant = str(row.tenant_id)
        try:
            assert runtime.blobs is not None
            with runtime.blobs.of(runtime.name, tenant).open(row.key) as content:
                found = scanner.verdict(content)
        except Away as error:
            log.warning("the scanner of files does not answer: %s", error)
            _postpone(runtime, row, AGAIN)
            break
        except (Unable, Problem) as error:
            log.warning("the file %s of tenant %s cannot be looked at: %s", row.key, tenant, error)
            _postpone(runtime, row, LATER if isinstance(error, Unable) else AGAIN)
            continue
        with runtime.database.work(runtime.principal(tenant, "scan")) as work:
            given += _write(work, row.key, row.holder, found)
        if found == REJECTED:
            log.warning("the scanner rejects the file %s of tenant %s", row.key, tenant)
    return given


def _postpone(runtime: Runtime, row: Any, wait: dt.timedelta) -> None:
    with runtime.database.operations() as connection:
        connection.exec_driver_sql(
            "UPDATE blob_holds SET scan_due = %s WHERE tenant_id = %s AND key = %s AND holder = %s",
            (runtime.clock.now() + wait, row.tenant_id, row.key, row.holder),
        )


def _write(work: Work, key: str, holder: str, found: str) -> bool:
    """Put the verdict into the attachment, unless somebody else did, or it went meanwhile."""
    attachment_id = holder.partition(":")[2]
    about = work.sql(
        "SELECT about_type FROM attachments WHERE tenant_id = %s AND id = %s", (work.tenant, attachment_id)
    ).scalar()
    if about is None:
        return False
    store = work.service.children(f"{work.service.name}.{about}", "attachment")
    entity = store.find(work, attachment_id, lock=True, deleted=True)
    done = work.sql(
        "UPDATE blob_holds SET scan_due = NULL"
        " WHERE tenant_id = %s AND key = %s AND holder = %s AND scan_due IS NOT NULL",
        (work.tenant, key, holder),
    ).rowcount
    if entity is None or not done:
        return False
    entity.scan = found
    store.save(work, entity)
    return True
