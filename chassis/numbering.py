"""Human numbers: a tenant's rule for each collection says pattern, scope, gap policy and time zone.

Without a rule the declared pattern counts, once a year where it names the year. A gap-free sequence is a row that stays
locked until the commit, so numbers are neither lost nor given twice. A fast one is taken in blocks: who finds the
process's block used up takes the next with his own transaction, and only its commit gives the rest to the others.
"""

from __future__ import annotations

import datetime as dt
import logging
import string
import threading
import zoneinfo
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, Uuid

from chassis.errors import conflict
from chassis.text import fold

if TYPE_CHECKING:
    from chassis.database import Work
    from chassis.records.stored import Stored
    from contracts.records import Record

JSON = dict[str, Any]
log = logging.getLogger("guanxi")
TOKENS = ("year", "yy", "month", "day", "field", "seq")
SCOPES: dict[str, tuple[tuple[str, ...], ...]] = {
    "none": (),
    "year": (("year", "yy"),),
    "month": (("year", "yy"), ("month",)),
    "day": (("year", "yy"), ("month",), ("day",)),
}
BLOCK, WINDOW, WINDOWS = 50, 1_000, 100


def define(metadata: MetaData) -> None:
    Table(
        "counters",
        metadata,
        Column("tenant_id", Uuid(as_uuid=False), primary_key=True),
        Column("name", Text, primary_key=True),
        Column("value", BigInteger, nullable=False),
    )


class Pattern:
    """`SO-{year}-{seq:05}`: literal text, parts of the date, a field's value, and the sequence once."""

    def __init__(self, pattern: str) -> None:
        try:
            pieces = list(string.Formatter().parse(pattern))
        except ValueError:
            raise ValueError("Braces must enclose a word.") from None
        self.tokens = [name for _, name, _, _ in pieces if name is not None]
        if self.tokens.count("seq") != 1 or not set(self.tokens) <= set(TOKENS):
            raise ValueError(f"Must have {{seq}} once, and no other words than {', '.join(TOKENS)}.")
        for literal, name, width, conversion in pieces:
            if any(char.isspace() for char in literal) or conversion or (width and not _is_width(name, width)):
                raise ValueError("Must have no blanks, and a width of at most 12 in {seq:05} alone.")
        self._pieces = [(literal, name, int(width or 0)) for literal, name, width, _ in pieces]

    def lacks(self, scope: str, by_field: bool) -> str:
        """What the pattern must name so that different scopes have different numbers, and does not: `{year}`, …"""
        wanted = [*SCOPES[scope], *([("field",)] if by_field else [])]
        return ", ".join(f"{{{words[0]}}}" for words in wanted if not set(words) & set(self.tokens))

    def around(self, day: dt.date, value: str) -> tuple[str, int, str]:
        """What stands before the sequence, its least width, and what stands behind it."""
        words = {
            "year": f"{day.year:04}",
            "yy": f"{day.year % 100:02}",
            "month": f"{day.month:02}",
            "day": f"{day.day:02}",
            "field": value,
        }
        before, width, behind = "", None, ""
        for literal, name, least in self._pieces:
            text = literal + (words[name] if name and name != "seq" else "")
            before, behind = (before + text, behind) if width is None else (before, behind + text)
            if name == "seq":
                width = least
        return before, width or 0, behind


def _is_width(name: str | None, width: str) -> bool:
    return name == "seq" and width.isascii() and width.isdigit() and 1 <= int(width) <= 12


class Numbers:
    """The blocks of fast sequences that this process may give numbers from."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: dict[tuple[str, str], list[int]] = {}

    def take(self, tenant: str, name: str) -> int | None:
        with self._lock:
            free = self._free.get((tenant, name))
            return free.pop(0) if free else None

    def release(self, block: Block) -> None:
        with self._lock:
            self._free.setdefault((block.tenant, block.name), []).extend(block.free)


class Block:
    """Numbers that a transaction has taken: its own until it commits, then the process's."""

    def __init__(self, numbers: Numbers, tenant: str, name: str, last: int) -> None:
        self.numbers, self.tenant, self.name = numbers, tenant, name
        self.free = list(range(last - BLOCK + 1, last + 1))

    def __call__(self) -> None:
        self.numbers.release(self)


