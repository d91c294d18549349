"""I7: work across services ends, and what it says of its end is what the records say."""

from __future__ import annotations

from contracts.registry import SERVICES
from suite.check.rules import Seen, rule
from suite.check.sources import Look

LATE = "60 s"
# For each saga the states that its record may be in after it ended so. Later sagas and commands may have moved it on.
ORDER_ENDS = {
    ("place_order", "completed"): ("confirmed", "shipped", "completed", "cancelled"),
    ("place_order", "compensated"): ("rejected", "cancelled"),
    ("ship_order", "completed"): ("shipped", "completed"),
    ("ship_order", "compensated"): ("confirmed", "shipped", "completed", "cancelled"),
    ("cancel_order", "completed"): ("cancelled",),
}
LEAD_ENDS = {
    ("convert_lead", "completed"): ("converted",),
    ("convert_lead", "compensated"): ("new", "qualified", "disqualified", "converting", "converted"),
}


@rule("I7", f"no saga is in flight later than {LATE} past its deadline", moving=True)
def sagas_end(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT tenant_id, name || ' ' || id AS subject,"
            f" CASE WHEN ended_at IS NULL AND deadline_at < clock_timestamp() - interval '{LATE}'"
            " THEN 'is ' || state || ', its deadline was ' || deadline_at END AS fault FROM sagas",
        )
    return found


@rule("I7", "an ended saga has no step left undecided")
def steps_are_decided(look: Look) -> Seen:
    found = Seen()
    for service in SERVICES:
        found += look.audit(
            service,
            "SELECT tenant_id, name || ' ' || id AS subject, CASE"
            "  WHEN state NOT IN ('completed', 'compensated') THEN 'has ended although it is ' || state"
            "  WHEN state = 'completed' AND jsonb_path_exists(steps, '$[*] ? (@.state != \"done\")')"
            "  THEN 'is completed although not all its steps are done'"
            "  WHEN state = 'compensated'"
            '   AND jsonb_path_exists(steps, \'$[*] ? (@.state == "running" || @.state == "undoing")\')'
            "  THEN 'is compensated although a step is under way' END AS fault"
            " FROM sagas WHERE ended_at IS NOT NULL",
        )
    return found


@rule("I7", "the record of an ended saga is where the saga led it")
def ends_agree(look: Look) -> Seen:
    return _ends(look, "sales", "orders", ORDER_ENDS) + _ends(look, "marketing", "leads", LEAD_ENDS)


@rule("I7", "a placed order and a lead in conversion have a saga at work on them")
def nothing_is_stuck(look: Look) -> Seen:
    return _stuck(look, "sales", "orders", "placed", "place_order") + _stuck(
        look, "marketing", "leads", "converting", "convert_lead"
    )


def _ends(look: Look, service: str, table: str, ends: dict[tuple[str, str], tuple[str, ...]]) -> Seen:
    allowed = ", ".join(f"('{name}', '{state}', '{end}')" for (name, state), some in ends.items() for end in some)
    names = ", ".join(sorted({f"'{name}'" for name, _ in ends}))
    return look.audit(
        service,
        f"SELECT s.tenant_id, s.name || ' ' || s.id AS subject, CASE WHEN r.id IS NULL THEN 'has no record'"
        f" WHEN (s.name, s.state, r.status) NOT IN ({allowed})"
        "  THEN 'is ' || s.state || ' although its record ' || r.id || ' is ' || r.status END AS fault"
        f" FROM sagas AS s LEFT JOIN {table} AS r ON r.tenant_id = s.tenant_id AND r.id = s.record_id"
        f" WHERE s.ended_at IS NOT NULL AND s.name IN ({names})",
    )


def _stuck(look: Look, service: str, table: str, state: str, saga: str) -> Seen:
    return look.audit(
        service,
        f"SELECT tenant_id, '{table} ' || id AS subject, CASE WHEN status = '{state}' AND NOT EXISTS ("
        f" SELECT 1 FROM sagas"
        f"  WHERE sagas.tenant_id = {table}.tenant_id AND record_id = {table}.id AND name = '{saga}'"
        f"  AND ended_at IS NULL) THEN 'is {state} without {saga}' END AS fault FROM {table}",
    )


rules = (sagas_end, steps_are_decided, ends_agree, nothing_is_stuck)
