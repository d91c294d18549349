"""`guanxi up --real` beside an Elasticsearch of its own, whose disk is small enough to be filled."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from sqlalchemy.engine import make_url

from chassis.provisioning import database_name
from suite.servers import Elasticsearch
from tests.integration.real import RealSuite
from tests.integration.support import until

JSON = dict[str, Any]
DISK, FLOOD, FILLED = 500, 60, 30
"""Megabytes: of the whole disk, of room below which Elasticsearch takes no writes, and of room on a filled one."""
WATERMARKS = {
    "cluster.routing.allocation.disk.watermark.low": "100mb",
    "cluster.routing.allocation.disk.watermark.high": "80mb",
    "cluster.routing.allocation.disk.watermark.flood_stage": f"{FLOOD}mb",
    "cluster.info.update.interval": "10s",
}
LONG = bool(os.environ.get("LONG"))


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of its own for Elasticsearch; None where this user may not make one."""
    with tempfile.TemporaryDirectory(prefix="guanxi-disk-") as name:
        Path(name).chmod(0o755)
        options = ["-t", "tmpfs", "-o", f"size={DISK}m,mode=0755", "tmpfs", name]
        mounted = os.getuid() == 0 and subprocess.run(["mount", *options], capture_output=True).returncode == 0
        try:
            yield Path(name) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "--lazy", name], check=True)


class SearchingSuite(RealSuite):
    """The suite with searches answered by Elasticsearch. `disk` is the file system that it has for itself, if any."""

    def __init__(self, folder: Path, port: int, disk: Path | None) -> None:
        super().__init__(folder, port)
        self.disk = disk
        where = (disk or folder) / "elasticsearch"
        self.elastic = Elasticsearch(where, settings=WATERMARKS if disk else None, say=lambda _: None)
        self._position = 0

    def prepare(self) -> None:
        with ThreadPoolExecutor(1) as beside:
            url = beside.submit(self.elastic.start)
            super().prepare()
            self.environment["GUANXI_ELASTICSEARCH"] = url.result()

    def remove(self) -> None:
        super().remove()
        self.elastic.remove()

    # --- asking

    def search(self, q: str, **params: Any) -> JSON:
        found: JSON = self.api(timeout=15).get("/v1/search", q=q, **params)
        return found

    def database_of_search(self) -> Any:
        """A connection that may do anything there, and that the caller closes."""
        server = make_url(self.environment["GUANXI_DATABASE_URL"]).set(drivername="postgresql")
        return psycopg2.connect(server.set(database=database_name("search")).render_as_string(hide_password=False))

    def _number(self, statement: str) -> int:
        """Asked in the database: `guanxi search status` says the same, but starts a process for each look."""
        connection = self.database_of_search()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return int(cursor.fetchone()[0])
        finally:
            connection.close()

    def lacking(self) -> int:
        """How many documents are noted as lacking in Elasticsearch."""
        return self._number("SELECT count(*) FROM behind")

    def position(self) -> int:
        """Where the feed ends now."""
        self._position = max((one["position"] for one in self.api().feed(self._position)), default=self._position)
        return self._position

    def indices(self) -> list[str]:
        """The indices that are asked."""
        aliases = self.elastic.ask("GET", "/guanxi-*/_alias")
        return sorted(
            name for name, one in aliases.items() if any(not alias.endswith("-filling") for alias in one["aliases"])
        )

    def answered_by(self, q: str = "nobody") -> str:
        return str(self.search(q)["freshness"]["backend"])

    def await_elasticsearch(self, seconds: float = 120) -> None:
        """Until nothing is lacking there, and it answers again."""
        until(lambda: self.lacking() == 0, seconds, every=0.2, what="Elasticsearch lacks nothing")
        until(lambda: self.answered_by() == "elasticsearch", 30, every=0.2, what="Elasticsearch answers")

    def await_events(self) -> None:
        """Until every event that the log has now is in the index."""
        end = self.position()
        reached = "SELECT coalesce(max(position), 0) FROM positions"
        until(lambda: self._number(reached) >= end, 60, every=0.2, what="the index has caught up")

    # --- breaking

    def fill_disk(self) -> None:
        """Leave Elasticsearch less room than it writes in; where it has no disk of its own, make it think so."""
        if self.disk is None:
            self._watermarks("1000tb")
            return
        free = os.statvfs(self.disk).f_bavail * os.statvfs(self.disk).f_frsize
        with (self.disk / "filler").open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free - FILLED * 2**20))

    def empty_disk(self) -> None:
        if self.disk is None:
            self._watermarks(None)
            return
        (self.disk / "filler").unlink()

    def _watermarks(self, value: str | None) -> None:
        settings = {name: value for name in WATERMARKS if "watermark" in name}
        self.elastic.ask("PUT", "/_cluster/settings", {"persistent": settings})

    def blocked(self) -> bool:
        """Whether Elasticsearch itself has made an index read-only."""
        settings = self.elastic.ask("GET", "/guanxi-*/_settings/index.blocks.*")
        return any(one["settings"] for one in settings.values())