class _Sequence:
    """One rule's sequence at one moment for one record."""

    def __init__(self, work: Work, entity: Stored) -> None:
        record = entity.record
        rule = work.service.definitions.rule(work, record.collection) or declared_rule(record)
        day = work.now.astimezone(_zone(rule["zone"])).date()
        value = str(getattr(entity, rule["scope_field"]) or "") if rule["scope_field"] else ""
        self.work, self.table, self.gap_free = work, entity.table.name, rule["gaps"] == "none"
        self.before, self.width, self.behind = Pattern(rule["pattern"]).around(day, value)
        periods = {"none": "", "year": f"{day:%Y}", "month": f"{day:%Y-%m}", "day": f"{day:%Y-%m-%d}"}
        self.name = ":".join(part for part in (record.record_name, periods[rule["scope"]], value) if part)

    def text(self, value: int) -> str:
        return f"{self.before}{str(value).rjust(self.width, '0')}{self.behind}"

    def key(self, sql: str) -> str:
        """The folded number of a value, as SQL with three parameters: `keys`."""
        return f"%s || lpad({sql}::text, greatest(%s, length({sql}::text)), '0') || %s"

    @property
    def keys(self) -> list[Any]:
        return [fold(self.before), self.width, fold(self.behind)]

    def advance(self, by: int) -> tuple[int, bool]:
        """Take the next `by` values with this transaction; the last of them, and whether a record has it already."""
        row = self.work.sql(
            "WITH taken AS (INSERT INTO counters (tenant_id, name, value) VALUES (%s, %s, %s)"
            " ON CONFLICT (tenant_id, name) DO UPDATE SET value = counters.value + excluded.value RETURNING value)"
            f' SELECT value, EXISTS (SELECT 1 FROM "{self.table}" WHERE tenant_id = %s'
            f" AND number_key = {self.key('value')}) AS known FROM taken",
            [self.work.tenant, self.name, by, self.work.tenant, *self.keys],
        ).one()
        return row.value, row.known

    def is_taken(self, value: int) -> bool:
        return bool(
            self.work.sql(
                f'SELECT EXISTS (SELECT 1 FROM "{self.table}" WHERE tenant_id = %s AND number_key = %s)',
                (self.work.tenant, fold(self.text(value))),
            ).scalar()
        )

    def first_free(self, value: int) -> int:
        """The next value that no record has, and the counter set to it."""
        for start in range(value + 1, value + 1 + WINDOW * WINDOWS, WINDOW):
            free = self.work.sql(
                f"SELECT min(one) FROM generate_series({start}, {start + WINDOW - 1}) AS one WHERE NOT EXISTS"
                f' (SELECT 1 FROM "{self.table}" WHERE tenant_id = %s AND number_key = {self.key("one")})',
                [self.work.tenant, *self.keys],
            ).scalar()
            if free is not None:
                self.work.later(
                    "UPDATE counters SET value = %s WHERE tenant_id = %s AND name = %s",
                    (free, self.work.tenant, self.name),
                )
                log.warning("%s to %s were taken already and are skipped", self.text(value), self.text(free - 1))
                return int(free)
        raise conflict("numbers_taken", f"No number is free near {self.text(value)}: choose another pattern.")


def next_number(work: Work, entity: Stored) -> str:
    """The next number of the record's collection, by the tenant's rule as it is now.

    Numbers that records have already, such as imported ones, are skipped, and the log says so.
    """
    sequence = _Sequence(work, entity)
    if sequence.gap_free:
        value, taken = sequence.advance(1)
        return sequence.text(sequence.first_free(value) if taken else value)
    while sequence.is_taken(value := _fast(sequence)):
        log.warning("number %s was taken already and is skipped", sequence.text(value))
    return sequence.text(value)


def _fast(sequence: _Sequence) -> int:
    work = sequence.work
    numbers: Numbers = work.service.numbers
    for act in work.committed:
        if isinstance(act, Block) and act.name == sequence.name and act.free:
            return act.free.pop(0)
    value = numbers.take(work.tenant, sequence.name)
    if value is not None:
        return value
    last, _ = sequence.advance(BLOCK)
    block = Block(numbers, work.tenant, sequence.name, last)
    work.committed.append(block)
    return block.free.pop(0)


def declared_rule(record: type[Record]) -> JSON:
    """What counts before the tenant's rule is known: the declared pattern."""
    assert record.number_pattern
    scope = "year" if "{year}" in record.number_pattern else "none"
    return {"pattern": record.number_pattern, "scope": scope, "scope_field": None, "gaps": "none", "zone": "UTC"}


def _zone(name: str) -> dt.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return dt.UTC
