"""`guanxi check`: run every rule and say what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

import orjson

from contracts.values import is_uuid
from suite.check import (
    broker,
    delivery,
    effects,
    files,
    index,
    money,
    orders,
    repair,
    report,
    stock,
    tenants,
    versions,
    work,
)
from suite.check.rules import PAUSES, Result, Rule, examine
from suite.check.sources import Settings, Sources, Unreachable

CLEAN, VIOLATED, NOT_CHECKED = 0, 1, 2
RULES: tuple[Rule, ...] = (
    *orders.rules,
    *effects.rules,
    *delivery.rules,
    *broker.rules,
    *stock.rules,
    *money.rules,
    *work.rules,
    *versions.rules,
    *index.rules,
    *files.rules,
    *tenants.rules,
)


def run(
    settings: Settings, *, as_json: bool, tenant: str | None, say: Callable[[str], None], mend: bool = False
) -> int:
    """Check all tenants or one. Returns 0 where all holds, 1 where something does not, 2 where nobody can say.

    `mend` first publishes again what subscribers miss, which is looked for in all tenants.
    """
    try:
        repaired = repair.repair(settings) if mend else None
        results = check(settings, tenant)
    except Unreachable as error:
        message = f"Not checked: {error}"
        say(orjson.dumps({"clean": None, "error": message}).decode() if as_json else message)
        return NOT_CHECKED
    if as_json:
        say(report.as_json(results, repaired))
    else:
        if repaired is not None:
            say(report.repaired_as_text(repaired))
        say(report.as_text(results, colour=sys.stdout.isatty()))
    return CLEAN if report.clean(results) else VIOLATED


def check(
    settings: Settings,
    tenant: str | None = None,
    *,
    wait: Callable[[float], None] = time.sleep,
    pauses: Sequence[float] = PAUSES,
) -> list[Result]:
    """The results of all rules. Raises Unreachable: a database did not answer, or there is no such tenant."""
    if tenant is not None and not is_uuid(tenant):
        raise Unreachable(f"{tenant} is no id of a tenant")
    sources = Sources(settings, tenant)
    try:
        if tenant is not None:
            with sources.look() as look:
                if not look.rows("identity", "SELECT tenant_id FROM tenants"):
                    raise Unreachable(f"there is no tenant {tenant}")
        return examine(sources, RULES, wait, pauses)
    finally:
        sources.close()
