"""What became of the rows of an import: kept beside the job while it runs, then given out as a file to be corrected."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import orjson
from sqlalchemy import Column, Integer, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from chassis.records.importing.documents import Document
from chassis.records.importing.messages import translated
from chassis.records.importing.writing import Verdict

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.jobs.running import Running

JSON = dict[str, Any]
PAGE = 1_000
# Columns that begin with this mark are the suite's own remarks: the next import does not take them for data.
LINE, REASON, OUTCOME = "#line", "#reason", "#outcome"
_FORMULA = re.compile(r"'*[=+\-@\t\r＝＋－＠]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_DEFUSED = re.compile(r"'+[=+\-@\t\r＝＋－＠]")
LABELS = {
    "en": {"created": "created", "updated": "updated", "unchanged": "unchanged", "rejected": "rejected"},
    "zh": {"created": "新建", "updated": "更新", "unchanged": "无变化", "rejected": "拒绝"},
}


def define(metadata: MetaData) -> None:
    """Rejected rows of running imports (of dry runs: all rows), until the job's file is made of them."""
    Table(
        "import_rows",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("job_id", Uuid(as_uuid=False), primary_key=True),
        Column("line", Integer, primary_key=True),
        Column("outcome", Text, nullable=False),
        Column("errors", JSONB, nullable=False),
        Column("cells", JSONB, nullable=False),
    )


def keep(
    work: Work, job_id: str, documents: Sequence[Document], verdicts: Sequence[Verdict], *, all_rows: bool
) -> None:
    """Keep the rows of rejected documents with their errors; with `all_rows` the others too."""
    entries = [
        {
            "line": row.line,
            "outcome": verdict.outcome,
            "errors": [error[:2] for error in verdict.errors if error[2] == row.line]
            or [error[:2] for error in verdict.errors],
            "cells": row.cells or [],
        }
        for document, verdict in zip(documents, verdicts, strict=True)
        if all_rows or verdict.outcome == "rejected"
        for row in document.rows
    ]
    if entries:
        work.sql(
            "INSERT INTO import_rows (tenant_id, job_id, line, outcome, errors, cells) SELECT %s, %s, r.* FROM"
            " jsonb_to_recordset(%s::jsonb) AS r(line int, outcome text, errors jsonb, cells jsonb)",
            (work.tenant, job_id, orjson.dumps(entries).decode().replace("\\u0000", "\\ufffd")),
        )


def forget(work: Work, job_id: str) -> None:
    work.sql("DELETE FROM import_rows WHERE tenant_id = %s AND job_id = %s", (work.tenant, job_id))


def _kept(running: Running, outcome: str | None) -> Iterator[Any]:
    after = -1
    while True:
        with running.reading() as work:
            rows = work.rows(
                "SELECT line, outcome, errors, cells FROM import_rows"
                " WHERE tenant_id = %s AND job_id = %s AND line > %s AND (%s::text IS NULL OR outcome = %s)"
                " ORDER BY line LIMIT %s",
                (work.tenant, running.job.id, after, outcome, outcome, PAGE),
            )
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def publish(running: Running, columns: list[str] | None, *, dry_run: bool) -> None:
    """Make the error file, and of a dry run the file with the verdict of every row, and let the rows go."""
    for which, outcome in (("errors", "rejected"), *((("result", None),) if dry_run else ())):
        suffix, media = ("csv", "text/csv") if columns is not None else ("jsonl", "application/jsonl")
        with tempfile.TemporaryFile() as file:
            if write(file, _kept(running, outcome), columns, running.locale, verdicts=outcome is None):
                file.seek(0)
                running.publish(which, file, f"{running.job.name}-{which}.{suffix}", media)
    with running.work() as work:
        forget(work, running.job.id)


def write(file: IO[bytes], rows: Iterator[Any], columns: list[str] | None, locale: str, *, verdicts: bool) -> int:
    """Rows with their line, reason and (with `verdicts`) outcome, in the form they came in. Returns how many.

    In CSV cells that a spreadsheet would take for a formula get an apostrophe, which the next import takes away again.
    """
    count = 0
    remarks = [LINE, *([OUTCOME] if verdicts else []), REASON]
    text = io.TextIOWrapper(file, encoding="utf-8-sig" if columns is not None else "utf-8", newline="")
    writer = csv.writer(text)
    headers = [name for name in columns or () if name not in (LINE, REASON, OUTCOME)]
    taken = [index for index, name in enumerate(columns or ()) if name not in (LINE, REASON, OUTCOME)]
    for line, outcome, errors, cells in rows:
        reason = "; ".join(f"{field}: {said}" if field else said for field, said in _said(errors, locale))
        notes = [str(line), *([LABELS.get(locale[:2], LABELS["en"])[outcome]] if verdicts else []), reason]
        if columns is None:
            known = cells if isinstance(cells, dict) else {}
            document = {**known, **dict(zip(remarks, notes, strict=True))}
            text.write(orjson.dumps(document).decode() + "\n")
        else:
            if count == 0:
                writer.writerow([*map(defused, headers), *remarks])
            values = [cells[index] if cells else "" for index in taken]
            writer.writerow([*map(defused, values), *map(defused, notes)])
        count += 1
    text.flush()
    text.detach()
    return count


def _said(errors: list[list[str]], locale: str) -> Iterator[tuple[str, str]]:
    for field, message in errors:
        yield field, translated(message, locale)


def defused(cell: str) -> str:
    """A text that no spreadsheet takes for a formula. Numbers are left as they are."""
    return "'" + cell if _FORMULA.match(cell) and not _NUMBER.fullmatch(cell) else cell


def restored(cell: str) -> str:
    """The cell that `defused` was given."""
    return cell[1:] if _DEFUSED.match(cell) and not _NUMBER.fullmatch(cell[1:]) else cell
