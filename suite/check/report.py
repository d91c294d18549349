"""The result of a check, for people and for machines."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from suite.check.rules import Result

if TYPE_CHECKING:
    from suite.check.repair import Repaired

SHOWN = 10
COLOURS = {"ok": "green", "violated": "bold red", "not checked": "yellow"}


def clean(results: Sequence[Result]) -> bool:
    return all(result.state != "violated" for result in results)


def document(results: Sequence[Result]) -> dict[str, Any]:
    """`{"clean", "rules": [{"invariant", "rule", "state", "rows", "faults", "first": […]}]}`.

    `faults` counts all of them; `first` holds at most 1,000, each with tenant, service, subject and what it says.
    """
    return {
        "clean": clean(results),
        "rules": [
            {
                "invariant": result.rule.invariant,
                "rule": result.rule.says,
                "state": result.state,
                "rows": result.seen.rows,
                "faults": len(result.seen.faults) + result.seen.more,
                "first": [asdict(fault) for fault in result.seen.faults],
            }
            for result in results
        ],
    }


def as_json(results: Sequence[Result], repaired: Repaired | None = None) -> str:
    """The document of a check, with `repaired` before it where something was to be repaired."""
    mended = {"repaired": repaired_document(repaired)} if repaired is not None else {}
    return orjson.dumps({**mended, **document(results)}, option=orjson.OPT_INDENT_2).decode()


def repaired_document(repaired: Repaired) -> dict[str, Any]:
    """`{"queues", "hours", "sealed", "published", "indexed", "differences": […], "left": […]}`: differences by
    hour and subscriber, each with the ids of events that are `missing` there and those `unknown` to their source."""
    found = repaired.report
    return {
        "queues": repaired.queues,
        "hours": found.hours,
        "sealed": found.sealed,
        "published": found.published,
        "indexed": repaired.indexed,
        "differences": [asdict(one) for one in found.differences],
        "left": [asdict(one) for one in repaired.left],
    }


def repaired_as_text(repaired: Repaired) -> str:
    """Every differing hour in a line, and what came of it."""
    found = repaired.report
    lines = [
        f"{one.service} {one.consumer}: of {one.source} at {one.at:%Y-%m-%d %H}:00 UTC "
        + (one.says or f"{len(one.missing):,} are missing and {len(one.unknown):,} are unknown to {one.source}")
        + f" (tenant {one.tenant})"
        for one in found.differences
    ]
    lines.append(
        f"{found.hours:,} hours were compared and {found.sealed:,} newly sealed; {found.published:,} events were"
        f" published again, {repaired.indexed:,} records for the index."
    )
    if repaired.queues:
        lines.append(f"{repaired.queues:,} queues have their bindings, again where one was missing.")
    missing = sum(len(one.missing) for one in repaired.left)
    unknown = {event for one in repaired.left for event in one.unknown}
    if missing:
        lines.append(f"{missing:,} have not arrived yet: is every relay and every reader running?")
    if unknown:
        lines.append(
            f"{len(unknown):,} events are unknown to the service that sent them: it was restored to a time before"
            " them. They are in the event log; nothing was done about them."
        )
    return "\n".join(lines) + "\n"


def as_text(results: Sequence[Result], *, width: int = 110, colour: bool = False) -> str:
    """A table of all rules, and below it the first faults of each that is violated."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, highlight=False)
    table = Table("", "Rule", box=None, pad_edge=False)
    table.add_column("Rows", justify="right")
    table.add_column("Result", no_wrap=True)
    for result in results:
        count = len(result.seen.faults) + result.seen.more
        state = f"{count:,} violated" if result.state == "violated" else result.state
        table.add_row(
            result.rule.invariant,
            escape(result.rule.says),
            f"{result.seen.rows:,}",
            f"[{COLOURS[result.state]}]{state}[/]",
        )
    console.print(table)
    for result in results:
        if result.state == "violated":
            console.print(f"\n[bold]{result.rule.invariant}[/] {escape(result.rule.says)}")
            for fault in result.seen.faults[:SHOWN]:
                tenant = f" (tenant {fault.tenant})" if fault.tenant else ""
                console.print(escape(f"  {fault.service}: {fault.subject} {fault.says}{tenant}"))
            left = len(result.seen.faults) + result.seen.more - min(SHOWN, len(result.seen.faults))
            if left:
                console.print(f"  and {left:,} more")
    console.print(f"\n{_verdict(results)}")
    return out.getvalue().rstrip()


def _verdict(results: Sequence[Result]) -> str:
    states = [result.state for result in results]
    rows = sum(result.seen.rows for result in results)
    unchecked = f", {states.count('not checked')} had nothing to look at" if "not checked" in states else ""
    if "violated" in states:
        return (
            f"{states.count('violated')} of {len(states)} rules are violated{unchecked}. {rows:,} rows were looked at."
        )
    return f"{states.count('ok')} of {len(states)} rules hold{unchecked}. {rows:,} rows were looked at."
