"""What became of each record of a bulk job: counts for the job's result, and a file with a row for each."""

from __future__ import annotations

import csv
import io
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chassis.jobs.running import Running

JSON = dict[str, Any]
HEADER = ("id", "previewed_version", "outcome", "version", "code", "message")
PAGE = 5_000
FINE = ("done", "unchanged")


def publish(running: Running, items_of: str) -> JSON:
    """Keep the file of all rows as `result`, that of the rows left alone as `errors`; answer the counts by outcome."""
    counts = dict.fromkeys(("done", "unchanged", "changed", "gone", "refused", "not_run"), 0)
    with tempfile.TemporaryFile() as everything, tempfile.TemporaryFile() as left:
        files = everything, left
        texts = [io.TextIOWrapper(file, "utf-8", newline="", write_through=True) for file in files]
        writers = [csv.writer(text) for text in texts]
        for writer in writers:
            writer.writerow(HEADER)
        after = 0
        while rows := _rows(running, items_of, after):
            for row in rows:
                outcome = row.outcome or "not_run"
                counts[outcome] += 1
                problem = row.problem or {}
                cells = (row.record_id, row.version, outcome, row.after, problem.get("code"), problem.get("detail"))
                writers[0].writerow(cells)
                if outcome not in FINE or problem:
                    writers[1].writerow(cells)
            after = rows[-1].seq
        collection = running.store.record.collection
        for which, file, text in zip(("result", "errors"), files, texts, strict=True):
            text.flush()
            file.seek(0)
            if which == "result" or any(counts[outcome] for outcome in counts if outcome not in FINE):
                running.publish(which, file, f"{collection}-{running.job.kind}-{which}.csv", "text/csv; charset=utf-8")
            text.detach()
    return counts


def _rows(running: Running, items_of: str, after: int) -> list[Any]:
    with running.reading() as work:
        return list(
            work.sql(
                "SELECT seq, record_id, version, outcome, after, problem FROM job_items"
                f" WHERE tenant_id = %s AND job_id = %s AND seq > %s ORDER BY seq LIMIT {PAGE}",
                (work.tenant, items_of, after),
            )
        )
