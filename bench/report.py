"""The table of a measured run, in Markdown."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

JSON = dict[str, Any]
SINGLE = (
    ("read", "read one record", "1,000/s"),
    ("list", "list 50 of 100,000", "400/s"),
    ("create", "create a record", "300/s"),
)


def report(rows: JSON, seconds: int) -> str:
    """Ours, the limit of the same run and the ratio, with what a request costs in statements."""
    return "\n".join([*_head(seconds), *_requests(rows), *_orders(rows), *_events(rows), *_shares(rows)])


def _head(seconds: int) -> list[str]:
    here = Path(__file__).parent
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=here).stdout
    parts = ", ".join(f"{name} {version(name)}" for name in ("falcon", "gunicorn", "sqlalchemy", "nameko", "amqp"))
    return [
        "# Measured",
        "",
        f"Commit {commit.strip()}, {dt.date.today()}, {os.cpu_count()} cores, Python {platform.python_version()}.",
        f"{parts}.",
        "Client, broker, database, nine services and the gateway share the machine; broker and database are durable.",
        f"8 keep-alive connections, {seconds} s each. Rounds differ by 20–40 %: use the ratios within one run.",
        "",
    ]


def _requests(rows: JSON) -> list[str]:
    limit = rows["raw"]["row"]["rate"]
    lines = [
        "| What | Ours | p50 / p99 ms | Falcon + one SQL | Ratio | Goal | SQL statements / commits | Errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key, name, goal in SINGLE:
        ours, (statements, commits) = rows[key], rows["cost"][key]
        lines.append(
            f"| {name} | {ours['rate']:.0f}/s | {ours['p50']:.1f} / {ours['p99']:.1f} | {limit:.0f}/s |"
            f" {ours['rate'] / limit:.2f} | {goal} | {statements} / {commits} | {ours['errors']} |"
        )
    empty, sql = rows["raw"]["empty"]["rate"], rows["order sql"]
    return [
        *lines,
        "",
        "Each is one remote call: a message there, a message back. A create is one event more.",
        "",
        f"Other limits: empty Falcon route {empty:.0f}/s; plain AMQP call, one thread {rows['amqp']:.0f}/s;",
        f"hand-written order transaction, 8 clients {sql['rate']:.0f}/s (p50 {sql['p50']:.1f} ms).",
        "",
    ]


def _orders(rows: JSON) -> list[str]:
    alone, cost = rows["alone"], rows["cost"]
    lines = [
        "## Whole orders",
        "",
        f"Place-to-confirmed on an idle stack, seen by a client: p50 {alone['p50']:.0f} ms, p99 {alone['p99']:.0f} ms.",
        "Create, place, reserve, confirm, receivable, notification, log, search and overview, three lines each.",
        "Goal: 25/s for 60 s with every consumer less than 1 s behind.",
        "",
        "| Offered/s | Placed/s | Confirmed | Confirmed after p50 / p99 ms | Oldest waiting s | Seconds | Errors |",
        "|---|---|---|---|---|---|---|",
    ]
    for found in rows["orders"].values():
        lines.append(
            f"| {found['offered']} | {found['rate']:.1f} | {found['confirmed']} of {found['placed']} |"
            f" {found['p50']:.0f} / {found['p99']:.0f} | {found['behind']:.2f} | {found['seconds']:.0f} |"
            f" {found['errors']} |"
        )
    spent = ", ".join(
        f"{name} {cost[f'order: {name}'][0]} / {cost[f'order: {name}'][1]}" for name in ("create", "place")
    )
    return [*lines, "", f"SQL statements / commits in sales: {spent}.", ""]


def _events(rows: JSON) -> list[str]:
    lag = rows["lag"]
    return [
        "## Events",
        "",
        f"Commit to consumer at 100/s: p50 {lag['p50']:.1f} ms, p99 {lag['p99']:.1f} ms over {lag['events']} events",
        "(goal: p99 30 ms).",
        "",
    ]


def _shares(rows: JSON) -> list[str]:
    create, order = rows["shares"]["create"], rows["shares"]["order at 25/s"]
    lines = [
        "## Where the time goes",
        "",
        "Processor milliseconds for one create, with what its event sets off everywhere, and for one whole order.",
        f"{os.cpu_count()} cores have {1000 * (os.cpu_count() or 1):,} a second; the load takes its part of them too.",
        "",
        "| Part | One create | One order |",
        "|---|---|---|",
    ]
    lines += [f"| {part} | {create[part]:.2f} | {order.get(part, 0):.2f} |" for part in create]
    return [*lines, f"| all | {sum(create.values()):.2f} | {sum(order.values()):.2f} |", ""]
